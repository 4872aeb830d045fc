"""Embed a column of cells: each distinct one once, whatever was kept of it not again."""

from __future__ import annotations

import os
import time
import warnings
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np

from ..encoders import Encoder
from ..media import MediaError, is_missing
from ..utils import progress_bar
from ..utils._threads import one_numpy_thread
from ._cache import EmbeddingCache
from ._stream import CellStream

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


def unread_message(n_bad: int, n_cells: int, first: MediaError) -> str:
    """Return what a :class:`MediaWarning` says."""
    return f"{n_bad} of {n_cells} cells could not be read and are missing rows; the first: {first}"


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
