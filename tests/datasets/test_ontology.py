"""Taxonomies of classes."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skxmodal.datasets._fetch_ontology import AUDIOSET_ONTOLOGY, fetch_audioset_ontology
from skxmodal.datasets._ontology import Ontology
from skxmodal.datasets._remote import RemoteFileError

EDGES = [
    ("strings", "violin"),
    ("strings", "piano"),
    ("percussion", "piano"),
    ("percussion", "drum"),
    ("drum", "snare"),
    (None, "animal"),
]


@pytest.fixture
def tree():
    return Ontology.from_edges(EDGES, names={"snare": "Snare drum"})


@pytest.fixture(scope="module")
def audioset(mirror_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKXMODAL_MIRROR", str(mirror_folder))
        return fetch_audioset_ontology(data_home=tmp_path_factory.mktemp("home"))


def test_ids_and_names_are_translated_both_ways(tree):
    assert tree.id_of("Snare drum") == tree.id_of("snare") == "snare"
    assert tree.name_of("snare") == tree.name_of("Snare drum") == "Snare drum"
    assert tree.name_of("violin") == "violin"


def test_membership_is_that_of_ids_and_names(tree):
    assert "snare" in tree
    assert "Snare drum" in tree
    assert "theremin" not in tree


def test_top_classes_have_no_parent(tree):
    assert tree.top_ids == ("strings", "percussion", "animal")
    assert len(tree) == 7


def test_descendants_are_all_classes_below(tree):
    assert tree.descendants("percussion") == ["piano", "drum", "snare"]
    assert tree.descendants("snare") == []
    assert tree.descendants("drum", include_self=True) == ["drum", "snare"]


def test_ancestors_are_all_classes_above_through_every_parent(tree):
    assert tree.ancestors("piano") == ["strings", "percussion"]
    assert tree.ancestors("Snare drum") == ["drum", "percussion"]


def test_children_and_parents_are_one_step_away(tree):
    assert tree.children("percussion") == ["piano", "drum"]
    assert tree.parents("piano") == ["strings", "percussion"]


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("violin", "violin", 0),
        ("violin", "strings", 1),
        ("violin", "piano", 2),
        ("violin", "animal", 3),  # through the virtual root
        ("strings", "percussion", 2),
        ("piano", "snare", 3),  # through the nearer of two parents
    ],
)
def test_distance_is_the_length_of_the_shortest_path(tree, a, b, distance):
    assert tree.distance(a, b) == tree.distance(b, a) == distance


def test_the_distance_matrix_follows_the_labels_given(tree):
    labels = ["violin", "snare", "violin", "Snare drum"]
    expected = [[tree.distance(a, b) for b in labels] for a in labels]
    np.testing.assert_array_equal(tree.distance_matrix(labels), expected)
    np.testing.assert_array_equal(tree.distance_matrix(labels[:2], labels), expected[:2])
    assert tree.distance_matrix().shape == (7, 7)


def test_no_labels_give_an_empty_matrix(tree):
    assert tree.distance_matrix([], ["violin"]).shape == (0, 1)


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
def test_a_table_of_parents_and_children_is_a_taxonomy(table):
    frame = table(
        {
            "parent": [None, "a", "a"],
            "child": ["a", "b", "c"],
            "title": ["Alpha", "Beta", "Gamma"],
        }
    )
    tree = Ontology.from_frame(frame, name="title")
    assert tree.names == ("Alpha", "Beta", "Gamma")
    assert tree.distance("Beta", "Gamma") == 2
    assert tree.top_ids == ("a",)


def test_a_table_without_the_column_is_refused():
    with pytest.raises(ValueError, match="no column 'child'"):
        Ontology.from_frame(pd.DataFrame({"parent": [1]}))


def test_an_unknown_label_is_named(tree):
    with pytest.raises(ValueError, match="no class with the id or name 'theremin'"):
        tree.distance("violin", "theremin")


def test_a_name_of_two_classes_needs_the_id():
    tree = Ontology({1: "Bass", 2: "Bass"}, [])
    assert tree.name_of(1) == "Bass"
    with pytest.raises(ValueError, match="Several classes have the name 'Bass'"):
        tree.id_of("Bass")


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="has a cycle: class 'b'"):
        Ontology.from_edges([("a", "b"), ("b", "c"), ("c", "b")])


def test_an_edge_to_nowhere_is_refused():
    with pytest.raises(ValueError, match="names no class 'b'"):
        Ontology({"a": "A"}, [("a", "b")])


def test_an_empty_taxonomy_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        Ontology({}, [])


@pytest.mark.parametrize("content", ["{", "{}[]", json.dumps([{"id": 1}]), json.dumps([1])])
def test_a_file_that_is_no_ontology_is_refused(tmp_path, content):
    path = tmp_path / "ontology.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="is no ontology"):
        Ontology.from_json(path)


def test_audioset_has_its_632_classes_below_7_tops(audioset):
    assert len(audioset) == 632
    assert len(audioset.top_ids) == 7
    assert audioset.id_of("Musical instrument") == "/m/04szw"


def test_audioset_classes_with_several_parents_take_the_shortest_path(audioset):
    assert len(audioset.parents("Choir")) == 2
    assert audioset.distance("Choir", "Singing") == 1
    assert audioset.distance("Choir", "Musical instrument") == 1


def test_audioset_distances_are_at_most_11(audioset):
    distances = audioset.distance_matrix()
    np.testing.assert_array_equal(distances, distances.T)
    assert distances.max() == 11
    assert (np.diag(distances) == 0).all()


def test_audioset_descendants_are_counted(audioset):
    counts = [len(audioset.descendants(x)) for x in ("Musical instrument", "Singing", "Tools")]
    assert counts == [91, 9, 8]


def test_a_missing_ontology_is_not_downloaded_unasked(tmp_path):
    with pytest.raises(RemoteFileError):
        fetch_audioset_ontology(data_home=tmp_path, download_if_missing=False)


def test_the_pinned_file_has_a_digest_and_a_licence():
    assert AUDIOSET_ONTOLOGY.digest.startswith("sha256:9c685f44")
    assert AUDIOSET_ONTOLOGY.licence
