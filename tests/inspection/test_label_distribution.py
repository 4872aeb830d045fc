import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import spearmanr

from skxmodal.inspection import LabelDistributionDisplay

LABELS = ["drums"] * 4 + ["cello"] * 2 + ["flute"] * 9


@pytest.fixture
def display():
    return LabelDistributionDisplay.from_labels(LABELS)


def test_bars_are_the_counts_the_largest_on_top(display):
    display.plot()
    assert [bar.get_width() for bar in display.bars_] == [9, 4, 2]
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["flute", "drums", "cello"]


def test_unsorted_bars_keep_the_order_of_the_classes(display):
    assert [bar.get_width() for bar in display.plot(sort=False).bars_] == [2, 4, 9]


def test_the_scale_may_be_logarithmic(display):
    assert display.plot().ax_.get_xscale() == "linear"
    assert display.plot(log=True).ax_.get_xscale() == "log"


def test_rows_with_several_labels_count_for_each():
    found = LabelDistributionDisplay.from_labels(
        [["drums", "voice"], ["voice"], ["drums", "drums"]]
    )
    assert dict(zip(found.labels, found.counts.tolist())) == {"drums": 2, "voice": 2}


@pytest.mark.parametrize("missing", [None, float("nan"), -1])
def test_rows_without_a_label_are_left_out(missing):
    found = LabelDistributionDisplay.from_labels([1, 1, missing, 2])
    assert dict(zip(found.labels, found.counts.tolist())) == {1: 2, 2: 1}


def test_labels_get_the_names_of_a_dict_and_absent_classes_count_zero():
    found = LabelDistributionDisplay.from_labels(
        np.array([0, 0, 2]), labels={0: "drums", 1: "flute", 2: "voice"}
    )
    assert found.labels == ["drums", "flute", "voice"]
    assert found.counts.tolist() == [2, 0, 1]


def test_unlabelled_rows_alone_are_an_error():
    with pytest.raises(ValueError, match="no row of y has a label to count"):
        LabelDistributionDisplay.from_labels(np.full(3, -1))


def test_labels_of_another_kind_are_an_error():
    with pytest.raises(ValueError, match="none of the labels asked for is in y, which has 'drums'"):
        LabelDistributionDisplay.from_labels(["drums"], labels=[0, 1])


def test_the_imbalance_is_the_largest_over_the_smallest(display):
    assert display.imbalance == 4.5


def test_the_rank_correlation_is_spearmans(display):
    scores = [0.5, 0.9, 0.7]
    found = display.rank_correlation(scores)
    expected = spearmanr([2, 4, 9], scores)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.pvalue == pytest.approx(expected.pvalue)
    assert found.n_classes == 3


def test_scores_may_be_given_by_name_in_any_order(display):
    by_name = display.rank_correlation({"flute": 0.7, "cello": 0.5, "drums": 0.9})
    assert by_name.statistic == display.rank_correlation([0.5, 0.9, 0.7]).statistic


def test_equal_scores_have_no_rank_correlation(display):
    assert np.isnan(display.rank_correlation([0.5, 0.5, 0.5]).statistic)


def test_the_rank_correlation_is_written_into_the_picture(display):
    display.plot(per_class_scores=[0.1, 0.2, 0.3], score_name="F1 on image")
    assert display.rank_correlation_.statistic == pytest.approx(1)
    assert "F1 on image: ρ = 1.00" in display.text_.get_text()
    assert "rank correlation with the scores of the classes 1.00" in display.describe()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.1, 0.2], r"has shape \(2,\), there are 3 classes"),
        ({"lute": 0.1}, "no class of the distribution is called 'lute'"),
        ({"drums": 0.1, "cello": 0.2}, "needs the scores of three classes"),
    ],
)
def test_scores_that_do_not_fit_are_an_error(display, scores, message):
    with pytest.raises(ValueError, match=message):
        display.rank_correlation(scores)


INDICATOR = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("form", [np.asarray, lambda y: y.astype(bool), sparse.csr_array])
def test_an_indicator_matrix_counts_its_columns(form):
    found = LabelDistributionDisplay.from_labels(form(INDICATOR), labels={0: "a", 1: "b", 2: "c"})
    assert dict(zip(found.labels, found.counts.tolist())) == {"a": 2, "b": 1, "c": 1}


def test_a_table_counts_the_columns_that_are_set():
    found = LabelDistributionDisplay.from_labels(pd.DataFrame(INDICATOR, columns=list("abc")))
    assert dict(zip(found.labels, found.counts.tolist())) == {"a": 2, "b": 1, "c": 1}
    column = LabelDistributionDisplay.from_labels(pd.DataFrame({"class": ["a", "b", "a"]}))
    assert dict(zip(column.labels, column.counts.tolist())) == {"a": 2, "b": 1}
    with pytest.raises(ValueError, match="table of 2 columns but no indicator matrix"):
        LabelDistributionDisplay.from_labels(pd.DataFrame({"class": ["a"], "path": ["b"]}))


def test_a_label_of_bytes_is_one_label():
    found = LabelDistributionDisplay.from_labels(np.array([b"ab", b"cd", b"ab"]))
    assert dict(zip(found.labels, found.counts.tolist())) == {b"ab": 2, b"cd": 1}


def test_a_picture_drawn_again_without_scores_tells_of_none(display):
    before = display.describe()
    display.plot(per_class_scores=[0.1, 0.2, 0.3])
    assert display.plot().describe() == before
