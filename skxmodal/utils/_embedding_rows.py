"""Tables of embeddings for searching: what they may hold, their norms, blocks of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

METRICS = ("cosine", "euclidean", "dot")
BLOCK_ENTRIES = 4_000_000  # entries held at once: 16 MB in float32


def check_embeddings(
    Z: Any, name: str, *, metric: str = "dot", rows: np.ndarray | None = None
) -> np.ndarray:
    """Return embeddings as a 2-D array of finite floats.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Embeddings; tables and CPU tensors are fine. Float32 and float64 are not copied.
    name : str
        What error messages call it.
    metric : {"cosine", "euclidean", "dot"}
        For "cosine", rows of zeros are an error.
    rows : ndarray of shape (n_samples,), default=None
        What error messages call the rows; ``None`` numbers them.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Float32 or float64.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {METRICS}, got {metric!r}.")
    array = np.asarray(Z)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name} must have shape (n_samples, n_features) with at least one of each, "
            f"got shape {array.shape}."
        )
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be numeric ({error}).") from error
    rows = np.arange(len(array)) if rows is None else rows
    for start in range(0, len(array), step := rows_per_block(array.shape[1])):
        block = array[start : start + step]
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = rows[start + int(np.argmin(finite))]
            raise ValueError(f"Row {row} of {name} contains NaN or infinity.")
        if metric == "cosine" and not (nonzero := block.any(axis=1)).all():
            row = rows[start + int(np.argmin(nonzero))]
            raise ValueError(f"Row {row} of {name} is all zeros: its cosine is undefined.")
    return array


def check_same_width(Q: np.ndarray, G: np.ndarray, names: tuple[str, str] = ("Q", "G")) -> None:
    """Raise if two matrices differ in their number of columns."""
    if Q.shape[1] != G.shape[1]:
        raise ValueError(
            f"{names[0]} has {Q.shape[1]} columns, {names[1]} has {G.shape[1]}: "
            "queries and gallery must lie in one space."
        )


def row_norms(Z: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the Euclidean norms of rows in float64, safe from overflow and underflow."""
    norms = np.empty(len(Z))
    for rows in row_blocks_of(len(Z), Z.shape[1]):
        block = Z[rows].astype(np.float64) - centre
        largest = np.abs(block).max(axis=1)
        scaled = block / np.where(largest > 0, largest, 1.0)[:, None]
        norms[rows] = largest * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    return norms


def rows_per_block(width: int) -> int:
    """Return how many rows of this width make a block."""
    return max(1, BLOCK_ENTRIES // max(1, width))


def row_blocks_of(n: int, width: int) -> Iterator[slice]:
    """Cut n rows of this width into blocks."""
    step = rows_per_block(width)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
