"""Pairs between the items of modalities, weighted: a sparse matrix for each two modalities."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse

from ._kernel_moments import Centred
from ._projector import constant_modality
from ._rematching import pair_agreement, partner_matrix

#: Weight of new pairs in the mix, in units of the share of wrong ones.
_NEW_PAIRS = 0.5
_FEWEST_ITEMS = 8


class Items:
    """The distinct contents of a modality: a row of each, and which one each row holds."""

    def __init__(self, rows: np.ndarray, number: np.ndarray) -> None:
        self.rows = rows
        self.number = number


def without_rare(items: dict[str, Items]) -> dict[str, Items]:
    """Leave out modalities of a few items, which would leave as few components to all."""
    enough = min(_FEWEST_ITEMS, sorted(len(item.rows) for item in items.values())[-2] // 4)
    for name in [name for name, item in items.items() if len(item.rows) < enough]:
        warnings.warn(
            f"the modality {name!r} is left out: it has only {len(items[name].rows)} different "
            "items in rows with another modality",
            UserWarning,
            stacklevel=2,
        )
        items = {other: item for other, item in items.items() if other != name}
    for name, item in items.items():
        if len(item.rows) < 2:
            raise constant_modality(name)
    return items


def original_pairs(first: Items, second: Items, both: np.ndarray) -> sparse.csr_matrix:
    """Count how often two items stand in one row."""
    a, b = first.number[both], second.number[both]
    known = (a >= 0) & (b >= 0)
    return sparse.csr_matrix(
        (np.ones(known.sum()), (a[known], b[known])),
        shape=(len(first.rows), len(second.rows)),
    )


def halves_of(
    pairs: dict[tuple[str, str], sparse.csr_matrix], random_state: np.random.RandomState
) -> list[dict[tuple[str, str], sparse.csr_matrix]]:
    """Share the pairs out to two halves."""
    halves: list[dict[tuple[str, str], sparse.csr_matrix]] = [{}, {}]
    for couple, matrix in pairs.items():
        listed = matrix.tocoo()
        side = random_state.permutation(listed.nnz) % 2
        for number, half in enumerate(halves):
            mine = side == number
            if mine.any():
                half[couple] = sparse.csr_matrix(
                    (listed.data[mine], (listed.row[mine], listed.col[mine])), shape=matrix.shape
                )
    return halves


def rematched_pairs(
    vectors: dict[str, np.ndarray],
    couple: tuple[str, str],
    original: sparse.csr_matrix,
    noise: float,
    n_partners: int,
    random_state: np.random.RandomState,
) -> sparse.csr_matrix:
    """Weigh new pairs and the original ones that agree, by the share of wrong ones."""
    first, second = couple
    matches = partner_matrix(vectors[first], vectors[second], n_partners)
    agreement, _ = pair_agreement(*aligned_vectors(vectors, couple, original), random_state)
    listed = original.tocoo()
    kept = agreement >= np.quantile(agreement, noise)
    agreeing = sparse.csr_matrix(
        (listed.data * kept, (listed.row, listed.col)), shape=original.shape
    )
    # Pairs that were given and agree say more than pairs that merely agree.
    new = noise * _NEW_PAIRS
    return new * matches / matches.sum() + (1 - new) * agreeing / agreeing.sum()


def weighted_moments(
    features: dict[str, np.ndarray], pairs: dict[tuple[str, str], sparse.csr_matrix]
) -> Centred:
    """Return the moments of pairs that have weights."""
    mass: dict[str, np.ndarray] = {}
    for (first, second), matrix in pairs.items():
        for name, axis in ((first, 1), (second, 0)):
            mass[name] = mass.get(name, 0.0) + np.asarray(matrix.sum(axis=axis)).ravel()
    means, covariance = {}, {}
    for name, weights in mass.items():
        weights = (weights / weights.sum()).astype(np.float32)
        means[name] = (weights @ features[name]).astype(np.float64)
        product = (features[name] * weights[:, None]).T @ features[name]
        covariance[name] = product.astype(np.float64) - np.outer(means[name], means[name])
    cross = {}
    for (first, second), matrix in pairs.items():
        total = matrix.sum()
        rows = np.asarray(matrix.sum(axis=1)).ravel() / total @ features[first]
        cols = np.asarray(matrix.sum(axis=0)).ravel() / total @ features[second]
        product = features[first].T @ (matrix @ features[second]) / total
        a, b = means[first], means[second]
        cross[first, second] = product - np.outer(rows, b) - np.outer(a, cols) + np.outer(a, b)
    return Centred(means, covariance, cross)


def aligned_vectors(
    vectors: dict[str, np.ndarray], couple: tuple[str, str], matrix: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of partners, one row a pair."""
    listed = matrix.tocoo()
    return vectors[couple[0]][listed.row], vectors[couple[1]][listed.col]
