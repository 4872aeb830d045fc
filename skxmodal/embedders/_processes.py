"""Decode cells ahead of the encoder in other processes."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from joblib import wrap_non_picklable_objects
from joblib.externals.loky import ProcessPoolExecutor

from ._ahead import map_chunk, map_chunks

_IDLE_S = 300  # after so long without work a process ends
_ENVIRONMENT = {
    # Processes share the work already.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc would give the memory of each cell back to the system, and ask for it page by page.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 26),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 27),
}

# joblib's own processes are not lent out: it expects to be the only one that starts them.
_POOLS: dict[tuple[int, int], ProcessPoolExecutor] = {}
_POOLS_LOCK = Lock()


def map_in_processes(
    function: Callable, items: Iterable[Any], n_workers: int, n_items: float
) -> Generator:
    """Map in order in other processes."""

    def submit(chunk: list) -> Future:
        try:
            pickled = _pickle(chunk)
        except Exception:  # of an object's own, an open file's for example
            return _done(function, chunk)  # which tells what is wrong, as it does in threads
        return _submit(n_workers, _map_chunk, path, _folder(), pickled)

    with _pickled(function) as path:
        try:
            yield from map_chunks(submit, items, n_workers, n_items, unpack=pickle.loads)
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process that decoded cells has died, as one does that is killed or out of "
                "memory: take a smaller n_jobs, or threads (no joblib.parallel_config)"
            ) from error


def _done(function: Callable, chunk: list) -> Future:
    """Map some items here."""
    future: Future = Future()
    try:
        future.set_result(pickle.dumps(map_chunk(function, chunk), protocol=5))
    except Exception as error:
        future.set_exception(error)  # raised when it is due
    return future


def _submit(n_workers: int, *task: Any) -> Future:
    """Give a task to the processes, which stay for the next column."""
    # A forked process cannot use those of its parent.
    key = os.getpid(), n_workers
    with _POOLS_LOCK:
        with suppress(KeyError, BrokenProcessPool):
            return _POOLS[key].submit(*task)
        _POOLS[key] = ProcessPoolExecutor(n_workers, timeout=_IDLE_S, env=_ENVIRONMENT)
        return _POOLS[key].submit(*task)


def _pickle(thing: Any) -> bytes:
    """Pickle also what a script or a notebook defines."""
    return pickle.dumps(wrap_non_picklable_objects(thing, keep_wrapper=False), protocol=5)


@contextmanager
def _pickled(function: Callable) -> Iterator[str]:
    """Write a function where processes find it: a network in it is not sent with each task."""
    try:
        content = _pickle(function)
    except Exception as error:
        raise TypeError(
            f"the encoder cannot be sent to other processes ({error}): decode in threads, without "
            "joblib.parallel_config"
        ) from error
    handle, path = tempfile.mkstemp(prefix="skxmodal-", suffix=".pickle")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def _folder() -> str | None:
    """Return the folder that relative paths start from, if it is still there."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


# What follows runs in the other processes.


@lru_cache(maxsize=1)
def _load(path: str) -> Callable:
    content = Path(path).read_bytes()
    try:
        return pickle.loads(content)
    except Exception as error:  # where its module is not found, for example
        raise TypeError(
            f"the encoder cannot be made again in another process ({error}): decode in threads, "
            "without joblib.parallel_config"
        ) from error


def _map_chunk(path: str, folder: str | None, chunk: bytes) -> bytes:
    """Map some items in another process."""
    if folder is not None:
        os.chdir(folder)
    function = _load(path)
    done = map_chunk(function, pickle.loads(chunk))
    # The cells may be larger than what is made of them.
    return pickle.dumps(done._replace(n_bytes=max(len(chunk), done.n_bytes)), protocol=5)
