"""Histograms of oriented gradients: the maths, the fixed size, and what a forest makes of it."""

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from skxmodal.datasets import fetch_audiovisual_digits
from skxmodal.encoders import Encoder, HOGEncoder
from skxmodal.media import read_image


@pytest.fixture(scope="module")
def encoder():
    return HOGEncoder()


@pytest.fixture(scope="module")
def pictures():
    """Grey pictures of 48 x 48: noise, a flat one, ramps."""
    y, x = np.mgrid[:48, :48] * 5
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 48))
    return np.stack([*noise, np.full((48, 48), 90), x, y, 255 - x]).astype(np.uint8)


def vectors(encoder, pixels):
    return encoder.encode(encoder.windows(pixels))


def reference(grey):
    """Compute the descriptor as the docstring says, pixel by pixel in float64."""
    root = np.sqrt(grey / 255.0)
    histograms = np.zeros((6, 6, 9))
    for row in range(48):
        for column in range(48):
            across = root[row, column + 1] - root[row, column - 1] if 0 < column < 47 else 0.0
            down = root[row + 1, column] - root[row - 1, column] if 0 < row < 47 else 0.0
            magnitude = np.hypot(across, down)
            degrees = np.degrees(np.arctan2(down, across)) % 180
            for orientation in range(9):
                # Distance on the circle of 180 degrees, to the middle of a bin of 20 degrees.
                away = abs((degrees - (20 * orientation + 10) + 90) % 180 - 90)
                closeness = max(0.0, 1 - away / 20)
                for i in range(6):
                    share_i = max(0.0, 1 - abs((row + 0.5) / 8 - (i + 0.5)))
                    for j in range(6):
                        share_j = max(0.0, 1 - abs((column + 0.5) / 8 - (j + 0.5)))
                        histograms[i, j, orientation] += magnitude * closeness * share_i * share_j
    return histograms


def reference_blocks(histograms):
    blocks = []
    for i in range(5):
        for j in range(5):
            block = histograms[i : i + 2, j : j + 2].transpose(2, 0, 1).ravel()
            block = np.minimum(block / np.sqrt((block**2).sum() + 1e-5), 0.2)
            blocks.append(block / np.sqrt((block**2).sum() + 1e-5))
    return np.concatenate(blocks)


def test_it_follows_the_protocol(encoder):
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.modality, encoder.n_features) == ("hog", "image", 900)


def test_a_picture_is_what_the_formulas_say(encoder, pictures):
    for grey in (pictures[0], pictures[-1]):
        expected = reference_blocks(reference(grey))
        np.testing.assert_allclose(encoder.encode(grey[np.newaxis])[0], expected, atol=1e-5)


def test_every_block_has_unit_length(encoder, pictures):
    lengths = np.linalg.norm(encoder.encode(pictures[:6]).reshape(-1, 36), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)


@pytest.mark.parametrize(("along", "bins"), [("across", {0, 8}), ("down", {4})])
def test_a_ramp_has_only_gradients_along_itself(encoder, pictures, along, bins):
    grey = pictures[{"across": 7, "down": 8}[along]]
    strength = encoder.encode(grey[np.newaxis]).reshape(25, 9, 4).sum(axis=(0, 2))
    assert set(np.flatnonzero(strength > 1e-3)) == bins


def test_a_brightness_turned_upside_down_keeps_the_orientation(encoder, pictures):
    ramp, inverted = encoder.encode(pictures[[7, 9]])
    orientation = ramp.reshape(25, 9, 4).sum(axis=(0, 2)) > 1e-3
    np.testing.assert_array_equal(inverted.reshape(25, 9, 4).sum(axis=(0, 2)) > 1e-3, orientation)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_flat_picture_is_all_zeros(encoder, level):
    flat = np.full((60, 80, 3), level, np.uint8)
    np.testing.assert_array_equal(vectors(encoder, flat), np.zeros((1, 900), np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (8, 8), (48, 48), (1000, 700)])
def test_any_size_has_a_vector_of_the_same_dimension(encoder, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    windows = encoder.windows(pixels)
    assert windows.shape == (1, 48, 48)
    assert windows.dtype == np.uint8
    vector = encoder.encode(windows)
    assert vector.shape == (1, 900)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


def test_a_picture_is_made_grey_by_luma_and_squeezed(encoder):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 60, 3), dtype=np.uint8)
    luma = np.round(pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    expected = np.asarray(Image.fromarray(luma).resize((48, 48), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(encoder.windows(pixels)[0].astype(int), expected, atol=1)


def test_a_grey_picture_of_the_right_size_is_taken_as_it_is(encoder, pictures):
    for grey in pictures:
        np.testing.assert_array_equal(encoder.windows(read_image(grey))[0], grey)


def test_a_picture_has_the_same_bits_whatever_else_is_in_the_batch(encoder, pictures):
    together = encoder.encode(pictures)
    for size in (1, 3, 7):
        apart = [encoder.encode(pictures[i : i + size]) for i in range(0, len(pictures), size)]
        np.testing.assert_array_equal(np.concatenate(apart), together)
    np.testing.assert_array_equal(encoder.encode(pictures[::-1])[::-1], together)


def test_an_encoder_made_anew_gives_the_same_bits(encoder, pictures):
    np.testing.assert_array_equal(HOGEncoder().encode(pictures), encoder.encode(pictures))


def test_encoding_does_not_change_its_input(encoder, pictures):
    windows = pictures.copy()
    windows.flags.writeable = False
    encoder.encode(windows)
    np.testing.assert_array_equal(windows, pictures)


@pytest.mark.usefixtures("mirror")
def test_a_forest_tells_real_written_digits(encoder):
    def load(subset):
        data = fetch_audiovisual_digits(subset)
        seen = data.frame["image"].notna().to_numpy()
        windows = [encoder.windows(read_image(cell)) for cell in data.frame["image"][seen]]
        return encoder.encode(np.concatenate(windows)), data.target[seen]

    forest = RandomForestClassifier(random_state=0).fit(*load("train"))
    X_test, y_test = load("test")
    assert f1_score(y_test, forest.predict(X_test), average="macro") >= 0.96
