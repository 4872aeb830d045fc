"""The recommended joint space: kernel CCA, re-pairing, and attraction to known items."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from ..utils import check_choice, check_number
from ._attraction import attracted, unit_rows
from ._kernel_features import KernelFeatures, leading_eigenvectors
from ._kernel_moments import MAX_RANK, REG_GRID, falling, held_out_correlations, solve
from ._projector import JointProjector, constant_modality, paired_rows
from ._rematching import distinct_rows, pair_agreement
from ._weighted_pairs import (
    Items,
    aligned_vectors,
    halves_of,
    original_pairs,
    rematched_pairs,
    weighted_moments,
    without_rare,
)

_CHUNK_ROWS = 8192
_SAMPLE_ROWS = 5000


class RematchedProjector(JointProjector):
    """Kernel CCA that corrects its own pairs: closed form, robust to noisy and skewed pairs.

    1. Random Fourier features and regularised CCA on the pairs as they are; components count by
       their correlation on held-out pairs.
    2. Every item of one modality is compared with every item of the other in that space, by a
       similarity corrected for hubs; each item's best partners, in both directions, become the
       new pairs. Rows with one modality alone take part. So many of the original pairs as are
       estimated to be right stay in the mix, those that agree best; the more of them are wrong,
       the more the new pairs weigh.
    3. CCA on the new pairs; steps 2 and 3 repeat ``n_iter`` times.
    4. In ``transform``, a vector is drawn towards the nearby known items of *every* modality
       (``attraction``). Sounds and pictures of one kind otherwise stay a little apart, and a
       classifier that has seen only sounds cuts through that gap at the wrong place.

    Nothing is trained by gradient, no label is used.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    n_partners : int, default=30
        Partners of each item, in each direction.
    n_iter : int, default=4
        Rounds of re-pairing; 0 is kernel CCA alone.
    attraction : float in [0, 1], default=0.5
        Weight of the nearby items' mean; 0 leaves vectors where they are.
    sharpness : float > 0, default=10.0
        How near these items are: their weights are ``exp(sharpness * cosine)``.
    reg : float > 0, default=0.3
        Ridge of the re-paired CCA, relative to the mean variance; that of the first CCA is
        chosen on held-out pairs.
    n_features : int, default=1024
        Random Fourier features a modality.
    n_principal : int, default=64
        Half-whitened principal components that these are drawn on.
    pair_noise : float in [0, 1] or "auto", default="auto"
        Share of wrong pairs; ``"auto"`` estimates it.
    max_items : int, default=20000
        Items of each modality that are compared; of larger tables a random part is.
    max_anchors : int, default=4000
        Items of each modality kept for ``attraction``.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality, as in :class:`PCAProjector`.
    random_state : int, RandomState instance or None, default=None
        Draws the features and the items.

    Attributes
    ----------
    modalities_ : dict of str to slice
        The columns of each modality.
    pair_noise_ : float
        The (estimated) share of wrong pairs.
    correlations_ : float64 array of shape (n_components,)
        Correlation of each component on held-out pairs in the first, noisy CCA.
    anchors_ : dict of str to float32 array of shape (n_anchors, n_components)
        Joint vectors of the known items of each modality.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    See Also
    --------
    RematchedPairs : re-pairing as a sampler for :class:`ContrastiveTranslator`.

    References
    ----------
    .. [1] D. Lopez-Paz et al., "Randomized nonlinear component analysis", ICML 2014.
    .. [2] A. Conneau et al., "Word translation without parallel data", ICLR 2018 (CSLS and
       refinement).
    .. [3] D. Comaniciu and P. Meer, "Mean shift: a robust approach toward feature space
       analysis", IEEE PAMI 24(5), 2002 (step 4).
    .. [4] J. D. Storey, "A direct approach to false discovery rates", J. R. Stat. Soc. B 64,
       2002 (the share of wrong pairs).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.translation import RematchedProjector
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.integers(4, size=400)
    >>> wrong = rng.random(400) < .5
    >>> seen = np.where(wrong, rng.integers(4, size=400), kind)
    >>> X = concat_modalities(audio=np.eye(4)[kind] + .1 * rng.normal(size=(400, 4)),
    ...                       image=np.eye(4)[seen] + .1 * rng.normal(size=(400, 4)))
    >>> joint = RematchedProjector(3, random_state=0).fit(X)
    >>> heard = joint.transform(select_modality(X, "audio"))
    >>> pictures = joint.transform(select_modality(X, "image"))
    >>> found = seen[(heard @ pictures.T).argmax(axis=1)]
    >>> bool((found == kind).mean() > 0.95)
    True
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        n_partners: int = 30,
        n_iter: int = 4,
        attraction: float = 0.5,
        sharpness: float = 10.0,
        reg: float = 0.3,
        n_features: int = 1024,
        n_principal: int = 64,
        pair_noise: float | str = "auto",
        max_items: int = 20_000,
        max_anchors: int = 4000,
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_partners = n_partners
        self.n_iter = n_iter
        self.attraction = attraction
        self.sharpness = sharpness
        self.reg = reg
        self.n_features = n_features
        self.n_principal = n_principal
        self.pair_noise = pair_noise
        self.max_items = max_items
        self.max_anchors = max_anchors
        self.modalities = modalities
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("n_partners", self.n_partners, integer=True, low=1)
        check_number("n_iter", self.n_iter, integer=True, low=0)
        check_number("attraction", self.attraction, low=0, high=1)
        check_number("sharpness", self.sharpness, above=0)
        check_number("reg", self.reg, above=0)
        check_number("n_features", self.n_features, integer=True, low=1)
        check_number("n_principal", self.n_principal, integer=True, low=1)
        check_number("max_items", self.max_items, integer=True, low=2)
        check_number("max_anchors", self.max_anchors, integer=True, low=1)
        if isinstance(self.pair_noise, str):
            check_choice("pair_noise", self.pair_noise, ("auto",))
        else:
            check_number("pair_noise", self.pair_noise, low=0, high=1)

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        paired = paired_rows(present, type(self).__name__)
        random_state = check_random_state(self.random_state)
        names = [name for name, rows in paired.items() if rows.any()]
        several = np.any(list(paired.values()), axis=0)
        # Rows in random order, those with a pair first.
        priority = random_state.permutation(len(array)) + len(array) * ~several
        items = without_rare(
            {name: self._choose_items(array, columns, present, name, priority) for name in names}
        )
        names = list(items)
        for name in names:
            if np.ptp(items[name].number[paired[name]]) == 0:
                raise constant_modality(name)
        self._maps: dict[str, KernelFeatures] = {}
        self._centres: dict[str, np.ndarray] = {}
        self._bases: dict[str, np.ndarray] = {}
        features: dict[str, np.ndarray] = {}
        units = {}
        for name in names:
            features[name], units[name] = self._features_of_items(
                name, array[items[name].rows, columns[name]], random_state
            )
        original = {
            (a, b): original_pairs(items[a], items[b], paired[a] & paired[b])
            for a, b in combinations(names, 2)
            if (paired[a] & paired[b]).any()
        }
        original = {couple: matrix for couple, matrix in original.items() if matrix.nnz}
        self._n_solved = min(self.n_components, *(block.shape[1] for block in features.values()))
        directions, means, noise = self._first_directions(features, original, units, random_state)
        if not isinstance(self.pair_noise, str):
            noise = dict.fromkeys(original, float(self.pair_noise))
        vectors = _place(features, directions, means)
        self.pair_noise_ = float(np.mean(list(noise.values())))
        for _ in range(self.n_iter):
            pairs = {
                couple: rematched_pairs(
                    vectors, couple, matrix, noise[couple], self.n_partners, random_state
                )
                for couple, matrix in original.items()
            }
            centred = weighted_moments(features, pairs)
            directions, correlations = solve(centred, self.reg, units, self._n_solved)
            weights = np.clip(correlations, 0, 1)
            directions = {name: d * weights for name, d in directions.items()}
            means = centred.means
            vectors = _place(features, directions, means)
        self._directions = {name: self._bases[name] @ d for name, d in directions.items()}
        self._offsets = {name: means[name] @ d for name, d in directions.items()}
        self.anchors_ = {}
        for name, block in vectors.items():
            some = np.sort(random_state.permutation(len(block))[: self.max_anchors])
            self.anchors_[name] = self._widen(block[some])

    def _choose_items(
        self,
        array: np.ndarray,
        columns: dict[str, slice],
        present: dict[str, np.ndarray],
        name: str,
        priority: np.ndarray,
    ) -> Items:
        """Find the distinct contents of a modality; of many, a part."""
        rows = np.flatnonzero(present[name])
        index, inverse = distinct_rows(array[:, columns[name]], rows)
        number = np.full(len(array), -1)
        number[rows] = inverse
        if len(index) > self.max_items:
            # The same rows for every modality, so that as many pairs as possible stay whole.
            earliest = np.full(len(index), 2 * len(array))
            np.minimum.at(earliest, inverse, priority[rows])
            chosen = np.argsort(earliest, kind="stable")[: self.max_items]
            place = np.full(len(index), -1)
            place[chosen] = np.arange(self.max_items)
            index = index[chosen]
            number[rows] = place[inverse]
        return Items(rows[index], number)

    def _features_of_items(
        self, name: str, block: np.ndarray, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, float]:
        """Map items to kernel features in their leading principal directions."""
        some = np.sort(random_state.permutation(len(block))[:_SAMPLE_ROWS])
        self._maps[name] = KernelFeatures(
            "rbf",
            # More features than items would only cost time.
            n_features=min(self.n_features, len(block)),
            gamma=None,
            n_principal=self.n_principal,
        ).fit(block[some], random_state)
        n_features = len(self._maps[name].transform(block[:1])[0])
        total, product = np.zeros(n_features), np.zeros((n_features, n_features))
        for start in range(0, len(block), _CHUNK_ROWS):
            chunk = self._maps[name].transform(block[start : start + _CHUNK_ROWS])
            total += chunk.sum(axis=0)
            product += chunk.T @ chunk
        self._centres[name] = total / len(block)
        covariance = product / len(block) - np.outer(self._centres[name], self._centres[name])
        self._bases[name] = leading_eigenvectors(covariance, MAX_RANK)[1]
        features = np.empty((len(block), self._bases[name].shape[1]), dtype=np.float32)
        for start in range(0, len(block), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            features[rows] = self._reduced(name, block[rows])
        unit = max(np.trace(covariance) / len(covariance), np.finfo(float).tiny)
        return features, float(unit)

    def _first_directions(
        self,
        features: dict[str, np.ndarray],
        original: dict[tuple[str, str], sparse.csr_matrix],
        units: dict[str, float],
        random_state: np.random.RandomState,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[tuple[str, str], float]]:
        """CCA on the pairs as they are: ridge, weights and share of wrong pairs by halves."""
        halves = halves_of(original, random_state)
        sides = [weighted_moments(features, half) for half in halves]
        # Each half is judged by what the other teaches.
        judged = [
            (side, half, other)
            for side, half, other in zip(sides, halves[::-1], sides[::-1])
            if set(side.covariance) == set(other.covariance) == set(features)
        ]
        best = None
        for reg in REG_GRID:
            curve = np.zeros(self._n_solved)
            for side, _, other in judged:
                learned = solve(side, reg, units, self._n_solved)[0]
                curve += held_out_correlations(learned, other) / len(judged)
            total = np.maximum(curve, 0).sum()
            if best is None or total > best[0]:
                best = total, reg, curve
        assert best is not None
        _, reg, curve = best
        centred = weighted_moments(features, original)
        directions, correlations = solve(centred, reg, units, self._n_solved)
        weights = falling(curve)
        if weights[0] <= 0:
            # Nothing held out agrees: the fit itself is all there is to go by.
            weights = np.clip(correlations, 0, 1)
        self.correlations_ = np.pad(weights, (0, self.n_components - self._n_solved))
        wrong: dict[tuple[str, str], list[float]] = {couple: [] for couple in original}
        for side, half, _ in judged:
            learned = solve(side, reg, units, self._n_solved)[0]
            learned = {name: d * weights for name, d in learned.items()}
            vectors = _place(features, learned, side.means)
            for couple, matrix in half.items():
                wrong[couple].append(
                    pair_agreement(*aligned_vectors(vectors, couple, matrix), random_state)[1]
                )
        noise = {couple: float(np.mean(found)) if found else 0.0 for couple, found in wrong.items()}
        return {name: d * weights for name, d in directions.items()}, centred.means, noise

    def _reduced(self, name: str, block: np.ndarray) -> np.ndarray:
        """Kernel features of rows, in their leading principal directions."""
        mapped = self._maps[name].transform(np.asarray(block, dtype=np.float64))
        return (mapped - self._centres[name]) @ self._bases[name]

    def _widen(self, vectors: np.ndarray) -> np.ndarray:
        """Fill up with zeros to ``n_components``: small tables give fewer."""
        missing = self.n_components - vectors.shape[1]
        return np.pad(vectors, ((0, 0), (0, missing))).astype(np.float32)

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        mapped = self._maps[name].transform(np.asarray(block, dtype=np.float64))
        vectors = (mapped - self._centres[name]) @ self._directions[name] - self._offsets[name]
        vectors = self._widen(unit_rows(vectors))
        return attracted(vectors, self.anchors_, self.attraction, self.sharpness)

    @property
    def _learned(self) -> set[str]:
        return set(self._directions)


def make_recommended_joint(
    *, n_components: int = 128, random_state: int | np.random.RandomState | None = None
) -> RematchedProjector:
    """Return the joint space that is recommended when nothing is known about the pairs.

    It is the default of ``ModalityAgnosticClassifier(joint="recommended")``: in no cell of the
    comparison in the documentation is it far from the best method, and where pairs are noisy it
    is the best.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    random_state : int, RandomState instance or None, default=None
        Draws features and items.

    Returns
    -------
    joint : RematchedProjector

    Examples
    --------
    >>> from skxmodal.translation import make_recommended_joint
    >>> make_recommended_joint(random_state=0)
    RematchedProjector(random_state=0)
    """
    return RematchedProjector(n_components, random_state=random_state)


def _place(
    features: dict[str, np.ndarray],
    directions: dict[str, np.ndarray],
    means: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return the unit vectors of the items in the joint space."""
    return {
        name: unit_rows(
            features[name] @ d.astype(np.float32) - (means[name] @ d).astype(np.float32)
        )
        for name, d in directions.items()
    }
