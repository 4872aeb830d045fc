import numpy as np
import pandas as pd
import pytest

from skxmodal.modalities import present_rows
from skxmodal.model_selection._draws import balanced_order, hide_cells, resolve_sizes


@pytest.fixture
def order():
    y = np.repeat(["cello", "drums", "flute"], [5, 20, 30])
    return y, balanced_order(y, np.random.RandomState(0))


def test_every_row_is_drawn_once(order):
    y, rows = order
    assert sorted(rows) == list(range(len(y)))


def test_every_prefix_is_balanced_until_a_class_runs_out(order):
    y, rows = order
    for size in range(1, len(y) + 1):
        _, counts = np.unique(y[rows[:size]], return_counts=True)
        left = [n for n, available in zip(counts, (5, 20, 30)) if n < available]
        if len(counts) == 3 and left:
            assert max(counts) - min(left) <= 1


def test_draws_differ_by_seed_and_repeat_with_it():
    y = np.repeat([0, 1], 20)
    first, again, other = (balanced_order(y, np.random.RandomState(s)) for s in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (3, [0, 50, 100]),
        (("all", 0, 7), [0, 7, 100]),
        ((0.0, 0.25, 1.0), [0, 25, 100]),
        ((1, 1, "all", 100), [1, 100]),
        (np.array([0, 20]), [0, 20]),
    ],
)
def test_sizes_may_be_points_counts_shares_or_all(sizes, expected):
    assert resolve_sizes(sizes, 100, "image").tolist() == expected


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        (1, ValueError, "at least 2 points"),
        ((), ValueError, "sizes is empty"),
        ((101,), ValueError, "size 101 is not between 0 and the 100 labelled training samples"),
        ((-1,), ValueError, "size -1 is not between 0"),
        ((1.5,), ValueError, "size 1.5 is a fraction"),
        (("most",), ValueError, "a number or \"all\", got 'most'"),
        ("all", TypeError, "a number of points or a sequence"),
        ((None,), TypeError, 'a size must be a number or "all"'),
        ((True,), TypeError, 'a size must be a number or "all"'),
    ],
)
def test_sizes_that_make_no_sense_are_errors(sizes, error, message):
    with pytest.raises(error, match=message):
        resolve_sizes(sizes, 100, "image")


def _tables():
    polars = pytest.importorskip("polars")
    numbers = {"audio__0": [1.0, 2.0], "image__0": [3.0, 4.0]}
    cells = {"audio": ["a.wav", "b.wav"], "image": ["a.png", "b.png"]}
    return {
        "array": (np.array([[1.0, 3.0], [2.0, 4.0]]), {"audio": 1, "image": 1}),
        "integers": (np.array([[1, 3], [2, 4]]), {"audio": 1, "image": 1}),
        "pandas": (pd.DataFrame(numbers), "auto"),
        "polars": (polars.DataFrame(numbers), "auto"),
        "pandas media": (pd.DataFrame(cells, dtype=object), "auto"),
        "polars media": (polars.DataFrame(cells), "auto"),
    }


@pytest.mark.parametrize(
    "kind", ["array", "integers", "pandas", "polars", "pandas media", "polars media"]
)
def test_cells_are_hidden_in_a_copy_of_any_table(kind):
    X, modalities = _tables()[kind]
    hidden = hide_cells(X, {"image": np.array([False, True])}, modalities)
    assert type(hidden) is type(X)
    present = present_rows(hidden, modalities=modalities)
    assert {name: rows.tolist() for name, rows in present.items()} == {
        "audio": [True, True],
        "image": [True, False],
    }
    untouched = present_rows(X, modalities=modalities)
    assert all(rows.all() for rows in untouched.values())


def test_hidden_tables_keep_their_index():
    X = pd.DataFrame({"audio": ["a.wav", "b.wav"]}, dtype=object, index=[7, 3])
    hidden = hide_cells(X, {"audio": np.array([True, False])}, "auto")
    assert hidden["audio"].to_dict() == {7: None, 3: "b.wav"}


def test_cells_of_columns_called_by_numbers_are_hidden():
    X = pd.DataFrame({0: ["a.wav", "b.wav"], 1: ["a.png", "b.png"]})
    hidden = hide_cells(X, {"0": np.array([True, False])}, "auto")
    assert hidden.to_numpy().tolist() == [[None, "a.png"], ["b.wav", "b.png"]]
    assert X.to_numpy().tolist() == [["a.wav", "a.png"], ["b.wav", "b.png"]]
