"""The fits of a transfer curve: what each of them sees, and how they are run."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from ..utils import progress_bar
from ._draws import hide_cells
from ._semi_supervised import SemiSupervisedSplit

MAX_SEED = np.iinfo(np.int32).max


@dataclass(frozen=True)
class TrainingRows:
    """The training table, and what is known of its rows."""

    X: Any
    y: np.ndarray
    used: np.ndarray  # rows that may be passed to fit
    labelled: np.ndarray
    present: dict[str, np.ndarray]
    target: str
    source: tuple[str, ...]
    modalities: str | Mapping[str, int]

    def visible(self, train: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the rows to train on, and their table with all else hidden."""
        n_rows = len(self.y)
        training, drawing = mask_of(train, n_rows), mask_of(drawn, n_rows)
        learning = training & self.labelled
        shown = dict.fromkeys(self.present, np.zeros(n_rows, dtype=bool))
        for name in self.source:
            shown[name] = self.present[name] & learning
        shown[self.target] = drawing
        # Unlabelled rows teach the joint space whatever they have.
        unlabelled = self.used & training & ~self.labelled
        shown = {name: mask | (self.present[name] & unlabelled) for name, mask in shown.items()}
        kept = np.flatnonzero(np.any(list(shown.values()), axis=0))
        hidden = {name: ~mask[kept] for name, mask in shown.items()}
        return kept, hide_cells(_safe_indexing(self.X, kept), hidden, self.modalities)


@dataclass(frozen=True)
class TestRows:
    """Test rows with the target modality alone."""

    X: Any
    y: np.ndarray


@dataclass(frozen=True)
class Task:
    """One fit: a size and a draw."""

    size_index: int
    column: int
    train: np.ndarray
    drawn: np.ndarray
    tested: TestRows
    seed: int | None


def run_tasks(
    estimator: Any,
    rows: TrainingRows,
    tasks: list[Task],
    scorer: Any,
    params: Mapping[str, Any],
    error_score: float | str,
    n_jobs: int | None,
    verbose: int,
) -> list[tuple[float, float, float, str | None]]:
    """Fit and score all tasks; results come in the order of the tasks."""
    parallel = Parallel(n_jobs=n_jobs)
    if verbose:
        # Only the bar needs results one by one, which not every backend of joblib can hand over.
        with suppress(ValueError):
            parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    outcomes = parallel(
        delayed(_fit_and_score)(estimator, rows, task, scorer, params, error_score)
        for task in tasks
    )
    bar = progress_bar(outcomes, verbose=verbose, description="transfer curve", total=len(tasks))
    return list(bar)


def _fit_and_score(
    estimator: Any,
    rows: TrainingRows,
    task: Task,
    scorer: Any,
    params: Mapping[str, Any],
    error_score: float | str,
) -> tuple[float, float, float, str | None]:
    """Return score, seconds to fit, seconds to score, and what went wrong."""
    started = time.perf_counter()
    kept, X = rows.visible(task.train, task.drawn)
    if not rows.labelled[kept].any():
        return np.nan, 0.0, 0.0, None
    y = plain_labels(rows.y[kept], rows.labelled[kept])
    model = clone(estimator)
    if task.seed is not None:
        _reseed(model, task.seed)
    fit_params = {name: _of_rows(value, kept, len(rows.y)) for name, value in params.items()}
    try:
        model.fit(X, y, **fit_params)
        fitted = time.perf_counter()
        score = scorer(model, task.tested.X, task.tested.y)
        return float(score), fitted - started, time.perf_counter() - fitted, None
    except Exception:
        if error_score == "raise":
            raise
        return float(error_score), time.perf_counter() - started, 0.0, traceback.format_exc()


def _reseed(model: Any, seed: int) -> None:
    """Give every random_state parameter a seed of its own, the same for the same seed."""
    random = np.random.RandomState(seed)
    names = sorted(
        name
        for name in model.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    model.set_params(**{name: random.randint(MAX_SEED) for name in names})


def folds_of(rows: TrainingRows, cv: Any, groups: Any) -> Iterable[tuple[np.ndarray, TestRows]]:
    """Split the labelled rows; yield the training rows and the test table of each fold."""
    for train, test in SemiSupervisedSplit(cv).split(rows.X, rows.y, groups):
        known = np.ones(len(test), dtype=bool)
        X = _safe_indexing(rows.X, test)
        present = {name: of_one[test] for name, of_one in rows.present.items()}
        tested = only_target(X, rows.y[test], known, present, rows.target, rows.modalities)
        yield train, TestRows(*tested)


def only_target(
    X: Any,
    y: np.ndarray,
    labelled: np.ndarray,
    present: Mapping[str, np.ndarray],
    target: str,
    modalities: Any,
) -> tuple[Any, np.ndarray]:
    """Keep labelled rows that have the target modality, and hide their other modalities."""
    if target not in present or not (present[target] & labelled).any():
        raise ValueError(f"no labelled test row has the target modality {target!r}")
    kept = np.flatnonzero(present[target] & labelled)
    hidden = {
        name: np.full(len(kept), name != target) | ~rows[kept] for name, rows in present.items()
    }
    # Labels that hold a missing one are objects; what is left has a type of its own again.
    y = plain_labels(y[kept], np.ones(len(kept), dtype=bool))
    return hide_cells(_safe_indexing(X, kept), hidden, modalities), y


def mask_of(rows: np.ndarray, n_rows: int) -> np.ndarray:
    mask = np.zeros(n_rows, dtype=bool)
    mask[rows] = True
    return mask


def plain_labels(y: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Give labels that are objects the type that they have, where none is missing."""
    if y.dtype == object and labelled.all():
        return np.asarray(y.tolist())
    return y


def _of_rows(value: Any, rows: np.ndarray, n_rows: int) -> Any:
    """Cut what has one value for each row."""
    per_row = hasattr(value, "__len__") and not isinstance(value, str) and len(value) == n_rows
    return _safe_indexing(value, rows) if per_row else value


def report_failures(
    outcomes: list[tuple[float, float, float, str | None]], error_score: float | str
) -> None:
    """Warn of failed fits; raise when there is nothing else."""
    errors = [error for *_, error in outcomes if error]
    if not errors:
        return
    # Where there was nothing to train on, no time was spent.
    n_fits = sum(seconds > 0 for _, seconds, _, _ in outcomes)
    message = f"{len(errors)} of {n_fits} fits of the transfer curve failed"
    if len(errors) == n_fits:
        raise ValueError(f"{message}. The first error was:\n{errors[0]}")
    warnings.warn(
        f"{message}; their score is {error_score}. Pass error_score='raise' to stop there. The "
        f"first error was:\n{errors[0]}",
        FitFailedWarning,
        stacklevel=3,
    )
