"""Scores of retrieval where an item is relevant or not: recall at k, MAP, median rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from ._evaluation import Evaluation, average, check_k, gain_rows, prepare, tie_averaged_sum
from ._relevance import ExactMatch, Relevance

_EXACT_MATCH = ExactMatch()


def recall_at_k_score(
    Q: Any,
    G: Any,
    y_query: Any = None,
    y_gallery: Any = None,
    *,
    k: int | None = 10,
    count: str = "any",
    relevance: Relevance = _EXACT_MATCH,
    min_relevance: float = 1.0,
    metric: str = "cosine",
    per_query: bool = False,
    sample_weight: Any = None,
) -> float | np.ndarray:
    """Score how often queries find relevant items among the k nearest: recall at k.

    Where items tie with the k-th, the expectation over their orders is returned. A query for
    which the gallery holds nothing relevant scores 0.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Embeddings of the queries.
    G : array-like of shape (n_gallery, n_features)
        Embeddings of the gallery.
    y_query, y_gallery : array-like, default=None
        Labels, as in :func:`retrieval_ndcg_score`. Without any, gallery row i is the only
        relevant item of query i.
    k : int or None, default=10
        How many of the nearest items count; ``None`` counts all.
    count : {"any", "all"}, default="any"
        "any" scores 1 for at least one relevant item, as usual for cross-modal pairs; "all" is
        the share of the relevant items that were found, as usual in information retrieval.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable
        Relevance between label sets.
    min_relevance : float, default=1.0
        Items of at least this relevance are relevant.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        What nearest means.
    per_query : bool, default=False
        Whether to return the score of each query.
    sample_weight : array-like of shape (n_queries,), default=None
        Weights of the queries in the mean.

    Returns
    -------
    float or ndarray of shape (n_queries,)
        Scores between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.metrics import recall_at_k_score
    >>> recall_at_k_score(np.eye(4), np.eye(4)[[0, 1, 3, 2]], k=1)
    0.5
    """
    if count not in ("any", "all"):
        raise ValueError(f"count must be 'any' or 'all', got {count!r}.")
    evaluation = prepare(Q, G, y_query, y_gallery, metric=metric)
    k = check_k(k, evaluation.n_gallery)
    scores = np.zeros(evaluation.n_queries)
    if count == "any":
        for first in _first_relevant(evaluation, relevance, min_relevance):
            scores[first.rows] = _chance_of_a_hit(first, k)
    else:
        # Every found item weighs the same, whatever its rank.
        weights = np.ones(k)
        codes, counts = evaluation.y_gallery.codes, evaluation.y_gallery.counts
        row_of = np.empty(evaluation.n_queries, dtype=np.intp)
        queries, gallery = evaluation.y_query, evaluation.y_gallery
        for table in gain_rows(queries, gallery, relevance, _threshold(min_relevance)):
            row_of[table.rows] = table.codes
            n_relevant = table.gains @ counts
            for ranking in evaluation.search.rankings(evaluation.Q, k, rows=table.rows):
                sets = row_of[ranking.rows]
                hits = table.gains[sets[:, None], codes[ranking.indices]]
                found = tie_averaged_sum(hits, ranking.groups, weights)
                scores[ranking.rows] = found / np.maximum(n_relevant[sets], 1)
    np.clip(scores, 0.0, 1.0, out=scores)
    mean = average(scores, sample_weight)
    return scores if per_query else mean


def mean_average_precision_score(
    Q: Any,
    G: Any,
    y_query: Any = None,
    y_gallery: Any = None,
    *,
    relevance: Relevance = _EXACT_MATCH,
    min_relevance: float = 1.0,
    metric: str = "cosine",
    per_query: bool = False,
    sample_weight: Any = None,
) -> float | np.ndarray:
    """Score the order of the whole gallery: mean average precision.

    Ties are treated as in :func:`sklearn.metrics.average_precision_score`: equal scores are one
    threshold. A query for which the gallery holds nothing relevant scores 0.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Embeddings of the queries.
    G : array-like of shape (n_gallery, n_features)
        Embeddings of the gallery.
    y_query, y_gallery : array-like, default=None
        Labels, as in :func:`retrieval_ndcg_score`. Without any, gallery row i is the only
        relevant item of query i.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable
        Relevance between label sets.
    min_relevance : float, default=1.0
        Items of at least this relevance are relevant.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        What nearest means.
    per_query : bool, default=False
        Whether to return the average precision of each query.
    sample_weight : array-like of shape (n_queries,), default=None
        Weights of the queries in the mean.

    Returns
    -------
    float or ndarray of shape (n_queries,)
        Scores between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.metrics import mean_average_precision_score
    >>> mean_average_precision_score(np.eye(3), np.eye(3))
    1.0
    """
    evaluation = prepare(Q, G, y_query, y_gallery, metric=metric)
    scores = np.zeros(evaluation.n_queries)
    codes = evaluation.y_gallery.codes
    ranks = np.arange(1, evaluation.n_gallery + 1)
    row_of = np.empty(evaluation.n_queries, dtype=np.intp)
    queries, gallery = evaluation.y_query, evaluation.y_gallery
    for table in gain_rows(queries, gallery, relevance, _threshold(min_relevance)):
        row_of[table.rows] = table.codes
        whole = evaluation.n_gallery
        for ranking in evaluation.search.rankings(evaluation.Q, whole, rows=table.rows):
            sets = row_of[ranking.rows]
            hits = table.gains[sets[:, None], codes[ranking.indices]]
            found = np.cumsum(hits, axis=1)
            precision = found / ranks
            if ranking.groups is not None:
                # All of a group of ties have the precision at the group's end.
                last = np.ones(hits.shape, dtype=bool)
                last[:, :-1] = ranking.groups[:, 1:] != ranking.groups[:, :-1]
                ends = np.where(last, ranks - 1, whole - 1)
                ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
                precision = np.take_along_axis(precision, ends, axis=1)
            total = np.maximum(found[:, -1], 1)
            scores[ranking.rows] = (hits * precision).sum(axis=1) / total
    np.clip(scores, 0.0, 1.0, out=scores)
    mean = average(scores, sample_weight)
    return scores if per_query else mean


def median_rank_score(
    Q: Any,
    G: Any,
    y_query: Any = None,
    y_gallery: Any = None,
    *,
    relevance: Relevance = _EXACT_MATCH,
    min_relevance: float = 1.0,
    metric: str = "cosine",
    per_query: bool = False,
) -> float | np.ndarray:
    """Return the median rank of the first relevant item; smaller is better, 1 is best.

    Where the first relevant item ties with others, its expected rank over their orders counts.
    A query for which the gallery holds nothing relevant has rank infinity.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Embeddings of the queries.
    G : array-like of shape (n_gallery, n_features)
        Embeddings of the gallery.
    y_query, y_gallery : array-like, default=None
        Labels, as in :func:`retrieval_ndcg_score`. Without any, gallery row i is the only
        relevant item of query i.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable
        Relevance between label sets.
    min_relevance : float, default=1.0
        Items of at least this relevance are relevant.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        What nearest means.
    per_query : bool, default=False
        Whether to return the rank of each query.

    Returns
    -------
    float or ndarray of shape (n_queries,)
        Ranks from 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.metrics import median_rank_score
    >>> median_rank_score(np.eye(3), np.eye(3))
    1.0
    """
    evaluation = prepare(Q, G, y_query, y_gallery, metric=metric)
    ranks = np.full(evaluation.n_queries, np.inf)
    for first in _first_relevant(evaluation, relevance, min_relevance):
        # Of t tied items, r of them relevant, the first relevant one stands at (t + 1) / (r + 1).
        expected = first.n_before + (first.n_tied + 1) / (first.n_relevant + 1)
        ranks[first.rows] = np.where(first.n_relevant > 0, expected, np.inf)
    return ranks if per_query else float(np.median(ranks))


class _FirstRelevant(NamedTuple):
    """Where the first relevant items stand."""

    rows: np.ndarray
    """Which queries."""
    n_before: np.ndarray
    """Items nearer than the first relevant one."""
    n_tied: np.ndarray
    """Items at its distance, itself included."""
    n_relevant: np.ndarray
    """Relevant items among those; 0 if there are none at all."""


def _first_relevant(
    evaluation: Evaluation, relevance: Relevance, min_relevance: float
) -> Iterator[_FirstRelevant]:
    """Find the first relevant items by counting, without sorting the gallery."""
    codes = evaluation.y_gallery.codes
    row_of = np.empty(evaluation.n_queries, dtype=np.intp)
    queries, gallery = evaluation.y_query, evaluation.y_gallery
    for table in gain_rows(queries, gallery, relevance, _threshold(min_relevance)):
        row_of[table.rows] = table.codes
        relevant_sets = table.gains > 0
        for rows in evaluation.search.row_blocks(table.rows):
            scores, tolerance = evaluation.search.full_scores(evaluation.Q, rows)
            relevant = relevant_sets[row_of[rows]][:, codes]
            best = np.where(relevant, scores, -np.inf).max(axis=1)
            before = scores > (best + tolerance)[:, None]
            tied = ~before & (scores >= (best - tolerance)[:, None])
            yield _FirstRelevant(
                rows, before.sum(axis=1), tied.sum(axis=1), (tied & relevant).sum(axis=1)
            )


def _chance_of_a_hit(first: _FirstRelevant, k: int) -> np.ndarray:
    """Return the probability that a relevant item is among the first k, ties in random order."""
    places = np.clip(k - first.n_before, 0, first.n_tied)
    others = first.n_tied - first.n_relevant
    # Hypergeometric: none of the places falls to a relevant item.
    possible = places <= others
    log_miss = np.where(
        possible,
        _log_binomial(others, np.minimum(places, others)) - _log_binomial(first.n_tied, places),
        -np.inf,
    )
    return np.where(first.n_relevant > 0, -np.expm1(log_miss), 0.0)


def _log_binomial(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return the logarithm of "n choose k"."""
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def _threshold(min_relevance: float) -> Any:
    """Return the function from relevance to 1 (relevant) or 0."""
    if not min_relevance > 0:
        raise ValueError(f"min_relevance must be positive, got {min_relevance!r}.")
    return lambda relevance: (relevance >= min_relevance).astype(np.float64)
