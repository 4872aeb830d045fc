"""Determinantal point processes: samples whose members differ from each other."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh


def sample_kdpp(features: np.ndarray, k: int, random_state: np.random.RandomState) -> np.ndarray:
    """Draw ``k`` rows by the k-DPP with the kernel ``features @ features.T``.

    A set has probability proportional to the squared volume that its rows span. All is done in
    the dual, with matrices of the number of columns: time ``O(n d k + k^3 + d^3)`` and memory
    ``O(n d)``, never ``n x n``.

    Parameters
    ----------
    features : array of shape (n_samples, n_features)
        Rows of the kernel's low-rank factor.
    k : int
        How many to draw; at most the rank of the features.
    random_state : RandomState instance
        Draws the sample.

    Returns
    -------
    rows : int array of shape (k,)

    Raises
    ------
    ValueError
        When ``k`` is more than the rank.

    References
    ----------
    .. [1] A. Kulesza and B. Taskar, "Determinantal point processes for machine learning",
       Foundations and Trends in Machine Learning 5, 2012, sections 3.3 (dual) and 5.2 (k-DPP).
    """
    values, vectors = eigh(features.T @ features)
    kept = values > 1e-10 * max(values[-1], np.finfo(float).tiny)
    values, vectors = values[kept], vectors[:, kept]
    if k > len(values):
        raise ValueError(f"a DPP on features of rank {len(values)} cannot give {k} rows at once")
    chosen = _choose_eigenvectors(values / values.max(), k, random_state)
    # Orthonormal vectors over the rows, spanned by the chosen eigenvectors of the kernel.
    basis = features @ (vectors[:, chosen] / np.sqrt(values[chosen]))
    return _sample_projection(basis, random_state)


def _choose_eigenvectors(
    values: np.ndarray, k: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Choose ``k`` eigenvectors with probability proportional to the product of their values.

    The table of elementary symmetric polynomials is kept as logarithms: they span hundreds of
    orders of magnitude.
    """
    n = len(values)
    logs = np.log(values)
    table = np.full((k + 1, n + 1), -np.inf)
    table[0] = 0.0
    for size in range(1, k + 1):
        table[size, 1:] = np.logaddexp.accumulate(logs + table[size - 1, :-1])
    chosen = []
    left = k
    for index in range(n, 0, -1):
        if not left:
            break
        chance = np.exp(logs[index - 1] + table[left - 1, index - 1] - table[left, index])
        if random_state.random_sample() < chance:
            chosen.append(index - 1)
            left -= 1
    return np.array(chosen)


def _sample_projection(basis: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Draw from the DPP whose kernel projects onto the span of orthonormal columns."""
    n, k = basis.shape
    left = np.einsum("ij,ij->i", basis, basis)
    directions = np.empty((k, k))
    rows = np.empty(k, dtype=np.intp)
    for step in range(k):
        left = np.maximum(left, 0)
        left[rows[:step]] = 0
        rows[step] = random_state.choice(n, p=left / left.sum())
        direction = basis[rows[step]].copy()
        for _ in range(2):
            # Twice: rounding must not bring back what was taken away.
            direction -= directions[:step].T @ (directions[:step] @ direction)
        direction /= np.linalg.norm(direction)
        directions[step] = direction
        left = left - np.square(basis @ direction)
    return rows
