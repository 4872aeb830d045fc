"""What a translator is trained on: moments of its inputs, labels, and pairs that are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

MIN_BATCH = 2  # one pair alone has no negatives, and no batch statistics
_CHUNK_ROWS = 512  # small arrays are used again, large ones are paid for page by page
_SMALLEST_SQUARE = 1e-30  # below, float32 squares lose digits
_ROUNDING = 1e-12  # of sums in float64, far above


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
        of_rows = np.einsum("ij,ij->i", chunk, chunk)
        if not _SMALLEST_SQUARE < of_rows.max() < np.inf:
            of_rows = np.einsum("ij,ij->i", chunk, chunk, dtype=np.float64)
        squares += float(of_rows.sum(dtype=np.float64))
    shift = total / n_rows
    mean = origin.astype(np.float64) + shift
    variance = float(squares / n_rows / len(mean) - np.mean(shift**2))
    scale = max(variance, 0.0) ** 0.5
    # Constant inputs have no scale but rounding; they stay where they are.
    return mean, scale if scale > _ROUNDING * np.sqrt(np.mean(mean**2)) else 1.0


def commonest_couple(present: Mapping[Any, np.ndarray]) -> np.ndarray:
    """Tell which rows have the two modalities that most rows have together.

    No rows at all where there is one modality.
    """
    couples = (first & second for first, second in combinations(present.values(), 2))
    return max(couples, key=np.count_nonzero, default=np.zeros(0, dtype=bool))


def couple_first(rows: np.ndarray, couple: np.ndarray) -> np.ndarray:
    """Move rows of one couple of modalities to the front, as many as a loss needs.

    Whatever is held out from the front, and however small its batches, some loss can be told.
    """
    first = np.flatnonzero(couple[rows])[:MIN_BATCH]
    return np.concatenate([rows[first], np.delete(rows, first)])


def encode_labels(y: Any, n_rows: int, loss: Any) -> np.ndarray:
    """Return labels as integers, -1 for none.

    Whole numbers stay what they are, whatever their type: to a loss they may be row numbers.
    Other labels are numbered in their order.
    """
    if y is None:
        raise ValueError(
            f"loss={loss!r} learns from labels: pass y to fit, with -1 where there is none"
        )
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise ValueError(f"y must have the shape ({n_rows},), got {labels.shape}")
    known = ~pd.isna(labels)
    known[known] = labels[known] != -1
    values = pd.Series(labels[known]).infer_objects().to_numpy()
    codes = np.full(n_rows, -1, dtype=np.int64)
    if _are_row_numbers(values):
        codes[known] = values
    elif getattr(loss, "relevance", None) is not None:
        raise ValueError(
            f"loss={loss!r} looks labels up in its relevance: pass y of row numbers, 0 and above, "
            "with -1 where there is no label"
        )
    else:
        codes[known] = np.unique(values, return_inverse=True)[1]
    return codes


def _are_row_numbers(values: np.ndarray) -> bool:
    """Tell whether all labels are whole numbers, none of them negative."""
    whole = values.dtype.kind in "biu"
    if values.dtype.kind == "f":
        whole = all(map(float.is_integer, values.tolist()))
    return whole and bool((values >= 0).all())


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
    found: list[np.ndarray] = []
    for name in blocks:
        numbers = np.asarray(chosen[name])
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise TypeError(
                f"the sampler must return row numbers, one-dimensional arrays of integers, got "
                f"{numbers.dtype} of shape {numbers.shape} for {name!r}"
            )
        if found and len(numbers) != len(found[0]):
            raise ValueError(
                f"the sampler chose {len(found[0])} rows of {next(iter(blocks))!r} and "
                f"{len(numbers)} of {name!r}: row i of one is the partner of row i of the others"
            )
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(rows):
            raise ValueError(
                f"the sampler chose row {numbers.min()} to {numbers.max()} of {name!r}, which "
                f"has {len(rows)}"
            )
        found.append(rows[numbers.astype(np.intp)])
    return found
