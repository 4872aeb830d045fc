"""Decode cells ahead of the encoder: in threads, or in processes where joblib is told so."""

from __future__ import annotations

import math
import os
import pickle
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from joblib import effective_n_jobs, wrap_non_picklable_objects
from joblib.externals.loky import ProcessPoolExecutor
from joblib.parallel import BACKENDS, get_active_backend

_CELLS_AHEAD = 8  # of each thread
_CHUNKS_AHEAD = 2  # of each process
# A task costs almost a millisecond, most of it to wake up, so processes get cells in chunks: of as
# many as make so many seconds of work or bytes on their way, and of few at first, so that every
# process has work.
_CHUNK_S, _CHUNK_BYTES = 0.1, 4_000_000
_FIRST_CELLS, _GROWTH = 2, 16  # of the first chunks, and of how much larger the next may be
_LAST_CELLS = 8  # of the last chunks, so that no process waits long for another
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


def map_ahead(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    n_jobs: int | None,
    *,
    n_items: float = math.inf,
) -> Generator:
    """Map in order, with workers a bounded number of items ahead of who takes the results.

    Workers are threads, or processes inside of ``joblib.parallel_config(backend="loky")``, which
    get smaller chunks near the end where the number of items is known.
    """
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        return (function(item) for item in items)
    backend, _ = get_active_backend(prefer="threads")
    if isinstance(backend, BACKENDS.get("loky", ())):
        return _in_processes(function, items, n_workers, n_items)
    return _in_threads(function, items, n_workers)


def _in_threads(function: Callable, items: Iterable[Any], n_workers: int) -> Generator:
    with ThreadPoolExecutor(n_workers) as executor:
        tasks = (executor.submit(function, item) for item in items)
        yield from _results(tasks, n_workers * _CELLS_AHEAD)


def _in_processes(
    function: Callable, items: Iterable[Any], n_workers: int, n_items: float
) -> Generator:
    items = iter(items)
    chunk_cells, n_left = _FIRST_CELLS, n_items
    sizes: deque[int] = deque()

    def tasks() -> Iterator[Future]:
        nonlocal n_left
        while chunk := list(islice(items, chunk_cells)):
            n_left -= len(chunk)
            try:
                pickled = _pickle(chunk)
            except Exception:  # of an object's own, an open file's for example
                pickled = b""
            sizes.append(len(pickled))
            if pickled:
                yield _submit(n_workers, _map_chunk, path, _folder(), pickled)
            else:
                yield _done(function, chunk)  # which tells what is wrong, as it does in threads

    with _pickled(function) as path:
        try:
            for results in _results(tasks(), n_workers * _CHUNKS_AHEAD):
                largest = max(sizes.popleft(), len(results), 1)
                seconds, results = pickle.loads(results)
                fitting = len(results) * min(_CHUNK_BYTES / largest, _CHUNK_S / seconds)
                share = max(_LAST_CELLS, n_left / (2 * n_workers))
                chunk_cells = max(1, int(min(_GROWTH * len(results), fitting, share)))
                yield from results
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process that decoded cells has died, as one does that is killed or out of "
                "memory: take a smaller n_jobs, or threads (no joblib.parallel_config)"
            ) from error


def _results(tasks: Iterator[Future], n_ahead: int) -> Iterator:
    """Yield the results of tasks, each started no sooner than ``n_ahead`` before it is due."""
    ahead = deque(islice(tasks, n_ahead))
    try:
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(islice(tasks, 1))
            yield result
    finally:
        for future in ahead:
            future.cancel()
        wait(ahead)


def _map(function: Callable, chunk: list) -> bytes:
    """Map some items; return the seconds that took and the results, pickled."""
    start = time.perf_counter()
    results = [function(item) for item in chunk]
    return pickle.dumps((max(time.perf_counter() - start, 1e-6), results), protocol=5)


def _done(function: Callable, chunk: list) -> Future:
    """Map some items here."""
    future: Future = Future()
    try:
        future.set_result(_map(function, chunk))
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
    return _map(function, pickle.loads(chunk))
