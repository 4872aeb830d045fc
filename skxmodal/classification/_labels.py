"""Labels of which some are missing: which rows have one, and a score of those rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d

from ..media import is_missing

_MISSING_AS_TEXT = {"-1", "nan", "None", "<NA>", ""}


def split_labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels as an array and which rows have one."""
    if not isinstance(getattr(y, "dtype", None), np.dtype):
        # Lists and nullable columns: as they are, before numpy finds one type for None and text.
        if len(getattr(y, "shape", ())) > 1:
            y = np.asarray(y, dtype=object)  # a table, whose items would be its names
        elif hasattr(y, "__len__"):
            y = np.fromiter(y, dtype=object)
    y = column_or_1d(np.asarray(y), warn=True)
    if y.dtype.kind in "iuf":
        return y, ~np.isnan(y) & (y != -1)
    if y.dtype.kind in "OU":
        for row, label in enumerate(y):
            if isinstance(label, str) and label in _MISSING_AS_TEXT:
                raise ValueError(
                    f"the label {str(label)!r} of row {row} is a missing label turned into text, "
                    "as numpy does when it joins numbers and strings: mark rows without a label "
                    "by None"
                )
            if isinstance(label, (list, tuple, set, np.ndarray)):
                raise ValueError(
                    f"row {row} has {label!r} for a label: give each row one label or None"
                )
    if y.dtype == object:
        labelled = [not is_missing(label) and label != -1 for label in y]
        _check_one_type(y, labelled)
        return y, np.array(labelled, dtype=bool)
    return y, np.ones(len(y), dtype=bool)


def _check_one_type(y: np.ndarray, labelled: list[bool]) -> None:
    """Raise where numpy would turn numbers among the labels into text."""
    is_text = {row: isinstance(y[row], str) for row in np.flatnonzero(labelled)}
    if len(set(is_text.values())) > 1:
        row = next(row for row, text in is_text.items() if not text)
        raise ValueError(
            f"the label {y[row]!r} of row {row} is no text, but other labels are: give all labels "
            "the same type"
        )


def plain_labels(y: np.ndarray) -> np.ndarray:
    """Give labels that are objects, none of them missing, the type that they have."""
    return np.asarray(y.tolist()) if y.dtype == object else y


class LabelledScore:
    """The accuracy of a classifier on the rows that have a label."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on the rows that have a label.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As in ``fit``.
        y : array of shape (n_samples,)
            Labels; rows with -1, ``NaN`` or ``None`` are left out.
        sample_weight : array of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        accuracy : float

        Raises
        ------
        ValueError
            When no row has a label.
        """
        y, labelled = split_labels(y)
        check_consistent_length(X, y, sample_weight)
        rows = np.flatnonzero(labelled)
        if not len(rows):
            raise ValueError("no row has a label: there is nothing to score")
        if len(rows) < len(y):
            X = _safe_indexing(X, rows)
            if sample_weight is not None:
                sample_weight = _safe_indexing(sample_weight, rows)
        predicted = self.predict(X)  # type: ignore[attr-defined]
        return float(accuracy_score(plain_labels(y[rows]), predicted, sample_weight=sample_weight))
