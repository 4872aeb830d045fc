"""Rows that have no modality at all: an error, or predicted by the frequency of classes."""

from __future__ import annotations

import numpy as np

ON_MISSING = ("raise", "prior")


def check_there(there: np.ndarray, on_missing: str) -> None:
    """Raise for the first row that has no modality, unless such rows get the priors."""
    if on_missing == "raise" and not there.all():
        raise ValueError(
            f"row {there.argmin()} has no modality at all: leave such rows out, or set "
            "on_missing='prior', which predicts them by the frequency of classes in fit"
        )


def class_prior(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the share of each class among labels."""
    found, counts = np.unique(labels, return_counts=True)
    count_of = dict(zip(found.tolist(), counts.tolist()))
    return np.array([count_of.get(label, 0) for label in classes.tolist()]) / len(labels)


def with_prior(scores: np.ndarray, there: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Put the priors in the rows that have nothing."""
    return np.where(there[:, np.newaxis], scores, prior)
