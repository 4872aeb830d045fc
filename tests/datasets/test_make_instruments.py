import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skxmodal.datasets import fetch_audioset_ontology, load_manifest, make_instruments
from skxmodal.datasets._instruments._classes import AUDIOSET_COUNTS
from skxmodal.embedders import make_embedder
from skxmodal.media import read_audio, read_image


def as_bytes(data):
    return b"".join(
        audio[1].tobytes() + image.tobytes()
        for audio, image in zip(data.frame.audio, data.frame.image)
    )


def test_every_row_has_one_second_of_sound_and_a_picture():
    data = make_instruments(20)
    assert all(
        rate == 16_000 and samples.shape == (16_000,) and samples.dtype == np.int16
        for rate, samples in data.frame.audio
    )
    assert all(p.shape == (224, 224, 3) and p.dtype == np.uint8 for p in data.frame.image)


def test_same_seed_same_bytes_whatever_n_jobs():
    alone, together = (make_instruments(40, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert as_bytes(alone) == as_bytes(together)
    assert as_bytes(make_instruments(3, random_state=1)) != as_bytes(make_instruments(3))


@pytest.mark.parametrize("subset", ["retrieval", "train", "test"])
def test_labelled_subsets_are_balanced(subset):
    data = make_instruments(40, subset=subset)
    counts = np.bincount(data.target, minlength=18)
    assert counts.min() >= 2
    assert counts.max() <= 3
    assert data.target_names[data.target[0]] == data.causes.heard[0] == data.causes.seen[0]


def test_translation_has_no_labels_but_shows_the_same_instrument_twice():
    data = make_instruments(30, subset="translation")
    assert (data.target == -1).all()
    assert (data.causes.heard == data.causes.seen).all()


def test_subsets_share_no_sample():
    sounds = {
        samples.tobytes()
        for subset in ("translation", "retrieval", "train", "test")
        for _, samples in make_instruments(12, subset=subset).frame.audio
    }
    assert len(sounds) == 48


def test_pair_noise_is_the_share_of_independent_pictures():
    causes = make_instruments(
        60, subset="translation", pair_noise=0.5, classes=["flute", "voice"]
    ).causes
    independent = ~np.isclose(causes["size"], 1 - causes.pitch, atol=0.15 + 1e-9)
    assert (causes.heard != causes.seen).sum() <= 30
    assert 10 <= (independent | (causes.heard != causes.seen)).sum() <= 30


def test_skew_is_the_ratio_of_successive_class_frequencies(monkeypatch):
    from skxmodal.datasets import _make_instruments

    monkeypatch.setattr(_make_instruments, "_render", lambda *_: (None, None))
    causes = make_instruments(20_000, subset="translation", classes=3, skew=2.0).causes
    share = causes.heard.value_counts(normalize=True)[["accordion", "banjo", "cello"]]
    np.testing.assert_allclose(share, [4 / 7, 2 / 7, 1 / 7], atol=0.02)


def test_skew_by_name_follows_audioset(monkeypatch):
    from skxmodal.datasets import _make_instruments

    monkeypatch.setattr(_make_instruments, "_render", lambda *_: (None, None))
    causes = make_instruments(40_000, subset="translation", skew="audioset").causes
    share = causes.heard.value_counts(normalize=True)
    expected = pd.Series(AUDIOSET_COUNTS) / sum(AUDIOSET_COUNTS.values())
    np.testing.assert_allclose(share[expected.index], expected, atol=0.01)


def test_pitch_goes_with_size_and_loudness_with_contrast():
    causes = make_instruments(60).causes
    assert np.corrcoef(causes.pitch, causes["size"])[0, 1] < -0.9
    assert np.corrcoef(causes.loudness, causes.contrast)[0, 1] > 0.9


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_files_hold_the_same_as_arrays_and_the_manifest_reads_back(tmp_path, audio_format):
    made = make_instruments(6, out=tmp_path, audio_format=audio_format)
    arrays = make_instruments(6)
    data = load_manifest(tmp_path / "manifest.csv")
    pd.testing.assert_frame_equal(data.frame, made.frame)
    assert [data.target_names[label] for label in data.target] == list(arrays.causes.heard)
    assert list(data.label_ids) == list(arrays.label_ids)
    for (_, row), (_, files) in zip(arrays.frame.iterrows(), data.frame.iterrows()):
        np.testing.assert_array_equal(
            read_audio(files.audio, 16_000), read_audio(row.audio, 16_000)
        )
        np.testing.assert_array_equal(read_image(files.image), row.image)
    assert not list(tmp_path.rglob("*.part"))


def test_another_data_set_in_the_folder_is_not_overwritten(tmp_path):
    first = make_instruments(4, classes=2, out=tmp_path)
    with pytest.raises(FileExistsError, match="already holds another data set"):
        make_instruments(2, classes=2, subset="test", out=tmp_path)
    again = make_instruments(4, classes=2, out=tmp_path)
    pd.testing.assert_frame_equal(first.frame, again.frame)


def test_unlabelled_rows_stay_unlabelled_in_the_manifest(tmp_path):
    make_instruments(4, subset="translation", out=tmp_path)
    assert (load_manifest(tmp_path / "manifest.csv").target == -1).all()


def test_label_ids_are_nodes_of_the_ontology(mirror):
    ontology = fetch_audioset_ontology()
    instruments = ontology.descendants("Musical instrument")
    for (label,) in make_instruments(18).label_ids:
        assert label in instruments or ontology.name_of(label) == "Choir"


def test_the_embedder_takes_the_frame_as_it_is():
    assert make_embedder().fit_transform(make_instruments(4).frame).notna().all(axis=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be an integer >= 1"),
        ({"subset": "validation"}, "subset must be one of"),
        ({"classes": 1}, "classes must be an integer >= 2 and <= 18"),
        ({"classes": ["kazoo", "flute"]}, "unknown instrument 'kazoo'"),
        ({"classes": "flute"}, "classes must be a number or a list of names, got 'flute'"),
        ({"skew": np.inf}, "skew must be a number >= 1"),
        ({"random_state": -1}, "random_state must be an integer >= 0"),
        ({"classes": ["flute"]}, "classes must name two instruments or more"),
        ({"pair_noise": 1.5}, "pair_noise must be a number >= 0 and <= 1"),
        ({"skew": 0.5}, "skew must be a number >= 1"),
        ({"skew": "zipf"}, "skew must be one of 'audioset'"),
        ({"difficulty": -0.1}, "difficulty must be a number >= 0 and <= 1"),
        ({"audio_format": "mp3"}, "audio_format must be one of 'wav', 'flac'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_instruments(**{"n_samples": 2, "subset": "translation", **arguments})


_MEMORY_SCRIPT = """
import resource, sys
from skxmodal.datasets import make_instruments
make_instruments(int(sys.argv[1]), out=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is reported in kilobytes on Linux")
def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-c", _MEMORY_SCRIPT, str(n), str(tmp_path / str(n))],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for n in (64, 640)
    )
    # In memory, 576 rows more would take 124 MB.
    assert many - few < 25
