"""Re-pairing: find better partners than noisy pairs gave, without a label."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ..utils import check_choice, check_number
from ..utils._topk import exact_topk
from ._distinct_rows import distinct_rows
from ._pair_sampling import (
    PairSampler,
    cluster_labels,
    draw_alike,
    draw_evenly,
    paired_rows,
)
from ._partners import pair_agreement, partner_matrix
from ._robust_space import RobustSpace


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
    original ones that disagree left out; clean pairs hence stay as they are. So do all pairs of
    a modality that few rows have: too few to tell from them what agrees.

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
        Share of wrong pairs; ``"auto"`` estimates it, 1 replaces all pairs (but those of a
        modality that few rows have).
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
    >>> bool(right.mean() > .85)
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
        chosen = dict.fromkeys(blocks, np.arange(len(next(iter(blocks.values())))))
        for _ in range(self.n_iter):
            space = RobustSpace(self.projector, blocks, chosen, random_state)
            vectors = {name: space.embed(name, present[name]) for name in space.names}
            chosen = self._rematch(vectors, present, n_pairs, random_state)
        return chosen

    def _rematch(
        self,
        vectors: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        """Draw pairs of rows whose vectors agree."""
        couples = [(a, b) for a, b in combinations(vectors, 2) if (present[a] & present[b]).any()]
        shares, as_they_are = _share_rows(couples, present)
        sizes = [len(rows) for rows in [*shares, as_they_are]]
        counts = np.diff(np.round(np.cumsum([0, *sizes]) / sum(sizes) * n_pairs).astype(int))
        passed = draw_alike(as_they_are, counts[-1], random_state)
        drawn = {name: [passed] for name in present}
        noises, n_both = [0.0], [0]
        for (first, second), mine, count in zip(couples, shares, counts):
            both = np.flatnonzero(present[first] & present[second])
            agreement, noise = pair_agreement(
                vectors[first][both], vectors[second][both], random_state
            )
            if self.pair_noise != "auto":
                noise = float(self.pair_noise)
            noises.append(noise)
            n_both.append(len(both))
            n_new = round(noise * count)
            left, right = self._draw_new(
                vectors[first],
                vectors[second],
                present[first],
                present[second],
                n_new,
                random_state,
            )
            kept = mine[np.argsort(-agreement[np.searchsorted(both, mine)], kind="stable")]
            kept = np.sort(kept[: max(1, round((1 - noise) * len(kept)))])
            kept = draw_alike(kept, count - n_new, random_state)
            new = {first: left, second: right}
            for name in present:
                if name not in new:
                    new[name] = self._draw_partners(
                        vectors[first][left], vectors.get(name), present[name], random_state
                    )
                drawn[name].append(np.r_[new[name], kept])
        self.pair_noise_ = float(np.average(noises, weights=n_both)) if couples else 0.0
        return {name: np.concatenate(parts) for name, parts in drawn.items()}

    def _draw_partners(
        self,
        queries: np.ndarray,
        vectors: np.ndarray | None,
        present: np.ndarray,
        random_state: np.random.RandomState,
    ) -> np.ndarray:
        """Give each vector one of its best partners in a further modality.

        In one that is not in the space, a row without it: no partner.
        """
        if vectors is None or not len(queries):
            return np.full(len(queries), present.argmin())
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


def _some_distinct(
    vectors: np.ndarray, present: np.ndarray, most: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Return the rows of distinct items, at most so many of them."""
    rows = np.flatnonzero(present)
    rows = rows[distinct_rows(vectors, rows)[0]]
    return np.sort(random_state.permutation(rows)[:most])


def _share_rows(
    couples: list[tuple[str, str]], present: dict[str, np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Give each paired row to one couple of modalities; return the rows of each, and the rest.

    Couples take turns where a row has several of them. Rows with a modality that is in no
    couple are the rest: with other partners it would be lost.
    """
    paired = paired_rows(present)
    related = {name for couple in couples for name in couple}
    rare = np.any([present[name][paired] for name in present if name not in related], axis=0)
    holds = np.zeros((len(couples), len(paired)), dtype=bool)
    for of_couple, (first, second) in zip(holds, couples):
        of_couple[:] = present[first][paired] & present[second][paired] & ~rare
    turn = np.arange(len(paired)) % np.maximum(holds.sum(axis=0), 1)
    mine = holds & (holds.cumsum(axis=0) == turn + 1)
    return [paired[of_couple] for of_couple in mine], paired[~mine.any(axis=0)]
