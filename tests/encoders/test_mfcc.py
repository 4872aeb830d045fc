"""Cepstral coefficients: their definition, and what they are blind to."""

import numpy as np
import pytest
from scipy.fft import dct

from skxmodal.encoders import Encoder, LogMelEncoder, MFCCEncoder


@pytest.fixture(scope="module")
def encoder():
    return MFCCEncoder()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


def vector(encoder, samples):
    return encoder.encode(encoder.windows(samples))[0]


def test_it_follows_the_protocol(encoder):
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.modality, encoder.n_features) == ("mfcc", "audio", 192)


def test_it_summarises_the_cepstrum_of_the_log_mel_bands(encoder, noise):
    log_mel = LogMelEncoder()
    cepstra = dct(log_mel.bands(noise)[0], norm="ortho")[:, :24]
    expected = [f(part, axis=0) for part in np.split(cepstra, 4) for f in (np.mean, np.std)]
    np.testing.assert_allclose(vector(encoder, noise), np.concatenate(expected), atol=1e-4)


def test_loudness_moves_the_first_coefficient_only(encoder, noise):
    change = vector(encoder, noise * 3) - vector(encoder, noise)
    means = change.reshape(4, 2, 24)[:, 0]
    np.testing.assert_allclose(means[:, 0], np.log(9) * 8, rtol=1e-2)
    np.testing.assert_allclose(means[:, 1:], 0, atol=0.05)


def test_vectors_do_not_depend_on_the_batch(encoder, noise):
    windows = encoder.windows(np.tile(noise, 5) * np.linspace(0.1, 1, 80_000, dtype=np.float32))
    alone = np.concatenate([encoder.encode(window[np.newaxis]) for window in windows])
    np.testing.assert_array_equal(encoder.encode(windows), alone)


@pytest.mark.parametrize("length", [0, 1, 399, 16_001])
def test_any_length_gives_finite_vectors(encoder, noise, length):
    vectors = encoder.encode(encoder.windows(np.resize(noise, length)))
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
