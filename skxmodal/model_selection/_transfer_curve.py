"""transfer_curve: scores on one modality, as labelled samples of it are mixed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_consistent_length, check_random_state

from ..classification._labels import split_labels
from ..modalities import _is_media_table, present_rows
from ..utils import check_n_jobs, check_number
from ._curve import TransferCurve
from ._draws import balanced_order, resolve_sizes
from ._frozen import can_project_once, project_once
from ._transfer_fits import (
    MAX_SEED,
    Task,
    TestRows,
    TrainingRows,
    folds_of,
    mask_of,
    only_target,
    plain_labels,
    report_failures,
    run_tasks,
)


def transfer_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    target: str,
    source: str | Sequence[str] | None = None,
    X_test: Any = None,
    y_test: Any = None,
    cv: Any = None,
    groups: Any = None,
    sizes: int | Sequence[Any] = 10,
    n_repeats: int = 5,
    scoring: Any = "f1_macro",
    modalities: str | Mapping[str, int] = "auto",
    reseed: bool = True,
    params: Mapping[str, Any] | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    error_score: float | str = np.nan,
) -> TransferCurve:
    """Score a classifier on one modality, with ever more labelled samples of it.

    The estimator is trained on all labelled samples of the source modalities and on a balanced
    random draw of labelled samples of the target modality, from none (zero-shot) to all, and
    is tested on the target modality alone (paper, section 4.2 and Figure 3).

    Parameters
    ----------
    estimator : classifier
        Such as :class:`~skxmodal.classification.ModalityAgnosticClassifier`. It is cloned and
        fitted once for every size and draw.
    X : DataFrame or array of shape (n_samples, n_features)
        Training rows: embedding table, or a media table when the estimator embeds. A row may
        have several modalities.
    y : array-like of shape (n_samples,)
        Labels; -1, ``NaN`` or ``None`` marks a row without.
    target : str
        Modality to be tested on.
    source : str, sequence of str or None, default=None
        Modalities whose labelled samples are all trained on; ``None`` means all but the target.
        An empty sequence means none: the curve of a single-modality system.
    X_test, y_test : default=None
        Test rows and their labels. Those with the target modality and a label are used, with
        all other modalities hidden.
    cv : int, splitter or iterable, default=None
        Without ``X_test``: how to split the labelled rows, as in
        :func:`~sklearn.model_selection.learning_curve`.
    groups : array-like of shape (n_samples,), default=None
        Groups for ``cv``.
    sizes : int or sequence, default=10
        How many labelled samples of the target are mixed in. A number is that many sizes in
        equal steps from 0 to all. In a sequence, an integer counts samples, a fraction between
        0.0 and 1.0 is a share of all, and "all" is all (with ``cv``: the most that every
        training fold has).
    n_repeats : int, default=5
        How many independent draws.
    scoring : str, callable or None, default="f1_macro"
        As in :func:`~sklearn.model_selection.learning_curve`.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table without column names.
    reseed : bool, default=True
        Whether every draw gives new seeds to all ``random_state`` parameters of the estimator,
        as otherwise the repeats of no and of all samples are all the same. Frozen parts keep
        theirs.
    params : dict, default=None
        Passed to ``estimator.fit``; what has one value for each row of ``X`` is cut to the
        rows used.
    random_state : int, RandomState instance or None, default=None
        For the draws and the seeds. One seed gives the same draws to every estimator, so that
        their curves can be compared draw by draw.
    n_jobs : int or None, default=None
        Number of fits at the same time, by joblib.
    verbose : int, default=0
        Positive: a progress bar on stderr.
    error_score : "raise" or float, default=np.nan
        Score of a fit that fails; a warning tells how many did. When all fail, that is an error.

    Returns
    -------
    TransferCurve
        ``sizes``, ``scores`` of shape (n_sizes, n_repeats) (with ``cv``:
        (n_sizes, n_repeats * n_splits), fold by fold), times, and summaries such as ``mean``,
        ``interval()`` and ``zero_shot``.

    Raises
    ------
    ValueError
        When a modality is unknown, no labelled training or test row has the target, or a size
        is out of range.

    See Also
    --------
    skxmodal.inspection.TransferCurveDisplay : Draws curves of several systems.
    sklearn.model_selection.learning_curve : The same for one modality.

    Notes
    -----
    **What counts as a sample.** Labelled samples are counted by modality, as in the paper: a
    labelled row with a sound and a picture holds one labelled sound and one labelled picture.
    Of every labelled row the source cells are visible, the target cell is hidden unless the row
    is drawn, and all other cells are hidden. Size 0 is therefore the zero-shot case, and "all"
    the whole table. :class:`~skxmodal.classification.ModalityAgnosticClassifier` trains on each
    visible cell by itself; an estimator that merges the modalities of a row sees a drawn row
    that has both as one sample. A row that has no visible cell is left out.

    **Draws.** Every repeat orders the labelled target samples once, at random, so that all its
    prefixes are balanced: the draws of a repeat are nested, and a class that runs out leaves its
    share to the others.

    **Unlabelled rows** are passed on as they are, pairs included: they may teach the joint
    space, but the estimator must know the label -1. Where ``cv`` keeps groups apart, those of
    the groups tested are left out. What is hidden teaches nothing, so that a
    joint space which is not frozen is fitted anew from what is visible.

    **Speed.** When the joint space of a
    :class:`~skxmodal.classification.ModalityAgnosticClassifier` is a
    :class:`~sklearn.frozen.FrozenEstimator`, all rows are projected once and only the classifier
    is fitted again. The scores are the same. This is not done for a scorer that is a plain
    function, which might look at the table.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 2.3 and 4.2, Figure 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skxmodal.classification import ModalityAgnosticClassifier
    >>> from skxmodal.modalities import concat_modalities
    >>> from skxmodal.model_selection import transfer_curve
    >>> from skxmodal.translation import CCAProjector
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> cause = 3 * y[:, None] + rng.normal(size=(300, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> joint = CCAProjector(2).fit(X[:100])
    >>> curve = transfer_curve(
    ...     ModalityAgnosticClassifier(FrozenEstimator(joint)), X[100:200], y[100:200],
    ...     X_test=X[200:], y_test=y[200:], target="image", sizes=(0, 10, "all"), n_repeats=3,
    ...     random_state=0)
    >>> curve.sizes, curve.scores.shape
    (array([  0,  10, 100]), (3, 3))
    >>> bool(curve.zero_shot > 0.9)
    True
    """
    check_number("n_repeats", n_repeats, integer=True, low=1)
    check_n_jobs(n_jobs)
    if error_score != "raise" and not isinstance(error_score, Real):
        raise ValueError(f"error_score must be 'raise' or a number, got {error_score!r}")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise TypeError(f"scoring must be the name of one score or a callable, got {scoring!r}")
    if (X_test is None) != (y_test is None):
        raise ValueError("give both X_test and y_test, or neither to split X by cv")
    if X_test is not None and cv is not None:
        raise ValueError("give either X_test or cv: rows are tested on one or the other")
    y, labelled = split_labels(y)
    check_consistent_length(X, y, groups)
    scorer = check_scoring(estimator, scoring)
    tables: dict[str, Any] = {"train": X}
    if X_test is not None:
        y_test, labelled_test = split_labels(y_test)
        check_consistent_length(X_test, y_test)
        tables["test"] = X_test
    # A cell that cannot be embedded is a sample all the same, with or without the short cut.
    cells = {
        which: present_rows(table) if _is_media_table(table, modalities) else {}
        for which, table in tables.items()
    }
    if can_project_once(estimator, scorer):
        estimator, tables, modalities = project_once(estimator, tables, modalities)
        # Nothing is left that unlabelled rows could teach.
        used = labelled
    else:
        used = np.ones(len(y), dtype=bool)
    X = tables["train"]
    there = {
        which: {
            name: cells[which].get(name, rows)
            for name, rows in present_rows(table, modalities=modalities).items()
        }
        for which, table in tables.items()
    }
    present = there["train"]
    sources = _check_modalities(target, source, present)
    rows = TrainingRows(X, y, used, labelled, present, target, sources, modalities)

    if X_test is not None:
        tested = TestRows(
            *only_target(
                tables["test"],
                plain_labels(y_test, labelled_test),
                labelled_test,
                there["test"],
                target,
                modalities,
            )
        )
        folds = [(np.arange(len(y)), tested)]
    else:
        folds = list(folds_of(rows, cv, groups))
    eligible = labelled & present[target]
    available = [np.flatnonzero(mask_of(train, len(y)) & eligible) for train, _ in folds]
    n_available = min(len(found) for found in available)
    if n_available == 0:
        raise ValueError(f"no labelled training row has the target modality {target!r}")
    counts = resolve_sizes(sizes, n_available, target)

    random = check_random_state(random_state)
    tasks = []
    for fold, (train, tested) in enumerate(folds):
        for repeat in range(n_repeats):
            order = available[fold][balanced_order(y[available[fold]].astype(str), random)]
            # Drawn in any case, so that the draws of samples do not depend on it.
            seed = random.randint(MAX_SEED)
            tasks += [
                Task(
                    index,
                    fold * n_repeats + repeat,
                    train,
                    order[:size],
                    tested,
                    seed if reseed else None,
                )
                for index, size in enumerate(counts)
            ]
    # The largest fits first: no worker is left with a long one at the end.
    tasks.sort(key=lambda task: -len(task.drawn))
    outcomes = run_tasks(estimator, rows, tasks, scorer, params or {}, error_score, n_jobs, verbose)

    shape = (len(counts), n_repeats * len(folds))
    scores, fit_times, score_times = (np.full(shape, np.nan) for _ in range(3))
    for task, outcome in zip(tasks, outcomes):
        cell = task.size_index, task.column
        scores[cell], fit_times[cell], score_times[cell] = outcome[:3]
    report_failures(outcomes, error_score)
    first = mask_of(folds[0][0], len(y)) & labelled
    return TransferCurve(
        target=target,
        source=sources,
        sizes=counts,
        scores=scores,
        fit_times=fit_times,
        score_times=score_times,
        n_source=int(sum((present[name] & first).sum() for name in sources)),
        n_test=sum(len(tested.y) for _, tested in folds),
        scoring=scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score"),
    )


def _check_modalities(
    target: str, source: str | Sequence[str] | None, present: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """Return the source modalities; unknown names are errors."""
    if source is None:
        source = [name for name in present if name != target]
    sources = (source,) if isinstance(source, str) else tuple(source)
    for name in (target, *sources):
        if name not in present:
            raise ValueError(f"the table has no modality {name!r}, only {', '.join(present)}")
    if target in sources:
        raise ValueError(
            f"the target modality {target!r} cannot be a source too: its labelled samples are "
            "what is mixed in"
        )
    return sources
