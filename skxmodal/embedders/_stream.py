"""Embed a column of cells: decode ahead, encode in batches, pool to one row a cell."""

from __future__ import annotations

import os
import time
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders import Encoder
from ..media import MediaError, is_missing
from ..utils import progress_bar
from ..utils._threads import one_numpy_thread
from ._ahead import map_ahead
from ._cache import EmbeddingCache

_KEEP_S = 2.0  # a kill costs so many seconds of work, and those of one batch

POOLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda vectors: vectors.mean(axis=0),
    "max": lambda vectors: vectors.max(axis=0),
    "first": lambda vectors: vectors[0],
}


class MediaWarning(UserWarning):
    """Some cells could not be read and became missing rows.

    Examples
    --------
    >>> from skxmodal.embedders import MediaWarning
    >>> issubclass(MediaWarning, UserWarning)
    True
    """


class Keeper:
    """Keeps the first rows of a column while the rest is being embedded.

    Parameters
    ----------
    known : array of shape (n_known, n_features)
        The first rows, kept by an earlier call, at the end of one of its batches: from there on
        the batches are the same, and so is every bit of what the encoder makes of them.
    keep : callable
        Called with the rows that follow those kept before.
    tick : callable
        Called for every cell that is done.
    """

    def __init__(
        self,
        known: np.ndarray,
        keep: Callable[[np.ndarray], Any],
        tick: Callable[[], Any],
    ) -> None:
        self.known = known
        self.tick = tick
        self._keep = keep
        self._n_kept = len(known)
        self._when = time.perf_counter()

    def offer(self, embeddings: np.ndarray, source: np.ndarray, n_rows: int) -> None:
        """Keep what is new among the first rows, unless some were kept just now."""
        if time.perf_counter() - self._when >= _KEEP_S:
            self._keep(_spread(embeddings, source[self._n_kept : n_rows]))
            self._n_kept = n_rows
            self._when = time.perf_counter()


def embed_cells(
    cells: list,
    encoder: Encoder,
    read: Callable[[Any], np.ndarray],
    *,
    pooling: str,
    batch_size: int,
    n_jobs: int | None,
    on_error: str,
    verbose: int,
    cache: EmbeddingCache | None = None,
    keeper: Keeper | None = None,
) -> np.ndarray:
    """Return one float32 row per cell; the row of a missing or bad cell is ``NaN``.

    Memory holds the windows of one batch and of the cells decoded ahead of it, however many
    cells there are.
    """
    distinct, source = _distinct_cells(cells)
    if cache is not None:
        merged = cache.identify([cells[row] for row in distinct])
        distinct = [distinct[position] for position in merged.first]
        source[source >= 0] = merged.source[source[source >= 0]]
    with (
        # Decoders work beside the encoder: threads that wait for a product would slow them.
        one_numpy_thread(),
        progress_bar(
            verbose=verbose,
            description=f"embedding with {encoder.name}",
            total=len(distinct),
            unit="cell",
        ) as bar,
    ):
        stream = CellStream(
            cells,
            distinct,
            encoder,
            read,
            pool=POOLINGS[pooling],
            batch_size=batch_size,
            n_jobs=n_jobs,
            strict=on_error == "raise",
            tick=bar.update if keeper is None else keeper.tick,
        )
        if cache is None:
            embeddings = _gather(stream, source, encoder.n_features, keeper)
        else:
            # The store keeps them as they come.
            embeddings = cache.embed(merged.keys, stream)
    if stream.bad and on_error == "warn":
        n_bad = int(np.isin(source, list(stream.bad)).sum())
        message = unread_message(n_bad, len(cells), stream.bad[min(stream.bad)])
        warnings.warn(message, MediaWarning, stacklevel=5)
    return _spread(embeddings, source)


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


def unread_message(n_bad: int, n_cells: int, first: MediaError) -> str:
    """Return what a :class:`MediaWarning` says."""
    return f"{n_bad} of {n_cells} cells could not be read and are missing rows; the first: {first}"


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
        pending: list[tuple[int, np.ndarray]] = []
        n_pending = 0
        decode = Decoder(self.encoder, self.read)
        cells = ((position, self.cell(position)) for position in positions)
        # Closed here: an error keeps this frame, and who throws that away may be a decoder, which
        # cannot wait for itself.
        with closing(map_ahead(decode, cells, self.n_jobs, n_items=len(positions))) as ahead:
            for position, windows in ahead:
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
                    yield self._encode(pending)
                    pending, n_pending = [], 0
        if pending:
            yield self._encode(pending)

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


def _distinct_cells(cells: list) -> tuple[list[int], np.ndarray]:
    """Find what is to be embedded: the same path or the same object once, missing cells never.

    Returns the first row of each distinct cell, and for every row the position of its cell
    among them, -1 where it is missing.
    """
    position_of: dict[Any, int] = {}
    distinct: list[int] = []
    source = np.full(len(cells), -1)
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        name = os.fspath(cell) if isinstance(cell, (str, os.PathLike)) else id(cell)
        if name not in position_of:
            position_of[name] = len(distinct)
            distinct.append(row)
        source[row] = position_of[name]
    return distinct, source


def _gather(
    stream: CellStream, source: np.ndarray, n_features: int, keeper: Keeper | None
) -> np.ndarray:
    """Put batches in their places; what none of them brings is ``NaN``."""
    rows = stream.distinct
    embeddings = np.full((len(rows), n_features), np.nan, dtype=np.float32)
    first = 0
    if keeper is not None:
        first = bisect_left(rows, len(keeper.known))
        embeddings[:first] = keeper.known[rows[:first]]
    for positions, vectors in stream(range(first, len(rows))):
        embeddings[positions] = vectors
        if keeper is not None:
            # Rows before the next distinct cell's are missing, bad, or of cells that are done.
            following = positions[-1] + 1
            n_rows = rows[following] if following < len(rows) else len(source)
            keeper.offer(embeddings, source, n_rows)
    return embeddings


def _spread(embeddings: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Give every row the embedding of its cell, missing ones ``NaN``."""
    if np.array_equal(source, np.arange(len(embeddings))):
        return embeddings
    rows = np.full((len(source), embeddings.shape[1]), np.nan, dtype=np.float32)
    present = source >= 0
    rows[present] = embeddings[source[present]]
    return rows
