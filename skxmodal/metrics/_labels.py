"""Label sets: what the rows of ``y`` say, grouped so that equal rows are treated once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

_UNLABELLED = -1
_MISSING_AS_TEXT = {"-1", "nan", "None", "<NA>"}

LabelSet = tuple[Hashable, ...]


class GroupedLabels(NamedTuple):
    """Rows of labels as positions in a list of distinct label sets."""

    codes: np.ndarray
    sets: list[LabelSet]

    @property
    def counts(self) -> np.ndarray:
        """Number of rows of each distinct set."""
        return np.bincount(self.codes, minlength=len(self.sets))


def group_labels(y: Any, name: str) -> GroupedLabels:
    """Group the rows of ``y`` by their label sets.

    Parameters
    ----------
    y : array-like
        1-D classes; a list, Series or object array of lists or sets of labels; or a binary
        indicator matrix (2-D array, sparse matrix, or table whose columns are the labels).
    name : str
        What error messages call it.

    Returns
    -------
    GroupedLabels
        Codes of shape (n_samples,), and the distinct sets in order of first appearance for
        sets, sorted for classes and indicator rows.
    """
    if sparse.issparse(y):
        return _group_indicator(y.toarray(), range(y.shape[1]), name)
    if getattr(y, "ndim", 1) == 2 or hasattr(y, "columns"):
        columns = list(y.columns) if hasattr(y, "columns") else range(np.shape(y)[1])
        return _group_indicator(np.asarray(y), columns, name)
    if isinstance(y, str | bytes) or not isinstance(y, Iterable):
        raise TypeError(f"{name} must be a sequence of classes or of label sets, got {y!r}.")
    if isinstance(y, np.ndarray) and y.dtype != object and y.ndim == 1:
        return _group_classes(y, name)
    rows = list(y)
    if any(isinstance(row, list | tuple | set | frozenset | np.ndarray) for row in rows):
        return _group_sets(rows, name)
    _refuse_unlabelled(np.array([_is_unlabelled(row) for row in rows], dtype=bool), name)
    return _group_sets([(row,) for row in rows], name)


def _group_classes(y: np.ndarray, name: str) -> GroupedLabels:
    """Group 1-D classes."""
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"Row {row} of {name} has no label ({y[row]}): leave out unlabelled rows.")
    if y.dtype.kind in "if":
        _refuse_unlabelled(y == _UNLABELLED, name)
    classes, codes = np.unique(y, return_inverse=True)
    return GroupedLabels(codes.astype(np.intp), [(label,) for label in classes.tolist()])


def _refuse_unlabelled(rows: np.ndarray, name: str) -> None:
    """Raise for the label that stands for none in every part of the library."""
    if rows.any():
        raise ValueError(
            f"Row {int(np.argmax(rows))} of {name} has no label ({_UNLABELLED}): leave out "
            "unlabelled rows."
        )


def _group_sets(rows: list[Any], name: str) -> GroupedLabels:
    """Group rows that are collections of labels."""
    known: dict[frozenset[Hashable], int] = {}
    seen: dict[tuple[Any, ...], int] = {}
    codes = np.empty(len(rows), dtype=np.intp)
    lengths, repeats = set(), False
    for i, row in enumerate(rows):
        if isinstance(row, str | bytes) or not isinstance(row, Iterable):
            raise TypeError(
                f"Row {i} of {name} is {row!r}, others are collections of labels: make all alike."
            )
        written = tuple(row)
        try:
            code = seen.get(written)
        except TypeError as error:
            raise TypeError(f"Row {i} of {name} holds what cannot be a label ({error}).") from error
        if code is None:
            labels = frozenset(x.item() if isinstance(x, np.generic) else x for x in written)
            _check_set(labels, f"Row {i} of {name}")
            code = seen[written] = known.setdefault(labels, len(known))
            lengths.add(len(written))
            repeats |= len(labels) < len(written)
        codes[i] = code
    if repeats and len(lengths) == 1 and all(labels <= {0, 1} for labels in known):
        raise ValueError(
            f"{name} is a list of rows of zeros and ones, as of an indicator matrix, but lists are "
            f"read as label sets: pass np.asarray({name})."
        )
    # Sorted by text, so that sums over a set have one order whatever the hash seed.
    return GroupedLabels(codes, [tuple(sorted(labels, key=repr)) for labels in known])


def _group_indicator(matrix: np.ndarray, columns: Iterable[Hashable], name: str) -> GroupedLabels:
    """Group the rows of a binary matrix."""
    if matrix.ndim != 2:
        raise ValueError(f"{name} must have 1 or 2 dimensions, got {matrix.ndim}.")
    try:
        numbers = matrix.astype(float)
    except (TypeError, ValueError):
        numbers = np.full(matrix.shape, np.nan)
    if not np.isin(numbers, (0, 1)).all():
        raise ValueError(
            f"{name} has 2 dimensions but is no indicator matrix: its entries must be 0 or 1. "
            "Give label sets as a list of lists."
        )
    empty = np.flatnonzero(~numbers.any(axis=1))
    if empty.size:
        raise ValueError(
            f"Row {empty[0]} of {name} has an empty label set: leave out unlabelled rows."
        )
    packed = np.packbits(numbers.astype(bool), axis=1)
    _, first, codes = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    labels = list(columns)
    sets = [tuple(labels[j] for j in np.flatnonzero(numbers[i])) for i in first]
    return GroupedLabels(codes.reshape(-1).astype(np.intp), sets)


def _check_set(labels: frozenset[Hashable], where: str) -> None:
    """Raise if a label set is empty or has a missing label."""
    if not labels:
        raise ValueError(f"{where} has an empty label set: leave out unlabelled rows.")
    if any(_is_missing(label) for label in labels):
        raise ValueError(f"{where} has a missing label: leave out unlabelled rows.")


def refuse_missing_as_text(y: Any, name: str) -> None:
    """Raise for missing labels that numpy turned into text when it joined them with strings."""
    if sparse.issparse(y) or getattr(y, "ndim", 1) == 2 or hasattr(y, "columns"):
        return
    for row, label in enumerate(y):
        if isinstance(label, str) and label in _MISSING_AS_TEXT:
            raise ValueError(
                f"The label {str(label)!r} of row {row} of {name} is a missing label turned into "
                "text: mark rows without a label by None."
            )


def _is_missing(label: object) -> bool:
    """Tell whether a label stands for no label."""
    return label is None or (isinstance(label, Real) and label != label) or str(label) == "<NA>"


def _is_unlabelled(label: object) -> bool:
    """Tell the number that stands for no label."""
    return isinstance(label, Real) and label == _UNLABELLED


def labelled_rows(y: Any) -> np.ndarray:
    """Tell which rows have a label; of label sets and indicator matrices all do."""
    if sparse.issparse(y) or getattr(y, "ndim", 1) == 2 or hasattr(y, "columns"):
        return np.ones(y.shape[0], dtype=bool)
    if isinstance(y, np.ndarray) and y.dtype.kind in "if":
        return ~np.isnan(y) & (y != _UNLABELLED)
    return np.array([not (_is_missing(label) or _is_unlabelled(label)) for label in y], dtype=bool)
