"""Re-pairing: find better partners than noisy pairs gave, without a label."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from ..modalities import concat_modalities, select_modality
from ..utils import check_choice, check_number
from ..utils._topk import exact_topk
from ._cca import CCAProjector
from ._pair_sampling import PairSampler, cluster_labels, draw_evenly

_NEIGHBOURHOOD = 10
_N_STRANGERS = 100
_NULL_FROM = 0.5


class RematchedPairs(PairSampler):
    """Replace noisy pairs by new ones that agree in a robust joint space.

    A closed-form joint space is fitted on the pairs as they are; random mispairing attenuates
    its correlations without bending them. In that space every item of one modality is compared
    with every item of the other by a similarity that is corrected for hubs (CSLS: twice the
    cosine minus both mean cosines to the nearest others), and each item's ``n_partners`` best
    become its partners, in both directions. The pairs to train on are drawn from these, so that
    even sounds whose only picture was a wrong one get pictures that fit.

    The share of wrong pairs is estimated from the data: how the similarity of partners ranks
    among those of strangers. Re-paired and original pairs are mixed in that proportion, the
    original ones that disagree left out; clean pairs hence stay as they are.

    Parameters
    ----------
    projector : joint projector or None, default=None
        The robust space; ``None`` is ``CCAProjector(64, kernel="rbf")``, with fewer components
        for small tables.
    n_partners : int, default=15
        Partners of each item, in each direction.
    n_pairs : int or None, default=None
        Pairs to draw; ``None`` is as many as there were.
    balance : {"clusters"} or None, default=None
        Whether pairs are drawn evenly over k-means clusters of the joint space, which helps
        rare kinds, or plainly, which is better where clusters are not clear.
    n_clusters : int, default=30
        Number of clusters for ``balance``.
    n_iter : int, default=1
        Rounds; each further one fits the projector on the pairs of the one before.
    pair_noise : float in [0, 1] or "auto", default="auto"
        Share of wrong pairs; ``"auto"`` estimates it, 1 replaces all pairs.
    max_items : int, default=20000
        Items of each modality that are compared; of larger tables a random part is.

    Attributes
    ----------
    pair_noise_ : float
        The (estimated) share of wrong pairs of the last call.

    See Also
    --------
    RematchedProjector : the same idea in closed form, without drawing.

    References
    ----------
    .. [1] A. Conneau et al., "Word translation without parallel data", ICLR 2018, section 2.3
       (CSLS, and refinement on the matches found).
    .. [2] J. D. Storey, "A direct approach to false discovery rates", J. R. Stat. Soc. B 64,
       2002, equation 6 (the share of true nulls).
    .. [3] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 5 (noisy and skewed pairs).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.translation import RematchedPairs
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.integers(4, size=400)
    >>> heard, seen = np.eye(4)[kind], np.eye(4)[np.where(rng.random(400) < .5, kind, 0)]
    >>> noise = lambda: .1 * rng.normal(size=(400, 4))
    >>> blocks = {"audio": heard + noise(), "image": seen + noise()}
    >>> chosen = RematchedPairs().sample_pairs(blocks, random_state=0)
    >>> right = heard[chosen["audio"]].argmax(1) == seen[chosen["image"]].argmax(1)
    >>> bool(right.mean() > .9)
    True
    """

    def __init__(
        self,
        projector: Any = None,
        *,
        n_partners: int = 15,
        n_pairs: int | None = None,
        balance: str | None = None,
        n_clusters: int = 30,
        n_iter: int = 1,
        pair_noise: float | str = "auto",
        max_items: int = 20_000,
    ) -> None:
        self.projector = projector
        self.n_partners = n_partners
        self.n_pairs = n_pairs
        self.balance = balance
        self.n_clusters = n_clusters
        self.n_iter = n_iter
        self.pair_noise = pair_noise
        self.max_items = max_items

    def _check_parameters(self) -> None:
        check_number("n_partners", self.n_partners, integer=True, low=1)
        check_number("n_clusters", self.n_clusters, integer=True, low=1)
        check_number("n_iter", self.n_iter, integer=True, low=1)
        check_number("max_items", self.max_items, integer=True, low=2)
        check_choice("balance", self.balance, (None, "clusters"))
        if isinstance(self.pair_noise, str):
            check_choice("pair_noise", self.pair_noise, ("auto",))
        else:
            check_number("pair_noise", self.pair_noise, low=0, high=1)

    def _sample(
        self,
        blocks: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        names = list(blocks)
        table = concat_modalities(**blocks)
        rows = np.arange(len(table))
        chosen = dict.fromkeys(names, rows)
        for _ in range(self.n_iter):
            space = self._fit_space(blocks, chosen, random_state)
            vectors = {name: _embed(space, table, name, present[name]) for name in names}
            chosen = self._rematch(vectors, present, n_pairs, random_state)
        return chosen

    def _fit_space(
        self,
        blocks: dict[str, np.ndarray],
        chosen: dict[str, np.ndarray],
        random_state: np.random.RandomState,
    ) -> Any:
        """Fit the projector on pairs of rows."""
        pairs = {name: block[chosen[name]] for name, block in blocks.items()}
        for name, rows in chosen.items():
            pairs[name][rows < 0] = np.nan
        seed = random_state.randint(np.iinfo(np.int32).max)
        if self.projector is None:
            n_pairs = min(int((~np.isnan(block[:, 0])).sum()) for block in pairs.values())
            most = min(64, n_pairs // 2, *(block.shape[1] for block in blocks.values()))
            # More features than pairs would only cost time.
            projector = CCAProjector(
                max(1, most), kernel="rbf", n_features=min(1024, n_pairs), random_state=seed
            )
            return projector.fit(concat_modalities(**pairs))
        projector = clone(self.projector)
        if "random_state" in projector.get_params() and projector.random_state is None:
            projector.set_params(random_state=seed)
        return projector.fit(concat_modalities(**pairs))

    def _rematch(
        self,
        vectors: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        """Draw pairs of rows whose vectors agree."""
        names = list(vectors)
        couples = [(a, b) for a, b in combinations(names, 2) if (present[a] & present[b]).any()]
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
        shares = np.array([(present[a] & present[b]).sum() for a, b in couples], dtype=float)
        counts = np.diff(np.round(np.r_[0, shares.cumsum()] / shares.sum() * n_pairs).astype(int))
        noises = []
        for (first, second), count in zip(couples, counts):
            both = np.flatnonzero(present[first] & present[second])
            similarity, noise = pair_agreement(
                vectors[first][both], vectors[second][both], random_state
            )
            if self.pair_noise != "auto":
                noise = float(self.pair_noise)
            noises.append(noise)
            n_new = round(noise * count)
            left, right = self._draw_new(
                vectors[first],
                vectors[second],
                present[first],
                present[second],
                n_new,
                random_state,
            )
            kept = both[np.argsort(-similarity, kind="stable")]
            kept = kept[: max(1, round((1 - noise) * len(kept)))]
            kept = kept[random_state.randint(len(kept), size=count - n_new)]
            if noise == 0 and count == len(both):
                kept = both
            drawn[first].append(np.r_[left, kept])
            drawn[second].append(np.r_[right, kept])
            for name in [name for name in names if name not in (first, second)]:
                third = self._draw_partners(
                    vectors[first][left], vectors[name], present[name], random_state
                )
                drawn[name].append(np.r_[third, kept])
        self.pair_noise_ = float(np.average(noises, weights=shares))
        return {name: np.concatenate(parts) for name, parts in drawn.items()}

    def _draw_partners(
        self,
        queries: np.ndarray,
        vectors: np.ndarray,
        present: np.ndarray,
        random_state: np.random.RandomState,
    ) -> np.ndarray:
        """Give each vector one of its best partners in a further modality."""
        if not len(queries):
            return np.empty(0, dtype=np.intp)
        rows = _some_distinct(vectors, present, self.max_items, random_state)
        best, _ = exact_topk(queries, vectors[rows], self.n_partners, metric="dot")
        return rows[best[np.arange(len(best)), random_state.randint(best.shape[1], size=len(best))]]

    def _draw_new(
        self,
        first: np.ndarray,
        second: np.ndarray,
        in_first: np.ndarray,
        in_second: np.ndarray,
        count: int,
        random_state: np.random.RandomState,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw from the best partners of all items."""
        if not count:
            return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
        rows_a = _some_distinct(first, in_first, self.max_items, random_state)
        rows_b = _some_distinct(second, in_second, self.max_items, random_state)
        matches = partner_matrix(first[rows_a], second[rows_b], self.n_partners).tocoo()
        weights = matches.data
        if self.balance == "clusters":
            middle = first[rows_a[matches.row]] + second[rows_b[matches.col]]
            labels = cluster_labels(middle, self.n_clusters, random_state)
            return tuple(
                rows[draw]
                for draw in [draw_evenly(labels, count, random_state, weights)]
                for rows in (rows_a[matches.row], rows_b[matches.col])
            )  # type: ignore[return-value]
        draw = random_state.choice(len(weights), size=count, p=weights / weights.sum())
        return rows_a[matches.row[draw]], rows_b[matches.col[draw]]


