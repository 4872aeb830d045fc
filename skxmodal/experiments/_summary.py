"""From single measurements to the numbers that are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from scipy.stats import t as student

from ._systems import ALL_DATA, ZERO_SHOT


def summarise_scores(curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Ends of the transfer curves: macro F1 without and with all labelled data of the target.

    The mean over the draws of a seed is one measurement; the interval is over seeds.
    """
    measured: dict[tuple[str, str, str], list[float]] = {}
    n_train: dict[tuple[str, str, str], int] = {}
    n_test: dict[str, int] = {}
    for curve in curves:
        n_test[curve["target"]] = curve["n_test"]
        for training, index in ((ZERO_SHOT, 0), (ALL_DATA, -1)):
            draws = [score for score in curve["scores"][index] if score is not None]
            if (training == ZERO_SHOT and curve["sizes"][index] != 0) or not draws:
                continue
            key = (curve["system"], curve["target"], training)
            measured.setdefault(key, []).append(float(np.mean(draws)))
            n_train[key] = curve["n_source"] + curve["sizes"][index]
    return [
        {
            "system": key[0],
            "target": key[1],
            "training": key[2],
            "macro_f1": float(np.mean(values)),
            "interval": mean_interval(values),
            "n_train": n_train[key],
            "n_test": n_test[key[1]],
        }
        for key, values in measured.items()
    ]


def mean_interval(values: Sequence[float]) -> list[float] | None:
    """95 % interval of the mean by Student's t; ``None`` of a single value."""
    if len(values) < 2:
        return None
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def zero_shot_shares(scores: Sequence[Mapping[str, Any]], system: str) -> dict[str, float]:
    """By target: zero-shot macro F1 of a system over the best of any system with all data."""
    shares = {}
    for target in dict.fromkeys(row["target"] for row in scores):
        of_target = [row for row in scores if row["target"] == target]
        best = max(row["macro_f1"] for row in of_target if row["training"] == ALL_DATA)
        for row in of_target:
            if (row["system"], row["training"]) == (system, ZERO_SHOT) and best > 0:
                shares[target] = row["macro_f1"] / best
    return shares


def rank_correlations(
    counts: Mapping[str, Sequence[int]], analysis: Mapping[str, Any]
) -> dict[str, dict[str, float] | None]:
    """Spearman correlation of class frequency among the pairs with F1, by target modality.

    ``None`` with two classes, where all are as frequent, or where frequencies are not known; a
    class that has no F1 does not count.
    """
    found: dict[str, dict[str, float] | None] = {}
    for target, of_target in analysis["targets"].items():
        known = [
            (frequency, f1)
            for frequency, f1 in zip(counts.get(target, ()), of_target["f1"])
            if f1 is not None
        ]
        frequency, f1 = zip(*known) if known else ((), ())
        if len(f1) < 3 or len(set(frequency)) < 2 or len(set(f1)) < 2:
            found[target] = None
            continue
        result = spearmanr(frequency, f1)
        found[target] = {"rho": float(result.statistic), "p_value": float(result.pvalue)}
    return found
