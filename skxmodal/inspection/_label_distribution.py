"""LabelDistributionDisplay: how often each class occurs, and whether that explains its score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import spearmanr

from ..media import is_missing
from ._style import COLOURS, bare, figure_axes, plain


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation between class counts and per-class scores.

    Attributes
    ----------
    statistic : float
        Between -1 and 1; ``NaN`` where counts or scores are all the same.
    pvalue : float
        Two-sided probability of one as large if there were no relation.
    n_classes : int
        Number of classes compared.
    """

    statistic: float
    pvalue: float
    n_classes: int


class LabelDistributionDisplay:
    """Bars of class counts.

    Make one by :meth:`from_labels`.

    Parameters
    ----------
    labels : sequence
        Names of the classes.
    counts : array-like of shape (n_classes,)
        Samples of each.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The axes.
    bars_ : matplotlib BarContainer
        The bars, from top to bottom.
    rank_correlation_ : RankCorrelation
        When ``plot`` was given scores.
    text_ : matplotlib Text
        Its value, likewise.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 4.3, Figure 6.

    Examples
    --------
    >>> from skxmodal.inspection import LabelDistributionDisplay
    >>> display = LabelDistributionDisplay.from_labels(["drum"] * 5 + ["flute"] * 2 + ["lute"])
    >>> display.counts.tolist()
    [5, 2, 1]
    >>> found = display.rank_correlation({"drum": 0.9, "flute": 0.8, "lute": 0.3})
    >>> round(found.statistic, 2)
    1.0
    """

    def __init__(self, labels: Sequence[Any], counts: Any) -> None:
        self.labels = labels
        self.counts = counts

    @classmethod
    def from_labels(
        cls, y: Any, *, labels: Mapping[Any, str] | Sequence[Any] | None = None
    ) -> LabelDistributionDisplay:
        """Count labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,), or of collections of labels
            Labels; a row with several counts for each. Those that mark a row without label
            (``None``, ``NaN``, -1) are left out. An indicator matrix counts its columns, by
            their names if it is a DataFrame.
        labels : sequence, or dict of label to str, default=None
            Classes to show, in that order, also those that do not occur; a dict gives names to
            them. ``None`` takes all that occur, sorted.

        Returns
        -------
        display : LabelDistributionDisplay

        Raises
        ------
        ValueError
            When no row has a label, or none of those asked for.
        """
        counts: Counter[Any] = Counter()
        for row in _rows_of_labels(y):
            alone = isinstance(row, str | bytes) or not hasattr(row, "__iter__")
            of_row = [row] if alone else set(row)
            counts.update(label for label in of_row if not is_missing(label) and label != -1)
        if labels is None:
            labels = sorted(counts)
        if not counts:
            raise ValueError("no row of y has a label to count")
        if not any(label in counts for label in labels):
            raise ValueError(
                f"none of the labels asked for is in y, which has {next(iter(counts))!r}, for "
                "example"
            )
        names = list(labels.values()) if isinstance(labels, Mapping) else list(labels)
        return cls(names, np.array([counts[label] for label in labels], dtype=np.int64))

    @property
    def imbalance(self) -> float:
        """Count of the largest class over that of the smallest one that occurs."""
        counts = np.asarray(self.counts)
        occurring = counts[counts > 0]
        return float(occurring.max() / occurring.min()) if len(occurring) else float("nan")

    def rank_correlation(self, per_class_scores: Any) -> RankCorrelation:
        """Tell whether frequent classes have high scores, by Spearman's rank correlation.

        Parameters
        ----------
        per_class_scores : dict of label to float, or array-like of shape (n_classes,)
            Such as F1; a dict may lack classes, an array is in the order of ``labels``.

        Returns
        -------
        RankCorrelation

        Raises
        ------
        ValueError
            When an array has another length, a dict names an unknown class, or fewer than
            three classes are left.
        """
        counts = np.asarray(self.counts)
        if isinstance(per_class_scores, Mapping):
            position = {label: index for index, label in enumerate(self.labels)}
            unknown = [label for label in per_class_scores if label not in position]
            if unknown:
                raise ValueError(f"no class of the distribution is called {unknown[0]!r}")
            counts = counts[[position[label] for label in per_class_scores]]
            scores = np.array(list(per_class_scores.values()), dtype=np.float64)
        else:
            scores = np.asarray(per_class_scores, dtype=np.float64)
            if scores.shape != counts.shape:
                raise ValueError(
                    f"per_class_scores has shape {scores.shape}, there are {len(counts)} classes"
                )
        known = ~np.isnan(scores)
        counts, scores = counts[known], scores[known]
        if len(counts) < 3:
            raise ValueError("a rank correlation needs the scores of three classes at least")
        if len(np.unique(counts)) < 2 or len(np.unique(scores)) < 2:
            # Without any order on one side there is nothing to compare.
            return RankCorrelation(float("nan"), float("nan"), len(counts))
        found = spearmanr(counts, scores)
        return RankCorrelation(float(found.statistic), float(found.pvalue), len(counts))

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        counts = np.asarray(self.counts)
        most, least = int(counts.argmax()), int(counts.argmin())
        text = (
            f"Bars of the number of samples of {len(counts)} classes, {counts.sum():,} in all: "
            f"most of {self.labels[most]} ({counts[most]:,}), fewest of {self.labels[least]} "
            f"({counts[least]:,})"
        )
        found = getattr(self, "rank_correlation_", None)
        if found is not None and not np.isnan(found.statistic):
            text += f"; rank correlation with the scores of the classes {found.statistic:.2f}"
        return f"{text}."

    def plot(
        self,
        ax: Any = None,
        *,
        log: bool = False,
        sort: bool = True,
        per_class_scores: Any = None,
        score_name: str = "F1",
    ) -> LabelDistributionDisplay:
        """Draw one bar for each class.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            ``None`` makes a new figure.
        log : bool, default=False
            Whether counts are drawn on a logarithmic scale.
        sort : bool, default=True
            Whether the most frequent class is on top; else the first one is.
        per_class_scores : default=None
            As in :meth:`rank_correlation`, which is then written into the picture.
        score_name : str, default="F1"
            What these scores are.

        Returns
        -------
        self : object
        """
        n = len(self.labels)
        self.figure_, (self.ax_,) = figure_axes(
            ax, "LabelDistributionDisplay.plot", height=max(2.2, 1.0 + 0.21 * n)
        )
        counts = np.asarray(self.counts)
        order = np.argsort(-counts, kind="stable") if sort else np.arange(n)
        bare(self.ax_, grid="x")
        self.bars_ = self.ax_.barh(np.arange(n), counts[order], color=COLOURS[0], height=0.74)
        self.ax_.set_yticks(range(n), [plain(self.labels[index]) for index in order])
        self.ax_.set(ylim=(n - 0.5, -0.5), xlabel="samples" + (" (log scale)" if log else ""))
        self.ax_.tick_params(axis="y", length=0)
        if log:
            self.ax_.set_xscale("log")
            # A bar of a logarithmic axis starts below the smallest count, wherever that is.
            self.ax_.set_xlim(left=0.5)
        self.ax_.bar_label(self.bars_, [f"{count:,}" for count in counts[order]], padding=3)
        # What an earlier call wrote is not in this picture.
        for name in ("rank_correlation_", "text_"):
            self.__dict__.pop(name, None)
        self.ax_.margins(x=0.12)
        if per_class_scores is not None:
            self.rank_correlation_ = self.rank_correlation(per_class_scores)
            found = self.rank_correlation_
            # Above the bars, where none can be hidden.
            self.text_ = self.ax_.set_title(
                f"rank correlation with {score_name}: "
                f"ρ = {found.statistic:.2f} (p = {found.pvalue:.2g})",
                loc="right",
                fontsize=10,
            )
        return self


def _rows_of_labels(y: Any) -> Iterable[Any]:
    """Return the labels of each row: of an indicator matrix, the columns that are set."""
    y = y.toarray() if sparse.issparse(y) else y
    columns = getattr(y, "columns", None)
    matrix = np.asarray(y) if columns is not None or isinstance(y, np.ndarray) else None
    if matrix is None or matrix.ndim < 2:
        return y if matrix is None else matrix.tolist()
    if matrix.shape[1] == 1:
        return matrix.ravel().tolist()
    if matrix.dtype.kind in "biuf" and np.isin(matrix, (0, 1)).all():
        names = list(range(matrix.shape[1]) if columns is None else columns)
        return [[names[column] for column in np.flatnonzero(row)] for row in matrix]
    if columns is not None:
        raise ValueError(
            f"y is a table of {matrix.shape[1]} columns but no indicator matrix of zeros and ones: "
            "pass the column of the labels"
        )
    return matrix.tolist()
