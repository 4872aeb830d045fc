"""What a translator is trained on: moments of its inputs, labels, and pairs that are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

_CHUNK_ROWS = 512  # small arrays are used again, large ones are paid for page by page


def moments_of(block: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean of each column and root mean variance of all, over rows that have the modality."""
    rows = np.sort(rows)  # a memory map is read in order
    origin = total = np.zeros(block.shape[1])
    n_rows, squares = 0, 0.0
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = block[rows[start : start + _CHUNK_ROWS]]
        present = ~np.isnan(chunk[:, 0])
        if not present.all():
            chunk = chunk[present]
        if not len(chunk):
            continue
        if n_rows == 0:
            origin = chunk.mean(axis=0, dtype=np.float64).astype(chunk.dtype)
        # Small numbers once the origin is near: float32 sums of a chunk are exact enough.
        chunk = (chunk - origin).astype(np.float32, copy=False)
        n_rows += len(chunk)
        total = total + np.ones(len(chunk), dtype=np.float32) @ chunk
        squares += float(np.einsum("ij,ij->i", chunk, chunk).sum(dtype=np.float64))
    shift = total / n_rows
    mean = origin.astype(np.float64) + shift
    variance = squares / n_rows / len(mean) - np.mean(shift**2)
    # Constant inputs have no scale; they stay where they are.
    return mean, float(np.sqrt(variance)) if variance > 1e-12 else 1.0


def encode_labels(y: Any, n_rows: int, loss: Any) -> np.ndarray:
    """Return labels as integers, -1 for none; integers stay what they are."""
    if y is None:
        raise ValueError(
            f"loss={loss!r} learns from labels: pass y to fit, with -1 where there is none"
        )
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise ValueError(f"y must have the shape ({n_rows},), got {labels.shape}")
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    known = ~pd.isna(labels) & (labels != -1)
    codes = np.full(n_rows, -1, dtype=np.int64)
    codes[known] = np.unique(labels[known], return_inverse=True)[1]
    return codes


def sample_rows(
    sampler: Any,
    blocks: dict[str, np.ndarray],
    rows: np.ndarray,
    random_state: np.random.RandomState,
) -> list[np.ndarray]:
    """Let a sampler choose among rows; return row numbers of the table for each block."""
    chosen = sampler.sample_pairs(
        {name: block[rows] for name, block in blocks.items()}, random_state
    )
    found = []
    for name in blocks:
        numbers = np.asarray(chosen[name], dtype=np.intp)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(rows):
            raise ValueError(
                f"the sampler chose row {numbers.min()} to {numbers.max()} of {name!r}, which "
                f"has {len(rows)}"
            )
        found.append(rows[numbers])
    return found
