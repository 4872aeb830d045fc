"""Every example of the gallery runs, without a display and without a network."""

import os
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
needs_mirror = re.compile(r"\bfetch_\w+\(")


# A list without a published digest says so when it is first fetched.
@pytest.mark.filterwarnings("ignore:.*pinned on first use:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, monkeypatch, tmp_path, request):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    source = example.read_text("utf-8")
    if needs_mirror.search(source):
        request.getfixturevalue("mirror")
    if "import skops" in source:
        pytest.importorskip("skops")
    pyplot.switch_backend("Agg")
    # A window that cannot be shown is a warning, and those are errors here.
    monkeypatch.setattr(pyplot, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(os.fspath(example), run_name="__main__")
    assert pyplot.get_fignums(), "an example of the gallery draws a figure"
    pyplot.close("all")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_has_a_takeaway(example):
    assert "**Takeaway:**" in example.read_text("utf-8")


def test_there_are_enough_examples():
    assert len(EXAMPLES) >= 14
