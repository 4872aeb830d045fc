"""Which items go together in a joint space: best partners, and how well given pairs agree."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..utils._topk import exact_topk

_NEIGHBOURHOOD = 10
_N_STRANGERS = 100
_NULL_FROM = 0.5


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


def _nearest(queries: np.ndarray, gallery: np.ndarray, k: int) -> np.ndarray:
    """Return the largest cosines of each query."""
    return exact_topk(queries, gallery, k, metric="dot")[1]
