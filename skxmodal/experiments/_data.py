"""The data sets on which the experiment runs, all in the same parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..datasets import fetch_audiovisual_digits, make_instruments

#: Rows of each subset of the instruments; about a thirtieth of the paper's Table 2.
_INSTRUMENT_ROWS = {"translation": 4500, "train": 1800, "test": 900}
#: Easier than the default of make_instruments, as there are fewer samples to learn from.
_INSTRUMENT_DIFFICULTY = 0.3


def _digits(subset: str, *, n_jobs: int | None, **options: Any) -> Any:
    """Spoken and written digits; nothing is computed that ``n_jobs`` could share out."""
    return fetch_audiovisual_digits(subset, **options)


def _instruments(subset: str, **options: Any) -> Any:
    """Synthesised instruments."""
    return make_instruments(
        _INSTRUMENT_ROWS[subset], subset=subset, difficulty=_INSTRUMENT_DIFFICULTY, **options
    )


#: Name -> function (subset, pair_noise, skew, random_state, n_jobs, verbose) -> Bunch.
EXPERIMENT_DATASETS: dict[str, Callable[..., Any]] = {
    "instruments": _instruments,
    "digits": _digits,
}
