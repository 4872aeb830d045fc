"""What all displays have in common."""

import io
import subprocess
import sys

import numpy as np
import pytest

from skxmodal import inspection
from skxmodal.inspection import (
    ClassReportDisplay,
    ClusterDistanceDisplay,
    LabelDistributionDisplay,
    NeighboursDisplay,
    RetrievalDisplay,
    TransferCurveDisplay,
)
from skxmodal.inspection._neighbours import Tile
from skxmodal.inspection._style import COLOURS
from skxmodal.metrics import cluster_distances
from skxmodal.model_selection import TransferCurve


def curve(target="image"):
    scores = np.array([[0.5, 0.6], [0.8, 0.9]])
    return TransferCurve(
        target, ("audio",), np.array([0, 10]), scores, scores, scores, 20, 5, "f1_macro"
    )


def make_all():
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    return {
        "RetrievalDisplay": RetrievalDisplay.from_scores({"a": {("audio", "image"): 0.5}}),
        "TransferCurveDisplay": TransferCurveDisplay.from_curves({"MMT": curve()}),
        "ClusterDistanceDisplay": ClusterDistanceDisplay.from_distances(
            cluster_distances(np.eye(4), [0, 0, 1, 1], ["a", "b", "a", "b"])
        ),
        "ClassReportDisplay": ClassReportDisplay.from_predictions({"audio": ([0, 1], [0, 1])}),
        "LabelDistributionDisplay": LabelDistributionDisplay.from_labels(["a", "b", "b"]),
        "NeighboursDisplay": NeighboursDisplay(
            [Tile("audio", 0, "a", np.zeros((5, 5)), 1.0)], [[Tile("image", 0, "a", pixels)]]
        ),
    }


def test_the_list_of_displays_is_complete():
    assert set(make_all()) == set(inspection.__all__)


@pytest.mark.parametrize("name", inspection.__all__)
def test_a_display_is_drawn_by_plot_alone_which_returns_it(name, pyplot):
    display = make_all()[name]
    assert pyplot.get_fignums() == []
    assert display.plot() is display
    assert display.ax_.figure is display.figure_
    display.figure_.canvas.draw()


@pytest.mark.parametrize("name", inspection.__all__)
def test_a_display_fits_700_pixels(name):
    assert make_all()[name].plot().figure_.get_figwidth() * 100 == 700


@pytest.mark.parametrize("name", inspection.__all__)
def test_a_display_describes_itself_in_one_sentence_before_and_after_it_is_drawn(name):
    display = make_all()[name]
    before = display.describe()
    assert before.endswith(".")
    assert ". " not in before
    assert "\n" not in before
    assert display.plot().describe() == before


@pytest.mark.parametrize("name", inspection.__all__)
def test_without_matplotlib_the_error_names_the_extra(name, monkeypatch):
    display = make_all()[name]
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError) as caught:
        display.plot()
    assert str(caught.value) == (f'{name}.plot needs matplotlib: pip install "skxmodal[plot]"')


def test_importing_the_displays_imports_neither_matplotlib_nor_torch():
    script = "import sys, skxmodal.inspection; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {"matplotlib", "torch"}.isdisjoint(done.stdout.split())


def test_too_few_axes_are_an_error_that_says_how_many(pyplot):
    display = TransferCurveDisplay.from_curves({"MMT": [curve("image"), curve("audio")]})
    _, ax = pyplot.subplots()
    with pytest.raises(ValueError, match="draws 2 panels and needs as many axes, got 1"):
        display.plot(ax=ax)


@pytest.mark.parametrize("name", ["RetrievalDisplay", "LabelDistributionDisplay"])
def test_axes_of_the_user_are_drawn_on(name, pyplot):
    figure, ax = pyplot.subplots()
    display = make_all()[name].plot(ax=ax)
    assert display.ax_ is ax
    assert pyplot.get_fignums() == [figure.number]


def test_no_two_systems_share_a_colour():
    assert len(set(COLOURS)) == len(COLOURS)


def test_dollars_in_the_name_of_a_class_are_no_formula(pyplot):
    label = r"US$ \frac EUR$"
    distances = cluster_distances(np.eye(4), [label, "b"] * 2, ["audio"] * 2 + ["image"] * 2)
    tile = Tile("image", 0, label, np.zeros((4, 4, 3), dtype=np.uint8))
    drawn = [
        ClusterDistanceDisplay.from_distances(distances).plot(sort_by="class"),
        ClusterDistanceDisplay.from_distances(distances).plot(sort_by="modality"),
        ClassReportDisplay.from_predictions({"audio": ([label, "b"], [label, "b"])}).plot(),
        LabelDistributionDisplay.from_labels([label, "b"]).plot(),
        NeighboursDisplay([tile], [[tile, Tile("image", 0, None, tile.picture)]]).plot(),
    ]
    for display in drawn:
        svg = io.StringIO()
        with pyplot.rc_context({"svg.fonttype": "none"}):
            display.figure_.savefig(svg, format="svg")
        assert label in svg.getvalue()
