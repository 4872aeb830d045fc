"""TransferCurve: what transfer_curve returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class TransferCurve:
    """Scores on one modality, by how many of its labelled samples were trained on.

    Attributes
    ----------
    target : str
        Modality of the test rows.
    source : tuple of str
        Modalities whose labelled samples were all trained on.
    sizes : int ndarray of shape (n_sizes,)
        How many labelled samples of the target were mixed in.
    scores : float ndarray of shape (n_sizes, n_repeats)
        One for each draw; ``NaN`` where there was nothing to train on or the fit failed.
    fit_times, score_times : float ndarray of shape (n_sizes, n_repeats)
        Seconds.
    n_source : int
        How many labelled samples of the source were trained on (with ``cv``: in the first fold),
        counted by modality: a row with two source modalities is two samples.
    n_test : int
        How many test rows gave each score (with ``cv``: all folds together).
    scoring : str
        What was measured.
    """

    target: str
    source: tuple[str, ...]
    sizes: np.ndarray
    scores: np.ndarray
    fit_times: np.ndarray
    score_times: np.ndarray
    n_source: int
    n_test: int
    scoring: str

    @property
    def mean(self) -> np.ndarray:
        """Mean score of each size, ``NaN`` where no draw has one; shape (n_sizes,)."""
        known = ~np.isnan(self.scores)
        total = np.where(known, self.scores, 0.0).sum(axis=1)
        count = known.sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def interval(self, confidence: float = 0.95) -> np.ndarray:
        """Confidence interval of the mean over draws, by Student's t.

        Parameters
        ----------
        confidence : float, default=0.95
            Between 0 and 1.

        Returns
        -------
        ndarray of shape (n_sizes, 2)
            Lower and upper end; both are the mean where there is one draw.
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
        known = ~np.isnan(self.scores)
        count = known.sum(axis=1)
        deviations = np.where(known, self.scores - self.mean[:, np.newaxis], 0.0)
        variance = (deviations**2).sum(axis=1) / np.maximum(count - 1, 1)
        quantile = student.ppf(0.5 + confidence / 2, np.maximum(count - 1, 1))
        half = quantile * np.sqrt(variance / np.maximum(count, 1))
        return np.stack([self.mean - half, self.mean + half], axis=1)

    @property
    def zero_shot(self) -> float:
        """Mean score without a single labelled sample of the target; ``NaN`` if not measured."""
        at_zero = self.mean[self.sizes == 0]
        return float(at_zero[0]) if len(at_zero) else float("nan")

    @property
    def best(self) -> float:
        """Highest mean score of any size."""
        known = self.mean[~np.isnan(self.mean)]
        return float(known.max()) if len(known) else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for JSON; ``NaN`` becomes ``None``.

        Returns
        -------
        dict
        """
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in plain.items():
            if isinstance(value, np.ndarray):
                plain[name] = _without_nan(value.tolist())
        return {**plain, "source": list(self.source)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TransferCurve:
        """Make a curve of what :meth:`as_dict` returned.

        Parameters
        ----------
        values : mapping

        Returns
        -------
        TransferCurve
        """
        arrays = {
            name: np.array(values[name], dtype=np.float64)
            for name in ("scores", "fit_times", "score_times")
        }
        sizes = np.asarray(values["sizes"], dtype=np.int64)
        return cls(**{**values, **arrays, "sizes": sizes, "source": tuple(values["source"])})


def _without_nan(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_nan(value) for value in values]
    return None if values != values else values
