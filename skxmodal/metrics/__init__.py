"""Scores of retrieval across modalities, graded by labels, and of the joint space's structure."""

from ._clusters import ClusterDistances, cluster_distances
from ._ndcg import random_ndcg, retrieval_ndcg_score
from ._ranking import mean_average_precision_score, median_rank_score, recall_at_k_score
from ._relevance import ExactMatch, PrecomputedRelevance, TaxonomyRelevance
from ._scorer import RetrievalScorer, make_retrieval_scorer

__all__ = [
    "retrieval_ndcg_score",
    "random_ndcg",
    "recall_at_k_score",
    "mean_average_precision_score",
    "median_rank_score",
    "make_retrieval_scorer",
    "RetrievalScorer",
    "ExactMatch",
    "TaxonomyRelevance",
    "PrecomputedRelevance",
    "cluster_distances",
    "ClusterDistances",
]
