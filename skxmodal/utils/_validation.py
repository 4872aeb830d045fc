"""Checks of parameters, done in ``fit``, with messages that all read alike."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise ``ValueError`` unless the value is one of the choices.

    Examples
    --------
    >>> from skxmodal.utils import check_choice
    >>> check_choice("pooling", "median", ("mean", "max"))
    Traceback (most recent call last):
    ...
    ValueError: pooling must be one of 'mean', 'max', got 'median'
    """
    choices = list(choices)
    if not any(_is_choice(value, choice) for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {listed}, got {value!r}")


def check_number(
    name: str,
    value: Any,
    *,
    integer: bool = False,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Raise unless the value is a number in the interval.

    ``low`` and ``high`` belong to the interval, ``above`` and ``below`` do not.

    Examples
    --------
    >>> from skxmodal.utils import check_number
    >>> check_number("lr", -1, above=0)
    Traceback (most recent call last):
    ...
    ValueError: lr must be a number > 0, got -1
    """
    kind = Integral if integer else Real
    limits = [
        (low, ">=", lambda limit: value >= limit),
        (above, ">", lambda limit: value > limit),
        (high, "<=", lambda limit: value <= limit),
        (below, "<", lambda limit: value < limit),
    ]
    wanted = ("an integer" if integer else "a number") + "".join(
        f"{' and' if index else ''} {sign} {limit}"
        for index, (limit, sign, _) in enumerate(one for one in limits if one[0] is not None)
    )
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    if not all(holds(limit) for limit, _, holds in limits if limit is not None):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


def check_n_jobs(n_jobs: Any) -> None:
    """Raise unless the value is a number of workers as joblib counts them.

    Examples
    --------
    >>> from skxmodal.utils import check_n_jobs
    >>> check_n_jobs(0)
    Traceback (most recent call last):
    ...
    ValueError: n_jobs must be None, a number of workers >= 1, or -1 for all processors, got 0
    """
    wanted = "None, a number of workers >= 1, or -1 for all processors"
    if n_jobs is None:
        return
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral):
        raise TypeError(f"n_jobs must be {wanted}, got {n_jobs!r}")
    if n_jobs == 0:
        raise ValueError(f"n_jobs must be {wanted}, got {n_jobs!r}")


def _is_choice(value: Any, choice: Any) -> bool:
    """Compare without taking 1 for True; a string of numpy is a string."""
    if value is choice:
        return True
    same_kind = isinstance(value, type(choice)) and not isinstance(value, bool)
    return same_kind and bool(value == choice)
