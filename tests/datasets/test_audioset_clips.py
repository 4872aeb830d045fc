"""Clips in a folder: found by the names that labs give, and taken at the right second."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from PIL import Image

from skxmodal.datasets import RemoteFileError
from skxmodal.datasets._audioset_clips import attach_media
from skxmodal.datasets._audioset_folder import parse_stem
from skxmodal.datasets._audioset_sampling import (
    draw_positions,
    place_clip,
    second_within,
    seconds_text,
    time_fragment,
)

from ..media.videos import write_video

FLUTE, DRUM, VOICE = "-a_b-c_d-e_", "_Yabcdefghi", "Yabcdefghij"
RATE = 1_000


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


def sound(path, seconds=10.0):
    """Write a sound whose samples say which second they are of, in tenths of full scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    second = np.floor(np.arange(round(seconds * RATE)) / RATE)
    sf.write(path, second / 100, RATE, subtype="FLOAT", format="WAV")
    return path


def still(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return path


def clips_of(*rows, **columns):
    ytids, starts = zip(*rows)
    frame = pd.DataFrame({"ytid": ytids, "start": np.array(starts, float)})
    frame["end"] = frame["start"] + 10
    return frame.assign(**columns)


def attach(frame, folder, **options):
    return attach_media(frame, folder, **{"on_error": "ignore", **options})


NAMES = [
    ("{id}.wav", "<ytid>"),
    ("{id}_30.wav", "<ytid>_<start>"),
    ("{id}_30.000.wav", "<ytid>_<start>"),
    ("{id}_30000.wav", "<ytid>_<start>"),
    ("{id}_30_40.wav", "<ytid>_<start>_<end>"),
    ("{id}_30000_40000.WAV", "<ytid>_<start>_<end>"),
    ("Y{id}.wav", "Y<ytid>"),
    ("Y{id}_30.000_40.000.wav", "Y<ytid>_<start>_<end>"),
    ("A title, [with] brackets [{id}].wav", "<title> [<ytid>]"),
    ("balanced_train/{id}.wav", "<ytid>"),
    ("eval/Flute, piccolo/{id}_30.wav", "<ytid>_<start>"),
]


@pytest.mark.parametrize("ytid", [FLUTE, DRUM, VOICE, "-----------", "___________", "_30_40_50_6"])
@pytest.mark.parametrize(("name", "layout"), NAMES)
def test_every_layout_is_found_for_every_kind_of_id(folder, name, layout, ytid):
    path = sound(folder / name.format(id=ytid))

    audio, image, coverage = attach(clips_of((ytid, 30)), folder)

    assert audio == [f"{path}#t=4.5,5.5"]
    assert image == [None]
    assert coverage["layouts"] == {layout: 1}


@pytest.mark.parametrize(
    "stem",
    ["", "abc", "abcdefghijk_", "abcdefghijk_x", "abcdefghijkl", "abcdefghijk 30", "abcdefghij.",
     "abcdefghijk_30_40_50", "abcdefghijk_-3", "[abcdefghijk] x", "äbcdefghijk", "abcdefghijk\n"],
)  # fmt: skip
def test_other_names_are_not_taken_for_clips(stem):
    assert parse_stem(stem) is None


def test_a_clip_of_another_part_of_the_video_is_not_taken(folder):
    sound(folder / f"{FLUTE}_120.wav")
    audio, _, coverage = attach(clips_of((FLUTE, 30)), folder)
    assert audio == [None]
    assert coverage["rows"].detail.tolist() == ["1 files of other parts of the video"]


def test_two_parts_of_one_video_are_told_apart(folder):
    first, second = sound(folder / f"{FLUTE}_30.wav"), sound(folder / f"{FLUTE}_120000.wav")
    audio, _, _ = attach(clips_of((FLUTE, 120), (FLUTE, 30)), folder)
    assert audio == [f"{second}#t=4.5,5.5", f"{first}#t=4.5,5.5"]


def test_of_a_whole_video_the_second_lies_within_the_clip(folder):
    path = sound(folder / f"{FLUTE}.wav", seconds=95)
    audio, _, _ = attach(clips_of((FLUTE, 30)), folder)
    assert audio == [f"{path}#t=34.5,35.5"]
    start, end = (float(part) for part in audio[0].partition("#t=")[2].split(","))
    samples, _ = sf.read(path, start=int(start * RATE), stop=int(end * RATE))
    assert samples[[0, -1]] == pytest.approx([0.34, 0.35])


def test_a_file_that_is_neither_clip_nor_whole_video_is_reported(folder):
    path = sound(folder / f"{FLUTE}.wav", seconds=15)
    audio, _, coverage = attach(clips_of((FLUTE, 30)), folder)
    assert audio == [None]
    assert coverage["reasons"] == {"unusable file": 1}
    assert str(path) in coverage["rows"].detail.item()
    assert "15.0 s are neither the clip of 10 s nor a video that reaches to 40 s" in str(
        coverage["rows"].detail.item()
    )


@pytest.mark.parametrize(
    ("seconds", "is_cut", "span"),
    [
        (10, True, (0, 10)),
        (7.2, True, (0, 7.2)),
        (60, True, (0, 10)),
        (0, True, (0, 10)),
        (10, False, (0, 10)),
        (10.9, False, (0, 10)),
        (4, False, (0, 4)),
        (40, False, (30, 40)),
        (39.2, False, (30, 39.2)),
        (300, False, (30, 40)),
        (20, False, None),
        (0, False, None),
    ],
)
def test_the_length_of_a_file_says_where_the_clip_lies(seconds, is_cut, span):
    assert place_clip(30, 40, seconds, is_cut=is_cut) == span


def test_a_clip_shorter_than_a_second_is_taken_whole(folder):
    path = sound(folder / f"{FLUTE}_30.wav", seconds=0.2)
    assert attach(clips_of((FLUTE, 30)), folder)[0] == [f"{path}#t=0,0.2"]


def test_a_random_second_lies_within_the_clip_and_is_the_same_for_the_same_seed(folder):
    ids = [f"{number:011d}" for number in range(40)]
    for ytid in ids:
        sound(folder / f"{ytid}_30.wav", seconds=9)
    frame = clips_of(*((ytid, 30) for ytid in ids))

    audio, _, _ = attach(frame, folder, random_state=0)

    starts, ends = np.array(
        [[float(part) for part in cell.partition("#t=")[2].split(",")] for cell in audio]
    ).T
    np.testing.assert_allclose(ends - starts, 1, atol=1e-9)
    assert starts.min() >= 0
    assert ends.max() <= 9
    assert np.ptp(starts) > 5
    assert attach(frame, folder, random_state=0)[0] == audio
    assert attach(frame, folder, random_state=1)[0] != audio
    assert attach(frame, folder, random_state=0, n_jobs=3)[0] == audio


def test_a_clip_keeps_its_second_when_others_vanish(folder):
    paths = [sound(folder / f"{ytid}_30.wav") for ytid in (FLUTE, DRUM, VOICE)]
    frame = clips_of((FLUTE, 30), (DRUM, 30), (VOICE, 30))
    before = attach(frame, folder, random_state=3)[0]
    paths[0].unlink()
    assert attach(frame, folder, random_state=3)[0] == [None, *before[1:]]


@pytest.mark.parametrize(
    ("span", "position", "second"),
    [((0, 10), 0.5, (4.5, 5.5)), ((30, 40), 0, (30, 31)), ((0, 10), 1, (9, 10)),
     ((0, 0.4), 0.5, (0, 0.4)), ((0, 3), 1 / 3, (0.667, 1.667))],
)  # fmt: skip
def test_a_second_is_placed_within_its_span(span, position, second):
    assert second_within(span, position) == pytest.approx(second)


def test_cells_are_written_without_idle_zeros_and_without_loss():
    assert [seconds_text(s) for s in (0, 30, 4.5, 86400.123, 0.2)] == [
        "0", "30", "4.5", "86400.123", "0.2",
    ]  # fmt: skip
    assert time_fragment("a.mp4", (4.5, 5.5)) == "a.mp4#t=4.5,5.5"


def test_without_a_seed_the_middle_is_taken():
    assert draw_positions(3, None).tolist() == [0.5, 0.5, 0.5]


def test_a_video_gives_sound_and_frame_of_the_same_second(folder):
    pytest.importorskip("av")
    path = write_video(folder / f"{FLUTE}_30.mp4", seconds=10)
    sound(folder / f"{FLUTE}_30.wav")
    still(folder / f"{FLUTE}.jpg")
    audio, image, coverage = attach(clips_of((FLUTE, 30)), folder)
    assert audio == image == [f"{path}#t=4.5,5.5"]
    assert coverage["n_both"] == 1


def test_a_picture_file_stands_in_where_there_is_no_video(folder):
    path, picture = sound(folder / f"{FLUTE}.wav"), still(folder / "images" / f"{FLUTE}.png")
    audio, image, _ = attach(clips_of((FLUTE, 30)), folder)
    assert (audio, image) == ([f"{path}#t=4.5,5.5"], [str(picture)])


def test_what_a_video_lacks_comes_from_another_file_or_is_reported(folder):
    pytest.importorskip("av")
    silent = write_video(folder / f"{FLUTE}_30.mp4", seconds=10, audio=None)
    write_video(folder / f"{DRUM}_30.m4a", seconds=10, video=None)
    frame = clips_of((FLUTE, 30), (DRUM, 30))
    audio, image, coverage = attach(frame, folder)
    assert audio[0] is None
    assert image == [f"{silent}#t=4.5,5.5", None]
    assert coverage["rows"].reason.tolist() == ["no sound", "no picture"]

    beside = sound(folder / f"{FLUTE}_30.wav")
    assert attach(frame, folder)[0][0] == f"{beside}#t=4.5,5.5"


def test_a_file_that_cannot_be_read_is_reported_and_another_taken(folder):
    pytest.importorskip("av")
    (folder / f"{FLUTE}_30.mp4").write_bytes(b"this is no video")
    (folder / f"{DRUM}_30.wav").write_bytes(b"this is no sound")
    good = sound(folder / f"{FLUTE}_30.wav")
    audio, _, coverage = attach(clips_of((FLUTE, 30), (DRUM, 30)), folder)
    assert audio == [f"{good}#t=4.5,5.5", None]
    assert coverage["reasons"] == {"unusable file": 2}


def test_the_report_counts_layouts_duplicates_other_files_and_classes(folder):
    for name in (
        f"{FLUTE}_30.wav",
        f"a/{FLUTE}_30.flac",
        f"{DRUM}.wav",
        "zzzzzzzzzzz.wav",
        "x.txt",
    ):
        sound(folder / name)
    still(folder / f"{FLUTE}.jpg")
    frame = clips_of(
        (FLUTE, 30), (DRUM, 0), (VOICE, 0), label_names=["Flute; Music", "Drum; Music", "Singing"]
    )

    _, _, coverage = attach(frame, folder)

    assert [coverage[f"n_{name}"] for name in ("clips", "audio", "image", "both", "missing")] == [
        3, 2, 1, 1, 1,
    ]  # fmt: skip
    assert coverage["layouts"] == {"<ytid>": 2, "<ytid>_<start>": 1}
    assert coverage["files"] == {"duplicates": 1, "files of other videos": 1, "other files": 1}
    assert coverage["reasons"] == {"no picture": 1, "no file": 1}
    assert coverage["classes"].to_dict("index") == {
        "Drum": {"n_clips": 1, "n_audio": 1, "n_image": 0},
        "Flute": {"n_clips": 1, "n_audio": 1, "n_image": 1},
        "Music": {"n_clips": 2, "n_audio": 2, "n_image": 1},
        "Singing": {"n_clips": 1, "n_audio": 0, "n_image": 0},
    }
    assert str(coverage).splitlines()[0] == (
        "3 clips: 2 with sound, 1 with a picture, 1 with both, 1 with neither"
    )
    assert "<ytid>_<start>" in str(coverage)


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path):
    outside = sound(tmp_path / "outside" / f"{FLUTE}_30.wav")
    os.symlink(outside, folder / outside.name)
    os.symlink(outside.parent, folder / "linked")
    os.symlink(folder, folder / "loop")
    inside = sound(folder / "a" / "kept.bin")
    os.symlink(inside, folder / f"{DRUM}_30.wav")
    os.symlink(folder / "gone", folder / f"{VOICE}_30.wav")

    audio, _, coverage = attach(clips_of((FLUTE, 30), (DRUM, 30), (VOICE, 30)), folder)

    assert audio == [None, f"{folder / f'{DRUM}_30.wav'}#t=4.5,5.5", None]
    assert coverage["files"]["links out of the folder"] == 1


