"""The gallery of one modality: its vectors, their rows, and the corrected search among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._hubness import (
    activated,
    as_penalised_queries,
    csls_penalties,
    mean_similarity,
    qbnorm_penalties,
    with_penalty,
)
from ._indexes import FaissIndex, Index, build_index

_SAVED = ("vectors", "rows", "penalties", "hubs")


@dataclass
class Gallery:
    """What is indexed of one modality."""

    vectors: np.ndarray
    rows: np.ndarray
    metric: str
    backend: str
    device: str
    hubness: str | None
    penalties: np.ndarray | None = None
    hubs: np.ndarray | None = None
    _plain: Index | None = field(default=None, repr=False)
    _corrected: Index | None = field(default=None, repr=False)

    def learn_hubs(self, bank: np.ndarray, *, n_neighbors: int, beta: float) -> None:
        """Measure how near every item is to a bank of queries."""
        if self.hubness == "csls":
            self.penalties = csls_penalties(self.vectors, bank, min(n_neighbors, len(bank)))
        elif self.hubness == "qbnorm":
            self.penalties = qbnorm_penalties(self.vectors, bank, beta)
            self.hubs = activated(self.vectors, bank)

    def build(self) -> None:
        """Make the indexes that searching needs."""
        if self.hubness != "csls" and self._plain is None:
            self._plain = self._index(self.vectors, self.metric)
        if self.penalties is not None and self._corrected is None:
            self._corrected = self._index(with_penalty(self.vectors, self.penalties), "dot")

    def search(
        self, queries: np.ndarray, k: int, n_neighbors: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and rows of the k nearest, -1 where an index finds none.

        Parameters
        ----------
        queries : ndarray of shape (n, n_features)
            Of unit length if hubs are corrected.
        k : int
            How many; at most the size of the gallery.
        n_neighbors : int
            Neighbours that make up the density around a query, for "csls".
        """
        self.build()
        k = min(k, len(self.rows))
        if self.hubness == "csls":
            scores, positions = self._found(self._corrected, as_penalised_queries(queries), k)
            around = mean_similarity(queries, self.vectors, min(n_neighbors, len(self.rows)))
            return -2 * scores + around[:, None], self._rows_at(positions)
        scores, positions = self._found(self._plain, queries, k)
        distances = self._distances(scores)
        if self.hubness == "qbnorm":
            # Only where the nearest item is a suspected hub: elsewhere it would do harm.
            suspect = np.asarray(self.hubs)[positions[:, 0]]
            if suspect.any():
                scores, better = self._found(
                    self._corrected, as_penalised_queries(queries[suspect]), k
                )
                distances[suspect], positions[suspect] = -scores, better
        return distances, self._rows_at(positions)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all that is needed to restore the gallery, as arrays without objects."""
        arrays = {name: getattr(self, name) for name in _SAVED if getattr(self, name) is not None}
        for name in ("_plain", "_corrected"):
            index = getattr(self, name)
            if isinstance(index, FaissIndex):
                arrays[name] = index.to_bytes()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], **settings: Any) -> Gallery:
        """Restore a gallery."""
        gallery = cls(**{name: arrays.get(name) for name in _SAVED}, **settings)  # type: ignore[arg-type]
        if "_plain" in arrays:
            gallery._plain = FaissIndex.from_bytes(arrays["_plain"], metric=gallery.metric)
        if "_corrected" in arrays:
            gallery._corrected = FaissIndex.from_bytes(arrays["_corrected"], metric="dot")
        return gallery

    def _index(self, vectors: np.ndarray, metric: str) -> Index:
        """Build an index with the backend."""
        return build_index(vectors, self.backend, metric=metric, device=self.device)

    def _found(
        self, index: Index | None, queries: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search a built index."""
        if index is None:
            raise RuntimeError("The gallery was not built.")
        return index.search(queries, k)

    def _rows_at(self, positions: np.ndarray) -> np.ndarray:
        """Translate positions to rows of the table that was indexed."""
        return np.where(positions >= 0, self.rows[positions], -1)

    def _distances(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores to distances, smaller is nearer."""
        if self.metric == "cosine":
            return np.clip(1.0 - scores, 0.0, None)
        if self.metric == "euclidean":
            return np.sqrt(np.clip(-scores, 0.0, None))
        return -scores


def nearest_once(
    distances: np.ndarray, rows: np.ndarray, modality: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge what was found in several galleries: the k nearest, each row by its nearest."""
    order = np.argsort(distances, axis=1, kind="stable")
    distances, rows, modality = (
        np.take_along_axis(values, order, axis=1) for values in (distances, rows, modality)
    )
    # The stable sort by row keeps the nearest of equal rows first.
    by_row = np.argsort(rows, axis=1, kind="stable")
    grouped = np.take_along_axis(rows, by_row, axis=1)
    repeated = np.zeros(rows.shape, dtype=bool)
    repeated[:, 1:] = grouped[:, 1:] == grouped[:, :-1]
    again = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(again, by_row, repeated, axis=1)
    rows[again], distances[again] = -1, np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances, rows, modality = (
        np.take_along_axis(values, order, axis=1) for values in (distances, rows, modality)
    )
    return distances, rows, modality
