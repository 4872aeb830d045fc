"""Nearest-neighbour indexes by name: exact blocked search with torch, or faiss."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..utils import import_optional
from ..utils._topk import BlockSearch

_FAISS_SHORT_NAMES = ("Flat", "HNSW", "IVF")


class Index(Protocol):
    """A gallery of vectors that can be searched."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores (larger is nearer) and positions, both (n, k); -1 where none is found."""
        ...


class ExactIndex:
    """All vectors, compared one block of queries at a time."""

    def __init__(self, vectors: np.ndarray, *, metric: str, device: str = "cpu") -> None:
        self.vectors = vectors
        self.metric = metric
        self.device = device
        self._search: BlockSearch | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is prepared for searching: it is made again when needed."""
        return {**self.__dict__, "_search": None}

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and positions of the k nearest."""
        if self._search is None:
            device = torch_device(self.device)
            self._search = BlockSearch(self.vectors, metric=self.metric, device=device)
        positions, scores = self._search.topk(queries, k)
        return scores, positions


class FaissIndex:
    """An index of the faiss library, exact or approximate by its name."""

    def __init__(self, index: Any, *, metric: str) -> None:
        self.index = index
        self.metric = metric

    @classmethod
    def build(cls, vectors: np.ndarray, name: str, *, metric: str) -> FaissIndex:
        """Train and fill an index.

        Parameters
        ----------
        vectors : float32 ndarray of shape (n, n_features)
            The gallery.
        name : str
            "Flat", "HNSW", "IVF", or any string that faiss's index factory takes.
        metric : {"cosine", "euclidean", "dot"}
            Vectors are normalised for "cosine".
        """
        faiss = import_faiss(name)
        vectors = _prepare(vectors, metric)
        if name == "HNSW":
            name = "HNSW32"
        elif name == "IVF":
            # Fewer than 39 vectors per list make faiss warn that it cannot train them well.
            n_lists = min(int(4 * len(vectors) ** 0.5), len(vectors) // 39)
            name = f"IVF{max(1, n_lists)},Flat"
        kind = faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
        try:
            index = faiss.index_factory(vectors.shape[1], name, kind)
            index.train(vectors)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f'faiss cannot build backend="faiss:{name}": {reason}') from error
        if name.startswith("IVF") and index.__class__.__name__.startswith("IndexIVF"):
            # Visit a quarter of the lists, at least 8: faiss's default of one finds too little.
            index.nprobe = min(index.nlist, max(8, index.nlist // 4))
        index.add(vectors)
        return cls(index, metric=metric)

    @classmethod
    def from_bytes(cls, data: np.ndarray, *, metric: str) -> FaissIndex:
        """Restore an index from what :meth:`to_bytes` returned."""
        return cls(import_faiss("index").deserialize_index(data), metric=metric)

    def to_bytes(self) -> np.ndarray:
        """Return the index in faiss's own format, as an array of uint8."""
        return import_faiss("index").serialize_index(self.index)

    def __getstate__(self) -> dict[str, Any]:
        """Replace the library's object by its bytes."""
        return {"metric": self.metric, "data": self.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the library's object."""
        self.metric = state["metric"]
        self.index = import_faiss("index").deserialize_index(state["data"])

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and positions of the k nearest that the index finds."""
        values, positions = self.index.search(_prepare(queries, self.metric), k)
        scores = (-values if self.metric == "euclidean" else values).astype(np.float64)
        scores[positions < 0] = -np.inf
        return scores, positions


def build_index(vectors: np.ndarray, backend: str, *, metric: str, device: str) -> Index:
    """Make the index that a backend string names.

    Parameters
    ----------
    vectors : float32 ndarray of shape (n, n_features)
        The gallery.
    backend : str
        "torch", "faiss" (exact), or "faiss:NAME".
    metric : {"cosine", "euclidean", "dot"}
        Nearness.
    device : str
        The torch device of exact search.

    Returns
    -------
    Index
    """
    if backend == "torch":
        return ExactIndex(vectors, metric=metric, device=device)
    return FaissIndex.build(vectors, faiss_name(backend), metric=metric)


def torch_device(device: str) -> str:
    """Resolve ``"auto"``; raise for a device that this machine or PyTorch lacks."""
    if device == "cpu":  # without a word from PyTorch, which faiss can do without
        return device
    from ..translation._training import choose_device

    return choose_device(device)


def faiss_name(backend: str) -> str:
    """Return the name of the index in a backend string."""
    library, _, name = str(backend).partition(":")
    if library != "faiss":
        raise ValueError(
            f"backend must be 'torch', 'faiss' or 'faiss:NAME' with NAME one of "
            f"{_FAISS_SHORT_NAMES} or a string of faiss's index factory, got {backend!r}."
        )
    return name or "Flat"


def import_faiss(name: str) -> Any:
    """Import faiss, or say what needs it."""
    return import_optional(
        "faiss", caller=f'CrossModalRetriever(backend="faiss:{name}")', extra="faiss"
    )


def _prepare(vectors: np.ndarray, metric: str) -> np.ndarray:
    """Return contiguous float32 vectors, of unit length for cosine similarity."""
    if metric == "cosine":
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors, dtype=np.float32)
