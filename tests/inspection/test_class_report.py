import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.inspection import ClassReportDisplay
from skxmodal.modalities import select_modality

TRUE = ["drums", "drums", "drums", "flute", "flute", "lute"]
SEEN = ["drums", "drums", "flute", "flute", "flute", "flute"]


@pytest.fixture
def display():
    return ClassReportDisplay.from_predictions({"audio": (TRUE, SEEN), "image": (TRUE, TRUE)})


def test_bars_are_the_f1_of_each_class(display):
    bars = display.plot().bars_["audio"]
    assert [bar.get_width() for bar in bars] == pytest.approx([0.8, 2 / 3, 0.0])


def test_the_matrix_shows_shares_of_the_true_class(display):
    shown = display.plot().confusion_displays_["audio"].confusion_matrix
    assert shown == pytest.approx(np.array([[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 1, 0]]))


def test_the_matrix_may_show_counts(display):
    shown = display.plot(normalize=None).confusion_displays_["audio"]
    assert shown.confusion_matrix.tolist() == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]
    assert shown.text_[0, 0].get_text() == "2"


def test_each_modality_has_a_row(display):
    display.plot()
    assert display.axes_.shape == (2, 2)
    titles = [axes.get_title(loc="left") for axes in display.axes_[:, 0]]
    assert titles == ["tested on audio", "tested on image"]


@pytest.mark.parametrize("n_classes", [3, 18])
def test_bars_stand_beside_their_row_of_the_matrix(n_classes):
    y = np.arange(n_classes)
    display = ClassReportDisplay.from_predictions({"audio": (y, y)}).plot()
    display.figure_.canvas.draw()
    left, right = display.axes_[0]
    for row in (0, n_classes - 1):
        heights = [axes.transData.transform((0, row))[1] for axes in (left, right)]
        assert heights[0] == pytest.approx(heights[1], abs=1)


def test_many_classes_have_no_numbers_in_the_cells():
    y = np.arange(18)
    display = ClassReportDisplay.from_predictions({"audio": (y, y)}).plot()
    assert display.confusion_displays_["audio"].text_ is None


def test_classes_have_the_order_and_the_names_asked_for():
    display = ClassReportDisplay.from_predictions(
        {"audio": ([0, 1], [0, 0])}, labels=[1, 0], display_labels=["flute", "drums"]
    )
    assert display.labels == ["flute", "drums"]
    assert display.f1["audio"] == pytest.approx([0, 2 / 3])


def test_names_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="display_labels has 1 names for 2 classes"):
        ClassReportDisplay.from_predictions({"audio": ([0, 1], [0, 1])}, display_labels=["a"])


def test_the_most_frequent_confusions_are_listed(display):
    assert display.confusions("audio") == [
        ("lute", "flute", 1.0),
        ("drums", "flute", pytest.approx(1 / 3)),
    ]
    assert display.confusions("image") == []
    assert "100% of lute are taken for flute" in display.describe()


def test_an_estimator_is_tested_on_each_modality_alone(three_classes, spaces):
    X, y = three_classes
    model = ModalityAgnosticClassifier(FrozenEstimator(spaces["PCA"]), LogisticRegression())
    model.fit(X[::2], y[::2])
    display = ClassReportDisplay.from_estimator(model, X[1::2], y[1::2])
    for name in ("audio", "image"):
        predicted = model.predict(select_modality(X[1::2], name))
        assert display.f1[name] == pytest.approx(f1_score(y[1::2], predicted, average=None))


def test_a_modality_that_no_row_has_is_an_error(three_classes, spaces):
    X, y = three_classes
    model = ModalityAgnosticClassifier(FrozenEstimator(spaces["PCA"]), LogisticRegression())
    model.fit(X, y)
    with pytest.raises(ValueError, match="no test row has the modality 'smell'"):
        ClassReportDisplay.from_estimator(model, X, y, targets=["smell"])


def test_a_class_that_a_modality_does_not_have_is_no_failure():
    display = ClassReportDisplay.from_predictions({"audio": (TRUE, TRUE), "image": (SEEN, SEEN)})
    assert np.isnan(display.f1["image"]).tolist() == [False, False, True]
    assert "tested on image, macro F1 is 1.00" in display.describe()
    axes = display.plot().axes_[1, 0]
    assert axes.get_xlabel() == "F1 (mean 1.00, dashed)"
    assert [text.get_text() for text in axes.texts] == ["not tested"]


@pytest.mark.parametrize("missing", [None, -1, float("nan")])
def test_rows_without_a_label_are_not_tested(three_classes, spaces, missing):
    X, y = three_classes
    model = ModalityAgnosticClassifier(FrozenEstimator(spaces["PCA"]), LogisticRegression())
    model.fit(X, y)
    labels = y.astype(object)
    labels[::4] = missing
    known = np.arange(len(y)) % 4 > 0
    display = ClassReportDisplay.from_estimator(model, X, labels)
    expected = ClassReportDisplay.from_estimator(model, X[known], y[known])
    assert display.labels == ["cello", "drums", "flute"]
    assert display.f1["image"].tolist() == expected.f1["image"].tolist()
    with pytest.raises(ValueError, match="no test row with the modality 'audio' has a label"):
        ClassReportDisplay.from_estimator(model, X, np.full(len(y), -1))
