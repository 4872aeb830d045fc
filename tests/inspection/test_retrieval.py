import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skxmodal.inspection import RetrievalDisplay
from skxmodal.metrics import random_ndcg, retrieval_ndcg_score
from skxmodal.modalities import select_modality

THERE, BACK = ("audio", "image"), ("image", "audio")


@pytest.fixture
def two_pairs():
    return RetrievalDisplay.from_scores(
        {
            "yamnet + vgg16": {THERE: 0.3, BACK: 0.4},
            "yamnet + resnet50": {THERE: 0.5, BACK: 0.6},
        },
        baselines={"random order": {THERE: 0.1, BACK: 0.2}, "untranslated": 0.15},
    )


def test_dots_stand_at_the_scores_the_best_pair_on_top(two_pairs):
    two_pairs.plot()
    dots = two_pairs.points_[THERE]
    assert dots.get_xdata().tolist() == [0.5, 0.3]
    assert dots.get_ydata().tolist() == [1, 0]
    names = [label.get_text() for label in two_pairs.ax_.get_yticklabels()]
    assert names == ["yamnet + resnet50", "yamnet + vgg16"]


def test_unsorted_pairs_keep_their_order(two_pairs):
    assert two_pairs.plot(sort=False).points_[BACK].get_xdata().tolist() == [0.4, 0.6]


def test_each_direction_has_a_panel_with_its_own_baselines(two_pairs):
    two_pairs.plot()
    assert [axes.get_title() for axes in two_pairs.axes_] == ["audio → image", "image → audio"]
    lines = two_pairs.baselines_
    assert [lines[way]["random order"].get_xdata()[0] for way in (THERE, BACK)] == [0.1, 0.2]
    assert [lines[way]["untranslated"].get_xdata()[0] for way in (THERE, BACK)] == [0.15, 0.15]
    assert all(line.is_dashed() for line in lines[THERE].values())
    assert len({line.get_color() for line in lines[THERE].values()}) == 2


def test_the_best_pair_has_the_best_mean_over_directions(two_pairs):
    assert two_pairs.best() == ("yamnet + resnet50", pytest.approx(0.55))
    assert "yamnet + resnet50 with 0.50 from audio to image" in two_pairs.describe()


def test_repeated_scores_give_a_mean_and_an_interval():
    display = RetrievalDisplay.from_scores({"one": {THERE: [0.4, 0.6, 0.5]}})
    assert display.scores[THERE] == pytest.approx([0.5])
    half = 1.959964 * 0.1 / np.sqrt(3)
    assert display.intervals[THERE] == pytest.approx(np.array([[0.5 - half, 0.5 + half]]))


def test_single_scores_have_no_interval(two_pairs):
    assert two_pairs.intervals is None


def test_computed_scores_are_those_of_the_score_function(three_classes, spaces):
    X, y = three_classes
    display = RetrievalDisplay.from_estimators(spaces, X, y, k=5)
    sounds, pictures = (
        spaces["CCA"].transform(select_modality(X, name)) for name in ("audio", "image")
    )
    assert display.scores[THERE][1] == pytest.approx(
        retrieval_ndcg_score(sounds, pictures, y, y, k=5)
    )
    assert display.baselines["random order"][BACK] == pytest.approx(random_ndcg(y, y, k=5))
    assert display.metric == "NDCG@5"
    assert display.best()[0] == "CCA"


def test_each_estimator_may_have_a_table_of_its_own(three_classes, spaces):
    X, y = three_classes
    both = RetrievalDisplay.from_estimators(spaces, {"PCA": X, "CCA": X}, y, k=5)
    shared = RetrievalDisplay.from_estimators(spaces, X, y, k=5)
    assert both.scores[THERE].tolist() == shared.scores[THERE].tolist()


def test_no_system_is_an_error():
    with pytest.raises(ValueError, match="scores is empty"):
        RetrievalDisplay.from_scores({})


def test_systems_with_different_directions_are_an_error():
    with pytest.raises(ValueError, match="the scores of 'b' are for the directions"):
        RetrievalDisplay.from_scores({"a": {THERE: 0.1}, "b": {BACK: 0.1}})


def test_an_indicator_matrix_grades_as_its_label_sets_do(three_classes, spaces):
    X, y = three_classes
    indicator = (y[:, None] == np.unique(y)).astype(int)
    expected = RetrievalDisplay.from_estimators(spaces, X, y, k=5)
    for form in (np.asarray, pd.DataFrame, sparse.csr_array):
        found = RetrievalDisplay.from_estimators(spaces, X, form(indicator), k=5)
        assert found.scores[THERE] == pytest.approx(expected.scores[THERE])
        assert found.baselines["random order"] == pytest.approx(expected.baselines["random order"])


@pytest.mark.parametrize("missing", [None, -1, float("nan")])
def test_rows_without_a_label_are_not_searched(three_classes, spaces, missing):
    X, y = three_classes
    labels = y.astype(object)
    labels[::4] = missing
    known = np.arange(len(y)) % 4 > 0
    found = RetrievalDisplay.from_estimators(spaces, X, labels, k=5)
    expected = RetrievalDisplay.from_estimators(spaces, X[known], y[known], k=5)
    assert found.scores[BACK].tolist() == expected.scores[BACK].tolist()


def test_a_system_without_a_score_is_not_the_best():
    display = RetrievalDisplay.from_scores({"a": {THERE: np.nan}, "b": {THERE: 0.5}})
    assert display.best() == ("b", 0.5)


def test_a_confidence_beyond_one_is_an_error():
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 95"):
        RetrievalDisplay.from_scores({"a": {THERE: [0.1, 0.2]}}, confidence=95)


def test_all_of_the_gallery_has_no_number_in_its_name(three_classes, spaces):
    assert RetrievalDisplay.from_estimators(spaces, *three_classes, k=None).metric == "NDCG"
