"""The log mel spectrogram: its maths, its fixed size, and what a forest makes of it."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from skxmodal.datasets import fetch_audiovisual_digits
from skxmodal.encoders import Encoder, LogMelEncoder
from skxmodal.media import read_audio

RATE = 16_000


@pytest.fixture(scope="module")
def encoder():
    return LogMelEncoder()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0, 0.1, 2 * RATE + 1234).astype(np.float32)


def vectors(encoder, samples):
    return encoder.encode(encoder.windows(np.asarray(samples, np.float32)))


def reference(samples):
    """Compute one window of at most a second as the docstring says, in float64 and with loops."""
    samples = np.pad(np.asarray(samples, np.float64), (0, max(0, 400 - len(samples))))
    starts = np.round(np.linspace(0, len(samples) - 400, 100)).astype(int)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    corners = np.linspace(mel(50), mel(8000), 66)
    filters = np.zeros((257, 64))
    for k in range(257):
        here = mel(k * RATE / 512)
        for band in range(64):
            low, centre, high = corners[band : band + 3]
            if low < here <= centre:
                filters[k, band] = (here - low) / (centre - low)
            elif centre < here < high:
                filters[k, band] = (high - here) / (high - centre)
    frames = np.array(
        [
            np.log(
                np.abs(np.fft.fft(hann * samples[start : start + 400], 512)[:257]) ** 2 @ filters
                + 1e-6
            )
            for start in starts
        ]
    )
    return np.concatenate([frames[10 * k : 10 * k + 10].mean(axis=0) for k in range(10)])


def test_it_follows_the_protocol(encoder):
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.modality, encoder.n_features) == ("logmel", "audio", 640)
    assert encoder.sample_rate == RATE


@pytest.mark.parametrize("n_samples", [100, 400, 401, 5000, RATE])
def test_a_window_is_what_the_formulas_say(encoder, noise, n_samples):
    samples = noise[:n_samples]
    np.testing.assert_allclose(vectors(encoder, samples)[0], reference(samples), atol=2e-4)


def test_a_long_sound_is_cut_into_equal_windows_of_at_most_a_second(encoder, noise):
    parts = np.array_split(noise, 3)
    assert len(noise) / RATE > 2
    got = vectors(encoder, noise)
    assert got.shape == (3, 640)
    edges = np.round(np.linspace(0, len(noise), 4)).astype(int)
    for vector, start, stop in zip(got, edges[:-1], edges[1:]):
        np.testing.assert_allclose(vector, reference(noise[start:stop]), atol=2e-4)
    assert max(map(len, parts)) <= RATE


@pytest.mark.parametrize(
    ("n_samples", "n_windows"),
    [(1, 1), (399, 1), (400, 1), (RATE, 1), (RATE + 1, 2), (2 * RATE, 2), (10 * 60 * RATE, 600)],
)
def test_any_length_has_vectors_of_the_same_dimension(encoder, n_samples, n_windows):
    samples = np.zeros(n_samples, np.float32)
    samples[::100] = 0.1
    windows = encoder.windows(samples)
    assert windows.shape == (n_windows, 10, 64)
    assert windows.dtype == np.float32
    vector = encoder.encode(windows[:2])
    assert vector.shape == (min(2, n_windows), 640)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("n_samples", [1, RATE])
def test_silence_is_the_logarithm_of_the_offset(encoder, n_samples):
    np.testing.assert_allclose(vectors(encoder, np.zeros(n_samples)), np.log(1e-6), rtol=1e-6)


def test_a_tone_is_loudest_in_the_band_of_its_frequency(encoder):
    time = np.arange(RATE) / RATE
    for frequency in (200, 1000, 4000):
        bands = vectors(encoder, 0.5 * np.sin(2 * np.pi * frequency * time))[0].reshape(10, 64)
        corners = np.linspace(1127 * np.log1p(50 / 700), 1127 * np.log1p(8000 / 700), 66)
        centre = 700 * np.expm1(corners[1:-1] / 1127)
        loudest = centre[bands.argmax(axis=1)]
        np.testing.assert_allclose(loudest, frequency, rtol=0.08, atol=32)


def test_a_word_in_the_first_half_is_in_the_first_segments(encoder, noise):
    samples = np.concatenate([noise[: RATE // 2], np.zeros(RATE // 2)])
    segments = vectors(encoder, samples)[0].reshape(10, 64).mean(axis=1)
    assert segments[:4].min() > segments[6:].max() + 5


def test_a_window_has_the_same_bits_whatever_else_is_in_the_batch(encoder, noise):
    windows = np.concatenate([encoder.windows(noise[start:]) for start in range(0, 9000, 1000)])
    together = encoder.encode(windows)
    for size in (1, 2, 7):
        apart = [encoder.encode(windows[i : i + size]) for i in range(0, len(windows), size)]
        np.testing.assert_array_equal(np.concatenate(apart), together)
    np.testing.assert_array_equal(encoder.encode(windows[::-1])[::-1], together)


def test_an_encoder_made_anew_gives_the_same_bits(encoder, noise):
    np.testing.assert_array_equal(vectors(LogMelEncoder(), noise), vectors(encoder, noise))


def test_encoding_does_not_change_its_input(encoder, noise):
    noise.flags.writeable = False
    windows = encoder.windows(noise)
    windows.flags.writeable = False
    assert encoder.encode(windows).shape == (3, 640)


@pytest.mark.usefixtures("mirror")
def test_a_forest_tells_real_spoken_digits(encoder):
    def load(subset):
        data = fetch_audiovisual_digits(subset)
        heard = data.frame["audio"].notna().to_numpy()
        sounds = [read_audio(path, RATE) for path in data.frame["audio"][heard]]
        X = np.stack([vectors(encoder, samples).mean(axis=0) for samples in sounds])
        return X, data.target[heard]

    forest = RandomForestClassifier(random_state=0).fit(*load("train"))
    X_test, y_test = load("test")
    assert f1_score(y_test, forest.predict(X_test), average="macro") >= 0.88
