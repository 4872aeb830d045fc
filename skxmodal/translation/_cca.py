"""CCAProjector: the closed-form joint space of maximal correlation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular, svd
from sklearn.utils import check_random_state

from ..utils import check_choice, check_number
from ._projector import JointProjector, check_components, paired_rows

_CHUNK_ROWS = 4096
_MEDIAN_SAMPLE = 500


class CCAProjector(JointProjector):
    """Regularised canonical correlation analysis of two or more modalities, in closed form.

    With the covariances ``S_aa`` (regularised by ``reg`` times its mean diagonal) and ``S_ab``
    of the rows that have both, the directions of two modalities are the leading singular vectors
    of ``S_aa^{-1/2} S_ab S_bb^{-1/2}``; for more modalities, the leading eigenvectors of the
    matrix that has these products as its off-diagonal blocks (MAXVAR-style generalised CCA).
    Each component is weighted by its canonical correlation, so that directions which the
    modalities do not share fade out, and rows get unit length.

    ``kernel="rbf"`` first maps every modality to random Fourier features of a Gaussian kernel:
    relations may then be curved. Random mispairing attenuates correlations without bending
    them, which is why this survives noisy pairs that mislead a contrastive loss.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    reg : float > 0, default=0.01
        Ridge added to each modality's covariance, relative to its mean variance.
    kernel : {"linear", "rbf"}, default="linear"
        Whether relations are linear or smooth.
    n_features : int, default=1024
        Number of random Fourier features a modality (``kernel="rbf"``).
    gamma : float or None, default=None
        Width of the Gaussian kernel ``exp(-gamma d^2)``; ``None`` takes the inverse of the
        median squared distance between rows of the modality.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality, as in :class:`PCAProjector`.
    random_state : int, RandomState instance or None, default=None
        Draws the random features.

    Attributes
    ----------
    modalities_ : dict of str to slice
        The columns of each modality.
    means_ : dict of str to ndarray
        Mean of each modality('s features).
    directions_ : dict of str to float64 array of shape (n_columns, n_components)
        Projection of each modality, the weights included.
    correlations_ : float64 array of shape (n_components,)
        Canonical correlation of each component in the (regularised) training data.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    References
    ----------
    .. [1] H. Hotelling, "Relations between two sets of variates", Biometrika 28, 1936.
    .. [2] H. D. Vinod, "Canonical ridge and econometrics of joint production",
       J. Econometrics 4(2), 1976 (the regularisation).
    .. [3] J. R. Kettenring, "Canonical analysis of several sets of variables", Biometrika 58,
       1971 (more than two).
    .. [4] D. Lopez-Paz et al., "Randomized nonlinear component analysis", ICML 2014 (random
       features).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities
    >>> from skxmodal.translation import CCAProjector
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=(200, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> cca = CCAProjector(n_components=2, reg=1e-6).fit(X)
    >>> cca.correlations_.round(2).tolist()
    [1.0, 1.0]
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        reg: float = 0.01,
        kernel: str = "linear",
        n_features: int = 1024,
        gamma: float | None = None,
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.reg = reg
        self.kernel = kernel
        self.n_features = n_features
        self.gamma = gamma
        self.modalities = modalities
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("reg", self.reg, above=0)
        check_choice("kernel", self.kernel, ("linear", "rbf"))
        check_number("n_features", self.n_features, integer=True, low=1)
        if self.gamma is not None:
            check_number("gamma", self.gamma, above=0)

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        paired = paired_rows(present, type(self).__name__)
        paired = {name: rows for name, rows in paired.items() if rows.any()}
        self._feature_maps = self._draw_feature_maps(array, columns, paired)
        self.means_, covariance, cross = self._moments(array, columns, paired)
        for name, matrix in covariance.items():
            check_components(self.n_components, paired[name].sum(), len(matrix), name)

        factors = {}
        for name, matrix in covariance.items():
            ridge = self.reg * max(np.trace(matrix) / len(matrix), np.finfo(float).tiny)
            matrix[np.diag_indices_from(matrix)] += ridge
            factors[name] = cholesky(matrix, lower=True, overwrite_a=True)
        whitened = {}
        for (first, second), matrix in cross.items():
            half = solve_triangular(factors[first], matrix, lower=True)
            whitened[first, second] = solve_triangular(factors[second], half.T, lower=True).T

        rotations, self.correlations_ = _leading_directions(
            whitened, {name: len(matrix) for name, matrix in covariance.items()}, self.n_components
        )
        self.directions_ = {
            name: solve_triangular(factors[name], rotation, lower=True, trans="T")
            * self.correlations_
            for name, rotation in rotations.items()
        }

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        projected = (self._features(name, block) - self.means_[name]) @ self.directions_[name]
        return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)

    @property
    def _learned(self) -> set[str]:
        return set(self.directions_)

    def _features(self, name: str, block: np.ndarray) -> np.ndarray:
        """Rows as float64, or their random Fourier features."""
        block = np.asarray(block, dtype=np.float64)
        return block if self.kernel == "linear" else self._feature_maps[name].transform(block)

    def _draw_feature_maps(
        self, array: np.ndarray, columns: dict[str, slice], paired: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        if self.kernel == "linear":
            return {}
        from scipy.spatial.distance import pdist
        from sklearn.kernel_approximation import RBFSampler

        random_state = check_random_state(self.random_state)
        maps = {}
        for name, rows in paired.items():
            rows = np.flatnonzero(rows)
            some = random_state.permutation(rows)[:_MEDIAN_SAMPLE]
            block = np.asarray(array[np.sort(some), columns[name]], dtype=np.float64)
            gamma = self.gamma
            if gamma is None:
                distances = pdist(block, "sqeuclidean")
                typical = np.median(distances) if distances.size else 0.0
                gamma = 1 / typical if typical > 0 else 1.0
            sampler = RBFSampler(
                gamma=gamma, n_components=self.n_features, random_state=random_state
            )
            maps[name] = sampler.fit(block)
        return maps

    def _moments(
        self, array: np.ndarray, columns: dict[str, slice], paired: dict[str, np.ndarray]
    ) -> tuple[dict, dict, dict]:
        """Means, covariances and cross-covariances, accumulated by chunks in two passes."""
        counts = {name: rows.sum() for name, rows in paired.items()}
        means: dict[str, Any] = dict.fromkeys(paired, 0.0)
        for _, features in self._chunks(array, columns, paired):
            for name, rows in features.items():
                means[name] = means[name] + rows.sum(axis=0) / counts[name]
        covariance: dict[str, Any] = dict.fromkeys(paired, 0.0)
        cross: dict[tuple[str, str], Any] = {
            (first, second): 0.0
            for first, second in combinations(paired, 2)
            if (paired[first] & paired[second]).any()
        }
        for chunk, features in self._chunks(array, columns, paired):
            centred = {name: rows - means[name] for name, rows in features.items()}
            for name, rows in centred.items():
                covariance[name] = covariance[name] + rows.T @ rows / counts[name]
            for first, second in cross:
                if first not in centred or second not in centred:
                    continue
                both = paired[first] & paired[second]
                left = centred[first][both[chunk][paired[first][chunk]]]
                right = centred[second][both[chunk][paired[second][chunk]]]
                cross[first, second] = cross[first, second] + left.T @ right / both.sum()
        return means, covariance, cross

    def _chunks(
        self, array: np.ndarray, columns: dict[str, slice], paired: dict[str, np.ndarray]
    ) -> Any:
        """Yield the features of some rows at a time, for each modality that is there."""
        for start in range(0, len(array), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            yield (
                chunk,
                {
                    name: self._features(name, array[chunk][rows[chunk], columns[name]])
                    for name, rows in paired.items()
                    if rows[chunk].any()
                },
            )


def _leading_directions(
    whitened: dict[tuple[str, str], np.ndarray], widths: dict[str, int], n_components: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Directions of maximal correlation among whitened modalities, and the correlations."""
    if len(widths) == 2:
        ((first, second), matrix), *_ = whitened.items()
        left, correlations, right = svd(matrix, full_matrices=False)
        left, right = left[:, :n_components], right[:n_components].T
        sign = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
        return {first: left * sign, second: right * sign}, correlations[:n_components]
    starts = dict(zip(widths, np.cumsum([0, *widths.values()])))
    total = sum(widths.values())
    matrix = np.zeros((total, total))
    for (first, second), block in whitened.items():
        rows = slice(starts[first], starts[first] + widths[first])
        cols = slice(starts[second], starts[second] + widths[second])
        matrix[rows, cols] = block
        matrix[cols, rows] = block.T
    values, vectors = eigh(matrix, subset_by_index=[total - n_components, total - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_components)])
    # Perfectly correlated modalities give the eigenvalue (number of modalities - 1).
    correlations = np.clip(values / (len(widths) - 1), 0, None)
    scale = np.sqrt(len(widths))
    return {
        name: scale * vectors[start : start + widths[name]] for name, start in starts.items()
    }, correlations
