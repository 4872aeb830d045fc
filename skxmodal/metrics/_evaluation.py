"""What all retrieval scores share: checked inputs, gains by label set, averages over ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from ..utils._embedding_rows import check_embeddings, check_same_width
from ..utils._topk import BlockSearch
from ._labels import GroupedLabels, LabelSet, group_labels
from ._relevance import Relevance

_TABLE_ENTRIES = 4_000_000  # relevances between label sets held at once: 32 MB


class GainRows(NamedTuple):
    """A block of distinct label sets of the queries, with their gains."""

    rows: np.ndarray
    """The queries that have these sets."""
    codes: np.ndarray
    """For each of them, the row of ``gains``."""
    gains: np.ndarray
    """Gain of each distinct set of the gallery, shape (n_sets, n_gallery_sets)."""


@dataclass
class Evaluation:
    """Queries and gallery with their labels."""

    Q: np.ndarray
    search: BlockSearch
    y_query: GroupedLabels
    y_gallery: GroupedLabels

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return len(self.y_query.codes)

    @property
    def n_gallery(self) -> int:
        """Number of gallery items."""
        return len(self.y_gallery.codes)


def prepare(Q: Any, G: Any, y_query: Any, y_gallery: Any, *, metric: str) -> Evaluation:
    """Check embeddings and labels; labels of ``None`` mean that row i belongs to row i."""
    Q = check_embeddings(Q, "Q", metric=metric)
    G = check_embeddings(G, "G", metric=metric)
    check_same_width(Q, G)
    if (y_query is None) != (y_gallery is None):
        raise ValueError("Give both y_query and y_gallery, or neither for pairs of rows.")
    if y_query is None:
        if len(Q) != len(G):
            raise ValueError(
                f"Without labels row i of Q belongs to row i of G, but Q has {len(Q)} rows and "
                f"G {len(G)}."
            )
        y_query = y_gallery = np.arange(len(Q))
    queries = checked_labels(y_query, "y_query", len(Q), "Q")
    gallery = checked_labels(y_gallery, "y_gallery", len(G), "G")
    return Evaluation(Q, BlockSearch(G, metric=metric), queries, gallery)


def checked_labels(y: Any, name: str, length: int | None = None, of: str = "") -> GroupedLabels:
    """Group labels, and compare their number with that of the embeddings."""
    labels = group_labels(y, name)
    if length is not None and len(labels.codes) != length:
        raise ValueError(f"{of} has {length} rows, {name} has {len(labels.codes)}.")
    if len(labels.codes) == 0:
        raise ValueError(f"{name} is empty.")
    return labels


def check_k(k: Any, n_gallery: int) -> int:
    """Return k, at most the size of the gallery; ``None`` is the whole gallery."""
    if k is None:
        return n_gallery
    if isinstance(k, bool) or not isinstance(k, Integral):
        raise TypeError(f"k must be a positive integer or None, got {k!r}.")
    if k <= 0:
        raise ValueError(f"k must be a positive integer or None, got {k}.")
    return min(int(k), n_gallery)


def gain_rows(
    y_query: GroupedLabels,
    y_gallery: GroupedLabels,
    relevance: Relevance,
    gain: Callable[[np.ndarray], np.ndarray],
) -> Iterator[GainRows]:
    """Walk over the distinct label sets of the queries, a table of gains at a time."""
    order = np.argsort(y_query.codes, kind="stable")
    codes = y_query.codes[order]
    step = max(1, _TABLE_ENTRIES // len(y_gallery.sets))
    for low in range(0, len(y_query.sets), step):
        sets = y_query.sets[low : low + step]
        start, end = np.searchsorted(codes, [low, low + len(sets)])
        values = gain(_check_relevance(relevance, sets, y_gallery.sets))
        yield GainRows(order[start:end], codes[start:end] - low, values)


def _check_relevance(
    relevance: Relevance, query_sets: list[LabelSet], gallery_sets: list[LabelSet]
) -> np.ndarray:
    """Call a relevance and check what it returns."""
    if not callable(relevance) or isinstance(relevance, type):
        raise TypeError(
            "relevance must be an object such as ExactMatch() or TaxonomyRelevance(...), "
            f"got {relevance!r}."
        )
    values = np.asarray(relevance(query_sets, gallery_sets), dtype=np.float64)
    expected = (len(query_sets), len(gallery_sets))
    if values.shape != expected:
        raise ValueError(f"{relevance!r} returned shape {values.shape}, expected {expected}.")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{relevance!r} returned a negative or non-finite relevance.")
    return values


def tie_averaged_sum(
    gains: np.ndarray, groups: np.ndarray | None, weights: np.ndarray
) -> np.ndarray:
    """Sum gains times weights over ranks, each gain averaged over the items it ties with.

    Parameters
    ----------
    gains : ndarray of shape (b, m)
        Gains from best to worst.
    groups : ndarray of shape (b, m), or None
        Numbers of groups of ties, as in :class:`skxmodal.utils._topk.Ranking`.
    weights : ndarray of shape (at most m,)
        Weight of each rank; later ranks weigh nothing.

    Returns
    -------
    ndarray of shape (b,)
        The expectation over all orders of tied items.
    """
    if groups is None:
        return gains[:, : len(weights)] @ weights
    b, m = gains.shape
    padded = np.zeros(m)
    padded[: len(weights)] = weights
    flat = (groups + m * np.arange(b)[:, None]).ravel()
    size = np.bincount(flat, minlength=b * m)
    total_gain = np.bincount(flat, gains.ravel(), minlength=b * m)
    total_weight = np.bincount(flat, np.tile(padded, b), minlength=b * m)
    return (total_gain / np.maximum(size, 1) * total_weight).reshape(b, m).sum(axis=1)


def average(scores: np.ndarray, sample_weight: Any) -> float:
    """Return the weighted mean over queries."""
    if sample_weight is None:
        return float(scores.mean())
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != scores.shape:
        raise ValueError(
            f"sample_weight has shape {weights.shape}, expected one per query: {scores.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("sample_weight must be finite, non-negative and not all zero.")
    return float(np.average(scores, weights=weights))
