"""ClusterDistanceDisplay: how far classes and modalities lie apart, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_consistent_length

from ..classification._labels import plain_labels, split_labels
from ..metrics import ClusterDistances, cluster_distances
from ..modalities import melt_modalities
from ..utils import check_choice
from ._style import WIDTH, figure_axes, plain

_ORDERS = ("class", "modality")
#: With more clusters than this, panels stand below each other so that names stay readable.
_MOST_SIDE_BY_SIDE = 12


class ClusterDistanceDisplay:
    """Maps of the distances between the centroids of every class in every modality.

    Make one by :meth:`from_estimators`, or of the results of
    :func:`~skxmodal.metrics.cluster_distances` by :meth:`from_distances`.

    Parameters
    ----------
    clusters : dict of str to ClusterDistances
        Title of a panel -> distances, such as "PCA" and "translated".

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes
        One a panel.
    ax_ : matplotlib Axes
        The first of them.
    images_ : list of matplotlib AxesImage
        The maps.
    colorbars_ : list of matplotlib Colorbar
        Their scales.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 3.3 and 4.3, Figure 4.

    Examples
    --------
    >>> from skxmodal.inspection import ClusterDistanceDisplay
    >>> from skxmodal.metrics import cluster_distances
    >>> clusters = cluster_distances(
    ...     [[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [1.0, 4.0]],
    ...     ["drum", "drum", "flute", "flute"], ["audio", "image", "audio", "image"])
    >>> display = ClusterDistanceDisplay.from_distances({"translated": clusters})
    >>> round(display.summary()["translated"]["class_ratio"], 2)
    0.25
    """

    def __init__(self, clusters: Mapping[str, ClusterDistances]) -> None:
        self.clusters = clusters

    @classmethod
    def from_distances(
        cls, clusters: ClusterDistances | Mapping[str, ClusterDistances]
    ) -> ClusterDistanceDisplay:
        """Arrange distances that are known already.

        Parameters
        ----------
        clusters : ClusterDistances or dict of str to ClusterDistances
            One panel, or several with their titles.

        Returns
        -------
        display : ClusterDistanceDisplay
        """
        if isinstance(clusters, ClusterDistances):
            clusters = {"": clusters}
        if not clusters:
            raise ValueError("clusters is empty: there is nothing to show")
        return cls(clusters)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y: Any,
        *,
        metric: str = "euclidean",
        modalities: Any = "auto",
    ) -> ClusterDistanceDisplay:
        """Measure distances in fitted joint spaces.

        Parameters
        ----------
        estimators : dict of str to transformer
            Title -> fitted joint space.
        X : DataFrame or array of shape (n_samples, n_features)
            Test rows.
        y : array-like of shape (n_samples,)
            Class of each row; rows without (-1, ``NaN`` or ``None``) are left out.
        metric : str, default="euclidean"
            As in :func:`~skxmodal.metrics.cluster_distances`.
        modalities : "auto", "halves" or dict of str to int, default="auto"
            Layout of a table without column names.

        Returns
        -------
        display : ClusterDistanceDisplay
        """
        check_consistent_length(X, y)
        y, labelled = split_labels(y)
        rows = np.flatnonzero(labelled)
        if not len(rows):
            raise ValueError("no row has a label: there are no classes whose distances to show")
        long, labels, modality = melt_modalities(
            _safe_indexing(X, rows), plain_labels(y[rows]), modalities=modalities
        )
        return cls.from_distances(
            {
                name: cluster_distances(
                    np.asarray(estimator.transform(long)), labels, modality, metric=metric
                )
                for name, estimator in estimators.items()
            }
        )

    def summary(self) -> dict[str, dict[str, float]]:
        """Return the structure of each panel as numbers.

        Returns
        -------
        dict of str to dict
            Title -> ``class_ratio`` (mean distance within classes across modalities, over the
            mean between classes), ``modality_gap``, and ``mean_distance`` of all pairs of
            clusters, by which spaces of different scale can be compared. What a panel does not
            define (one class, one modality) is ``NaN``.
        """
        found = {}
        for name, clusters in self.clusters.items():
            n = len(clusters.distances)
            upper = clusters.distances[np.triu_indices(n, k=1)]
            labels, modality = np.unique(clusters.label), np.unique(clusters.modality)
            paired = len(clusters.label) > len(labels)
            found[name] = {
                "class_ratio": (
                    clusters.class_ratio if paired and len(labels) > 1 else float("nan")
                ),
                "modality_gap": clusters.modality_gap if len(modality) > 1 else float("nan"),
                "mean_distance": float(upper.mean()) if len(upper) else float("nan"),
            }
        return found

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        first = next(iter(self.clusters.values()))
        n_classes, n_modalities = len(np.unique(first.label)), len(np.unique(first.modality))
        parts = []
        for name, numbers in self.summary().items():
            ratio = numbers["class_ratio"]
            said = (
                f"the same class in two modalities is {ratio:.2f} times as far apart as two classes"
                if not np.isnan(ratio)
                else f"the mean distance is {numbers['mean_distance']:.2f}"
            )
            parts.append(f"{name + ': ' if name else ''}{said}")
        return (
            f"Maps of the distances between the centroids of {n_classes} classes in "
            f"{n_modalities} {'modality' if n_modalities == 1 else 'modalities'}; "
            f"{'; '.join(parts)}."
        )

    def plot(
        self,
        ax: Any = None,
        *,
        sort_by: str | Sequence[str] = "class",
        cmap: Any = "viridis",
        share_scale: bool = False,
    ) -> ClusterDistanceDisplay:
        """Draw one map for each panel.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            As many as there are panels; ``None`` makes a new figure.
        sort_by : {"class", "modality"} or sequence of them, default="class"
            Order of rows and columns: by class then modality, or by modality then class; for
            all panels, or one for each.
        cmap : str or Colormap, default="viridis"
            Perceptually uniform, and readable without colour vision.
        share_scale : bool, default=False
            Whether all panels have one scale of distances.

        Returns
        -------
        self : object
        """
        titles = list(self.clusters)
        orders = [sort_by] * len(titles) if isinstance(sort_by, str) else list(sort_by)
        for order in orders:
            check_choice("sort_by", order, _ORDERS)
        if len(orders) != len(titles):
            raise ValueError(f"sort_by has {len(orders)} orders for {len(titles)} panels")
        panels = [clusters.sort(order) for clusters, order in zip(self.clusters.values(), orders)]
        most = max(len(panel.distances) for panel in panels)
        stacked = most > _MOST_SIDE_BY_SIDE
        height = WIDTH * 0.92 if stacked else 0.62 * WIDTH
        self.figure_, self.axes_ = figure_axes(
            ax,
            "ClusterDistanceDisplay.plot",
            n_rows=len(panels) if stacked else 1,
            n_columns=1 if stacked else len(panels),
            height=height * (len(panels) if stacked else 1),
        )
        self.ax_ = self.axes_[0]
        largest = max(float(panel.distances.max()) for panel in panels)
        self.images_, self.colorbars_ = [], []
        for axes, title, panel, order in zip(self.axes_, titles, panels, orders):
            image = axes.imshow(
                panel.distances,
                cmap=cmap,
                vmin=0,
                vmax=largest if share_scale else None,
                interpolation="nearest",
            )
            self.images_.append(image)
            bar = self.figure_.colorbar(
                image, ax=axes, shrink=0.8, location="right" if stacked else "bottom", pad=0.02
            )
            bar.set_label("distance of centroids")
            bar.outline.set_visible(False)
            self.colorbars_.append(bar)
            _name_clusters(axes, panel, order, size=_font_size(len(panel.distances), stacked))
            by = "class, then modality" if order == "class" else "modality, then class"
            axes.set_title(
                f"{title}\n(by {by})" if title else f"by {by}",
                fontsize=11,
                # Above the names of the modalities.
                pad=20 if order == "modality" else 6,
            )
        return self


def _font_size(n_clusters: int, stacked: bool) -> float:
    """Return the size of names that lie side by side without touching."""
    inches = (4.6 if stacked else 2.3) / n_clusters
    return float(np.clip(72 * inches * 0.85, 4.0, 9.0))


def _name_clusters(axes: Any, panel: ClusterDistances, order: str, *, size: float) -> None:
    """Write what runs slowly once for its group of rows, and separate the groups by lines."""
    slow, fast = (
        (panel.label, panel.modality) if order == "class" else (panel.modality, panel.label)
    )
    n = len(slow)
    edges = [0, *(np.flatnonzero(slow[1:] != slow[:-1]) + 1).tolist(), n]
    if order == "class":
        # Two short words a row: the class and in which modality.
        names = [f"{plain(label)} · {modality}" for label, modality in zip(slow, fast)]
        axes.set_yticks(range(n), names, fontsize=size)
        centres = [(start + end - 1) / 2 for start, end in pairwise(edges)]
        groups = [plain(slow[start]) for start in edges[:-1]]
        axes.set_xticks(centres, groups, fontsize=max(size, 7.0), rotation=90)
    else:
        names = [plain(name) for name in fast]
        axes.set_yticks(range(n), names, fontsize=size)
        axes.set_xticks(range(n), names, fontsize=size, rotation=90)
        for start, end in pairwise(edges):
            axes.annotate(
                str(slow[start]),
                ((start + end - 1) / 2, -0.5),
                xytext=(0, 3),
                textcoords="offset points",
                horizontalalignment="center",
                verticalalignment="bottom",
                fontsize=10,
                fontweight="bold",
            )
    axes.tick_params(length=0, pad=2)
    for edge in edges[1:-1]:
        for line in (axes.axhline, axes.axvline):
            line(edge - 0.5, color="white", linewidth=0.6 if order == "class" else 1.6)
    axes.spines[:].set_visible(False)
