"""The drawn half of `make_instruments`: pictures of the eighteen instruments."""

from __future__ import annotations

import random

import numpy as np
import pytest

from skxmodal.datasets._instruments._canvas import Canvas, circle, pose_matrix, spline
from skxmodal.datasets._instruments._picture import (
    _SUBJECTS,
    PICTURE_SIZE,
    _draw_layer,
    render_picture,
)

NAMES = sorted(_SUBJECTS)


def picture(name, seed=0, *, size=0.6, contrast=0.6, difficulty=0.5):
    """Render one picture from an integer seed."""
    rng = np.random.default_rng(seed)
    return render_picture(name, size=size, contrast=contrast, difficulty=difficulty, rng=rng)


def coverage(name, seed, size):
    """Return how much of the picture the instrument alone covers, from 0 to 1."""
    rng = np.random.default_rng(seed)
    layer = _draw_layer(name, size=size, difficulty=0.0, rng=rng)
    return np.asarray(layer)[..., 3].mean() / 255


def test_the_paper_s_eighteen_instruments_can_be_drawn():
    assert len(NAMES) == 18


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_picture_is_rgb_bytes_at_the_extremes(name, level):
    seen = picture(name, size=level, contrast=level, difficulty=level)
    assert seen.shape == (PICTURE_SIZE, PICTURE_SIZE, 3)
    assert seen.dtype == np.uint8
    assert seen.std() > 3


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_state_gives_the_same_bytes(name):
    assert np.array_equal(picture(name, 3), picture(name, 3))


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_one_class_differ_between_seeds(name):
    first, second = picture(name, 1, difficulty=0.0), picture(name, 2, difficulty=0.0)
    assert np.abs(first.astype(int) - second).mean() > 5


def test_two_classes_differ_under_the_same_seed():
    layers = [
        np.asarray(_draw_layer(name, size=0.6, difficulty=0.0, rng=np.random.default_rng(0)))
        for name in NAMES
    ]
    for k, first in enumerate(layers):
        for second in layers[k + 1 :]:
            assert np.abs(first.astype(int) - second).mean() > 1


@pytest.mark.parametrize("name", NAMES)
def test_the_drawn_area_grows_with_size(name):
    for seed in range(3):
        areas = [coverage(name, seed, size) for size in (0.0, 0.3, 0.6, 1.0)]
        assert np.all(np.diff(areas) > 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_drawing_varies_in_shape_and_not_only_in_pose(name):
    drawn = []
    for seed in (0, 1):
        canvas = Canvas(pose_matrix(scale=112.0, offset=(112.0, 112.0)), PICTURE_SIZE)
        _SUBJECTS[name].draw(canvas, np.random.default_rng(seed))
        drawn.append(np.asarray(canvas.reduced())[..., 3].astype(int))
    assert np.abs(drawn[0] - drawn[1]).mean() > 0.5


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
def test_contrast_raises_the_standard_deviation_and_keeps_the_brightness(difficulty):
    for name in ("violin", "piano", "voice"):
        seen = [picture(name, 4, contrast=c, difficulty=difficulty) for c in (0.0, 0.5, 1.0)]
        assert np.all(np.diff([s.std() for s in seen]) > 2)
        assert np.ptp([s.mean() for s in seen]) < 6


def test_difficulty_adds_noise_and_clutter_outside_the_instrument():
    rough = []
    for difficulty in (0.0, 0.5, 1.0):
        seen = [picture("flute", k, difficulty=difficulty).astype(int) for k in range(12)]
        rough.append(np.mean([np.abs(np.diff(s[:40], axis=1)).mean() for s in seen]))
    assert rough[0] < rough[1] < rough[2]


def test_rendering_leaves_the_global_generators_alone():
    # The legacy generator is the global state that must stay as it is.
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002
    plain = random.getstate()
    picture("drums", difficulty=1.0)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    assert random.getstate() == plain


def test_an_unknown_instrument_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"'theremin'.*violin"):
        picture("theremin")


@pytest.mark.parametrize("parameter", ["size", "contrast", "difficulty"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_number_outside_the_unit_interval_is_refused(parameter, value):
    with pytest.raises(ValueError, match=parameter):
        picture("violin", **{parameter: value})


def test_the_origin_goes_to_the_offset_whatever_the_perspective():
    matrix = pose_matrix(tilt=30.0, scale=50.0, offset=(80.0, 90.0), vanishing=(0.2, -0.1))
    canvas = Canvas(matrix, PICTURE_SIZE)
    assert canvas.project(np.zeros(2)) == pytest.approx([160.0, 180.0])


def test_perspective_makes_the_far_side_shorter():
    canvas = Canvas(
        pose_matrix(scale=50.0, offset=(112.0, 112.0), vanishing=(0.2, 0.0)), PICTURE_SIZE
    )
    near, far = canvas.project(np.array([[[-1.0, -1], [-1, 1]], [[1, -1], [1, 1]]]))
    assert np.ptp(far[:, 1]) < np.ptp(near[:, 1])


def test_a_filled_circle_covers_its_area():
    canvas = Canvas(pose_matrix(scale=100.0, offset=(112.0, 112.0)), PICTURE_SIZE)
    canvas.polygon(circle((0.0, 0.0), 0.5, n=80), (10, 20, 30))
    covered = np.asarray(canvas.reduced())[..., 3].sum() / 255
    assert covered == pytest.approx(np.pi * 50.0**2, rel=0.02)


def test_a_spline_passes_through_its_points():
    knots = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0]])
    curve = spline(knots, samples=5)
    assert curve[::5] == pytest.approx(knots)
