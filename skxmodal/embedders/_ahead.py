"""Decode cells ahead of the encoder: in threads, or in processes where joblib is told so."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from joblib import effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend

from ..utils._threads import share_torch_threads

_CHUNKS_AHEAD = 2  # of each worker
# A task costs up to a millisecond, most of it to wake up, so workers get cells in chunks: of as
# many as make so many seconds of work or bytes on their way, and of few at first, so that every
# worker has work.
_CHUNK_S, _CHUNK_BYTES = 0.1, 4_000_000
_FIRST_CELLS, _GROWTH = 2, 16  # of the first chunks, and of how much larger the next may be
_LAST_CELLS = 8  # of the last chunks, so that no worker waits long for another


class Done(NamedTuple):
    """What became of a chunk: the results of its first items, or of all."""

    results: list
    n_bytes: int
    seconds: float


def map_ahead(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    n_jobs: int | None,
    *,
    n_items: float = math.inf,
) -> Generator:
    """Map in order, with workers a bounded number of items ahead of who takes the results.

    Workers are threads, or processes inside of ``joblib.parallel_config(backend="loky")``. They get
    smaller chunks near the end where the number of items is known. An array that is a result, or
    part of a tuple that is, counts as bytes on their way.
    """
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        return (function(item) for item in items)
    if _in_processes():
        from ._processes import map_in_processes  # which is built on what is here

        return map_in_processes(function, items, n_workers, n_items)
    return _in_own_threads(function, items, n_workers, n_items)


def n_threads(n_jobs: int | None) -> int:
    """Return how many threads work ahead, besides the caller; 1: none, or processes do."""
    return 1 if _in_processes() else effective_n_jobs(n_jobs)


def _in_processes() -> bool:
    """Tell whether joblib is told to use processes, and not from within one of them."""
    backend, _ = get_active_backend(prefer="threads")
    return isinstance(backend, BACKENDS.get("loky", ()))


def worker_threads(n_workers: int) -> ThreadPoolExecutor:
    """Return threads that share PyTorch's own."""
    return ThreadPoolExecutor(n_workers, initializer=partial(share_torch_threads, n_workers))


def _in_own_threads(
    function: Callable, items: Iterable[Any], n_workers: int, n_items: float
) -> Generator:
    with worker_threads(n_workers) as executor:
        yield from map_in_threads(executor, function, items, n_workers, n_items)


def map_in_threads(
    executor: Executor,
    function: Callable,
    items: Iterable[Any],
    n_workers: int,
    n_items: float,
) -> Generator:
    """Map in order in threads that may have other work, too."""

    def submit(chunk: list) -> Future:
        return executor.submit(map_chunk, function, chunk)

    return map_chunks(submit, items, n_workers, n_items)


def map_chunks(
    submit: Callable[[list], Future],
    items: Iterable[Any],
    n_workers: int,
    n_items: float,
    unpack: Callable[[Any], Done] = lambda done: done,
) -> Generator:
    """Submit items in chunks, and yield the results in order, unpacked here."""
    chunks = _Chunks(items, n_workers, n_items)
    started: deque[list] = deque()

    def tasks() -> Iterator[Future]:
        for chunk in chunks:
            started.append(chunk)
            yield submit(chunk)

    for packed in in_order(tasks(), n_workers * _CHUNKS_AHEAD):
        chunk, done = started.popleft(), unpack(packed)
        chunks.learn(done)
        yield from done.results
        left = chunk[len(done.results) :]
        if left:
            yield from map_chunks(submit, left, n_workers, len(left), unpack)


class _Chunks:
    """Cuts items into chunks of a size that is learned from those that are done."""

    def __init__(self, items: Iterable[Any], n_workers: int, n_items: float) -> None:
        self._items = iter(items)
        self._n_workers = n_workers
        self._n_left = n_items
        self._size = _FIRST_CELLS

    def __iter__(self) -> Iterator[list]:
        while chunk := list(islice(self._items, self._size)):
            self._n_left -= len(chunk)
            yield chunk

    def learn(self, done: Done) -> None:
        """Choose the size of the next chunk."""
        n_done = len(done.results)
        fitting = n_done * min(_CHUNK_BYTES / max(1, done.n_bytes), _CHUNK_S / done.seconds)
        share = max(_LAST_CELLS, self._n_left / (2 * self._n_workers))
        self._size = max(1, int(min(_GROWTH * n_done, fitting, share)))


def map_chunk(function: Callable, chunk: list) -> Done:
    """Map some items, and no more after the results have become as large as those of a chunk.

    Cells need not be like those that the size of the chunk was learned from.
    """
    start = time.perf_counter()
    results: list = []
    n_bytes = 0
    for item in chunk:
        results.append(function(item))
        n_bytes += _n_bytes(results[-1])
        if n_bytes >= _CHUNK_BYTES:
            break
    return Done(results, n_bytes, max(time.perf_counter() - start, 1e-6))


def _n_bytes(result: Any) -> int:
    """Return the size of the arrays in a result."""
    parts = result if isinstance(result, tuple) else (result,)
    return sum(getattr(part, "nbytes", 0) for part in parts)


def in_order(tasks: Iterator[Future], n_ahead: int) -> Generator:
    """Yield the results of tasks, each started no sooner than ``n_ahead`` before it is due."""
    ahead: deque[Future] = deque()
    try:
        ahead.extend(islice(tasks, n_ahead))
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(islice(tasks, 1))
            yield result
    finally:
        for future in ahead:
            future.cancel()
        wait(ahead)