def partner_matrix(first: np.ndarray, second: np.ndarray, n_partners: int) -> sparse.csr_matrix:
    """Return how often two items are among each other's best partners: 0, 1 or 2.

    Similarity is CSLS, computed by blocks: no matrix of all pairs is held.

    Parameters
    ----------
    first, second : arrays of shape (n_first, d) and (n_second, d)
        Unit vectors of distinct items.
    n_partners : int
        Partners of each item, in each direction.

    Returns
    -------
    matches : sparse matrix of shape (n_first, n_second)
    """
    near = _nearest(first, second, _NEIGHBOURHOOD).mean(axis=1)
    near_second = _nearest(second, first, _NEIGHBOURHOOD).mean(axis=1)
    rows, cols = [], []
    for queries, gallery, penalty, flipped in (
        (first, second, near_second, False),
        (second, first, near, True),
    ):
        best, _ = exact_topk(
            np.column_stack([queries, np.ones(len(queries))]).astype(np.float32),
            np.column_stack([gallery, -penalty / 2]).astype(np.float32),
            n_partners,
            metric="dot",
        )
        query = np.repeat(np.arange(len(queries)), best.shape[1])
        rows.append(best.ravel() if flipped else query)
        cols.append(query if flipped else best.ravel())
    row, col = np.concatenate(rows), np.concatenate(cols)
    return sparse.csr_matrix((np.ones(len(row)), (row, col)), shape=(len(first), len(second)))


