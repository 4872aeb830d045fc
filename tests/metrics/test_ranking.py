"""Recall at k, mean average precision and median rank."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from skxmodal.metrics import (
    PrecomputedRelevance,
    mean_average_precision_score,
    median_rank_score,
    recall_at_k_score,
)

SCORES = [recall_at_k_score, mean_average_precision_score, median_rank_score]


@pytest.fixture
def problem(rng):
    Q, G = rng.normal(size=(30, 6)), rng.normal(size=(700, 6))
    y_query, y_gallery = rng.integers(0, 40, 30), rng.integers(0, 40, 700)
    return Q, G, y_query, y_gallery


def hits_in_order(problem):
    Q, G, y_query, y_gallery = problem
    order = np.argsort(-Q @ G.T, axis=1)
    return (y_query[:, None] == y_gallery)[np.arange(len(Q))[:, None], order]


@pytest.mark.parametrize("k", [1, 10, 100, None])
def test_recall_counts_queries_with_any_hit(problem, k):
    expected = hits_in_order(problem)[:, :k].any(axis=1).mean()
    assert recall_at_k_score(*problem, k=k, metric="dot") == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 10, 100, None])
def test_recall_counts_the_share_of_all_relevant_items(problem, k):
    hits = hits_in_order(problem)
    expected = (hits[:, :k].sum(axis=1) / hits.sum(axis=1)).mean()
    score = recall_at_k_score(*problem, k=k, count="all", metric="dot")
    assert score == pytest.approx(expected)


def test_mean_average_precision_is_that_of_scikit_learn(problem):
    Q, G, y_query, y_gallery = problem
    expected = [
        average_precision_score(label == y_gallery, G @ q)
        for q, label in zip(Q, y_query, strict=True)
    ]
    scores = mean_average_precision_score(*problem, metric="dot", per_query=True)
    np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_mean_average_precision_with_ties_is_that_of_scikit_learn(rng):
    Q, G = rng.integers(-2, 3, (20, 2)), rng.integers(-2, 3, (300, 2))
    y_query, y_gallery = rng.integers(0, 4, 20), rng.integers(0, 4, 300)
    expected = [
        average_precision_score(label == y_gallery, G @ q)
        for q, label in zip(Q, y_query, strict=True)
    ]
    scores = mean_average_precision_score(Q, G, y_query, y_gallery, metric="dot", per_query=True)
    np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_median_rank_is_that_of_the_first_hit(problem):
    ranks = hits_in_order(problem).argmax(axis=1) + 1
    np.testing.assert_array_equal(median_rank_score(*problem, metric="dot", per_query=True), ranks)
    assert median_rank_score(*problem, metric="dot") == np.median(ranks)


def test_tied_items_count_as_expected_over_their_orders():
    Q, G = np.ones((1, 1)), np.array([[2.0], [1], [1], [1], [1], [0]])
    y_gallery = np.array(["x", "a", "a", "x", "x", "a"])
    orders = [("x", *middle, "a") for middle in itertools.permutations(["a", "a", "x", "x"])]
    arguments = {"metric": "dot"}
    rank = np.mean([order.index("a") + 1 for order in orders])
    assert median_rank_score(Q, G, ["a"], y_gallery, **arguments) == pytest.approx(rank)
    for k in range(1, 7):
        any_hit = np.mean(["a" in order[:k] for order in orders])
        share = np.mean([order[:k].count("a") / 3 for order in orders])
        assert recall_at_k_score(Q, G, ["a"], y_gallery, k=k, **arguments) == pytest.approx(any_hit)
        assert recall_at_k_score(
            Q, G, ["a"], y_gallery, k=k, count="all", **arguments
        ) == pytest.approx(share)


@pytest.mark.parametrize("score", SCORES)
def test_without_labels_rows_are_pairs(rng, score):
    Q = rng.normal(size=(50, 5))
    G = Q + rng.normal(size=(50, 5))
    assert score(Q, G) == score(Q, G, np.arange(50), np.arange(50))


@pytest.mark.parametrize("score", SCORES)
def test_an_item_is_relevant_from_the_least_relevance_on(problem, score, rng):
    table = rng.integers(0, 4, (40, 40))
    graded = score(
        *problem, relevance=PrecomputedRelevance(table), min_relevance=2.0, per_query=True
    )
    binary = score(*problem, relevance=PrecomputedRelevance(table >= 2), per_query=True)
    np.testing.assert_array_equal(graded, binary)


@pytest.mark.parametrize(("score", "worst"), list(zip(SCORES, [0, 0, np.inf], strict=True)))
def test_a_query_without_anything_relevant_has_the_worst_score(score, worst):
    assert score(np.eye(2), np.eye(2), ["x", "y"], ["a", "b"]) == worst


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_query": [1, 2]}, "Give both y_query and y_gallery"),
        ({"G": np.eye(3)[:2]}, "Q has 3 rows and G 2"),
        ({"min_relevance": 0}, "min_relevance must be positive"),
    ],
)
def test_bad_input_is_refused(score, arguments, message):
    with pytest.raises(ValueError, match=message):
        score(**{"Q": np.eye(3), "G": np.eye(3), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"), [({"k": 0}, "k must be"), ({"count": "one"}, "count must be")]
)
def test_bad_parameters_of_recall_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        recall_at_k_score(np.eye(3), np.eye(3), **arguments)
