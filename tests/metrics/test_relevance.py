"""Relevance between label sets."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from skxmodal.metrics import ExactMatch, PrecomputedRelevance, TaxonomyRelevance


def test_exact_match_is_1_for_a_shared_label():
    table = ExactMatch()([("a",), ("a", "b"), ("c",)], [("b",), ("a", "c"), ("d",)])
    np.testing.assert_array_equal(table, [[0, 1, 0], [1, 1, 0], [0, 1, 0]])


def test_taxonomy_relevance_is_the_constant_minus_the_distance(instruments):
    table = TaxonomyRelevance(instruments)([("violin",)], [("violin",), ("cello",), ("cat",)])
    np.testing.assert_array_equal(table, [[21, 19, 21 - 6]])


@pytest.mark.parametrize("aggregate", ["min", "mean", "max"])
def test_distances_of_all_pairs_of_labels_are_aggregated(instruments, aggregate):
    relevance = TaxonomyRelevance(instruments, aggregate=aggregate)
    pairs = [
        instruments.distance(a, b)
        for a in ("violin", "cat")
        for b in ("cello", "strings", "Animal")
    ]
    expected = {"min": min(pairs), "mean": np.mean(pairs), "max": max(pairs)}[aggregate]
    table = relevance([("violin", "cat")], [("cello", "strings", "Animal")])
    np.testing.assert_allclose(table, [[21 - expected]])


def test_top_labels_are_dropped_by_default(instruments):
    pair = [("Music", "violin")], [("Music", "cat")]
    assert TaxonomyRelevance(instruments)(*pair) == 15
    assert TaxonomyRelevance(instruments, exclude=())(*pair) == 21


def test_a_label_set_of_nothing_but_top_labels_is_an_error(instruments):
    with pytest.raises(ValueError, match=r"\['Music'\] is empty once the excluded labels"):
        TaxonomyRelevance(instruments)([("violin",)], [("Music",)])


def test_distances_beyond_the_maximum_have_no_relevance(instruments):
    table = TaxonomyRelevance(instruments, max_distance=3)([("violin",)], [("cat",), ("cello",)])
    np.testing.assert_array_equal(table, [[0, 1]])


def test_an_unknown_label_to_exclude_is_an_error_unless_it_is_a_default(instruments):
    TaxonomyRelevance(instruments)
    with pytest.raises(ValueError, match="'Tols'"):
        TaxonomyRelevance(instruments, exclude=("Music", "Tols"))


def test_integers_index_the_classes(instruments):
    relevance = TaxonomyRelevance(instruments, classes=["cat", "violin"])
    np.testing.assert_array_equal(relevance([(1,)], [(0,), (1,)]), [[15, 21]])
    with pytest.raises(ValueError, match="no index of the 2 classes"):
        relevance([(2,)], [(0,)])


def test_names_and_ids_may_be_mixed():
    from skxmodal.datasets._ontology import Ontology

    tree = Ontology.from_edges([("/m/1", "/m/2"), ("/m/1", "/m/3")], {"/m/2": "Oboe"})
    table = TaxonomyRelevance(tree, exclude=())([("Oboe", "/m/2")], [("/m/2",), ("/m/3",)])
    np.testing.assert_array_equal(table, [[21, 19]])


def test_the_size_of_blocks_does_not_change_the_relevance(instruments, monkeypatch):
    rng = np.random.default_rng(0)
    names = ["violin", "cello", "piano", "drum", "cat", "Animal"]
    sets = [tuple(rng.choice(names, rng.integers(1, 4), replace=False)) for _ in range(30)]
    table = TaxonomyRelevance(instruments, aggregate="mean")(sets, sets)
    monkeypatch.setattr("skxmodal.metrics._relevance._BLOCK_ENTRIES", 3)
    again = TaxonomyRelevance(instruments, aggregate="mean")(sets, sets)
    np.testing.assert_array_equal(again, table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aggregate": "median"}, "aggregate must be"),
        ({"max_distance": 0}, "max_distance must be positive"),
    ],
)
def test_bad_parameters_of_a_taxonomy_relevance_are_refused(instruments, arguments, message):
    with pytest.raises(ValueError, match=message):
        TaxonomyRelevance(instruments, **arguments)


def test_a_string_to_exclude_is_refused(instruments):
    with pytest.raises(TypeError, match="exclude must be a sequence"):
        TaxonomyRelevance(instruments, exclude="Music")


def test_a_precomputed_table_is_looked_up_by_row_and_column():
    table = PrecomputedRelevance([[3, 1], [0, 2]])([(0,), (1,)], [(0,), (1,), (0, 1)])
    np.testing.assert_array_equal(table, [[3, 1, 3], [0, 2, 2]])


def test_a_precomputed_frame_is_looked_up_by_name():
    frame = pd.DataFrame([[3, 1], [0, 2]], index=["a", "b"], columns=["a", "b"])
    np.testing.assert_array_equal(PrecomputedRelevance(frame)([("b",)], [("a",), ("b",)]), [[0, 2]])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, 2]], "must be square"),
        ([[-1.0]], "finite and non-negative"),
        ([[np.nan]], "finite and non-negative"),
    ],
)
def test_a_bad_table_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        PrecomputedRelevance(table)


def test_a_label_outside_the_table_is_named():
    with pytest.raises(ValueError, match="label 7 is not in the relevance table of 1 labels"):
        PrecomputedRelevance([[1]])([(0,)], [(7,)])


def test_floats_index_the_classes_as_the_integers_that_they_were(instruments):
    relevance = TaxonomyRelevance(instruments, classes=["cat", "violin"])
    np.testing.assert_array_equal(relevance([(1.0,)], [(0.0,), (1.0,)]), [[15, 21]])


@pytest.mark.parametrize("which", ["rows", "columns"])
def test_a_table_with_two_labels_of_one_name_is_refused(which):
    names = {"rows": ["a", "b"], "columns": ["a", "b"]}
    names[which] = ["a", "a"]
    frame = pd.DataFrame(np.eye(2), index=names["rows"], columns=names["columns"])
    with pytest.raises(ValueError, match=f"Two {which} of the relevance table are called 'a'"):
        PrecomputedRelevance(frame)


@pytest.mark.parametrize("aggregate", ["min", "mean", "max"])
def test_a_few_labels_of_a_table_have_the_relevances_that_stand_there(aggregate):
    table = np.random.default_rng(0).integers(0, 9, (30, 30))
    found = PrecomputedRelevance(table, aggregate=aggregate)([(7, 29), (3,)], [(4,), (28, 2)])
    reduce = getattr(np, aggregate)
    expected = [
        [reduce(table[np.ix_(rows, columns)]) for columns in ([4], [28, 2])]
        for rows in ([7, 29], [3])
    ]
    np.testing.assert_allclose(found, expected)


def test_a_few_queries_do_not_need_as_much_memory_as_the_table():
    table = np.ones((2000, 2000))
    relevance = PrecomputedRelevance(table)
    gallery = [(label,) for label in range(2000)]
    tracemalloc.start()
    relevance(gallery[:5], gallery)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < table.nbytes / 10
