"""Normalised discounted cumulative gain of retrieval, with relevance graded by labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._evaluation import (
    average,
    check_k,
    checked_labels,
    gain_rows,
    prepare,
    tie_averaged_sum,
)
from ._relevance import ExactMatch, Relevance

_EXACT_MATCH = ExactMatch()
_IDEAL_ENTRIES = 1_000_000


def retrieval_ndcg_score(
    Q: Any,
    G: Any,
    y_query: Any,
    y_gallery: Any,
    *,
    relevance: Relevance = _EXACT_MATCH,
    k: int | None = 30,
    gain: str = "exponential",
    metric: str = "cosine",
    per_query: bool = False,
    sample_weight: Any = None,
) -> float | np.ndarray:
    """Score how well queries find relevant gallery items: NDCG at k.

    The discount of rank i is ``1 / log2(i + 1)``. The ideal order is that of the **whole
    gallery**, not of the items found. A query for which the gallery holds nothing relevant
    scores 0. Items at equal distance (up to rounding) share the mean of their gains, so the
    score does not depend on the order of the gallery.

    Relevance is computed between distinct label sets and similarities in blocks: memory grows
    with queries plus gallery, not with their product.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Embeddings of the queries.
    G : array-like of shape (n_gallery, n_features)
        Embeddings of the gallery.
    y_query, y_gallery : array-like
        Labels of the rows: 1-D classes, a list of lists or sets of labels, or an indicator
        matrix.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable
        Relevance between label sets; by default 1 for a shared label, else 0.
    k : int or None, default=30
        How many of the best items count; ``None`` counts all.
    gain : {"exponential", "linear"}, default="exponential"
        ``2**r - 1`` or ``r`` for relevance r. Linear gain hardly separates systems where most
        pairs are somewhat relevant: on AudioSet's labels even a random order scores above 0.8.
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

    Raises
    ------
    ValueError
        For empty label sets, unknown labels, NaN, rows of zeros under "cosine", lengths that do
        not match, or k below 1.

    See Also
    --------
    random_ndcg : What a random order would score.
    make_retrieval_scorer : The same as a scorer for model selection.

    References
    ----------
    .. [1] Section 3.3 of H.-H. Wu, M. Fuentes, J. P. Bello, "Exploring modality-agnostic
       representations for music classification", 2021.
    .. [2] K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM
       Transactions on Information Systems 20(4), 2002.
    .. [3] F. McSherry, M. Najork, "Computing information retrieval performance measures
       efficiently in the presence of tied scores", ECIR 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.metrics import retrieval_ndcg_score
    >>> sounds, pictures = np.eye(3), np.eye(3)[[0, 2, 1]]
    >>> classes = ["cat", "dog", "owl"]
    >>> retrieval_ndcg_score(sounds, pictures, classes, classes, k=1, per_query=True)
    array([1., 0., 0.])
    """
    convert = _gain_function(gain)
    if y_query is None or y_gallery is None:
        raise ValueError("y_query and y_gallery must be given: relevance comes from the labels.")
    evaluation = prepare(Q, G, y_query, y_gallery, metric=metric)
    k = check_k(k, evaluation.n_gallery)
    discounts = _discounts(k)
    counts, codes = evaluation.y_gallery.counts, evaluation.y_gallery.codes
    scores = np.zeros(evaluation.n_queries)
    for table in gain_rows(evaluation.y_query, evaluation.y_gallery, relevance, convert):
        ideal = _ideal_dcg(table.gains, counts, discounts)
        row_of = np.empty(evaluation.n_queries, dtype=np.intp)
        row_of[table.rows] = table.codes
        for ranking in evaluation.search.rankings(evaluation.Q, k, rows=table.rows):
            sets = row_of[ranking.rows]
            gains = table.gains[sets[:, None], codes[ranking.indices]]
            dcg = tie_averaged_sum(gains, ranking.groups, discounts)
            scores[ranking.rows] = _divide(dcg, ideal[sets])
    # Rounding may put a perfect order a hair above 1.
    np.clip(scores, 0.0, 1.0, out=scores)
    mean = average(scores, sample_weight)
    return scores if per_query else mean


def random_ndcg(
    y_query: Any,
    y_gallery: Any,
    *,
    relevance: Relevance = _EXACT_MATCH,
    k: int | None = 30,
    gain: str = "exponential",
    per_query: bool = False,
    sample_weight: Any = None,
) -> float | np.ndarray:
    """Return the NDCG at k expected of a random order: exact, not sampled.

    In a uniformly random order every rank holds the mean gain of the gallery on average, so
    the expected DCG of a query is this mean times the sum of the discounts.

    Parameters
    ----------
    y_query, y_gallery : array-like
        Labels, as in :func:`retrieval_ndcg_score`.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable
        Relevance between label sets.
    k : int or None, default=30
        How many of the best items count; ``None`` counts all.
    gain : {"exponential", "linear"}, default="exponential"
        ``2**r - 1`` or ``r`` for relevance r.
    per_query : bool, default=False
        Whether to return the expectation for each query.
    sample_weight : array-like of shape (n_queries,), default=None
        Weights of the queries in the mean.

    Returns
    -------
    float or ndarray of shape (n_queries,)
        Expected scores between 0 and 1.

    Examples
    --------
    >>> from skxmodal.metrics import random_ndcg
    >>> random_ndcg(["cat"], ["cat", "dog", "owl", "cat"], k=1)
    0.5
    """
    convert = _gain_function(gain)
    queries = checked_labels(y_query, "y_query")
    gallery = checked_labels(y_gallery, "y_gallery")
    n_gallery = len(gallery.codes)
    discounts = _discounts(check_k(k, n_gallery))
    scores = np.zeros(len(queries.codes))
    for table in gain_rows(queries, gallery, relevance, convert):
        ideal = _ideal_dcg(table.gains, gallery.counts, discounts)
        expected = table.gains @ (gallery.counts / n_gallery) * discounts.sum()
        scores[table.rows] = _divide(expected, ideal)[table.codes]
    np.clip(scores, 0.0, 1.0, out=scores)
    mean = average(scores, sample_weight)
    return scores if per_query else mean


def _gain_function(gain: str) -> Any:
    """Return the function from relevance to gain."""
    if gain == "linear":
        return lambda relevance: relevance
    if gain != "exponential":
        raise ValueError(f"gain must be 'exponential' or 'linear', got {gain!r}.")

    def exponential(relevance: np.ndarray) -> np.ndarray:
        largest = relevance.max(initial=0.0)
        if largest > 900:
            raise ValueError(
                f"A relevance of {largest:g} is too large for the exponential gain 2**r - 1: "
                "scale the relevances or use gain='linear'."
            )
        return np.exp2(relevance) - 1.0

    return exponential


def _discounts(k: int) -> np.ndarray:
    """Return the discounts of ranks 1 to k."""
    return 1.0 / np.log2(np.arange(k) + 2.0)


def _ideal_dcg(gains: np.ndarray, counts: np.ndarray, discounts: np.ndarray) -> np.ndarray:
    """Return the best DCG for each row of gains, set j being in the gallery counts[j] times."""
    k = len(discounts)
    ideal = np.empty(len(gains))
    summed = np.concatenate([[0.0], np.cumsum(discounts)])
    # Every set is there at least once: the k best sets fill the k places.
    n_best = min(k, gains.shape[1])
    step = max(1, _IDEAL_ENTRIES // gains.shape[1])
    for start in range(0, len(gains), step):
        block = gains[start : start + step]
        best = np.argpartition(-block, n_best - 1, axis=1)[:, :n_best]
        values = np.take_along_axis(block, best, axis=1)
        order = np.argsort(-values, axis=1)
        values = np.take_along_axis(values, order, axis=1)
        ends = np.minimum(np.cumsum(counts[np.take_along_axis(best, order, axis=1)], axis=1), k)
        starts = np.concatenate([np.zeros((len(ends), 1), dtype=ends.dtype), ends[:, :-1]], axis=1)
        ideal[start : start + step] = (values * (summed[ends] - summed[starts])).sum(axis=1)
    return ideal


def _divide(dcg: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    """Normalise, with 0 where nothing is relevant."""
    return np.divide(dcg, ideal, out=np.zeros_like(dcg), where=ideal > 0)
