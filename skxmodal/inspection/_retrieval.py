"""RetrievalDisplay: how well the modalities find each other, encoder pair by encoder pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.utils import _safe_indexing, check_consistent_length

from ..metrics import ExactMatch, random_ndcg, retrieval_ndcg_score
from ..metrics._labels import labelled_rows
from ..modalities import melt_modalities
from ._style import (
    BASELINE_COLOURS,
    BASELINE_DASHES,
    COLOURS,
    arrow,
    bare,
    figure_axes,
    listed,
)

Direction = tuple[str, str]


class RetrievalDisplay:
    """Dot plot of retrieval scores, one row a system, one panel a direction.

    Make one by :meth:`from_scores` or :meth:`from_estimators`.

    Parameters
    ----------
    systems : sequence of str
        Names, such as "yamnet + resnet50".
    scores : dict of (str, str) to array-like of shape (n_systems,)
        Score of each system, by direction (source, target).
    intervals : dict of (str, str) to array-like of shape (n_systems, 2), default=None
        Ends of an interval about each score.
    baselines : dict of str to (float or dict of (str, str) to float), default=None
        Name of a baseline -> its score, the same for all directions or one for each.
    metric : str, default="NDCG@30"
        What the scores are.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes
        One a direction.
    ax_ : matplotlib Axes
        The first of them.
    points_ : dict of (str, str) to matplotlib Line2D
        The dots.
    baselines_ : dict of (str, str) to dict of str to matplotlib Line2D
        The dashed lines.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 4.1, Figure 2.

    Examples
    --------
    >>> from skxmodal.inspection import RetrievalDisplay
    >>> display = RetrievalDisplay.from_scores(
    ...     {"logmel + hog": {("audio", "image"): 0.6, ("image", "audio"): 0.5}},
    ...     baselines={"random order": 0.2})
    >>> display.best()
    ('logmel + hog', 0.55)
    """

    def __init__(
        self,
        systems: Sequence[str],
        scores: Mapping[Direction, Any],
        *,
        intervals: Mapping[Direction, Any] | None = None,
        baselines: Mapping[str, Any] | None = None,
        metric: str = "NDCG@30",
    ) -> None:
        self.systems = systems
        self.scores = scores
        self.intervals = intervals
        self.baselines = baselines
        self.metric = metric

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, Mapping[Direction, Any]],
        *,
        baselines: Mapping[str, Any] | None = None,
        confidence: float = 0.95,
        metric: str = "NDCG@30",
    ) -> RetrievalDisplay:
        """Arrange scores that are known already.

        Parameters
        ----------
        scores : dict of str to dict of (str, str) to float or array-like
            System -> direction -> its score, or the scores of its queries or repeats: their
            mean is drawn, with an interval.
        baselines : dict, default=None
            As in the class.
        confidence : float, default=0.95
            Of the intervals, by the normal approximation of the mean.
        metric : str, default="NDCG@30"
            What the scores are.

        Returns
        -------
        display : RetrievalDisplay
        """
        if not scores:
            raise ValueError("scores is empty: there is no system to show")
        directions = list(next(iter(scores.values())))
        for name, of_system in scores.items():
            if set(of_system) != set(directions):
                raise ValueError(
                    f"the scores of {name!r} are for the directions {list(of_system)}, those of "
                    f"others for {directions}"
                )
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
        quantile = norm.ppf(0.5 + confidence / 2)
        means: dict[Direction, np.ndarray] = {}
        intervals: dict[Direction, np.ndarray] = {}
        repeated = False
        for direction in directions:
            rows = []
            for of_system in scores.values():
                values = np.atleast_1d(np.asarray(of_system[direction], dtype=np.float64))
                repeated |= len(values) > 1
                spread = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
                mean = values.mean()
                rows.append((mean, mean - quantile * spread, mean + quantile * spread))
            table = np.array(rows)
            means[direction], intervals[direction] = table[:, 0], table[:, 1:]
        return cls(
            list(scores),
            means,
            intervals=intervals if repeated else None,
            baselines=baselines,
            metric=metric,
        )

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y: Any,
        *,
        relevance: Any = None,
        k: int | None = 30,
        gain: str = "exponential",
        baselines: Mapping[str, Any] | None = None,
        modalities: Any = "auto",
        confidence: float = 0.95,
    ) -> RetrievalDisplay:
        """Score fitted joint spaces by retrieval in every direction.

        Parameters
        ----------
        estimators : dict of str to transformer
            Name -> fitted joint space, or anything with ``transform``.
        X : table, or dict of str to table
            Rows with all modalities; a dict gives every estimator its own table (of other
            encoders, for example), all of the same rows.
        y : array-like of shape (n_samples,) or collections of labels
            Labels, which grade the retrieval, as in
            :func:`~skxmodal.metrics.retrieval_ndcg_score`; rows without (-1, ``NaN`` or ``None``)
            are left out.
        relevance : relevance, default=None
            As in :func:`~skxmodal.metrics.retrieval_ndcg_score`; ``None`` is
            :class:`~skxmodal.metrics.ExactMatch`.
        k : int or None, default=30
            How many of the nearest count; ``None`` counts all.
        gain : {"exponential", "linear"}, default="exponential"
            As in :func:`~skxmodal.metrics.retrieval_ndcg_score`.
        baselines : dict, default=None
            Further baselines; a random order, exactly computed, is always one.
        modalities : "auto", "halves" or dict of str to int, default="auto"
            Layout of tables without column names.
        confidence : float, default=0.95
            Of the intervals over queries.

        Returns
        -------
        display : RetrievalDisplay
        """
        relevance = ExactMatch() if relevance is None else relevance
        labelled = np.flatnonzero(labelled_rows(y))
        if not len(labelled):
            raise ValueError("no row has a label: there is nothing to grade the retrieval by")
        found: dict[str, dict[Direction, Any]] = {}
        chance: dict[Direction, float] = {}
        for name, estimator in estimators.items():
            table = X[name] if isinstance(X, Mapping) else X
            check_consistent_length(table, y)
            long, rows, modality = melt_modalities(
                _safe_indexing(table, labelled), labelled, modalities=modalities
            )
            joint = np.asarray(estimator.transform(long))
            found[name] = {}
            names = list(dict.fromkeys(modality.tolist()))
            for direction in [(a, b) for a in names for b in names if a != b]:
                queries, gallery = (modality == kind for kind in direction)
                y_query, y_gallery = (
                    _safe_indexing(y, rows[which]) for which in (queries, gallery)
                )
                found[name][direction] = retrieval_ndcg_score(
                    joint[queries],
                    joint[gallery],
                    y_query,
                    y_gallery,
                    relevance=relevance,
                    k=k,
                    gain=gain,
                    per_query=True,
                )
                if direction not in chance:
                    chance[direction] = float(
                        random_ndcg(y_query, y_gallery, relevance=relevance, k=k, gain=gain)
                    )
        return cls.from_scores(
            found,
            baselines={"random order": chance, **(baselines or {})},
            confidence=confidence,
            metric="NDCG" if k is None else f"NDCG@{k}",
        )

    def best(self) -> tuple[str, float]:
        """Return the system with the highest mean over directions, and that mean.

        Returns
        -------
        system : str
        score : float
        """
        means = np.mean([np.asarray(values) for values in self.scores.values()], axis=0)
        index = int(np.where(np.isnan(means), -np.inf, means).argmax())
        return self.systems[index], float(means[index])

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        best, _ = self.best()
        index = list(self.systems).index(best)
        parts = [
            f"{np.asarray(values)[index]:.2f} from {source} to {target}"
            for (source, target), values in self.scores.items()
        ]
        text = (
            f"Dot plot of {self.metric} for {len(self.systems)} "
            f"{'system' if len(self.systems) == 1 else 'systems'}: "
            f"the best is {best} with {listed(parts)}"
        )
        lines = []
        for name, scores in (self.baselines or {}).items():
            values = [self._baseline(scores, direction) for direction in self.scores]
            known = [f"{value:.2f}" for value in values if value is not None]
            if known:
                lines.append(f"{name} at {listed(dict.fromkeys(known))}")
        return f"{text}; dashed lines mark {listed(lines)}." if lines else f"{text}."

    def plot(self, ax: Any = None, *, sort: bool = True) -> RetrievalDisplay:
        """Draw one panel for each direction.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            As many as there are directions; ``None`` makes a new figure.
        sort : bool, default=True
            Whether the system with the best mean is on top; else the first one is.

        Returns
        -------
        self : object
        """
        directions = list(self.scores)
        n = len(self.systems)
        height = 1.5 + 0.32 * n
        self.figure_, self.axes_ = figure_axes(
            ax,
            "RetrievalDisplay.plot",
            n_columns=len(directions),
            height=max(height, 2.2),
            sharex=True,
            sharey=True,
        )
        self.ax_ = self.axes_[0]
        order = list(range(n))
        if sort:
            means = np.mean([np.asarray(values) for values in self.scores.values()], axis=0)
            order = np.argsort(-means, kind="stable").tolist()
        names = [self.systems[index] for index in order]
        heights = np.arange(n)[::-1]
        self.points_: dict[Direction, Any] = {}
        self.baselines_: dict[Direction, dict[str, Any]] = {}
        for number, (direction, axes) in enumerate(zip(directions, self.axes_)):
            values = np.asarray(self.scores[direction])[order]
            bare(axes, grid="both")
            if self.intervals is not None:
                ends = np.asarray(self.intervals[direction])[order]
                axes.hlines(heights, ends[:, 0], ends[:, 1], color=COLOURS[0], linewidth=2)
            (self.points_[direction],) = axes.plot(
                values, heights, "o", color=COLOURS[0], markersize=7, zorder=3
            )
            self.baselines_[direction] = {}
            for index, (name, scores) in enumerate((self.baselines or {}).items()):
                value = self._baseline(scores, direction)
                if value is not None:
                    self.baselines_[direction][name] = axes.axvline(
                        value,
                        color=BASELINE_COLOURS[index % len(BASELINE_COLOURS)],
                        linestyle=BASELINE_DASHES[index % len(BASELINE_DASHES)],
                        linewidth=1.6,
                        label=name,
                    )
            axes.set(title=arrow(direction), xlabel=self.metric, ylim=(-0.6, n - 0.4))
            axes.set_yticks(heights, names)
            # Shared axes of our own figure keep one set of names.
            axes.tick_params(axis="y", length=0, labelleft=number == 0 or ax is not None)
        lines = {name: line for drawn in self.baselines_.values() for name, line in drawn.items()}
        if lines and ax is None:
            self.figure_.legend(
                lines.values(),
                lines.keys(),
                loc="outside lower center",
                # As many side by side as the width has room for.
                ncols=3 if sum(len(name) + 8 for name in lines) < 80 else 1,
                frameon=False,
            )
        elif lines:
            self.axes_[-1].legend(lines.values(), lines.keys(), frameon=False)
        return self

    @staticmethod
    def _baseline(scores: Any, direction: Direction) -> float | None:
        """Return a baseline's score in a direction, if it has one."""
        if isinstance(scores, Mapping):
            return float(scores[direction]) if direction in scores else None
        return float(scores)
