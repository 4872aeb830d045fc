"""CCAProjector: the closed-form joint space of maximal correlation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..modalities import find_modalities, present_rows
from ..utils import check_choice, check_number
from ._kernel_features import KERNELS, KernelFeatures
from ._kernel_moments import (
    MAX_RANK,
    REG_GRID,
    Moments,
    cross_validate,
    leading_bases,
    mean_variances,
    solve,
)
from ._projector import (
    JointProjector,
    _widths,
    check_components,
    check_learned,
    constant_modality,
    paired_rows,
)

_CHUNK_ROWS = 4096
_SAMPLE_ROWS = 5000
_N_FOLDS = 2
_MIN_PAIRS_TO_VALIDATE = 60
_MIN_PAIRS_OF_A_FOLD = 15
_CONSTANT = 1e-14  # variance, relative to the square of the mean, that is rounding of float32


class CCAProjector(JointProjector):
    """Regularised canonical correlation analysis of two or more modalities, in closed form.

    With the covariances ``S_aa`` (regularised by ``reg`` times its mean diagonal) and ``S_ab``
    of the rows that have both, the directions of two modalities are the leading singular vectors
    of ``S_aa^{-1/2} S_ab S_bb^{-1/2}``; for more modalities, the leading eigenvectors of the
    matrix that has these products as its off-diagonal blocks (MAXVAR-style generalised CCA).
    Each component is weighted by its correlation on held-out pairs, so that directions which the
    modalities do not share fade out, and rows get unit length.

    ``kernel="rbf"`` first maps every modality to random Fourier features of a Gaussian kernel,
    ``"nystroem"`` to Nystroem features: relations may then be curved. Random mispairing
    attenuates correlations without bending them, which is why this survives noisy pairs that
    mislead a contrastive loss.

    All that is kept of the pairs are sums of products, in two halves that take turns:
    what one half teaches is judged on the other, which chooses the ridge and the weights. Copies
    of an item are in one half, so that weights say what holds for items that are new.
    Memory maps are read by chunks, and :meth:`partial_fit` adds batches.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    reg : float > 0 or "auto", default="auto"
        Ridge added to each modality's covariance, relative to its mean variance. ``"auto"``
        takes that of 0.01, 0.03, 0.1, 0.3, 1 and 3 with the largest total correlation on
        held-out pairs (0.1 where pairs are fewer than 60, or nearly all the same).
    kernel : {"linear", "rbf", "nystroem"}, default="linear"
        Whether relations are linear or smooth.
    n_features : int, default=1024
        Number of kernel features a modality.
    gamma : float or None, default=None
        Width of the Gaussian kernel ``exp(-gamma d^2)`` of the reduced rows; ``None`` takes the
        inverse of their median squared distance.
    n_principal : int, default=64
        With a kernel, rows are first reduced to so many half-whitened principal components.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality, as in :class:`PCAProjector`.
    random_state : int, RandomState instance or None, default=None
        Draws the kernel features.

    Attributes
    ----------
    modalities_ : dict of str to slice
        The columns of each modality.
    means_ : dict of str to ndarray
        Mean of each modality('s features).
    directions_ : dict of str to float64 array of shape (n_columns, n_components)
        Projection of each modality, the weights included.
    reg_ : float
        The ridge that was used.
    weights_ : float64 array of shape (n_components,)
        Weight of each component: its correlation on held-out pairs, smoothed and falling.
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
    .. [5] A. Rahimi and B. Recht, "Random features for large-scale kernel machines", NIPS 2007;
       C. Williams and M. Seeger, "Using the Nystroem method to speed up kernel machines",
       NIPS 2000.

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
        reg: float | str = "auto",
        kernel: str = "linear",
        n_features: int = 1024,
        gamma: float | None = None,
        n_principal: int = 64,
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.reg = reg
        self.kernel = kernel
        self.n_features = n_features
        self.gamma = gamma
        self.n_principal = n_principal
        self.modalities = modalities
        self.random_state = random_state

    def partial_fit(self, X: Any, y: Any = None, *, finish: bool = True) -> CCAProjector:
        """Add a batch of rows to what is known, and solve anew.

        Nothing but sums of products is kept of the rows. A batch decides alone, the first one,
        what the kernel features look like (their centre, reduction and width).

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table; rows with one modality alone are passed over.
        y : ignored
        finish : bool, default=True
            ``False`` postpones the solution, when more batches follow at once.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When there is nothing to solve yet: no row had two modalities, or one of them was
            the same in all of these rows.
        """
        first = not hasattr(self, "_folds")
        if first:
            check_number("n_components", self.n_components, integer=True, low=1)
            self._check_parameters()
        array = self._validate(X, reset=first)
        if first:
            self.modalities_ = find_modalities(
                X if hasattr(X, "columns") else array, self.modalities
            )
        present = present_rows(array, modalities=_widths(self.modalities_))
        paired = paired_rows(present, type(self).__name__, required=first and finish)
        if first and not np.any(list(paired.values())):
            return self
        if first:
            self._start(array, paired)
        self._accumulate(array, paired)
        if finish:
            self._finish()
            self._n_features_out = self.n_components
        return self

    def _check_parameters(self) -> None:
        if isinstance(self.reg, str):
            check_choice("reg", self.reg, ("auto",))
        else:
            check_number("reg", self.reg, above=0)
        check_choice("kernel", self.kernel, KERNELS)
        check_number("n_features", self.n_features, integer=True, low=1)
        check_number("n_principal", self.n_principal, integer=True, low=1)
        if self.gamma is not None:
            check_number("gamma", self.gamma, above=0)

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        paired = paired_rows(present, type(self).__name__)
        self._start(array, paired)
        self._accumulate(array, paired)
        self._finish()

    def _start(self, array: np.ndarray, paired: dict[str, np.ndarray]) -> None:
        """Draw the feature maps, and begin empty sums."""
        self._random = check_random_state(self.random_state)
        if isinstance(self._random, np.random.RandomState):
            # A generator of its own: batches must not depend on who else draws in between.
            self._random = np.random.RandomState(self._random.randint(np.iinfo(np.int32).max))
        self._feature_maps, shift = {}, {}
        for name, rows in paired.items():
            if not rows.any():
                continue
            some = np.flatnonzero(rows)
            if self.kernel != "linear":
                some = np.sort(self._random.permutation(some)[:_SAMPLE_ROWS])
            block = np.asarray(array[some[:_SAMPLE_ROWS], self.modalities_[name]], dtype=np.float64)
            if self.kernel != "linear":
                self._feature_maps[name] = KernelFeatures(
                    self.kernel,
                    n_features=self.n_features,
                    gamma=self.gamma,
                    n_principal=self.n_principal,
                ).fit(block, self._random)
            shift[name] = self._features(name, block).mean(axis=0)
        self._folds = [Moments(shift) for _ in range(_N_FOLDS)]

    def _accumulate(self, array: np.ndarray, paired: dict[str, np.ndarray]) -> None:
        """Add the paired rows to the sums, each to that of its fold."""
        for name, rows in paired.items():
            check_learned(name, rows, set(self._folds[0].shift))
        for start in range(0, len(array), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            # Copies of an item share a fold, or what is held out would have been seen.
            fold_of_row = np.full(len(array[chunk]), -1)
            for name, rows in paired.items():
                free = np.flatnonzero(rows[chunk] & (fold_of_row < 0))
                fold_of_row[free] = _fold_of(array[chunk][free, self.modalities_[name]])
            for number, moments in enumerate(self._folds):
                mine = fold_of_row == number
                of_fold = {name: p[chunk] & mine for name, p in paired.items()}
                features = {
                    name: self._features(name, array[chunk][r, self.modalities_[name]])
                    for name, r in of_fold.items()
                    if r.any()
                }
                if features:
                    moments.add(features, of_fold)

    def _finish(self) -> None:
        """Solve for the directions that the sums give."""
        centred = sum(self._folds[1:], self._folds[0]).centred()
        counts = {name: sum(f.count[name] for f in self._folds) for name in centred.covariance}
        for name, matrix in centred.covariance.items():
            check_components(self.n_components, counts[name], len(matrix), name)
            if np.trace(matrix) <= _CONSTANT * np.square(centred.means[name]).sum():
                raise constant_modality(name)
        rank = max(MAX_RANK, 2 * self.n_components)
        bases, variances = leading_bases(centred, rank), mean_variances(centred)
        chosen = None
        fewest = min(fold.count[name] for fold in self._folds for name in counts)
        if min(counts.values()) >= _MIN_PAIRS_TO_VALIDATE and fewest >= _MIN_PAIRS_OF_A_FOLD:
            regs = REG_GRID if self.reg == "auto" else (float(self.reg),)
            chosen = cross_validate(self._folds, bases, variances, regs, self.n_components)
        if chosen is not None:
            self.reg_, weights = chosen
        else:
            self.reg_ = 0.1 if self.reg == "auto" else float(self.reg)
        directions, self.correlations_ = solve(
            centred.rotated(bases), self.reg_, variances, self.n_components
        )
        if chosen is None or weights[0] <= 0:
            # Too few pairs to tell, or nothing in common: all that is left is the fit itself.
            weights = np.clip(self.correlations_, 0, 1)
        self.weights_ = weights
        self.means_ = centred.means
        self.directions_ = {
            name: bases[name] @ (direction * weights) for name, direction in directions.items()
        }

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        projected = (self._features(name, block) - self.means_[name]) @ self.directions_[name]
        return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether the directions are known; batches alone do not make them."""
        return hasattr(self, "directions_")

    @property
    def _learned(self) -> set[str]:
        return set(self.directions_)

    def _features(self, name: str, block: np.ndarray) -> np.ndarray:
        """Rows as float64, or their kernel features."""
        block = np.asarray(block, dtype=np.float64)
        return block if self.kernel == "linear" else self._feature_maps[name].transform(block)


def _fold_of(block: np.ndarray) -> np.ndarray:
    """Return a fold for each row that depends on its content alone: nothing is drawn."""
    with np.errstate(over="ignore"):
        # Zero has two signs, which are one content.
        bits = (block.astype(np.float32) + np.float32(0)).view(np.uint32)
    factors = _mixed(np.arange(1, bits.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    sums = np.einsum("ij,j->i", bits, factors)
    return (_mixed(sums) >> np.uint64(32)).astype(int) % _N_FOLDS


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Scatter the bits of 64-bit numbers (the finaliser of SplitMix64)."""
    for factor, shift in ((0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(31))
