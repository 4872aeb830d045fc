"""Embed a column of cells: decode ahead in threads, encode in batches, pool to one row a cell."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from ..encoders import Encoder
from ..media import MediaError, is_missing
from ..utils import progress_bar

_AHEAD_PER_WORKER = 8

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
) -> np.ndarray:
    """Return one float32 row per cell; the row of a missing or bad cell is ``NaN``.

    Memory holds the windows of one batch and of the cells decoded ahead of it, however many
    cells there are.
    """
    embeddings = np.full((len(cells), encoder.n_features), np.nan, dtype=np.float32)
    pool = POOLINGS[pooling]
    pending: list[tuple[int, np.ndarray]] = []
    n_pending = 0
    bad: list[MediaError] = []

    def encode_pending() -> None:
        windows = np.concatenate([windows for _, windows in pending])
        vectors = np.concatenate(
            [
                _encode_batch(encoder, windows[start : start + batch_size])
                for start in range(0, len(windows), batch_size)
            ]
        )
        stops = np.cumsum([len(windows) for _, windows in pending])
        for (row, _), of_cell in zip(pending, np.split(vectors, stops[:-1])):
            embeddings[row] = pool(of_cell)
            if not np.isfinite(embeddings[row]).all():
                raise ValueError(f"encoder {encoder.name!r} returned NaN or infinity for row {row}")
        pending.clear()

    def prepare(cell: Any) -> np.ndarray | MediaError | None:
        if is_missing(cell):
            return None
        try:
            return encoder.windows(read(cell))
        except MediaError as error:
            return error

    decoded = progress_bar(
        _map_ahead(prepare, cells, n_jobs),
        verbose=verbose,
        description=f"embedding with {encoder.name}",
        total=len(cells),
        unit="cell",
    )
    for row, windows in enumerate(decoded):
        if windows is None:
            continue
        if isinstance(windows, MediaError):
            if on_error == "raise":
                raise windows.at_row(row) from None
            bad.append(windows.at_row(row))
            continue
        pending.append((row, windows))
        n_pending += len(windows)
        if n_pending >= batch_size:
            encode_pending()
            n_pending = 0
    if pending:
        encode_pending()
    if bad and on_error == "warn":
        warnings.warn(
            f"{len(bad)} of {len(cells)} cells could not be read and are missing rows; "
            f"the first: {bad[0]}",
            MediaWarning,
            stacklevel=4,
        )
    return embeddings


def _encode_batch(encoder: Encoder, windows: np.ndarray) -> np.ndarray:
    vectors = np.asarray(encoder.encode(windows), dtype=np.float32)
    if vectors.shape != (len(windows), encoder.n_features):
        raise ValueError(
            f"encoder {encoder.name!r} returned an array of shape {vectors.shape} for "
            f"{len(windows)} windows, not ({len(windows)}, {encoder.n_features})"
        )
    return vectors


def _map_ahead(function: Callable[[Any], Any], cells: list, n_jobs: int | None) -> Iterator[Any]:
    """Map in order, with threads working a bounded number of cells ahead."""
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        yield from map(function, cells)
        return
    with ThreadPoolExecutor(n_workers) as executor:
        ahead: deque = deque()
        try:
            for cell in cells:
                ahead.append(executor.submit(function, cell))
                if len(ahead) > n_workers * _AHEAD_PER_WORKER:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
