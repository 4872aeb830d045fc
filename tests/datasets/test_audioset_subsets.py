"""The four subsets of Table 2: disjoint by video, balanced, or an error that says what is short."""

import pickle
import time
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from skxmodal.datasets import (
    SubsetShortfallError,
    audioset_subsets,
    classes18,
    fetch_audioset,
)
from skxmodal.datasets._instruments._classes import INSTRUMENTS

SIZES = {"translation": 300, "retrieval": 100, "train": 90, "test": 36}
NAMES = list(SIZES)


def make_frame(n_per_class, n_others, clips_per_video=1):
    """Clips of the 18 classes, and of labels that are none of them."""
    labels = [item.audioset_id for item in INSTRUMENTS for _ in range(n_per_class)]
    labels += ["/m/07k1x /m/04rlf"] * n_others
    order = np.random.default_rng(0).permutation(len(labels))
    videos = [f"{i // clips_per_video:011d}" for i in range(len(labels))]
    return pd.DataFrame(
        {
            "ytid": videos,
            "start": np.arange(len(labels)) * 10.0,
            "end": np.arange(len(labels)) * 10.0 + 10,
            "label_ids": pd.Categorical([labels[i] for i in order]),
        }
    )


@pytest.fixture
def frame():
    return make_frame(n_per_class=10, n_others=400)


@pytest.fixture
def subsets(frame):
    return audioset_subsets(frame, **SIZES, random_state=0)


