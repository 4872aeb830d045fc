"""Colour thumbnails: their definition, and what they see."""

import numpy as np
import pytest
from PIL import Image

from skxmodal.encoders import Encoder, ThumbnailEncoder


@pytest.fixture(scope="module")
def encoder():
    return ThumbnailEncoder()


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)


def vector(encoder, pixels):
    return encoder.encode(encoder.windows(pixels))[0]


def test_it_follows_the_protocol(encoder):
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.modality, encoder.n_features) == ("thumbnail", "image", 192)


def test_values_are_means_over_areas_in_ycbcr(encoder, picture):
    areas = picture.reshape(8, 8, 8, 12, 3).mean(axis=(1, 3))
    small = Image.fromarray(np.round(areas).astype(np.uint8)).convert("YCbCr")
    expected = np.asarray(small, dtype=float) / 255 - [0, 128 / 255, 128 / 255]
    values = vector(encoder, picture).reshape(3, 8, 8)
    np.testing.assert_allclose(values, expected.transpose(2, 0, 1), atol=1.5 / 255)


@pytest.mark.parametrize(("colour", "channel"), [((0, 0, 255), 1), ((255, 0, 0), 2)])
def test_a_colour_raises_its_own_channel(encoder, colour, channel):
    flat = np.tile(np.array(colour, np.uint8), (30, 40, 1))
    np.testing.assert_allclose(vector(encoder, flat).reshape(3, 64)[channel], 0.5, atol=0.01)


def test_vectors_do_not_depend_on_the_batch(encoder, picture):
    windows = np.concatenate([encoder.windows(np.roll(picture, k, axis=0)) for k in range(5)])
    alone = np.concatenate([encoder.encode(window[np.newaxis]) for window in windows])
    np.testing.assert_array_equal(encoder.encode(windows), alone)


def test_a_single_pixel_is_enough(encoder):
    assert np.isfinite(vector(encoder, np.full((1, 1, 3), 7, np.uint8))).all()
