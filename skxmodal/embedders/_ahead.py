"""Decode cells ahead of the encoder: in threads, or in processes where joblib is told so."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from joblib import effective_n_jobs, wrap_non_picklable_objects
from joblib.executor import get_memmapping_executor
from joblib.externals.loky.process_executor import ShutdownExecutorError
from joblib.parallel import BACKENDS, get_active_backend

_CELLS_AHEAD = 8  # of each thread
_CHUNKS_AHEAD = 3  # of each process
# A task costs a process some tenths of a millisecond, so cells go to it in chunks: of as many as
# make so many bytes of windows, and of few at first, so that every process has work.
_CHUNK_CELLS, _CHUNK_BYTES = 32, 4_000_000
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def map_ahead(function: Callable[[Any], Any], items: Iterable[Any], n_jobs: int | None) -> Iterator:
    """Map in order, with workers a bounded number of items ahead of who takes the results.

    Workers are threads, or processes inside of ``joblib.parallel_config(backend="loky")``.
    """
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        return map(function, items)
    backend, _ = get_active_backend(prefer="threads")
    if isinstance(backend, BACKENDS["loky"]):
        return _in_processes(function, items, n_workers)
    return _in_threads(function, items, n_workers)


def _in_threads(function: Callable, items: Iterable[Any], n_workers: int) -> Iterator:
    with ThreadPoolExecutor(n_workers) as executor:
        tasks = (executor.submit(function, item) for item in items)
        yield from _results(tasks, n_workers * _CELLS_AHEAD)


def _in_processes(function: Callable, items: Iterable[Any], n_workers: int) -> Iterator:
    items = iter(items)
    chunk_cells = 1

    def start() -> Any:
        # joblib's own, which its other users share: joblib.Parallel bounds no waiting results.
        return get_memmapping_executor(n_workers, env=_ONE_THREAD, max_nbytes=None)

    def tasks() -> Iterator[Future]:
        executor = start()
        while chunk := list(islice(items, chunk_cells)):
            try:
                yield executor.submit(_map_chunk, path, chunk)
            except ShutdownExecutorError:  # someone with other settings has used joblib meanwhile
                executor = start()
                yield executor.submit(_map_chunk, path, chunk)

    with _pickled(function) as path:
        try:
            for pickled in _results(tasks(), n_workers * _CHUNKS_AHEAD):
                results = pickle.loads(pickled)
                fitting = _CHUNK_BYTES * len(results) // len(pickled)
                chunk_cells = max(1, min(2 * chunk_cells, fitting, _CHUNK_CELLS))
                yield from results
        except BrokenProcessPool:
            raise RuntimeError(
                "a process that decoded cells has died, as one does that is killed or out of "
                "memory: take a smaller n_jobs, or threads (no joblib.parallel_config)"
            ) from None


def _results(tasks: Iterator[Future], n_ahead: int) -> Iterator:
    """Yield the results of tasks in order, of which so many are started before they are due."""
    ahead = deque(islice(tasks, n_ahead))
    try:
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(islice(tasks, 1))
            yield result
    finally:
        for future in ahead:
            future.cancel()


@contextmanager
def _pickled(function: Callable) -> Iterator[str]:
    """Write a function where processes find it: a network in it is not sent with each task."""
    handle, path = tempfile.mkstemp(prefix="skxmodal-", suffix=".pickle")
    try:
        with os.fdopen(handle, "wb") as file:
            try:
                # Also what a notebook defines.
                pickle.dump(wrap_non_picklable_objects(function), file)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise TypeError(
                    f"the encoder cannot be sent to other processes ({error}): decode in threads, "
                    "without joblib.parallel_config"
                ) from error
        yield path
    finally:
        Path(path).unlink()


@lru_cache(maxsize=1)
def _load(path: str) -> Callable:
    with Path(path).open("rb") as file:
        return pickle.load(file)


def _map_chunk(path: str, chunk: list) -> bytes:
    """Map some items in another process."""
    function = _load(path)
    return pickle.dumps([function(item) for item in chunk], protocol=5)
