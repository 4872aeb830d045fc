"""From a list of clips to a manifest."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from PIL import Image
from sklearn.utils import Bunch

from skxmodal.datasets import classes18, load_manifest, make_clips

IDS = ["-aaaaaaaaaa", "_bbbbbbbbbb", "ccccccccccc"]


@pytest.fixture
def folder(tmp_path):
    """Two sounds and one picture of three clips."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for ytid in IDS[:2]:
        sf.write(folder / f"{ytid}.wav", np.zeros(80_000), 8_000)
    Image.new("RGB", (4, 4)).save(folder / f"{IDS[0]}.jpg")
    return folder


@pytest.fixture
def data():
    """What fetch_audioset returns, in small."""
    frame = pd.DataFrame(
        {
            "ytid": IDS,
            "start": [0.0, 30.0, 0.0],
            "end": [10.0, 40.0, 10.0],
            "label_ids": pd.Categorical(["/m/0l14j_ /m/04rlf", "/m/026t6", "/m/026t6"]),
        }
    )
    label_ids = np.empty(3, dtype=object)
    label_ids[:] = [tuple(ids.split(" ")) for ids in frame["label_ids"]]
    return Bunch(frame=frame, target=label_ids, target_names=["Flute", "Drum"], label_ids=label_ids)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_is_read_as_it_was_meant(data, folder, tmp_path, suffix):
    made = make_clips(classes18(data), tmp_path / f"m{suffix}", clips=folder, on_error="ignore")

    read = load_manifest(tmp_path / f"m{suffix}")
    assert read.frame.audio.tolist() == [f"{folder}/{ytid}.wav#t=4.5,5.5" for ytid in IDS[:2]]
    assert read.frame.image.tolist() == [str(folder / f"{IDS[0]}.jpg"), None]
    assert [read.target_names[number] for number in read.target] == ["flute", "drums"]
    assert read.label_ids.tolist() == [("/m/0l14j_", "/m/04rlf"), ("/m/026t6",)]
    pd.testing.assert_frame_equal(made.frame, read.frame)
    assert made.path == tmp_path / f"m{suffix}"
    assert made.coverage["n_both"] == 1


def test_media_beside_the_manifest_are_named_relative_to_it(data, folder, tmp_path):
    make_clips(data, tmp_path / "m.csv", clips=folder, on_error="ignore")
    text = (tmp_path / "m.csv").read_text()
    assert text.splitlines()[1] == (
        f'"clips/{IDS[0]}.wav#t=4.5,5.5",clips/{IDS[0]}.jpg,,/m/0l14j_ /m/04rlf'
    )
    assert str(tmp_path) not in text


@pytest.mark.parametrize(("keep", "n_rows"), [("any", 2), ("both", 1), ("all", 3)])
def test_what_is_kept_depends_on_what_is_there(data, folder, tmp_path, keep, n_rows):
    made = make_clips(data, tmp_path / "m.csv", clips=folder, keep=keep, on_error="ignore")
    assert len(made.frame) == n_rows


def test_media_that_a_table_has_already_are_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"audio": ["a.wav", None], "label": ["drum", None]})
    made = make_clips(frame, "sub/m.csv", keep="all")
    assert made.frame.audio.tolist() == [str(tmp_path / "a.wav"), None]
    assert made.target.tolist() == [0, -1]
    assert made.coverage is None


def test_nothing_to_write_is_an_error_and_leaves_no_file(data, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="none of the 3 clips has a sound or a picture"):
        make_clips(data, tmp_path / "m.csv", clips=tmp_path / "empty", on_error="ignore")
    assert not (tmp_path / "m.csv").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "m.txt"}, ValueError, r"out='m\.txt' must end in \.csv or \.parquet"),
        ({"keep": "some"}, ValueError, "keep must be one of 'any', 'both', 'all'"),
        ({"data": [1]}, TypeError, "data must be a Bunch with a frame, or a DataFrame"),
        ({}, ValueError, "data has no column 'audio' or 'image': pass clips="),
    ],
)
def test_wrong_parameters_are_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        make_clips(**{"data": data, "out": "m.csv", **options})


def test_a_parquet_manifest_that_is_none_is_refused(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"audio,label\n")
    with pytest.raises(ValueError, match=r"m\.parquet' is not a Parquet table"):
        load_manifest(tmp_path / "m.parquet")
