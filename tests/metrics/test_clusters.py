"""Distances between the clusters of classes and modalities."""

import numpy as np
import pytest

from skxmodal.metrics import cluster_distances

POINTS = [[0, 0], [0, 2], [4, 1], [0, 9], [4, 9]]
CLASSES = ["drum", "drum", "drum", "voice", "voice"]
MODALITIES = ["audio", "audio", "image", "audio", "image"]


@pytest.fixture
def clusters():
    return cluster_distances(POINTS, CLASSES, MODALITIES)


def test_centroids_are_means_of_a_modality_and_class(clusters):
    np.testing.assert_array_equal(clusters.centroids, [[0, 1], [0, 9], [4, 1], [4, 9]])
    np.testing.assert_array_equal(clusters.counts, [2, 1, 1, 1])
    np.testing.assert_array_equal(clusters.modality, ["audio", "audio", "image", "image"])
    np.testing.assert_array_equal(clusters.label, ["drum", "voice", "drum", "voice"])


def test_distances_are_those_of_centroids(clusters):
    diagonal = np.hypot(4, 8)
    expected = [
        [0, 8, 4, diagonal],
        [8, 0, diagonal, 4],
        [4, diagonal, 0, 8],
        [diagonal, 4, 8, 0],
    ]
    np.testing.assert_allclose(clusters.distances, expected)


def test_sorting_by_class_puts_the_modalities_side_by_side(clusters):
    by_class = clusters.sort("class")
    np.testing.assert_array_equal(by_class.label, ["drum", "drum", "voice", "voice"])
    np.testing.assert_array_equal(by_class.modality, ["audio", "image", "audio", "image"])
    np.testing.assert_allclose(by_class.distances[0], [0, 4, 8, np.hypot(4, 8)])
    np.testing.assert_array_equal(by_class.sort("modality").distances, clusters.distances)


def test_the_class_ratio_compares_within_and_between_classes(clusters):
    assert clusters.class_ratio == pytest.approx(4 / ((8 + np.hypot(4, 8)) / 2))


def test_the_modality_gap_is_the_distance_of_the_modalities_centres(clusters):
    assert clusters.modality_gap == pytest.approx(4)


def test_absent_clusters_are_left_out():
    clusters = cluster_distances(POINTS[:4], CLASSES[:4], MODALITIES[:4])
    assert clusters.distances.shape == (3, 3)


@pytest.mark.parametrize("summary", ["class_ratio", "modality_gap"])
def test_one_modality_has_no_summary(summary):
    clusters = cluster_distances(POINTS, CLASSES, ["audio"] * 5)
    with pytest.raises(ValueError, match=f"{summary} needs"):
        getattr(clusters, summary)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": CLASSES[:3]}, r"Z has 5 rows, y has shape \(3,\)"),
        ({"modality": MODALITIES[:3]}, "Z has 5 rows, modality has shape"),
        ({"metric": "l7"}, "metric must be one of"),
        ({"Z": np.full((5, 2), np.nan)}, "Row 0 of Z contains NaN"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cluster_distances(**{"Z": POINTS, "y": CLASSES, "modality": MODALITIES, **arguments})


def test_an_unknown_order_is_refused(clusters):
    with pytest.raises(ValueError, match="by must be"):
        clusters.sort("size")


@pytest.mark.parametrize("missing", [-1, float("nan"), None])
def test_a_row_without_a_label_makes_no_class(missing):
    with pytest.raises(ValueError, match="Row 1 of y has no label"):
        cluster_distances(POINTS, np.array([0, missing, 0, 1, 1]), MODALITIES)


def test_a_collapsed_space_has_no_class_ratio():
    assert np.isnan(cluster_distances(np.ones((5, 2)), CLASSES, MODALITIES).class_ratio)
