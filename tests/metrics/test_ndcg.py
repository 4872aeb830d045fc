"""NDCG of retrieval against scikit-learn, by its properties, and on real label sets."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import ndcg_score

from skxmodal.datasets._ontology import Ontology
from skxmodal.metrics import (
    ExactMatch,
    PrecomputedRelevance,
    TaxonomyRelevance,
    random_ndcg,
    retrieval_ndcg_score,
)
from skxmodal.utils import _embedding_rows


def similarities(Q, G, metric):
    if metric == "dot":
        return Q @ G.T
    if metric == "euclidean":
        return -((Q[:, None, :] - G[None]) ** 2).sum(axis=2)
    unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (Q, G)]
    return unit[0] @ unit[1].T


def label_sets(rng, n, n_labels=20):
    return [rng.choice(n_labels, rng.integers(1, 4), replace=False).tolist() for _ in range(n)]


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("gain", ["exponential", "linear"])
@pytest.mark.parametrize("k", [1, 7, 30, None])
@pytest.mark.parametrize("n_gallery", [25, 1500])
def test_the_score_is_that_of_scikit_learn_on_the_same_gains(rng, metric, gain, k, n_gallery):
    Q, G = rng.normal(size=(40, 8)), rng.normal(size=(n_gallery, 8))
    y_query, y_gallery = label_sets(rng, 40), label_sets(rng, n_gallery)
    relevance = PrecomputedRelevance(rng.integers(0, 8, (20, 20)))
    weight = rng.random(40)
    score = retrieval_ndcg_score(
        Q, G, y_query, y_gallery,
        relevance=relevance, k=k, gain=gain, metric=metric, sample_weight=weight,
    )  # fmt: skip
    gains = relevance([tuple(x) for x in y_query], [tuple(x) for x in y_gallery])
    if gain == "exponential":
        gains = 2**gains - 1
    for ignore_ties in (False, True):
        expected = ndcg_score(
            gains, similarities(Q, G, metric), k=k, sample_weight=weight, ignore_ties=ignore_ties
        )
        assert score == pytest.approx(expected, abs=1e-9)


@st.composite
def problems(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_query, n_gallery = draw(st.integers(1, 12)), draw(st.integers(2, 300))
    Q, G = rng.normal(size=(n_query, 5)), rng.normal(size=(n_gallery, 5))
    if draw(st.booleans()):
        Q, G = Q.astype(np.float32), G.astype(np.float32)
    options = {
        "relevance": PrecomputedRelevance(rng.integers(0, 6, (9, 9))),
        "k": draw(st.one_of(st.none(), st.integers(1, 400))),
        "gain": draw(st.sampled_from(["linear", "exponential"])),
        "metric": draw(st.sampled_from(["cosine", "euclidean", "dot"])),
    }
    return Q, G, rng.integers(0, 9, n_query), rng.integers(0, 9, n_gallery), options


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems())
def test_any_score_is_that_of_scikit_learn_whatever_the_options(problem):
    Q, G, y_query, y_gallery, options = problem
    gains = options["relevance"]([(x,) for x in y_query], [(x,) for x in y_gallery])
    if options["gain"] == "exponential":
        gains = 2**gains - 1
    scores = similarities(Q.astype(float), G.astype(float), options["metric"])
    expected = ndcg_score(gains, scores, k=options["k"])
    assert retrieval_ndcg_score(Q, G, y_query, y_gallery, **options) == pytest.approx(
        expected, abs=1e-9
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_scores_lie_between_0_and_1(problem):
    Q, G, y_query, y_gallery, options = problem
    scores = retrieval_ndcg_score(Q, G, y_query, y_gallery, per_query=True, **options)
    assert scores.shape == (len(Q),)
    assert ((scores >= 0) & (scores <= 1)).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems(), st.randoms(use_true_random=False))
def test_a_permutation_of_the_gallery_changes_nothing_even_with_ties(problem, random):
    Q, G, y_query, y_gallery, options = problem
    G[len(G) // 2 :] = G[: len(G) - len(G) // 2]
    order = np.array(random.sample(range(len(G)), len(G)))
    score = retrieval_ndcg_score(Q, G, y_query, y_gallery, **options)
    permuted = retrieval_ndcg_score(Q, G[order], y_query, y_gallery[order], **options)
    assert permuted == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("k", [1, 5, 50, 1000, None])
def test_a_perfect_order_scores_1(rng, k):
    y = np.repeat(np.arange(6), 30)
    centres = np.eye(6)
    Z = centres[y] + 0.01 * rng.normal(size=(180, 6))
    assert retrieval_ndcg_score(centres, Z, np.arange(6), y, k=k) == 1.0


def test_a_collapsed_space_scores_exactly_as_a_random_order(rng):
    y = rng.integers(0, 5, 700)
    Z = np.ones((700, 16), dtype=np.float32)
    score = retrieval_ndcg_score(Z, Z, y, y, k=10)
    assert score == pytest.approx(random_ndcg(y, y, k=10), abs=1e-12)


def test_ties_across_the_last_place_are_averaged_as_by_scikit_learn(rng):
    Q, distinct = rng.normal(size=(30, 4)), rng.normal(size=(50, 4))
    G = np.repeat(distinct, 40, axis=0)
    y_query, y_gallery = rng.integers(0, 4, 30), rng.integers(0, 4, 2000)
    scores = np.repeat(Q @ distinct.T, 40, axis=1)
    gains = (y_query[:, None] == y_gallery).astype(float)
    for k in (5, 40, 100):
        score = retrieval_ndcg_score(Q, G, y_query, y_gallery, metric="dot", k=k)
        assert score == pytest.approx(ndcg_score(gains, scores, k=k), abs=1e-9)


def test_order_is_that_of_float64_where_float32_cannot_tell(rng):
    base = rng.normal(size=32)
    G = base + 1e-9 * rng.normal(size=(2000, 32))
    Q = base + rng.normal(size=(20, 32))
    y_query, y_gallery = rng.integers(0, 3, 20), rng.integers(0, 3, 2000)
    gains = (y_query[:, None] == y_gallery).astype(float)
    expected = ndcg_score(gains, Q @ G.T, k=10, ignore_ties=True)
    assert retrieval_ndcg_score(Q, G, y_query, y_gallery, metric="dot", k=10) == pytest.approx(
        expected, abs=1e-9
    )


def test_the_size_of_blocks_does_not_change_the_score(rng, monkeypatch):
    Q, G = rng.normal(size=(90, 8)), rng.normal(size=(1600, 8))
    y_query, y_gallery = label_sets(rng, 90), label_sets(rng, 1600)
    score = retrieval_ndcg_score(Q, G, y_query, y_gallery, per_query=True)
    monkeypatch.setattr(_embedding_rows, "BLOCK_ENTRIES", 5000)
    monkeypatch.setattr("skxmodal.metrics._evaluation._TABLE_ENTRIES", 5000)
    again = retrieval_ndcg_score(Q, G, y_query, y_gallery, per_query=True)
    np.testing.assert_allclose(again, score, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e-160, 1e30, 1e150])
def test_the_unit_of_the_embeddings_does_not_matter(rng, scale):
    Q, G = rng.normal(size=(20, 8)), rng.normal(size=(900, 8))
    y_query, y_gallery = rng.integers(0, 9, 20), rng.integers(0, 9, 900)
    for metric in ("cosine", "dot", "euclidean"):
        expected = retrieval_ndcg_score(Q, G, y_query, y_gallery, metric=metric)
        score = retrieval_ndcg_score(Q * scale, G * scale, y_query, y_gallery, metric=metric)
        assert score == pytest.approx(expected, abs=1e-12)


def test_a_user_s_reduced_matmul_precision_does_not_change_the_score(rng):
    import torch

    Q, G = rng.normal(size=(20, 8)), rng.normal(size=(900, 8))
    y_query, y_gallery = rng.integers(0, 9, 20), rng.integers(0, 9, 900)
    expected = retrieval_ndcg_score(Q, G, y_query, y_gallery)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert retrieval_ndcg_score(Q, G, y_query, y_gallery) == expected
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_query_without_anything_relevant_scores_0():
    scores = retrieval_ndcg_score(np.eye(2), np.eye(2), ["a", "x"], ["a", "b"], per_query=True)
    np.testing.assert_array_equal(scores, [1, 0])


def test_the_ideal_is_that_of_the_whole_gallery_not_of_the_items_found():
    G = np.array([[1, 0], [0.9, 0.1], [0, 1.0]])
    assert retrieval_ndcg_score(G[:1], G, ["a"], ["b", "b", "a"], k=2) == 0


def test_all_forms_of_labels_give_the_same_score(rng):
    Q, G = rng.normal(size=(30, 4)), rng.normal(size=(50, 4))
    y_query, y_gallery = label_sets(rng, 30, 6), label_sets(rng, 50, 6)

    def indicator(y):
        return np.array([[int(j in row) for j in range(6)] for row in y])

    forms = [
        lambda y: y,
        lambda y: [set(row) for row in y],
        lambda y: pd.Series(y, index=range(100, 100 + len(y))),
        lambda y: np.array([*y, None], dtype=object)[:-1],
        indicator,
        lambda y: indicator(y).astype(bool),
        lambda y: sparse.csr_array(indicator(y)),
        lambda y: pd.DataFrame(indicator(y)),
    ]
    scores = {retrieval_ndcg_score(Q, G, form(y_query), form(y_gallery), k=9) for form in forms}
    assert max(scores) - min(scores) < 1e-12


def test_classes_work_as_array_list_and_series(rng):
    Q = rng.normal(size=(30, 4))
    y = rng.choice(["cat", "dog", "owl"], 30)
    scores = {retrieval_ndcg_score(Q, Q[::-1], f(y), f(y)) for f in (np.asarray, list, pd.Series)}
    assert len(scores) == 1


def test_embeddings_may_be_tables(rng):
    Q = rng.normal(size=(30, 4)).astype(np.float32)
    y = rng.integers(0, 3, 30)
    table = pd.DataFrame(Q, columns=list("abcd"))
    assert retrieval_ndcg_score(table, table, y, y) == retrieval_ndcg_score(Q, Q, y, y)


BAD_INPUT = {
    "empty set in a list": (
        {"y_query": [[1], [], [2]]},
        ValueError,
        "Row 1 of y_query has an",
    ),
    "empty set in a matrix": (
        {"y_gallery": np.array([[1, 0], [0, 0], [1, 1]])},
        ValueError,
        "Row 1 of y_gallery has an empty label set",
    ),
    "missing class": (
        {"y_query": [1, None, 2]},
        ValueError,
        "Row 1 of y_query has a missing",
    ),
    "NaN class": ({"y_query": np.array([1, np.nan, 2])}, ValueError, "Row 1 of y_query has no"),
    "no indicator": ({"y_query": np.array([[1, 2]] * 3)}, ValueError, "must be 0 or 1"),
    "a string": ({"y_query": "abc"}, TypeError, "y_query must be a sequence"),
    "mixed rows": ({"y_query": [[1], 2, [3]]}, TypeError, "Row 1 of y_query is 2"),
    "too few labels": ({"y_query": [1, 2]}, ValueError, "Q has 3 rows, y_query has 2"),
    "too many labels": ({"y_gallery": [1, 2, 3, 4]}, ValueError, "G has 3 rows, y_gallery has 4"),
    "no labels": ({"y_query": None}, ValueError, "must be given"),
    "zeros": ({"Q": np.diag([1.0, 0, 1])}, ValueError, "Row 1 of Q is all zeros"),
    "zeros in the gallery": ({"G": np.diag([1.0, 0, 1])}, ValueError, "Row 1 of G is all zeros"),
    "NaN": ({"Q": np.diag([1, np.nan, 1])}, ValueError, "Row 1 of Q contains NaN"),
    "infinity": ({"G": np.diag([np.inf, 1, 1])}, ValueError, "Row 0 of G contains NaN or inf"),
    "text": ({"Q": [["a"] * 3] * 3}, TypeError, "Q must be numeric"),
    "one dimension": ({"Q": np.ones(3)}, ValueError, "Q must have shape"),
    "no rows": ({"Q": np.ones((0, 3))}, ValueError, "Q must have shape"),
    "other width": ({"G": np.ones((3, 4))}, ValueError, "Q has 3 columns, G has 4"),
    "k of 0": ({"k": 0}, ValueError, "k must be a positive integer or None, got 0"),
    "negative k": ({"k": -3}, ValueError, "k must be a positive integer or None, got -3"),
    "fractional k": ({"k": 1.5}, TypeError, "k must be a positive integer or None, got 1.5"),
    "gain": ({"gain": "square"}, ValueError, "gain must be 'exponential' or 'linear'"),
    "metric": ({"metric": "l1"}, ValueError, "metric must be one of"),
    "relevance class": ({"relevance": ExactMatch}, TypeError, "relevance must be an object"),
    "negative relevance": (
        {"relevance": lambda a, b: -np.ones((len(a), len(b)))},
        ValueError,
        "negative or non-finite",
    ),
    "relevance of another shape": (
        {"relevance": lambda a, b: np.ones((2, 2))},
        ValueError,
        r"returned shape \(2, 2\), expected \(3, 3\)",
    ),
    "huge relevance": (
        {"relevance": PrecomputedRelevance(np.full((4, 4), 2000))},
        ValueError,
        "too large for the exponential gain",
    ),
    "weights": ({"sample_weight": [1, 2]}, ValueError, "sample_weight has shape"),
    "negative weights": ({"sample_weight": [1, -2, 1]}, ValueError, "non-negative"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_with_a_clear_error(case):
    changes, error, message = BAD_INPUT[case]
    arguments = {"Q": np.eye(3), "G": np.eye(3), "y_query": [1, 2, 3], "y_gallery": [1, 2, 3]}
    with pytest.raises(error, match=message):
        retrieval_ndcg_score(**{**arguments, **changes})


def test_an_unknown_label_is_named(instruments):
    relevance = TaxonomyRelevance(instruments)
    with pytest.raises(ValueError, match="no class with the id or name 'theremin'"):
        retrieval_ndcg_score(np.eye(1), np.eye(1), ["theremin"], ["cat"], relevance=relevance)


def test_random_ndcg_is_the_mean_over_random_orders(rng):
    y_query, y_gallery = rng.integers(0, 5, 20), rng.integers(0, 5, 300)
    relevance = PrecomputedRelevance(rng.integers(0, 4, (5, 5)))
    gains = 2.0 ** relevance([(x,) for x in y_query], [(x,) for x in y_gallery]) - 1
    sampled = [ndcg_score(gains, rng.random((20, 300)), k=10) for _ in range(400)]
    exact = random_ndcg(y_query, y_gallery, relevance=relevance, k=10)
    assert abs(exact - np.mean(sampled)) < 4 * np.std(sampled) / 20


def test_random_ndcg_of_one_class_is_1():
    np.testing.assert_allclose(random_ndcg(["a"] * 2, ["a"] * 9, per_query=True), [1, 1])


def read_audioset_label_sets(mirror):
    folder = mirror / "storage.googleapis.com/us_audioset/youtube_corpus/v1/csv"
    for name in ("balanced_train_segments.csv", "eval_segments.csv"):
        for line in (folder / name).read_text().splitlines():
            if not line.startswith("#"):
                yield line.split('"')[1].split(",")


@pytest.mark.parametrize(
    ("gain", "exclude", "expected"),
    [
        ("linear", True, 0.8365103875932163),
        ("linear", False, 0.889674503104132),
        ("exponential", True, 0.16016649517111325),
        ("exponential", False, 0.3328105393062664),
    ],
)
def test_random_ndcg_on_the_labels_of_audioset(mirror, gain, exclude, expected):
    (path,) = mirror.glob("raw.githubusercontent.com/audioset/ontology/*/ontology.json")
    ontology = Ontology.from_json(path)
    tops = ("Musical instrument", "Singing", "Tools")
    wanted = {label for top in tops for label in ontology.descendants(top)}
    sets = [labels for labels in read_audioset_label_sets(mirror) if wanted.intersection(labels)]
    assert len(sets) == 8347
    relevance = TaxonomyRelevance(ontology) if exclude else TaxonomyRelevance(ontology, exclude=())
    value = random_ndcg(sets, sets, relevance=relevance, k=30, gain=gain)
    print(
        f"random NDCG@30, {gain} gain, top labels {'dropped' if exclude else 'kept'}: {value:.4f}"
    )
    assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", [np.asarray, list, pd.Series, lambda y: y.astype(object)])
def test_the_number_of_no_label_is_refused_as_integer_and_as_float(rng, form):
    Z = rng.normal(size=(4, 3))
    for y in (np.array([0, 1, -1, 1]), np.array([0.0, 1.0, -1.0, 1.0])):
        with pytest.raises(ValueError, match="Row 2 of y_query has no label"):
            retrieval_ndcg_score(Z, Z, form(y), form(y))


def test_a_list_that_is_an_indicator_matrix_is_not_read_as_label_sets():
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"y_query is a list of rows of zeros and ones"):
        retrieval_ndcg_score(np.eye(3), np.eye(3), rows, rows)
    sets = [[0, 1], [1], [0]]
    assert retrieval_ndcg_score(np.eye(3), np.eye(3), sets, sets, k=1) == 1


def test_what_cannot_be_a_label_is_named():
    with pytest.raises(TypeError, match="Row 1 of y_gallery holds what cannot be a label"):
        retrieval_ndcg_score(np.eye(2), np.eye(2), [["a"], ["b"]], [["a"], [["b"]]])
