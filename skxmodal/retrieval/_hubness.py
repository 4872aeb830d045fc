"""Corrections for hubs: gallery items that are near to everything.

Both corrections lower the score of an item by how near it is to a bank of other queries. This
is a constant per gallery item, so that a corrected search is a search by inner product with one
more coordinate: vectors ``[g, -penalty(g)]``, queries ``[q, 1]``. Every index can do it.
"""

from __future__ import annotations

import numpy as np

from ..utils._topk import exact_topk

_BLOCK_ENTRIES = 4_000_000


def csls_penalties(gallery: np.ndarray, bank: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return half the mean similarity of each item to its nearest queries.

    Parameters
    ----------
    gallery : ndarray of shape (n_gallery, n_features)
        Vectors of unit length.
    bank : ndarray of shape (n_bank, n_features)
        Queries to compare with, of unit length.
    n_neighbors : int
        How many of them are near.

    Returns
    -------
    ndarray of shape (n_gallery,)
        What to take off the cosine: ``csls(q, g) / 2 = q.g - r(g) / 2 - r(q) / 2``.
    """
    return 0.5 * mean_similarity(gallery, bank, n_neighbors)


def mean_similarity(queries: np.ndarray, others: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return the mean cosine of each vector to its nearest among others."""
    _, scores = exact_topk(queries, others, n_neighbors, metric="dot")
    return scores.mean(axis=1)


def qbnorm_penalties(gallery: np.ndarray, bank: np.ndarray, beta: float) -> np.ndarray:
    """Return the logarithm of each item's total activation by the bank, over beta.

    Parameters
    ----------
    gallery : ndarray of shape (n_gallery, n_features)
        Vectors of unit length.
    bank : ndarray of shape (n_bank, n_features)
        Queries to compare with, of unit length.
    beta : float
        Inverse temperature.

    Returns
    -------
    ndarray of shape (n_gallery,)
        What to take off the cosine: ``log(eta(q, g)) / beta``.
    """
    penalties = np.empty(len(gallery))
    step = max(1, _BLOCK_ENTRIES // len(bank))
    for start in range(0, len(gallery), step):
        activation = beta * (gallery[start : start + step] @ bank.T).astype(np.float64)
        largest = activation.max(axis=1)
        total = np.exp(activation - largest[:, None]).mean(axis=1)
        penalties[start : start + step] = (largest + np.log(total)) / beta
    return penalties


def activated(gallery: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Tell which items are the nearest of some query of the bank: these may be hubs.

    Parameters
    ----------
    gallery : ndarray of shape (n_gallery, n_features)
        Vectors of unit length.
    bank : ndarray of shape (n_bank, n_features)
        Queries, of unit length.

    Returns
    -------
    bool ndarray of shape (n_gallery,)
    """
    nearest, _ = exact_topk(bank, gallery, 1, metric="dot")
    flags = np.zeros(len(gallery), dtype=bool)
    flags[nearest[:, 0]] = True
    return flags


def with_penalty(vectors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Append the coordinate that takes off the penalty."""
    return np.column_stack([vectors, -penalties]).astype(np.float32)


def as_penalised_queries(vectors: np.ndarray) -> np.ndarray:
    """Append the coordinate that meets the penalty."""
    return np.column_stack([vectors, np.ones(len(vectors))]).astype(np.float32)
