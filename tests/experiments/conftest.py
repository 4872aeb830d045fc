"""Small data sets on which the whole experiment runs in seconds."""

import pytest

from skxmodal.datasets import make_instruments

CLASSES = ["drums", "flute", "organ"]


@pytest.fixture(scope="session")
def manifest(tmp_path_factory):
    """A manifest of 90 labelled pairs."""
    folder = tmp_path_factory.mktemp("instruments")
    make_instruments(90, classes=CLASSES, difficulty=0.1, out=folder)
    return folder / "manifest.csv"


@pytest.fixture
def few_draws(monkeypatch):
    """Curves of three points and two draws."""
    from dataclasses import replace

    from skxmodal.experiments import _presets

    monkeypatch.setitem(
        _presets.PRESETS, "quick", replace(_presets.PRESETS["quick"], n_sizes=3, n_draws=2)
    )
