"""The data sets on which the experiment runs, all in the same four parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..datasets import fetch_audiovisual_digits

SUBSETS = ("translation", "retrieval", "train", "test")

#: Name -> function (subset, pair_noise, skew, random_state, verbose) -> Bunch.
EXPERIMENT_DATASETS: dict[str, Callable[..., Any]] = {
    "digits": fetch_audiovisual_digits,
}