@pytest.mark.parametrize(
    "ytid", ["../../../etc", "/etc/passwd", "..", "", "a/b/c/d/e/f", "abcdefghijk\n", "abcdefghij%"]
)
def test_an_id_that_is_none_is_refused_before_anything_is_touched(folder, ytid):
    with pytest.raises(ValueError, match=r"row 1: .* is no id of a YouTube video"):
        attach(clips_of((FLUTE, 0), (ytid, 0)), folder)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (5, 4), (np.nan, 4), (0, np.inf)])
def test_a_clip_that_cannot_be_is_refused(folder, start, end):
    frame = pd.DataFrame({"ytid": [FLUTE], "start": [start], "end": [end]})
    with pytest.raises(ValueError, match="row 0: a clip cannot last from"):
        attach(frame, folder)


def test_a_table_without_the_columns_is_refused(folder):
    with pytest.raises(ValueError, match="has no column 'start', 'end'"):
        attach(pd.DataFrame({"ytid": [FLUTE]}), folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotADirectoryError, match=r"clips='.*nowhere' is no folder"):
        attach(clips_of((FLUTE, 0)), tmp_path / "nowhere")


def test_missing_clips_are_told_once_or_raised_or_ignored(folder):
    sound(folder / f"{FLUTE}.wav")
    frame = clips_of((FLUTE, 0), (DRUM, 0))
    message = r"2 of 2 clips lack sound, picture or both \(1 no picture, 1 no file\); the first: -a"
    with pytest.warns(UserWarning, match=message) as told:
        attach_media(frame, folder)
    assert len(told) == 1
    with pytest.raises(RemoteFileError, match="the clip -a_b-c_d-e_ from 0 s has no sound or no"):
        attach_media(frame, folder, on_error="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attach_media(frame, folder, on_error="ignore")


def test_nothing_is_told_when_everything_is_there(folder):
    sound(folder / f"{FLUTE}.wav")
    still(folder / f"{FLUTE}.jpg")
    attach_media(clips_of((FLUTE, 0)), folder, on_error="raise")


def test_without_clips_there_are_only_labels():
    audio, image, coverage = attach_media(clips_of((FLUTE, 0)), None)
    assert (audio, image, coverage["n_missing"]) == ([None], [None], 1)


def test_a_table_without_rows_has_no_media(folder):
    audio, image, coverage = attach(clips_of((FLUTE, 0)).iloc[:0], folder)
    assert (audio, image, coverage["n_clips"]) == ([], [], 0)


def test_the_index_of_the_rows_does_not_matter(folder):
    path = sound(folder / f"{DRUM}.wav")
    frame = clips_of((FLUTE, 0), (DRUM, 0)).set_axis([7, 7])
    audio, _, coverage = attach(frame, folder)
    assert audio == [None, f"{path}#t=4.5,5.5"]
    assert coverage["rows"].ytid.tolist() == [FLUTE, DRUM]