@pytest.fixture(scope="module")
def audioset(mirror_folder, tmp_path_factory):
    """The instrument clips of the real lists; a test must not change them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("SKXMODAL_MIRROR", str(mirror_folder))
        warnings.filterwarnings("ignore", "AudioSet's list of", UserWarning)
        return fetch_audioset(["balanced_train", "eval"], data_home=home, verbose=0)


def assert_disjoint(subsets):
    videos = {name: set(part.frame["ytid"]) for name, part in subsets.items()}
    for one, other in combinations(videos, 2):
        assert videos[one].isdisjoint(videos[other]), (one, other)


def test_the_four_subsets_have_the_sizes_asked_for(subsets):
    assert {name: len(part.frame) for name, part in subsets.items()} == SIZES
    for part in subsets.values():
        assert len(part.target) == len(part.label_ids) == len(part.indices) == len(part.frame)


@pytest.mark.parametrize("clips_per_video", [1, 3])
def test_no_video_is_in_two_subsets(clips_per_video):
    frame = make_frame(60, 2000, clips_per_video)
    subsets = audioset_subsets(frame, **SIZES, random_state=0)
    assert_disjoint(subsets)
    for part in subsets.values():
        assert part.frame["ytid"].is_unique


def test_train_and_test_have_every_class_equally_often(subsets):
    assert np.bincount(subsets.train.target).tolist() == [5] * 18
    assert np.bincount(subsets.test.target).tolist() == [2] * 18


def test_classes_are_those_of_classes18(subsets):
    for name in ("train", "test"):
        part = subsets[name]
        again = classes18(part.frame)
        assert again.target.tolist() == part.target.tolist()
        assert again.target_names == part.target_names
        assert again.label_ids.tolist() == part.label_ids.tolist()


def test_the_unbalanced_subsets_have_tuples_of_labels(subsets):
    for name in ("translation", "retrieval"):
        assert "target_names" not in subsets[name]
        assert {type(labels) for labels in subsets[name].target} == {tuple}


def test_rows_are_those_of_the_table_with_a_fresh_index(frame, subsets):
    for part in subsets.values():
        expected = frame.iloc[part.indices].reset_index(drop=True)
        pd.testing.assert_frame_equal(part.frame, expected)


def test_classes_do_not_follow_one_another(subsets):
    assert np.abs(np.diff(subsets.train.target)).astype(bool).mean() > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_rows(frame, subsets, name):
    again = audioset_subsets(frame, **SIZES, random_state=0)
    other = audioset_subsets(frame, **SIZES, random_state=1)
    assert again[name].indices.tolist() == subsets[name].indices.tolist()
    assert other[name].indices.tolist() != subsets[name].indices.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_subset_may_be_empty(frame, name):
    subsets = audioset_subsets(frame, **{**SIZES, name: 0}, random_state=0)
    assert len(subsets[name].frame) == 0
    assert_disjoint(subsets)


def test_all_clips_can_be_used(frame):
    subsets = audioset_subsets(frame, 300, 100, 18 * 8, 18 * 2, random_state=0)
    drawn = np.concatenate([part.indices for part in subsets.values()])
    assert sorted(drawn) == list(range(len(frame)))


def test_only_rows_with_both_media_are_drawn(frame):
    rng = np.random.default_rng(0)
    for column in ("audio", "image"):
        cells = [f"{i}.{column}" for i in range(len(frame))]
        frame[column] = pd.Series(cells, dtype=object).where(rng.random(len(frame)) < 0.8, None)
    subsets = audioset_subsets(frame, 100, 50, 36, 18, random_state=0)
    for part in subsets.values():
        assert part.frame[["audio", "image"]].notna().all(axis=None)


def test_a_shortfall_lists_what_is_missing_of_each_class(frame):
    is_flute = frame["label_ids"] == "/m/0l14j_"
    frame = frame.drop(frame.index[is_flute][:4])
    with pytest.raises(SubsetShortfallError) as error:
        audioset_subsets(frame, 300, 100, 18 * 6, 18 * 2)
    table = error.value.table
    assert table.loc["flute"].to_dict() == {"needed": 8, "available": 6, "missing": 2}
    assert table.loc["piano"].to_dict() == {"needed": 8, "available": 10, "missing": 0}
    assert len(table) == 19
    message = str(error.value)
    assert "train + test may be 108 here (6 clips of the rarest class)" in message
    assert "flute" in message
    assert "piano" not in message
    assert "any instrument" not in message


def test_the_largest_sizes_that_the_error_names_are_possible(frame):
    sizes = {"translation": 500, "retrieval": 100, "train": 180, "test": 36}
    with pytest.raises(SubsetShortfallError, match="train \\+ test may be 180"):
        audioset_subsets(frame, **sizes)
    sizes["train"] = 144
    with pytest.raises(SubsetShortfallError, match="translation \\+ retrieval may be 400"):
        audioset_subsets(frame, **sizes)
    sizes["translation"] = 300
    assert len(audioset_subsets(frame, **sizes).translation.frame) == 300


def test_a_shortfall_survives_a_process_pool(frame):
    with pytest.raises(SubsetShortfallError) as error:
        audioset_subsets(frame)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    pd.testing.assert_frame_equal(again.table, error.value.table)


def test_clips_of_one_video_count_once(frame):
    frame["ytid"] = "abcdefghijk"
    with pytest.raises(SubsetShortfallError) as error:
        audioset_subsets(frame, 2, 0, 0, 0)
    assert error.value.table.loc["any instrument", "available"] == 1


@pytest.mark.parametrize(
    ("sizes", "kind", "message"),
    [
        ({"train": 100}, ValueError, "train must be a multiple of 18, .*pass 90 or 108"),
        ({"test": 17}, ValueError, "test must be a multiple of 18, .*pass 0 or 18"),
        ({"retrieval": -1}, ValueError, "retrieval must be an integer >= 0"),
        ({"translation": 0.5}, TypeError, "translation must be an integer"),
    ],
)
def test_an_impossible_size_is_an_error(frame, sizes, kind, message):
    with pytest.raises(kind, match=message):
        audioset_subsets(frame, **{**SIZES, **sizes})


@pytest.mark.parametrize("column", ["ytid", "label_ids"])
def test_a_table_without_the_column_is_an_error(frame, column):
    with pytest.raises(TypeError, match=column):
        audioset_subsets(frame.drop(columns=column), **SIZES)


def test_tuples_without_videos_are_an_error():
    with pytest.raises(TypeError, match="needs the columns 'ytid' and 'label_ids'"):
        audioset_subsets([("Flute",)], **SIZES)


class TestRealLists:
    def test_a_tenth_and_less_of_table_2_can_be_drawn(self, audioset):
        subsets = audioset_subsets(audioset, 5_000, 1_000, 540, 180, random_state=0)
        assert_disjoint(subsets)
        assert len(subsets.translation.frame) == 5_000
        assert np.bincount(subsets.train.target).tolist() == [30] * 18
        assert np.bincount(subsets.test.target).tolist() == [10] * 18

    def test_the_paper_s_sizes_need_the_large_list(self, audioset):
        with pytest.raises(SubsetShortfallError, match="'unbalanced_train'") as error:
            audioset_subsets(audioset)
        available = error.value.table["available"]
        kept = classes18(audioset)
        assert available[:18].tolist() == np.bincount(kept.target).tolist()
        assert available["cymbals"] == 40
        assert error.value.table["needed"].tolist() == [1_000] * 18 + [140_000]

    def test_twenty_thousand_rows_take_less_than_two_seconds(self, mirror, tmp_path):
        assert mirror.is_dir()

        def load():
            return fetch_audioset("eval", labels="all", data_home=tmp_path, verbose=0)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "AudioSet's list of", UserWarning)
            load()
        began = time.process_time()
        data = load()
        subsets = audioset_subsets(data, 10_000, 1_000, 180, 90, random_state=0)
        assert time.process_time() - began < 2  # 0.1 s where it was measured
        assert len(data.frame) == 20_371
        assert_disjoint(subsets)
