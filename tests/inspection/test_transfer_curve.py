import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.inspection import TransferCurveDisplay
from skxmodal.model_selection import TransferCurve, transfer_curve


def curve(scores, *, target="image", source=("audio",), sizes=(0, 10, 20), scoring="f1_macro"):
    scores = np.asarray(scores, dtype=float)
    return TransferCurve(target, source, np.asarray(sizes), scores, scores, scores, 20, 5, scoring)


@pytest.fixture
def display():
    return TransferCurveDisplay.from_curves(
        {
            "MMT": [
                curve([[0.5, 0.7], [0.7, 0.7], [0.7, 0.9]]),
                curve([[0.3, 0.3], [0.4, 0.4], [0.5, 0.5]], target="audio"),
            ],
            "MMP": curve([[0.1, 0.1], [0.5, 0.7], [1.0, 1.0]]),
            "SMI": curve([[np.nan, np.nan], [0.5, 0.5], [0.9, 0.9]], source=()),
        }
    )


def test_lines_go_through_the_means(display):
    display.plot()
    line = display.lines_["image", "MMT"]
    assert line.get_xdata().tolist() == [0, 10, 20]
    assert line.get_ydata() == pytest.approx([0.6, 0.7, 0.8])


def test_a_size_without_a_score_is_left_out(display):
    assert display.plot().lines_["image", "SMI"].get_xdata().tolist() == [10, 20]


def test_bands_are_confidence_intervals_of_the_mean(display):
    display.plot(confidence=0.9)
    heights = display.bands_["image", "MMT"].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(
        display.curves["MMT"][0].interval(0.9)[:, 1].max(), rel=1e-6
    )


def test_each_target_has_a_panel(display):
    display.plot()
    titles = [axes.get_title() for axes in display.axes_]
    assert titles == ["tested on image", "tested on audio"]


def test_boxes_hold_the_draws_and_stand_at_even_steps(display):
    display.plot(kind="box")
    boxes = display.bands_["image", "MMT"]
    assert [line.get_ydata()[0] for line in boxes["medians"]] == pytest.approx([0.6, 0.7, 0.8])
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["0", "10", "20"]


def test_boxes_of_two_systems_stand_side_by_side(display):
    display.plot(kind="box", single="line")
    middle = [
        np.mean(display.bands_["image", name]["medians"][0].get_xdata()) for name in ("MMT", "MMP")
    ]
    assert middle[0] < 0 < middle[1]


def test_a_single_modality_system_may_be_a_dashed_line_at_its_best(display):
    line = display.plot(single="line").lines_["image", "SMI"]
    assert line.get_ydata() == pytest.approx([0.9, 0.9])
    assert line.get_linestyle() == "--"


def test_a_curve_of_one_size_is_a_dashed_line():
    shown = TransferCurveDisplay.from_curves(
        {"MMT": curve([[0.5], [0.6], [0.7]]), "SMI": curve([[0.8]], sizes=[20])}
    ).plot()
    assert shown.lines_["image", "SMI"].get_ydata() == pytest.approx([0.8, 0.8])


def test_the_zero_shot_share_compares_the_best_at_zero_with_the_best_of_all(display):
    assert display.zero_shot_share() == {
        "image": ("MMT", pytest.approx(0.6)),
        "audio": ("MMT", pytest.approx(0.6)),
    }
    assert display.plot().texts_["image"].get_text() == "zero-shot MMT:\n60% of the best"
    assert "(zero-shot MMT reaches 60% of the best)" in display.describe()


def test_the_note_can_be_left_away(display):
    assert display.plot(annotate=False).texts_ == {}


@pytest.mark.parametrize(("sizes", "even"), [((0, 10, 20), False), ((0, 10, 5000), True)])
def test_sizes_that_would_overlap_stand_at_even_steps(sizes, even):
    shown = TransferCurveDisplay.from_curves({"MMT": curve([[0.1], [0.2], [0.3]], sizes=sizes)})
    expected = [0, 1, 2] if even else list(sizes)
    assert shown.plot().lines_["image", "MMT"].get_xdata().tolist() == expected


def test_different_scores_cannot_share_an_axis():
    with pytest.raises(ValueError, match="different scores, accuracy and f1_macro"):
        TransferCurveDisplay.from_curves(
            {"a": curve([[0.1]] * 3), "b": curve([[0.1]] * 3, scoring="accuracy")}
        )


def test_two_curves_of_one_system_and_target_are_an_error():
    with pytest.raises(ValueError, match="'a' has two curves for the target 'image'"):
        TransferCurveDisplay.from_curves({"a": [curve([[0.1]] * 3)] * 2})


@pytest.mark.parametrize("curves", [{}, {"MMT": []}])
def test_no_curve_is_an_error(curves):
    with pytest.raises(ValueError, match="curves is empty"):
        TransferCurveDisplay.from_curves(curves)


def test_computed_curves_are_those_of_the_function(three_classes, spaces):
    X, y = three_classes
    model = ModalityAgnosticClassifier(FrozenEstimator(spaces["CCA"]), LogisticRegression())
    options = {"X_test": X[1::2], "y_test": y[1::2], "sizes": (0, "all"), "n_repeats": 1}
    shown = TransferCurveDisplay.from_estimator(
        model, X[::2], y[::2], target=["image", "audio"], random_state=0, **options
    )
    alone = transfer_curve(model, X[::2], y[::2], target="audio", random_state=0, **options)
    (curves,) = shown.curves.values()
    assert [curve.target for curve in curves] == ["image", "audio"]
    assert curves[1].scores.tolist() == alone.scores.tolist()


def test_boxes_of_few_sizes_stand_where_their_sizes_are():
    shown = TransferCurveDisplay.from_curves(
        {
            "MMT": curve([[0.1, 0.2]] * 5, sizes=(0, 10, 20, 30, 40)),
            "SMI": curve([[0.3, 0.4]] * 2, sizes=(0, 40)),
        }
    )
    for spacing, expected in (("even", [0, 4]), ("linear", [0, 40])):
        boxes = shown.plot(kind="box", spacing=spacing).bands_["image", "SMI"]["medians"]
        middle = np.array([np.mean(line.get_xdata()) for line in boxes])
        assert np.abs(middle - expected).max() < expected[1] / 8


def test_the_legend_on_axes_of_the_user_names_all_systems(display, pyplot):
    _, axes = pyplot.subplots(1, 2)
    display.plot(ax=axes)
    names = [text.get_text() for text in display.axes_[-1].get_legend().get_texts()]
    assert names == ["MMT", "MMP", "SMI"]


@pytest.mark.parametrize("kind", ["band", "box"])
def test_curves_without_any_score_can_be_drawn(kind):
    shown = TransferCurveDisplay.from_curves({"MMT": curve([[np.nan]] * 3)}).plot(kind=kind)
    assert len(shown.lines_["image", "MMT"].get_xdata()) == 0
