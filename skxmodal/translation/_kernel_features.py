"""Features on which closed-form translators work: the rows, or kernel features of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.spatial.distance import pdist

KERNELS = ("linear", "rbf", "nystroem")
_MEDIAN_ROWS = 500
_WHITENING = 0.5


class KernelFeatures:
    """Map the rows of one modality to features in which smooth relations are linear.

    Rows are centred, scaled, reduced to their leading principal components and *half* whitened
    (each component is divided by the square root of its standard deviation), so that the kernel
    sees weaker directions too without drowning in the weakest. Then follow random Fourier
    features of a Gaussian kernel, or Nystroem features on some of the rows.

    Parameters
    ----------
    kernel : {"rbf", "nystroem"}
        Which approximation of the Gaussian kernel.
    n_features : int
        How many features.
    gamma : float or None
        Width, in units of the reduced rows; ``None`` is the inverse median squared distance.
    n_principal : int
        How many principal components are kept at most.
    """

    def __init__(
        self, kernel: str, *, n_features: int, gamma: float | None, n_principal: int
    ) -> None:
        self.kernel = kernel
        self.n_features = n_features
        self.gamma = gamma
        self.n_principal = n_principal

    def fit(self, rows: np.ndarray, random_state: np.random.RandomState) -> KernelFeatures:
        """Learn the reduction and draw the features from a sample of rows."""
        from sklearn.kernel_approximation import Nystroem, RBFSampler

        rows = np.asarray(rows, dtype=np.float64)
        self.mean_ = rows.mean(axis=0)
        centred = rows - self.mean_
        values, vectors = leading_eigenvectors(centred.T @ centred / len(rows), self.n_principal)
        # Directions without variance would be blown up to noise.
        kept = values > 1e-10 * max(values[0], np.finfo(float).tiny)
        kept[0] = True
        values, vectors = np.maximum(values[kept], np.finfo(float).tiny), vectors[:, kept]
        scale = np.sqrt(values.sum()) if values[0] > 1e-24 else 1.0
        self.reduction_ = vectors / scale
        if values[0] > 1e-24:
            self.reduction_ /= (values / values[0]) ** (_WHITENING / 2)
        reduced = centred @ self.reduction_
        gamma = self.gamma
        if gamma is None:
            some = reduced[random_state.permutation(len(reduced))[:_MEDIAN_ROWS]]
            distances = pdist(some, "sqeuclidean")
            typical = np.median(distances) if distances.size else 0.0
            gamma = 1 / typical if typical > 0 else 1.0
        self.gamma_ = float(gamma)
        make: Any = RBFSampler if self.kernel == "rbf" else Nystroem
        n_features = self.n_features
        if self.kernel == "nystroem":
            n_features = min(n_features, len(reduced))
        self.approximation_ = make(
            gamma=self.gamma_, n_components=n_features, random_state=random_state
        ).fit(reduced)
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Map rows ``(n, width)`` to features ``(n, n_features)``, in float64."""
        return self.approximation_.transform((rows - self.mean_) @ self.reduction_)


def leading_eigenvectors(matrix: np.ndarray, n_leading: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues of a symmetric matrix, falling, and their vectors."""
    n = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=[max(0, n - n_leading), n - 1])
    return values[::-1], np.ascontiguousarray(vectors[:, ::-1])
