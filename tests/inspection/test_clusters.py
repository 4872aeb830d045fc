from itertools import pairwise

import numpy as np
import pytest

from skxmodal.inspection import ClusterDistanceDisplay
from skxmodal.metrics import cluster_distances
from skxmodal.modalities import melt_modalities

LABELS = ["drums", "drums", "flute", "flute"]
MODALITIES = ["audio", "image", "audio", "image"]


@pytest.fixture
def clusters():
    return cluster_distances([[0, 0], [0, 1], [3, 0], [3, 1]], LABELS, MODALITIES)


def names(ticks):
    return [label.get_text() for label in ticks]


def test_the_map_holds_the_distances_by_class_then_modality(clusters):
    display = ClusterDistanceDisplay.from_distances(clusters).plot()
    shown = np.asarray(display.images_[0].get_array())
    assert shown[0] == pytest.approx([0, 1, 3, np.sqrt(10)])
    assert names(display.ax_.get_yticklabels()) == [
        "drums · audio",
        "drums · image",
        "flute · audio",
        "flute · image",
    ]
    assert names(display.ax_.get_xticklabels()) == ["drums", "flute"]


def test_the_map_holds_the_distances_by_modality_then_class(clusters):
    display = ClusterDistanceDisplay.from_distances(clusters).plot(sort_by="modality")
    shown = np.asarray(display.images_[0].get_array())
    assert shown[0] == pytest.approx([0, 3, 1, np.sqrt(10)])
    assert names(display.ax_.get_yticklabels()) == ["drums", "flute"] * 2
    assert [note.get_text() for note in display.ax_.texts] == ["audio", "image"]


def test_panels_may_have_orders_of_their_own(clusters):
    display = ClusterDistanceDisplay.from_distances({"before": clusters, "after": clusters})
    display.plot(sort_by=["modality", "class"])
    titles = [axes.get_title() for axes in display.axes_]
    assert titles == ["before\n(by modality, then class)", "after\n(by class, then modality)"]


def test_a_shared_scale_ends_at_the_largest_distance(clusters):
    twice = cluster_distances([[0, 0], [0, 2], [6, 0], [6, 2]], LABELS, MODALITIES)
    display = ClusterDistanceDisplay.from_distances({"before": twice, "after": clusters})
    own = [image.get_clim()[1] for image in display.plot().images_]
    shared = [image.get_clim()[1] for image in display.plot(share_scale=True).images_]
    assert own == pytest.approx([2 * np.sqrt(10), np.sqrt(10)])
    assert shared == pytest.approx([2 * np.sqrt(10)] * 2)


def test_the_summary_is_that_of_the_distances(clusters):
    found = ClusterDistanceDisplay.from_distances({"space": clusters}).summary()["space"]
    assert found["class_ratio"] == pytest.approx(clusters.class_ratio)
    assert found["modality_gap"] == pytest.approx(1.0)
    assert found["mean_distance"] == pytest.approx((1 + 1 + 3 + 3 + 2 * np.sqrt(10)) / 6)


def test_one_modality_has_no_ratio_and_no_gap():
    alone = cluster_distances([[0.0], [2.0]], ["drums", "flute"], ["audio", "audio"])
    display = ClusterDistanceDisplay.from_distances({"audio": alone})
    assert np.isnan(display.summary()["audio"]["class_ratio"])
    assert np.isnan(display.summary()["audio"]["modality_gap"])
    assert "2 classes in 1 modality; audio: the mean distance is 2.00" in display.describe()


def test_distances_are_measured_in_the_joint_spaces(three_classes, spaces):
    X, y = three_classes
    display = ClusterDistanceDisplay.from_estimators(spaces, X, y)
    long, labels, modality = melt_modalities(X, y)
    expected = cluster_distances(spaces["CCA"].transform(long), labels, modality)
    assert display.clusters["CCA"].distances == pytest.approx(expected.distances)
    ratios = {name: found["class_ratio"] for name, found in display.summary().items()}
    assert ratios["CCA"] < 0.3 < ratios["PCA"]


def test_thirty_six_names_are_as_large_as_seven_points_and_do_not_overlap():
    rng = np.random.default_rng(0)
    clusters = cluster_distances(
        rng.normal(size=(36, 4)),
        np.repeat([f"class {n:02d}" for n in range(18)], 2),
        ["audio", "image"] * 18,
    )
    display = ClusterDistanceDisplay.from_distances({"before": clusters, "after": clusters})
    display.plot(sort_by=["modality", "class"])
    display.figure_.canvas.draw()
    for axes in display.axes_:
        labels = axes.get_yticklabels()
        assert min(label.get_fontsize() for label in labels) >= 7
        boxes = [label.get_window_extent() for label in labels]
        assert all(high.y0 >= low.y1 - 1 for high, low in pairwise(boxes))


def test_an_unknown_order_is_an_error(clusters):
    with pytest.raises(ValueError, match="sort_by must be one of 'class', 'modality'"):
        ClusterDistanceDisplay.from_distances(clusters).plot(sort_by="size")


def test_orders_for_other_panels_are_an_error(clusters):
    with pytest.raises(ValueError, match="sort_by has 2 orders for 1 panels"):
        ClusterDistanceDisplay.from_distances(clusters).plot(sort_by=["class", "class"])


@pytest.mark.parametrize("missing", [None, -1, float("nan")])
def test_rows_without_a_label_make_no_cluster(three_classes, spaces, missing):
    X, y = three_classes
    labels = y.astype(object)
    labels[::4] = missing
    known = np.arange(len(y)) % 4 > 0
    display = ClusterDistanceDisplay.from_estimators(spaces, X, labels)
    expected = ClusterDistanceDisplay.from_estimators(spaces, X[known], y[known])
    assert display.summary() == expected.summary()
    with pytest.raises(ValueError, match="no row has a label"):
        ClusterDistanceDisplay.from_estimators(spaces, X, np.full(len(y), -1))
