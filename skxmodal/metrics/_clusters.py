"""How far the classes of each modality lie apart in a joint space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from ..utils._embedding_rows import check_embeddings
from ._labels import labelled_rows

_METRICS = ("euclidean", "cosine", "cityblock", "sqeuclidean")


@dataclass(frozen=True)
class ClusterDistances:
    """Distances between the centroids of all present pairs of modality and class.

    Attributes
    ----------
    distances : ndarray of shape (n_clusters, n_clusters)
        Pairwise distances of centroids.
    centroids : ndarray of shape (n_clusters, n_features)
        Mean embedding of each cluster, float64.
    modality : ndarray of shape (n_clusters,)
        Modality of each cluster.
    label : ndarray of shape (n_clusters,)
        Class of each cluster.
    counts : ndarray of shape (n_clusters,)
        Number of samples of each cluster.
    """

    distances: np.ndarray
    centroids: np.ndarray
    modality: np.ndarray
    label: np.ndarray
    counts: np.ndarray

    def sort(self, by: str = "class") -> ClusterDistances:
        """Return the same clusters in another order.

        Parameters
        ----------
        by : {"class", "modality"}, default="class"
            "class" puts the modalities of a class side by side, "modality" the classes of a
            modality.

        Returns
        -------
        ClusterDistances
        """
        if by not in ("class", "modality"):
            raise ValueError(f"by must be 'class' or 'modality', got {by!r}.")
        modality = np.unique(self.modality, return_inverse=True)[1]
        label = np.unique(self.label, return_inverse=True)[1]
        order = np.lexsort((modality, label) if by == "class" else (label, modality))
        return ClusterDistances(
            self.distances[np.ix_(order, order)],
            self.centroids[order],
            self.modality[order],
            self.label[order],
            self.counts[order],
        )

    @property
    def class_ratio(self) -> float:
        """Mean distance within classes across modalities, over the mean between classes.

        Below 1 where a space is ordered by class, near 0 where modalities coincide; ``NaN`` where
        all classes coincide.
        """
        same_class = self.label[:, None] == self.label[None, :]
        other_modality = self.modality[:, None] != self.modality[None, :]
        within, between = self.distances[same_class & other_modality], self.distances[~same_class]
        if within.size == 0 or between.size == 0:
            raise ValueError("class_ratio needs two classes, and one with two modalities.")
        return float(within.mean() / between.mean()) if between.any() else float("nan")

    @property
    def modality_gap(self) -> float:
        """Mean distance between the centres of the modalities.

        The centre of a modality is the mean of its class centroids, so that the balance of
        classes does not matter. Distances of centres are Euclidean, whatever ``metric`` was.
        """
        names = np.unique(self.modality)
        if len(names) < 2:
            raise ValueError("modality_gap needs two modalities.")
        centres = np.stack([self.centroids[self.modality == name].mean(axis=0) for name in names])
        gaps = cdist(centres, centres)
        return float(gaps[np.triu_indices(len(names), k=1)].mean())


def cluster_distances(
    Z: Any, y: Any, modality: Any, *, metric: str = "euclidean"
) -> ClusterDistances:
    """Measure the distances between the clusters of every class in every modality.

    A cluster is represented by its centroid, the mean of all embeddings of one modality with
    one label.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Embeddings, one row per sample and modality, such as a joint space of
        :func:`skxmodal.modalities.melt_modalities`.
    y : array-like of shape (n_samples,)
        Class of each row; a row without label (-1, ``NaN`` or ``None``) is an error.
    modality : array-like of shape (n_samples,)
        Modality of each row.
    metric : {"euclidean", "cosine", "cityblock", "sqeuclidean"}, default="euclidean"
        Distance of centroids.

    Returns
    -------
    ClusterDistances
        Sorted by modality, then class; its ``sort`` gives the other order of the paper.

    References
    ----------
    .. [1] Sections 3.3 and 4.3, Figure 4, of H.-H. Wu, M. Fuentes, J. P. Bello, "Exploring
       modality-agnostic representations for music classification", 2021.

    Examples
    --------
    >>> from skxmodal.metrics import cluster_distances
    >>> clusters = cluster_distances(
    ...     [[0, 0], [0, 2], [3, 1]], ["drum", "drum", "drum"], ["audio", "audio", "image"])
    >>> clusters.distances
    array([[0., 3.],
           [3., 0.]])
    """
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {_METRICS}, got {metric!r}.")
    Z = check_embeddings(Z, "Z")
    columns = []
    for name, values in (("y", y), ("modality", modality)):
        column = np.asarray(values)
        if column.shape != (len(Z),):
            raise ValueError(f"Z has {len(Z)} rows, {name} has shape {column.shape}.")
        if name == "y" and not (labelled := labelled_rows(column)).all():
            row = int(np.argmin(labelled))
            raise ValueError(
                f"Row {row} of y has no label ({column[row]}): leave out unlabelled rows."
            )
        columns.append(np.unique(column, return_inverse=True))
    (classes, label_codes), (names, modality_codes) = columns
    cells = modality_codes * len(classes) + label_codes
    present, clusters, counts = np.unique(cells, return_inverse=True, return_counts=True)
    centroids = np.zeros((len(present), Z.shape[1]))
    np.add.at(centroids, clusters, Z)
    centroids /= counts[:, None]
    if metric == "cosine" and not centroids.any(axis=1).all():
        raise ValueError("A centroid is all zeros: its cosine distance is undefined.")
    return ClusterDistances(
        distances=cdist(centroids, centroids, metric=metric),
        centroids=centroids,
        modality=names[present // len(classes)],
        label=classes[present % len(classes)],
        counts=counts,
    )
