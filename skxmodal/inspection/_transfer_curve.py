"""TransferCurveDisplay: scores on one modality as labelled samples of it are mixed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..model_selection import TransferCurve, transfer_curve
from ..utils import check_choice
from ._style import COLOURS, MARKERS, bare, figure_axes, listed

_KINDS = ("band", "box")
_SPACINGS = ("auto", "linear", "even")
_SCORING_NAMES = {"f1_macro": "macro F1", "accuracy": "accuracy"}


class TransferCurveDisplay:
    """Curves of several systems, one panel for each modality tested.

    Make one by :meth:`from_curves`, :meth:`from_estimators` or :meth:`from_estimator`.

    Parameters
    ----------
    curves : dict of str to (TransferCurve or sequence of TransferCurve)
        System -> its curve, or its curves for several target modalities. A curve of a single
        size is drawn as a horizontal dashed line; so is a system without source modality at
        its best size when ``plot(single="line")``.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes
        One for each target modality.
    ax_ : matplotlib Axes
        The first of them.
    lines_ : dict of (str, str) to matplotlib Line2D
        Line of each (target, system).
    bands_ : dict of (str, str) to matplotlib artist
        Intervals of each (target, system), or the dict of artists of its boxes.
    texts_ : dict of str to matplotlib Text
        Note of the zero-shot share, by target.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 4.2, Figure 3.

    See Also
    --------
    skxmodal.model_selection.transfer_curve : Computes one curve.
    """

    def __init__(self, curves: Mapping[str, TransferCurve | Sequence[TransferCurve]]) -> None:
        self.curves = curves

    @classmethod
    def from_curves(
        cls, curves: Mapping[str, TransferCurve | Sequence[TransferCurve]]
    ) -> TransferCurveDisplay:
        """Arrange curves that are known already.

        Parameters
        ----------
        curves : dict of str to (TransferCurve or sequence of TransferCurve)
            System -> its curve, or its curves for several target modalities.

        Returns
        -------
        display : TransferCurveDisplay
        """
        if not _each(curves):
            raise ValueError("curves is empty: there is no system to show")
        scorings = {curve.scoring for _, curve in _each(curves)}
        if len(scorings) > 1:
            raise ValueError(
                f"the curves have different scores, {listed(sorted(scorings))}: they cannot "
                "share an axis"
            )
        seen = set()
        for name, curve in _each(curves):
            if (name, curve.target) in seen:
                raise ValueError(f"{name!r} has two curves for the target {curve.target!r}")
            seen.add((name, curve.target))
        return cls(curves)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y: Any,
        *,
        target: str | Sequence[str],
        **options: Any,
    ) -> TransferCurveDisplay:
        """Compute the curves of several classifiers.

        Parameters
        ----------
        estimators : dict of str to classifier
            System -> classifier.
        X, y : table and labels
            Training rows, as in :func:`~skxmodal.model_selection.transfer_curve`.
        target : str or sequence of str
            Modalities to test on.
        **options
            Further parameters of :func:`~skxmodal.model_selection.transfer_curve`.

        Returns
        -------
        display : TransferCurveDisplay
        """
        targets = [target] if isinstance(target, str) else list(target)
        return cls.from_curves(
            {
                name: [transfer_curve(estimator, X, y, target=one, **options) for one in targets]
                for name, estimator in estimators.items()
            }
        )

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, target: str | Sequence[str], **options: Any
    ) -> TransferCurveDisplay:
        """Compute the curve of one classifier.

        Parameters
        ----------
        estimator : classifier
            The system.
        X, y, target, **options
            As in :meth:`from_estimators`.

        Returns
        -------
        display : TransferCurveDisplay
        """
        name = type(estimator).__name__
        return cls.from_estimators({name: estimator}, X, y, target=target, **options)

    def zero_shot_share(self) -> dict[str, tuple[str, float]]:
        """Tell how much of the best score is reached without any sample of the target.

        Returns
        -------
        share : dict of str to (str, float)
            Target -> the system that is best at size 0, and its score there divided by the best
            of all systems at any size. Targets for which no size 0 was measured are left out.
        """
        shares = {}
        for target, curves in self._by_target().items():
            zero = {name: curve.zero_shot for name, curve in curves.items()}
            zero = {name: score for name, score in zero.items() if not np.isnan(score)}
            if not zero:
                continue
            system = max(zero, key=lambda name: zero[name])
            best = max(curve.best for curve in curves.values() if not np.isnan(curve.best))
            if best > 0:
                shares[target] = (system, zero[system] / best)
        return shares

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        shares = self.zero_shot_share()
        parts = []
        for target, curves in self._by_target().items():
            ends = []
            for name, curve in curves.items():
                known = np.flatnonzero(~np.isnan(curve.mean))
                if len(known) == 0:
                    continue
                first, last = known[0], known[-1]
                if first == last:
                    ends.append(f"{name} stays at {curve.mean[first]:.2f}")
                else:
                    ends.append(
                        f"{name} goes from {curve.mean[first]:.2f} with {curve.sizes[first]} to "
                        f"{curve.mean[last]:.2f} with {curve.sizes[last]}"
                    )
            text = f"tested on {target}, {listed(ends)}"
            if target in shares:
                system, share = shares[target]
                text += f" (zero-shot {system} reaches {share:.0%} of the best)"
            parts.append(text)
        return (
            f"Curves of {self._score_name()} by the number of labelled samples of the target "
            f"modality trained on: {'; '.join(parts)}."
        )

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "band",
        spacing: str = "auto",
        confidence: float = 0.95,
        annotate: bool = True,
        single: str = "curve",
    ) -> TransferCurveDisplay:
        """Draw one panel for each target modality.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            As many as there are targets; ``None`` makes a new figure.
        kind : {"band", "box"}, default="band"
            Means with an interval, or boxes of the draws as in the paper.
        spacing : {"auto", "linear", "even"}, default="auto"
            Whether sizes stand where their number is, or at even steps; "auto" takes even
            steps for boxes and where linear ones would put sizes on top of each other.
        confidence : float, default=0.95
            Of the interval of the mean over draws.
        annotate : bool, default=True
            Whether to note the zero-shot share of the best system.
        single : {"curve", "line"}, default="curve"
            How to draw a system without source modality: as it grows, or as the paper does, as
            a horizontal dashed line at its best.

        Returns
        -------
        self : object
        """
        check_choice("kind", kind, _KINDS)
        check_choice("spacing", spacing, _SPACINGS)
        check_choice("single", single, ("curve", "line"))
        by_target = self._by_target()
        self.figure_, self.axes_ = figure_axes(
            ax,
            "TransferCurveDisplay.plot",
            n_columns=len(by_target),
            height=3.7,
            sharey=True,
        )
        self.ax_ = self.axes_[0]
        self.lines_: dict[tuple[str, str], Any] = {}
        self.bands_: dict[tuple[str, str], Any] = {}
        self.texts_: dict[str, Any] = {}
        styles = {name: index for index, name in enumerate(self.curves)}
        for panel, (target, curves) in enumerate(by_target.items()):
            axes = self.axes_[panel]
            bare(axes, grid="y")
            grown = {
                name: curve
                for name, curve in curves.items()
                if len(curve.sizes) > 1 and not (single == "line" and not curve.source)
            }
            sizes = np.unique(np.concatenate([curve.sizes for curve in (grown or curves).values()]))
            even = _is_even(sizes, kind, spacing)
            # Of the panel, not of a curve: boxes of few sizes keep their place and width.
            step = 1.0 if even else _step(sizes)
            for name, curve in curves.items():
                colour = COLOURS[styles[name] % len(COLOURS)]
                if name not in grown:
                    self.lines_[target, name] = axes.axhline(
                        curve.best, color=colour, linestyle="--", linewidth=1.8, label=name
                    )
                    continue
                where = np.searchsorted(sizes, curve.sizes) if even else curve.sizes
                known = ~np.isnan(curve.mean)
                place = list(grown).index(name)
                (self.lines_[target, name],) = axes.plot(
                    where[known],
                    curve.mean[known],
                    # Boxes are marks enough.
                    marker=MARKERS[styles[name] % len(MARKERS)] if kind == "band" else "",
                    markersize=4.5,
                    linewidth=1.8 if kind == "band" else 1.0,
                    linestyle="-" if curve.source else "--",
                    color=colour,
                    label=name,
                )
                if kind == "band":
                    ends = curve.interval(confidence)
                    self.bands_[target, name] = axes.fill_between(
                        where[known], *ends[known].T, color=colour, alpha=0.2, linewidth=0
                    )
                else:
                    shift = (place - (len(grown) - 1) / 2) * 0.8 / len(grown) * step
                    places, width = where[known] + shift, 0.7 / len(grown) * step
                    scores = curve.scores[known]
                    self.bands_[target, name] = _boxes(axes, places, width, scores, colour)
                    self.lines_[target, name].set_xdata(places)
            _label_sizes(axes, sizes, even)
            axes.set(title=f"tested on {target}", xlabel=f"labelled {target} samples mixed in")
            if panel == 0 or ax is not None:
                axes.set_ylabel(self._score_name())
        self._finish(ax, annotate)
        return self

    def _finish(self, ax: Any, annotate: bool) -> None:
        """Add what concerns all panels: limits, notes and the legend."""
        scores = np.concatenate([curve.scores.ravel() for _, curve in _each(self.curves)])
        low = np.min(scores[~np.isnan(scores)], initial=0)
        for axes in self.axes_:
            axes.set_ylim(bottom=0 if low >= 0 else None)
        if annotate:
            for axes, target in zip(self.axes_, self._by_target()):
                share = self.zero_shot_share().get(target)
                if share is not None:
                    self.texts_[target] = axes.text(
                        0.97,
                        0.04,
                        f"zero-shot {share[0]}:\n{share[1]:.0%} of the best",
                        transform=axes.transAxes,
                        horizontalalignment="right",
                        verticalalignment="bottom",
                        bbox={"facecolor": "white", "edgecolor": "#B3B3B3", "alpha": 0.9},
                    )
        lines = {name: line for (_, name), line in self.lines_.items()}
        if ax is None:
            self.figure_.legend(
                lines.values(),
                lines.keys(),
                loc="outside lower center",
                ncols=min(len(lines), 6),
                frameon=False,
            )
        else:
            self.axes_[-1].legend(lines.values(), lines.keys(), frameon=False)

    def _by_target(self) -> dict[str, dict[str, TransferCurve]]:
        """Return the curves by target, then system."""
        found: dict[str, dict[str, TransferCurve]] = {}
        for name, curve in _each(self.curves):
            found.setdefault(curve.target, {})[name] = curve
        return found

    def _score_name(self) -> str:
        scoring = next(curve.scoring for _, curve in _each(self.curves))
        return _SCORING_NAMES.get(scoring, scoring)


def _each(curves: Mapping[str, Any]) -> list[tuple[str, TransferCurve]]:
    """List all curves with the names of their systems."""
    return [
        (name, curve)
        for name, of_system in curves.items()
        for curve in ([of_system] if isinstance(of_system, TransferCurve) else of_system)
    ]


def _is_even(sizes: np.ndarray, kind: str, spacing: str) -> bool:
    """Tell whether the sizes stand at even steps."""
    if spacing != "auto":
        return spacing == "even"
    if kind == "box":
        return True
    steps = np.diff(sizes)
    return len(steps) > 0 and bool(steps.min() < 0.03 * (sizes[-1] - sizes[0]))


def _label_sizes(axes: Any, sizes: np.ndarray, even: bool) -> None:
    """Write the sizes on the horizontal axis, without letting them overlap."""
    if even:
        names = [f"{size:,}" for size in sizes]
        crowded = sum(len(name) + 1 for name in names) > 30
        axes.set_xticks(np.arange(len(sizes)), names, rotation=45 if crowded else 0)
        if crowded:
            for label in axes.get_xticklabels():
                label.set(horizontalalignment="right", rotation_mode="anchor")
    else:
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _step(where: np.ndarray) -> float:
    """Return the smallest distance of two places."""
    return float(np.diff(where).min()) if len(where) > 1 else 1.0


def _boxes(axes: Any, places: np.ndarray, width: float, scores: np.ndarray, colour: str) -> Any:
    """Draw a box for each size."""
    if not len(places):
        return {}
    return axes.boxplot(
        [row[~np.isnan(row)] for row in scores],
        positions=places,
        widths=width,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
        medianprops={"color": "black"},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        flierprops={"marker": ".", "markeredgecolor": colour},
    )
