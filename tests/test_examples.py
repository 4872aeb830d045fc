"""Every example of the gallery runs, without a display and without a network."""

import os
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(os.fspath(example), run_name="__main__")
    from matplotlib import pyplot as plt

    assert plt.get_fignums(), "an example of the gallery ends in a figure"
    plt.close("all")


def test_there_are_examples():
    assert EXAMPLES
