"""The experiment on AudioSet's real lists, with stand-ins for the clips."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from skxmodal.datasets import classes18, fetch_audioset
from skxmodal.experiments import reproduce
from skxmodal.experiments._presets import PRESETS

ROWS = {"translation": 20, "retrieval": 12, "train": 36, "test": 36}
N_PER_CLASS = 6


@pytest.fixture
def clips(mirror, tmp_path):
    """A folder with ten seconds of a tone and a colour for some clips of every class."""
    folder = tmp_path / "clips"
    folder.mkdir()
    with warnings.catch_warnings():
        # The lists are pinned by the first test that uses them.
        warnings.simplefilter("ignore", UserWarning)
        data = classes18(fetch_audioset(["balanced_train", "eval"], verbose=0))
    seconds = np.arange(10 * 8000) / 8000
    for number in range(18):
        rows = np.flatnonzero(data.target == number)[:N_PER_CLASS]
        for ytid in data.frame["ytid"].iloc[rows]:
            tone = 0.3 * np.sin(2 * np.pi * 110 * 1.2**number * seconds)
            soundfile.write(folder / f"{ytid}.wav", tone, 8000)
            colour = (13 * number, 255 - 13 * number, 128)
            Image.new("RGB", (32, 32), colour).save(folder / f"{ytid}.jpg")
    return folder


@pytest.mark.slow
def test_the_papers_experiment_runs_on_its_own_lists(clips, monkeypatch):
    quick = replace(PRESETS["quick"], rows=ROWS, n_sizes=2, n_draws=1)
    monkeypatch.setitem(PRESETS, "quick", quick)
    with pytest.warns(UserWarning, match="clips"):  # most clips are not there, and it says so
        results = reproduce(
            "audioset", clips=clips, encoders={"audio": ["mfcc"], "image": ["thumbnail"]}
        )
    assert results["n_rows"] == {"translation": 20, "retrieval": 12, "train": 36, "test": 36}
    assert results["target_names"][0] == "accordion"
    assert results["settings"]["relevance"] == "distance in the ontology of AudioSet"
    assert 0 < results["baselines"]["random"]["audio to image"] < 1
    assert len(results["label_distribution"]["audio"]) == 18


@pytest.mark.slow
def test_too_few_clips_are_listed_by_class(clips):
    with (
        pytest.warns(UserWarning, match="clips"),
        pytest.raises(ValueError, match=r"accordion .*\n") as error,
    ):
        reproduce("audioset", clips=clips)
    assert "missing" in str(error.value)
