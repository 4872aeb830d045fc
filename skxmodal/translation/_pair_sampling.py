"""What samplers of pairs share: the checks, the clusters, the even draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..utils import VersionedState, check_number
from ._distinct_rows import distinct_rows

_MOST_TO_CLUSTER = 20_000
_N_PRINCIPAL = 32
_CHUNK_ROWS = 8192


class PairSampler(VersionedState, BaseEstimator, ABC):
    """Base of the samplers: a subclass says which rows become pairs (:meth:`_sample`)."""

    n_pairs: int | None

    def sample_pairs(
        self,
        blocks: Mapping[str, Any],
        random_state: int | np.random.RandomState | None = None,
    ) -> dict[str, np.ndarray]:
        """Choose the pairs to train on, without labels.

        Parameters
        ----------
        blocks : dict of str to array of shape (n_pairs, width)
            Row-aligned embeddings of each modality; a row of ``NaN`` lacks it.
        random_state : int, RandomState instance or None, default=None
            Same seed, same pairs.

        Returns
        -------
        chosen : dict of str to int array of shape (n_chosen,)
            Row numbers into each block; row ``i`` of one is the partner of row ``i`` of the
            others.

        Raises
        ------
        ValueError
            When there are fewer than two modalities, or no row has two of them.
        """
        if self.n_pairs is not None:
            check_number("n_pairs", self.n_pairs, integer=True, low=1)
        self._check_parameters()
        arrays = {str(name): np.asarray(block) for name, block in blocks.items()}
        lengths = {name: len(block) for name, block in arrays.items()}
        if len(arrays) < 2:
            raise ValueError(
                f"{type(self).__name__} chooses pairs of modalities, got only {list(arrays)}"
            )
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the blocks must have as many rows as each other, got {lengths}")
        present = {name: ~np.isnan(block[:, 0]) for name, block in arrays.items()}
        n_paired = int((np.sum(list(present.values()), axis=0) >= 2).sum())
        if n_paired < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two rows with two modalities, got {n_paired}"
            )
        n_pairs = n_paired if self.n_pairs is None else int(self.n_pairs)
        return self._sample(arrays, present, n_pairs, check_random_state(random_state))

    @abstractmethod
    def _sample(
        self,
        blocks: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        """Choose row numbers for each modality."""

    def _check_parameters(self) -> None:
        """Check the parameters of one sampler alone."""


def paired_rows(present: dict[str, np.ndarray]) -> np.ndarray:
    """Return the rows that have two modalities or more."""
    return np.flatnonzero(np.sum(list(present.values()), axis=0) >= 2)


def pair_features(blocks: dict[str, np.ndarray], present: dict[str, np.ndarray]) -> np.ndarray:
    """Describe every row by its leading principal components, each modality alike in scale.

    The mean stands in for a missing modality.
    """
    parts = []
    for name, block in blocks.items():
        rows = np.flatnonzero(present[name])
        some = rows[:: max(1, len(rows) // _MOST_TO_CLUSTER)]
        sample = block[some].astype(np.float64)
        mean = sample.mean(axis=0)
        sample -= mean
        _, scale, axes = np.linalg.svd(sample.T @ sample, hermitian=True)
        axes = axes[:_N_PRINCIPAL]
        part = np.zeros((len(block), len(axes)))
        for start in range(0, len(rows), _CHUNK_ROWS):
            chunk = rows[start : start + _CHUNK_ROWS]
            part[chunk] = (block[chunk] - mean) @ axes.T
        parts.append(part / max(np.sqrt(scale.sum() / len(some)), 1e-12))
    return np.hstack(parts)


def cluster_labels(
    vectors: np.ndarray, n_clusters: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Number the k-means cluster of each vector."""
    from sklearn.cluster import MiniBatchKMeans

    seed = random_state.randint(np.iinfo(np.int32).max)
    some = vectors[random_state.permutation(len(vectors))[:_MOST_TO_CLUSTER]]
    n_clusters = min(n_clusters, len(distinct_rows(some)[0]))
    means = MiniBatchKMeans(n_clusters, n_init=3, random_state=seed).fit(some)
    return means.predict(vectors)


def draw_evenly(
    labels: np.ndarray,
    count: int,
    random_state: np.random.RandomState,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Draw so many members, each cluster with equal chance."""
    weights = np.ones(len(labels)) if weights is None else weights
    mass = np.bincount(labels, weights)
    chance = weights / mass[labels]
    return random_state.choice(len(labels), size=count, p=chance / chance.sum())


def draw_alike(rows: np.ndarray, count: int, random_state: np.random.RandomState) -> np.ndarray:
    """Draw so many rows, each as often as any other or once more; all of them in their order."""
    if not count:
        return rows[:0]
    times, rest = divmod(count, len(rows))
    once_more = random_state.permutation(rows)[:rest] if rest else rows[:0]
    return np.concatenate([np.tile(rows, times), once_more])
