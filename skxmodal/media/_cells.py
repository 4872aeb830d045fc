"""What a column of media is, what a cell is, and how a bad one is named."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Set
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

#: Two gigabytes as float32, three hours at 48 kHz: longer sounds are not decoded.
MAX_SAMPLES = 1 << 29


class MediaError(ValueError):
    """A cell of a media table could not be turned into samples or pixels.

    Parameters
    ----------
    reason : str
        What is wrong and, where it helps, what to do.
    cell : str
        What the cell is: its path, or the type of object.
    row : int or None, default=None
        Position of the cell in the table.

    Examples
    --------
    >>> from skxmodal.media import MediaError
    >>> print(MediaError("the file is empty", cell="'a.wav'", row=3))
    row 3, 'a.wav': the file is empty
    """

    def __init__(self, reason: str, *, cell: str, row: int | None = None) -> None:
        self.reason = reason
        self.cell = cell
        self.row = row
        where = cell if row is None else f"row {row}, {cell}"
        super().__init__(f"{where}: {reason}")

    def __reduce__(self) -> tuple:
        """Survive the way back from a worker process."""
        return _rebuild_error, (self.reason, self.cell, self.row)

    def at_row(self, row: int) -> MediaError:
        """Return the same error, naming the row."""
        return MediaError(self.reason, cell=self.cell, row=row)


def _rebuild_error(reason: str, cell: str, row: int | None) -> MediaError:
    return MediaError(reason, cell=cell, row=row)


def is_missing(cell: Any) -> bool:
    """Tell whether a cell is missing: ``None``, ``NaN``, ``pandas.NA`` or ``NaT``.

    Parameters
    ----------
    cell : object
        A cell of a media table.

    Returns
    -------
    missing : bool

    Examples
    --------
    >>> from skxmodal.media import is_missing
    >>> is_missing(None), is_missing(float("nan")), is_missing("drum.wav")
    (True, True, False)
    """
    if cell is None:
        return True
    if isinstance(cell, (float, np.floating)):
        return bool(np.isnan(cell))
    # pandas' own missing values, told by name so that pandas need not be imported.
    return type(cell).__name__ in {"NAType", "NaTType"}


def describe(cell: Any) -> str:
    """Name a cell in an error message: its path, or what kind of object it is."""
    if isinstance(cell, (str, os.PathLike)):
        return repr(os.fspath(cell))
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return f"{len(cell)} bytes"
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape} and dtype {cell.dtype}"
    if isinstance(cell, tuple):
        parts = (str(part) if isinstance(part, Real) else describe(part) for part in cell)
        return "(" + ", ".join(parts) + ")"
    return f"object of type {type(cell).__name__}"


def as_cells(X: Any) -> list:
    """Turn a column of media into a list of cells.

    Parameters
    ----------
    X : DataFrame of one column, Series, list, tuple or array
        pandas or polars; an array is an object array of cells, ``(n,)`` or ``(n, 1)``, or a
        numeric array whose first axis counts the cells.

    Returns
    -------
    cells : list of length n

    Raises
    ------
    ValueError
        When a table has several columns.
    TypeError
        When ``X`` is no column of cells at all (a single path, a single number ...).

    Examples
    --------
    >>> from skxmodal.media import as_cells
    >>> as_cells(("a.wav", None))
    ['a.wav', None]
    """
    if hasattr(X, "columns") and hasattr(X, "shape"):
        if len(X.columns) != 1:
            raise ValueError(
                f"expected a table of one column of media, got the {len(X.columns)} columns "
                f"{[str(c) for c in X.columns]}: select one, or use make_embedder"
            )
        X = X[X.columns[0]]
    if isinstance(X, np.ndarray):
        if X.dtype.kind == "f" and X.ndim in (1, 2) and X.size == len(X) and np.isnan(X).all():
            return X.ravel().tolist()  # what pandas makes of a column without a single cell
        if X.ndim == 0 or (X.ndim == 1 and X.dtype.kind in "biufc"):
            raise TypeError(
                f"expected a column of cells, got one array of shape {X.shape}: "
                "wrap a single sound or picture in a list"
            )
        if X.dtype.kind in "OUS" and X.ndim == 2:
            if X.shape[1] != 1:
                raise ValueError(f"expected one column of media, got an array of shape {X.shape}")
            X = X[:, 0]
        return list(X)
    single = (str, bytes, bytearray, memoryview, os.PathLike, Mapping, Set)
    if isinstance(X, single) or not hasattr(X, "__len__"):
        raise TypeError(
            f"expected a column of cells (table, Series, list or array), got {describe(X)}: "
            "wrap a single sound or picture in a list"
        )
    return list(X)


def check_length(n_samples: float, cell: str) -> None:
    """Raise when a sound is too long for the memory, as a small file can be."""
    if n_samples > MAX_SAMPLES:
        raise MediaError(
            f"the sound has {n_samples:.0f} samples, more than the {MAX_SAMPLES} that are "
            'decoded: cut it, or name a part of it ("path#t=start,end", in seconds)',
            cell=cell,
        )


def checked_path(cell: str | os.PathLike) -> Path:
    """Return the path of a cell that names a readable, non-empty regular file."""
    path = Path(cell)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MediaError("there is no such file", cell=describe(cell)) from None
    except (OSError, ValueError) as error:
        raise MediaError(f"the file cannot be opened ({error})", cell=describe(cell)) from None
    if stat.S_ISDIR(status.st_mode):
        raise MediaError("this is a folder, not a file", cell=describe(cell))
    if not stat.S_ISREG(status.st_mode):
        # Reading a pipe or a device may never end.
        raise MediaError("this is not a regular file", cell=describe(cell))
    if status.st_size == 0:
        raise MediaError("the file is empty", cell=describe(cell))
    return path
