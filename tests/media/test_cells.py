"""Columns of media, missing cells, and how a bad cell is named."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skxmodal.media import MediaError, as_cells, is_missing
from skxmodal.media._cells import describe

PATHS = ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    "cell", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT], ids=repr
)
def test_none_nan_and_the_missing_values_of_pandas_are_missing(cell):
    assert is_missing(cell) is True


@pytest.mark.parametrize(
    "cell",
    ["", "nan", 0, 0.0, float("inf"), b"", np.zeros(0), np.full(3, np.nan), (8000, None), []],
    ids=repr,
)
def test_anything_else_is_not_missing(cell):
    assert is_missing(cell) is False


@pytest.mark.parametrize(
    "column",
    [
        PATHS,
        tuple(PATHS),
        pd.Series(PATHS),
        pd.Series(PATHS, index=[7, 3]),
        pd.Series(PATHS, dtype=object),
        pd.DataFrame({"audio": PATHS}),
        pd.DataFrame({"audio": PATHS}, index=["x", "y"]),
        pl.Series(PATHS),
        pl.DataFrame({"audio": PATHS}),
        np.array(PATHS),
        np.array(PATHS, dtype=object),
        np.array(PATHS, dtype=object)[:, np.newaxis],
        np.array(PATHS)[:, np.newaxis],
    ],
    ids=lambda column: f"{type(column).__module__}-{getattr(column, 'shape', '')}",
)
def test_every_kind_of_column_is_a_list_of_cells(column):
    assert as_cells(column) == PATHS


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 8), (3, 8, 8, 3)])
def test_the_first_axis_of_a_numeric_array_counts_the_cells(shape):
    cells = as_cells(np.arange(np.prod(shape)).reshape(shape))
    assert [cell.shape for cell in cells] == [shape[1:]] * 3


@pytest.mark.parametrize("column", [[], pd.DataFrame({"audio": []}), np.array([], dtype=object)])
def test_an_empty_column_has_no_cells(column):
    assert as_cells(column) == []


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a.wav", None], dtype=object),
        pd.Series(["a.wav", None]),
        pl.Series(["a.wav", None]),
        pd.Series(["a.wav", pd.NA], dtype="string"),
    ],
    ids=lambda column: f"{type(column).__module__}-{column.dtype}",
)
def test_missing_cells_survive_in_every_column(column):
    assert [is_missing(cell) for cell in as_cells(column)] == [False, True]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_an_array_of_nothing_but_nan_is_a_column_of_missing_cells(shape):
    assert [is_missing(cell) for cell in as_cells(np.full(shape, np.nan))] == [True, True]


def test_bytes_arrays_and_pairs_are_cells_of_an_object_column():
    cells = [b"RIFF", (8000, np.zeros(3)), np.zeros(4), Path("a.wav")]
    column = pd.Series(cells, dtype=object)
    for found, expected in zip(as_cells(column), cells):
        assert found is expected


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
def test_a_table_of_several_columns_is_refused_by_name(table):
    with pytest.raises(ValueError, match=r"the 2 columns \['audio', 'image'\]: select one"):
        as_cells(table({"audio": PATHS, "image": PATHS}))


def test_an_array_of_several_columns_is_refused():
    with pytest.raises(ValueError, match=r"one column of media, got an array of shape \(1, 2\)"):
        as_cells(np.array([PATHS], dtype=object))


@pytest.mark.parametrize(
    "single",
    [
        "a.wav",
        Path("a.wav"),
        b"RIFF",
        bytearray(b"RIFF"),
        memoryview(b"RIFF"),
        3,
        None,
        np.zeros(16),
        np.array(3),
        {"audio": PATHS},
        {"a.wav"},
        iter(PATHS),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_a_single_cell_is_not_a_column(single):
    with pytest.raises(TypeError, match="wrap a single sound or picture in a list"):
        as_cells(single)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a.wav", "'a.wav'"),
        (Path("a.wav"), "'a.wav'"),
        (b"abc", "3 bytes"),
        (bytearray(b"abc"), "3 bytes"),
        (np.zeros((2, 3), np.int16), "array of shape (2, 3) and dtype int16"),
        ((8000, np.zeros(3)), "(8000, array of shape (3,) and dtype float64)"),
        (object(), "object of type object"),
    ],
    ids=repr,
)
def test_a_cell_is_named_by_its_path_or_its_kind(cell, expected):
    assert describe(cell) == expected


def test_an_error_names_cell_and_row_and_survives_pickling():
    error = MediaError("the file is empty", cell="'a.wav'").at_row(12)
    assert str(error) == "row 12, 'a.wav': the file is empty"
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.row, back.cell, back.reason) == (
        str(error),
        12,
        "'a.wav'",
        "the file is empty",
    )