def pair_agreement(
    first: np.ndarray, second: np.ndarray, random_state: np.random.RandomState
) -> tuple[np.ndarray, float]:
    """Rank partners among strangers: how well each pair agrees, and the share of wrong pairs.

    Parameters
    ----------
    first, second : arrays of shape (n_pairs, d)
        Unit vectors, row-aligned.
    random_state : RandomState instance
        Draws the strangers.

    Returns
    -------
    agreement : array of shape (n_pairs,)
        Share of strangers that are less similar, averaged over both directions.
    noise : float
        Storey's estimate: wrong pairs rank uniformly, right ones in the upper half.
    """
    n = len(first)
    partner = np.einsum("ij,ij->i", first, second)
    agreement = np.zeros(n)
    wrong = []
    strangers = random_state.choice(n, size=min(n, _N_STRANGERS), replace=False)
    for queries, gallery in ((first, second), (second, first)):
        scores = queries @ gallery[strangers].T
        rank = (scores < partner[:, None]).mean(axis=1) + (scores == partner[:, None]).mean(
            axis=1
        ) / 2
        agreement += rank / 2
        wrong.append((rank < 1 - _NULL_FROM).mean() / _NULL_FROM)
    return agreement, float(np.clip(np.mean(wrong), 0, 1))


def distinct_rows(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each distinct content, and for each row its number among these.

    A sound that stands in many pairs is one item: its copies must not fill the places of its
    partners' other candidates.
    """
    block = np.ascontiguousarray(block)
    content = block.view(np.dtype((np.void, block.dtype.itemsize * block.shape[1]))).ravel()
    _, index, inverse = np.unique(content, return_index=True, return_inverse=True)
    return index, inverse.ravel()


def _nearest(queries: np.ndarray, gallery: np.ndarray, k: int) -> np.ndarray:
    """Return the largest cosines of each query."""
    return exact_topk(queries, gallery, k, metric="dot")[1]


def _some_distinct(
    vectors: np.ndarray, present: np.ndarray, most: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Return the rows of distinct items, at most so many of them."""
    rows = np.flatnonzero(present)
    rows = rows[distinct_rows(vectors[rows])[0]]
    return np.sort(random_state.permutation(rows)[:most])


def _embed(space: Any, table: Any, name: str, present: np.ndarray) -> np.ndarray:
    """Project one modality of the rows that have it; zeros for the others."""
    projected = space.transform(select_modality(table[present], name))
    vectors = np.zeros((len(present), projected.shape[1]), dtype=np.float32)
    vectors[present] = projected / np.maximum(
        np.linalg.norm(projected, axis=1, keepdims=True), 1e-12
    )
    return vectors
