"""Checks of parameters: what passes, what does not, and how the message reads."""

import numpy as np
import pytest

from skxmodal.utils import check_choice, check_number


@pytest.mark.parametrize(
    ("value", "choices"),
    [
        ("mean", ("mean", "max")),
        (np.str_("mean"), ("mean", "max")),
        (None, ("mean", None)),
        (True, (None, True)),
        (1, (1, 2)),
        ("test", {"train": 1, "test": 2}),
    ],
)
def test_one_of_the_choices_passes(value, choices):
    check_choice("pooling", value, choices)


@pytest.mark.parametrize(
    ("value", "choices"),
    [
        ("median", ("mean", "max")),
        (1, (True, None)),
        (True, (1, 2)),
        (["mean"], ("mean", "max")),
        (np.array(["mean", "max"]), ("mean", "max")),
        (None, ("mean", "max")),
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_the_choices(value, choices):
    listed = ", ".join(map(repr, choices))
    with pytest.raises(ValueError, match="pooling must be one of ") as error:
        check_choice("pooling", value, choices)
    assert str(error.value) == f"pooling must be one of {listed}, got {value!r}"


@pytest.mark.parametrize("value", [1, 2, np.int64(1), np.float32(1.5), 1.5])
def test_a_number_within_the_limits_passes(value):
    check_number("lr", value, low=1, high=2)
    check_number("lr", value, above=0, below=3)


@pytest.mark.parametrize("value", [0, 3, float("nan"), -1])
def test_a_number_beyond_the_limits_is_refused(value):
    with pytest.raises(ValueError, match="lr must be a number >= 1 and <= 2, got "):
        check_number("lr", value, low=1, high=2)


@pytest.mark.parametrize("value", [1, 2])
def test_open_limits_do_not_belong_to_the_interval(value):
    with pytest.raises(ValueError, match="lr must be a number > 1 and < 2, got "):
        check_number("lr", value, above=1, below=2)


@pytest.mark.parametrize("value", ["1", None, True, [1], 1j])
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match="lr must be a number >= 0, got "):
        check_number("lr", value, low=0)


@pytest.mark.parametrize("value", [1.0, np.float64(2), "1", True])
def test_an_integer_must_be_one(value):
    with pytest.raises(TypeError, match="n must be an integer >= 1, got "):
        check_number("n", value, integer=True, low=1)
