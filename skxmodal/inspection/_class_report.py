"""ClassReportDisplay: which classes are told apart, on each modality tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix, f1_score
from sklearn.utils import _safe_indexing, check_consistent_length

from ..classification._labels import plain_labels, split_labels
from ..modalities import present_rows, select_modality
from ..utils import check_choice
from ._style import COLOURS, WIDTH, bare, figure_axes, listed, plain

#: With more classes than this, the cells of the matrix are too small for numbers.
_MOST_WITH_NUMBERS = 10


class ClassReportDisplay:
    """F1 of each class beside the confusion matrix, one row for each modality tested.

    Make one by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    f1 : dict of str to array-like of shape (n_classes,)
        F1 of each class, by modality; ``NaN`` for a class that was neither there nor predicted,
        which no mean counts.
    confusion : dict of str to array-like of shape (n_classes, n_classes)
        Counts, true classes in rows, by modality.
    labels : sequence
        Names of the classes.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes of shape (n_modalities, 2)
        Bars left, matrix right.
    ax_ : matplotlib Axes
        The first of them.
    bars_ : dict of str to matplotlib BarContainer
        Bars, by modality.
    confusion_displays_ : dict of str to :class:`~sklearn.metrics.ConfusionMatrixDisplay`
        Matrices, by modality.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 4.3, Figure 5.

    Examples
    --------
    >>> from skxmodal.inspection import ClassReportDisplay
    >>> display = ClassReportDisplay.from_predictions(
    ...     {"audio": (["drum", "flute", "flute"], ["drum", "flute", "drum"])})
    >>> display.f1["audio"].round(2)
    array([0.67, 0.67])
    """

    def __init__(
        self,
        f1: Mapping[str, Any],
        confusion: Mapping[str, Any],
        labels: Sequence[Any],
    ) -> None:
        self.f1 = f1
        self.confusion = confusion
        self.labels = labels

    @classmethod
    def from_predictions(
        cls,
        predictions: Mapping[str, tuple[Any, Any]],
        *,
        labels: Sequence[Any] | None = None,
        display_labels: Sequence[str] | None = None,
    ) -> ClassReportDisplay:
        """Compare true and predicted classes.

        Parameters
        ----------
        predictions : dict of str to (y_true, y_pred)
            True and predicted classes, by the modality tested.
        labels : sequence, default=None
            Classes, in the order in which they are shown; ``None`` takes all that occur,
            sorted.
        display_labels : sequence of str, default=None
            What to write for them.

        Returns
        -------
        display : ClassReportDisplay
        """
        if not predictions:
            raise ValueError("predictions is empty: there is nothing to show")
        if labels is None:
            parts = [np.asarray(part) for pair in predictions.values() for part in pair]
            labels = np.unique(np.concatenate(parts)).tolist()
        if display_labels is not None and len(display_labels) != len(labels):
            raise ValueError(
                f"display_labels has {len(display_labels)} names for {len(labels)} classes"
            )
        f1, confusion = {}, {}
        for name, (y_true, y_pred) in predictions.items():
            f1[name] = f1_score(y_true, y_pred, labels=labels, average=None, zero_division=np.nan)
            confusion[name] = confusion_matrix(y_true, y_pred, labels=labels)
        names = labels if display_labels is None else display_labels
        return cls(f1, confusion, [str(name) for name in names])

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        targets: Sequence[str] | None = None,
        labels: Sequence[Any] | None = None,
        display_labels: Sequence[str] | None = None,
        modalities: Any = "auto",
    ) -> ClassReportDisplay:
        """Test a fitted classifier on each modality alone.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : DataFrame or array of shape (n_samples, n_features)
            Test rows.
        y : array-like of shape (n_samples,)
            Their classes; rows without (-1, ``NaN`` or ``None``) are left out.
        targets : sequence of str, default=None
            Modalities to test on; ``None`` means all.
        labels, display_labels
            As in :meth:`from_predictions`.
        modalities : "auto", "halves" or dict of str to int, default="auto"
            Layout of a table without column names.

        Returns
        -------
        display : ClassReportDisplay
        """
        check_consistent_length(X, y)
        y, labelled = split_labels(y)
        present = present_rows(X, modalities=modalities)
        predictions = {}
        for name in present if targets is None else targets:
            if name not in present or not present[name].any():
                raise ValueError(f"no test row has the modality {name!r}")
            rows = np.flatnonzero(present[name] & labelled)
            if not len(rows):
                raise ValueError(f"no test row with the modality {name!r} has a label")
            alone = select_modality(_safe_indexing(X, rows), name, modalities=modalities)
            predictions[name] = (plain_labels(y[rows]), estimator.predict(alone))
        return cls.from_predictions(predictions, labels=labels, display_labels=display_labels)

    def confusions(self, modality: str, n: int = 3) -> list[tuple[str, str, float]]:
        """List the most frequent confusions on one modality.

        Parameters
        ----------
        modality : str
            The modality tested.
        n : int, default=3
            At most how many.

        Returns
        -------
        list of (str, str, float)
            True class, class it was taken for, and share of the true class, largest first.
        """
        shares = _row_shares(np.asarray(self.confusion[modality]))
        np.fill_diagonal(shares, 0)
        order = np.argsort(-shares, axis=None, kind="stable")[:n]
        rows, columns = np.unravel_index(order, shares.shape)
        return [
            (str(self.labels[row]), str(self.labels[column]), float(shares[row, column]))
            for row, column in zip(rows, columns)
            if shares[row, column] > 0
        ]

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        parts = []
        for name, values in self.f1.items():
            scores = np.asarray(values)
            text = (
                f"tested on {name}, macro F1 is {np.nanmean(scores):.2f}, best for "
                f"{self.labels[int(np.nanargmax(scores))]} ({np.nanmax(scores):.2f}), worst for "
                f"{self.labels[int(np.nanargmin(scores))]} ({np.nanmin(scores):.2f})"
            )
            worst = self.confusions(name, 1)
            if worst:
                true, taken, share = worst[0]
                text += f", and {share:.0%} of {true} are taken for {taken}"
            parts.append(text)
        return (
            f"Bars of F1 for {len(self.labels)} classes beside confusion matrices, "
            f"for {listed(self.f1)}: {'; '.join(parts)}."
        )

    def plot(
        self,
        ax: Any = None,
        *,
        normalize: str | None = "true",
        include_values: bool | None = None,
        cmap: Any = "Blues",
    ) -> ClassReportDisplay:
        """Draw bars and matrix for each modality.

        Parameters
        ----------
        ax : sequence of matplotlib Axes, default=None
            Two for each modality, bars first; ``None`` makes a new figure.
        normalize : {"true", None}, default="true"
            Whether each row of a matrix is shown as shares of the true class, or as counts.
        include_values : bool, default=None
            Whether numbers are written into the cells; ``None`` does for few classes.
        cmap : str or Colormap, default="Blues"
            Colours of the matrix.

        Returns
        -------
        self : object
        """
        check_choice("normalize", normalize, ("true", None))
        n = len(self.labels)
        n_rows = len(self.f1)
        height = float(np.clip(1.2 + 0.2 * n, 2.8, 0.72 * WIDTH))
        options = {"width_ratios": [1, 1.9]} if ax is None else {}
        self.figure_, axes = figure_axes(
            ax,
            "ClassReportDisplay.plot",
            n_rows=n_rows,
            n_columns=2,
            height=height * n_rows,
            **options,
        )
        self.axes_ = axes.reshape(n_rows, 2)
        self.ax_ = self.axes_[0, 0]
        self.bars_, self.confusion_displays_ = {}, {}
        names = [plain(label) for label in self.labels]
        if include_values is None:
            include_values = n <= _MOST_WITH_NUMBERS
        size = float(np.clip(72 * (height - 1.2) / n * 0.8, 5.0, 9.5))
        for (left, right), (name, values) in zip(self.axes_, self.f1.items()):
            scores = np.asarray(values)
            bare(left, grid="x")
            self.bars_[name] = left.barh(np.arange(n), scores, color=COLOURS[0], height=0.72)
            for row in np.flatnonzero(np.isnan(scores)):
                # A bar of length 0 would say that the class is never recognised.
                left.text(0.02, row, "not tested", va="center", fontsize=size, color="#666666")
            mean = float(np.nanmean(scores))
            left.axvline(mean, color="black", linestyle="--", linewidth=1)
            left.set_yticks(range(n), names, fontsize=size)
            left.set(xlim=(0, 1), ylim=(n - 0.5, -0.5), xlabel=f"F1 (mean {mean:.2f}, dashed)")
            left.set_title(f"tested on {name}", loc="left", fontsize=11)
            left.tick_params(axis="y", length=0)
            left.set_xticks([0, 0.5, 1])
            counts = np.asarray(self.confusion[name])
            shown = _row_shares(counts) if normalize else counts
            matrix = ConfusionMatrixDisplay(shown, display_labels=names)
            matrix.plot(
                ax=right,
                include_values=include_values,
                cmap=cmap,
                xticks_rotation="vertical",
                values_format=".2f" if normalize else "d",
                colorbar=False,
                im_kw={"vmin": 0, "vmax": 1 if normalize else None},
                text_kw={"fontsize": size * 0.85},
            )
            bar = self.figure_.colorbar(matrix.im_, ax=right, shrink=0.8, pad=0.02)
            bar.set_label("share of true class" if normalize else "test samples")
            bar.outline.set_visible(False)
            right.tick_params(length=0, labelsize=size)
            right.set(xlabel="predicted", ylabel="true")
            if ax is None:
                # The rows of the matrix continue the bars, whose names serve both.
                right.set_aspect("auto")
                right.set_yticklabels([])
            self.confusion_displays_[name] = matrix
        return self


def _row_shares(counts: np.ndarray) -> np.ndarray:
    """Divide each row by its sum; a class without samples has zeros."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
