"""The embeddings of cells: decode ahead, encode in batches, pool to one row a cell."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..encoders import Encoder
from ..media import MediaError
from ._ahead import in_order, map_ahead, map_in_threads, n_threads, worker_threads

Batch = list[tuple[int, np.ndarray]]  # positions with their windows


@dataclass(frozen=True)
class Decoder:
    """Makes windows of cells, where a thread or another process calls it."""

    encoder: Encoder
    read: Callable[[Any], np.ndarray]

    def __call__(self, item: tuple[int, Any]) -> tuple[int, np.ndarray | MediaError]:
        """Take the position and the cell; return the position and the windows or what is wrong."""
        position, cell = item
        try:
            return position, self.encoder.windows(self.read(cell))
        except MediaError as error:
            return position, error


class CellStream:
    """The embeddings of cells, batch by batch.

    Parameters
    ----------
    cells : list
        The whole column.
    distinct : list of int
        Rows of the cells to embed; a *position* is an index into this list.
    encoder, read, pool, batch_size, n_jobs
        How a cell becomes a vector.
    strict : bool
        Whether a bad cell is an error.
    tick : callable
        Called for every cell that is done, good or bad.

    Attributes
    ----------
    bad : dict of int to MediaError
        Positions that could not be embedded.
    """

    def __init__(
        self,
        cells: list,
        distinct: Sequence[int],
        encoder: Encoder,
        read: Callable[[Any], np.ndarray],
        *,
        pool: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
        n_jobs: int | None,
        strict: bool,
        tick: Callable[[], Any],
    ) -> None:
        self.cells = cells
        self.distinct = distinct
        self.encoder = encoder
        self.read = read
        self.pool = pool
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.strict = strict
        self.tick = tick
        self.bad: dict[int, MediaError] = {}

    def __call__(self, positions: Sequence[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield positions with their embeddings; those of bad cells are left out."""
        decode = Decoder(self.encoder, self.read)
        cells = ((position, self.cell(position)) for position in positions)
        n_workers = self._n_encoding_threads() if positions else 1
        # Closed here: an error keeps this frame, and who throws that away may be a decoder, which
        # cannot wait for itself.
        if n_workers == 1:
            with closing(map_ahead(decode, cells, self.n_jobs, n_items=len(positions))) as decoded:
                for batch in self._batches(decoded):
                    yield self._encode(batch)
            return
        with (
            worker_threads(n_workers) as threads,
            closing(map_in_threads(threads, decode, cells, n_workers, len(positions))) as decoded,
            closing(self._encode_in(threads, self._batches(decoded), n_workers)) as encoded,
        ):
            yield from encoded

    def _encode_in(
        self, threads: Executor, batches: Iterator[Batch], n_workers: int
    ) -> Generator[tuple[list[int], np.ndarray], None, None]:
        """Encode a batch in each thread at once, and the last few with all of PyTorch's threads."""
        last: list[Batch] = []

        def tasks() -> Iterator[Future]:
            while group := list(islice(batches, n_workers)):
                n_windows = sum(len(windows) for _, windows in group[-1])
                if len(group) < n_workers or n_windows < self.batch_size:
                    last.extend(group)
                    return
                for batch in group:
                    yield threads.submit(self._encode, batch)

        yield from in_order(tasks(), 2 * n_workers)
        for batch in last:
            yield self._encode(batch)

    def _n_encoding_threads(self) -> int:
        """Return how many of the decoding threads encode, too; 1: none, the caller does."""
        n_workers = n_threads(self.n_jobs)
        if n_workers == 1 or not getattr(self.encoder, "concurrent", False):
            return 1
        import torch

        return n_workers if n_workers <= torch.get_num_threads() else 1

    def _batches(self, decoded: Iterable[tuple[int, np.ndarray | MediaError]]) -> Iterator[Batch]:
        """Group cells into batches."""
        pending: Batch = []
        n_pending = 0
        for position, windows in decoded:
            self.tick()
            if isinstance(windows, MediaError):
                self.reject(position, windows)
                continue
            if len(windows) == 0:
                raise ValueError(
                    f"encoder {self.encoder.name!r} made no windows of row "
                    f"{self.distinct[position]}: it must pad what is too short for one"
                )
            pending.append((position, windows))
            n_pending += len(windows)
            if n_pending >= self.batch_size:
                yield pending
                pending, n_pending = [], 0
        if pending:
            yield pending

    def reject(self, position: int, error: MediaError) -> None:
        """Note that a cell is bad, or raise."""
        error = error.at_row(self.distinct[position])
        if self.strict:
            raise error from None
        self.bad[position] = error

    def cell(self, position: int) -> Any:
        """Return the cell at a position."""
        return self.cells[self.distinct[position]]

    def _encode(self, pending: list[tuple[int, np.ndarray]]) -> tuple[list[int], np.ndarray]:
        """Encode the windows of some cells, and pool those of each."""
        windows = np.concatenate([windows for _, windows in pending])
        size = self.batch_size
        vectors = np.concatenate(
            [
                self._encode_windows(windows[start : start + size])
                for start in range(0, len(windows), size)
            ]
        )
        counts = [len(windows) for _, windows in pending]
        if max(counts) == 1:
            embeddings = vectors
        elif min(counts) == max(counts):  # all at once
            each = vectors.reshape(len(pending), counts[0], -1)
            embeddings = self.pool(each.swapaxes(0, 1))
        else:
            stops = np.cumsum(counts)
            embeddings = np.stack([self.pool(part) for part in np.split(vectors, stops[:-1])])
        positions = [position for position, _ in pending]
        finite = np.isfinite(embeddings).all(axis=1)
        if not finite.all():
            row = self.distinct[positions[int(np.argmin(finite))]]
            raise ValueError(
                f"encoder {self.encoder.name!r} returned NaN or infinity for row {row}"
            )
        return positions, embeddings

    def _encode_windows(self, windows: np.ndarray) -> np.ndarray:
        """Encode at most one batch, and check what comes back."""
        vectors = np.asarray(self.encoder.encode(windows), dtype=np.float32)
        expected = (len(windows), self.encoder.n_features)
        if vectors.shape != expected:
            raise ValueError(
                f"encoder {self.encoder.name!r} returned an array of shape {vectors.shape} for "
                f"{len(windows)} windows, not {expected}"
            )
        return vectors
