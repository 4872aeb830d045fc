"""Spoken digits and audiovisual digits, on the real recordings."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skxmodal.datasets import (
    RemoteFileError,
    fetch_audiovisual_digits,
    fetch_spoken_digits,
)
from skxmodal.datasets._audiovisual_digits import _image_rows
from skxmodal.datasets._pairing import draw_pairs
from skxmodal.media import is_missing, read_audio

SOURCES = {
    "translation": (1200, 850),
    "retrieval": (300, 150),
    "train": (1200, 500),
    "test": (300, 297),
}
TAKES = {
    "translation": range(5, 25),
    "retrieval": range(25, 30),
    "train": range(30, 50),
    "test": range(5),
}


def digit_of(path):
    return int(Path(path).stem.split("_")[0])


def take_of(path):
    return int(Path(path).stem.split("_")[2])


def distinct_images(cells):
    return {cell.tobytes() for cell in cells if cell is not None}


@pytest.fixture
def digits(mirror):
    """A function that loads a subset of the audiovisual digits."""
    assert mirror.is_dir()
    return fetch_audiovisual_digits


class TestSpokenDigits:
    @pytest.mark.usefixtures("mirror")
    @pytest.mark.parametrize(
        ("subset", "takes"), [("train", range(5, 50)), ("test", range(5)), ("all", range(50))]
    )
    def test_a_subset_has_its_takes_of_every_speaker_and_digit(self, subset, takes):
        data = fetch_spoken_digits(subset)
        n_samples = 10 * 6 * len(takes)
        assert list(data.frame) == ["audio"]
        assert len(data.frame) == len(data.target) == len(data.speaker) == n_samples
        assert set(data.take) == set(takes)
        assert np.bincount(data.target).tolist() == [6 * len(takes)] * 10
        assert len(set(data.speaker)) == 6

    @pytest.mark.usefixtures("mirror")
    def test_labels_are_those_of_the_file_names(self):
        data = fetch_spoken_digits("test")
        assert [digit_of(path) for path in data.frame["audio"]] == data.target.tolist()
        assert [take_of(path) for path in data.frame["audio"]] == data.take.tolist()
        assert data.target_names == [str(digit) for digit in range(10)]
        assert "CC BY-SA 4.0" in data.DESCR

    @pytest.mark.usefixtures("mirror")
    def test_the_files_are_sounds_of_8_khz(self):
        for path in fetch_spoken_digits("test").frame["audio"][:5]:
            samples = read_audio(path, 8000)
            assert 0.1 < len(samples) / 8000 < 3
            assert np.abs(samples).max() > 0.01

    def test_an_unknown_subset_is_refused_before_anything_is_downloaded(self):
        with pytest.raises(ValueError, match="subset must be one of 'train', 'test', 'all', got"):
            fetch_spoken_digits("valid")

    def test_without_data_the_error_says_what_is_missing(self, tmp_path):
        with pytest.raises(RemoteFileError, match="free-spoken-digit-dataset"):
            fetch_spoken_digits(data_home=tmp_path, download_if_missing=False)


class TestAudiovisualDigits:
    @pytest.mark.parametrize("subset", ["retrieval", "train", "test"])
    def test_a_labelled_subset_has_one_sound_or_one_image_a_row(self, digits, subset):
        data = digits(subset)
        n_sounds, n_images = SOURCES[subset]
        heard = np.array([not is_missing(cell) for cell in data.frame["audio"]])
        seen = np.array([not is_missing(cell) for cell in data.frame["image"]])
        assert (heard.sum(), seen.sum()) == (n_sounds, n_images)
        assert (heard ^ seen).all()
        assert set(data.target) == set(range(10))
        assert [digit_of(path) for path in data.frame["audio"][heard]] == list(data.target[heard])

    def test_images_carry_the_label_of_the_written_digit(self, digits):
        bundled = load_digits()
        label_of = {
            np.round(image * (255 / 16)).astype(np.uint8).tobytes(): label
            for image, label in zip(bundled.images, bundled.target)
        }
        data = digits("test")
        for cell, label in list(zip(data.frame["image"], data.target))[300:]:
            assert cell.dtype == np.uint8
            assert cell.shape == (8, 8)
            assert label_of[cell.tobytes()] == label

    def test_images_use_the_full_range_of_grey(self, digits):
        images = np.stack(digits("test").frame["image"][300:].to_list())
        assert (images.min(), images.max()) == (0, 255)

    def test_a_translation_row_is_a_pair_without_label(self, digits):
        data = digits("translation", n_pairs=500)
        assert len(data.frame) == 500
        assert data.target.tolist() == [-1] * 500
        assert not any(is_missing(cell) for name in data.frame for cell in data.frame[name])

    def test_the_translation_subset_draws_on_all_its_sources(self, digits):
        frame = digits("translation", n_pairs=20_000).frame
        assert frame["audio"].nunique() == 1200
        assert len(distinct_images(frame["image"])) == 850

    def test_takes_never_overlap(self, digits):
        for subset, takes in TAKES.items():
            found = {take_of(path) for path in digits(subset).frame["audio"] if path is not None}
            assert found == set(takes)

    def test_images_never_overlap(self, digits):
        seen = [distinct_images(digits(subset).frame["image"]) for subset in SOURCES]
        assert sum(map(len, seen)) == len(set.union(*seen))

    def test_every_written_digit_is_in_exactly_one_subset(self):
        rows = np.concatenate([_image_rows(subset) for subset in SOURCES])
        assert sorted(rows) == list(range(1797))
        assert [len(_image_rows(subset)) for subset in SOURCES] == [850, 150, 500, 297]

    def test_without_noise_both_sides_of_a_pair_show_the_same_digit(self, digits):
        bundled = load_digits()
        label_of = {
            np.round(image * (255 / 16)).astype(np.uint8).tobytes(): label
            for image, label in zip(bundled.images, bundled.target)
        }
        frame = digits("translation", n_pairs=2000).frame
        for path, image in zip(frame["audio"], frame["image"]):
            assert digit_of(path) == label_of[image.tobytes()]

    def test_the_same_seed_gives_the_same_rows_and_another_seed_others(self, digits):
        first, again, other = (
            digits("translation", n_pairs=200, pair_noise=0.3, skew=1.2, random_state=seed).frame
            for seed in (3, 3, 4)
        )
        assert first["audio"].tolist() == again["audio"].tolist()
        assert all((a == b).all() for a, b in zip(first["image"], again["image"]))
        assert first["audio"].tolist() != other["audio"].tolist()

    def test_labelled_subsets_do_not_depend_on_the_seed(self, digits):
        assert (
            digits("test", random_state=1).frame["audio"].tolist()
            == digits("test", random_state=2).frame["audio"].tolist()
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"subset": "all"},
                "subset must be one of 'translation', 'retrieval', 'train', 'test'",
            ),
            ({"subset": ["test"]}, "subset must be one of"),
            ({"pair_noise": -0.1}, "pair_noise must be a number >= 0 and <= 1, got -0.1"),
            ({"pair_noise": 1.1}, "pair_noise must be a number >= 0 and <= 1"),
            ({"pair_noise": float("nan")}, "pair_noise must be a number"),
            ({"skew": 0.9}, "skew must be a number >= 1"),
            ({"skew": float("inf")}, "skew must be a number"),
            ({"n_pairs": 0}, "n_pairs must be an integer >= 1, got 0"),
            ({"subset": "test", "skew": 0}, "skew must be a number >= 1"),
        ],
        ids=str,
    )
    def test_a_wrong_value_is_refused_before_anything_is_downloaded(
        self, options, message, tmp_path
    ):
        with pytest.raises(ValueError, match=message):
            fetch_audiovisual_digits(**options, data_home=tmp_path, download_if_missing=False)

    @pytest.mark.parametrize(
        "options", [{"n_pairs": 10.0}, {"n_pairs": "many"}, {"pair_noise": "a bit"}, {"skew": None}]
    )
    def test_a_wrong_type_is_refused(self, options, tmp_path):
        with pytest.raises(TypeError, match=f"{next(iter(options))} must be a"):
            fetch_audiovisual_digits(**options, data_home=tmp_path, download_if_missing=False)

    def test_nothing_is_printed_or_warned_of(self, digits, capfd):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            digits("test")
        assert capfd.readouterr() == ("", "")


class TestPairs:
    """The drawing of pairs, which needs no recordings."""

    N_PAIRS = 20_000

    @pytest.fixture
    def classes(self):
        """Labels of 1200 sounds, evenly spread, and of 850 images, not so."""
        random = np.random.RandomState(0)
        return np.repeat(np.arange(10), 120), random.randint(10, size=850)

    def draw(self, classes, *, pair_noise=0.0, skew=1.0, seed=0, n_pairs=N_PAIRS):
        sounds, images = draw_pairs(
            *classes,
            n_pairs=n_pairs,
            pair_noise=pair_noise,
            skew=skew,
            random_state=np.random.RandomState(seed),
        )
        return classes[0][sounds], classes[1][images]

    @pytest.mark.parametrize("pair_noise", [0.0, 0.2, 0.6, 1.0])
    def test_noise_is_the_share_of_images_drawn_independently(self, classes, pair_noise):
        heard, seen = self.draw(classes, pair_noise=pair_noise)
        # One independent image in ten shows the digit that is heard, by chance.
        assert np.mean(heard != seen) == pytest.approx(pair_noise * 0.9, abs=0.01)

    def test_noisy_images_are_as_skewed_as_the_others(self, classes):
        _, clean = self.draw(classes, skew=1.5, seed=1)
        _, noisy = self.draw(classes, skew=1.5, pair_noise=1.0, seed=2)
        np.testing.assert_allclose(
            np.bincount(noisy, minlength=10) / self.N_PAIRS,
            np.bincount(clean, minlength=10) / self.N_PAIRS,
            atol=0.015,
        )

    @pytest.mark.parametrize("skew", [1.0, 1.2, 1.5])
    def test_skew_is_the_ratio_of_successive_frequencies(self, classes, skew):
        heard, seen = self.draw(classes, skew=skew)
        expected = skew ** -np.arange(10.0)
        for drawn in (heard, seen):
            shares = np.bincount(drawn, minlength=10) / self.N_PAIRS
            np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.015)

    def test_a_skew_of_one_and_a_half_makes_the_rarest_digit_38_times_rarer(self, classes):
        heard, _ = self.draw(classes, skew=1.5, n_pairs=400_000)
        counts = np.bincount(heard, minlength=10)
        assert counts[0] / counts[9] == pytest.approx(1.5**9, rel=0.06)
        assert round(1.5**9) == 38

    def test_members_of_a_class_are_drawn_evenly(self, classes):
        sounds, _ = draw_pairs(
            *classes,
            n_pairs=120_000,
            pair_noise=0.0,
            skew=1.0,
            random_state=np.random.RandomState(0),
        )
        counts = np.bincount(sounds, minlength=1200)
        assert counts.min() > 50
        assert counts.max() < 160
