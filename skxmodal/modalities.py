"""Tables of several modalities: which column belongs to which, which row has which.

Two kinds of table are told apart by their columns. A *media table* has one column of cells per
modality (``"audio"``, ``"image"``). An *embedding table* is numeric, with a block of columns per
modality (``audio__0 ... audio__639, image__0 ...``); a row without a modality has ``NaN`` in all
of that block. A plain array is an embedding table when its widths are given in order,
``modalities={"audio": 640, "image": 900}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_consistent_length

from .media import is_missing
from .utils._tables import as_array, blank_columns, stack_tables, table_like

__all__ = [
    "concat_modalities",
    "find_modalities",
    "melt_modalities",
    "present_rows",
    "select_modality",
]

_SEPARATOR = "__"
_CHUNK_ROWS = 4096


def concat_modalities(**blocks: Any) -> Any:
    """Put one block of columns per modality side by side.

    Parameters
    ----------
    **blocks : array-like of shape (n_samples, n_features of the modality)
        The embeddings of each modality, by its name. Row ``i`` of every block is sample ``i``;
        a sample without the modality is a row of ``NaN``.

    Returns
    -------
    table : pandas.DataFrame of shape (n_samples, total number of features)
        Embedding table with the columns ``<name>__0, <name>__1, ...``; float32 when all
        blocks are.

    Raises
    ------
    ValueError
        When a block is ``None``, not numeric, not 2-D, or has no columns or another number of
        rows than the first, or when a name contains ``"__"``, which ends a name.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities
    >>> concat_modalities(audio=np.ones((2, 2)), image=np.array([[3.0], [np.nan]]))
       audio__0  audio__1  image__0
    0       1.0       1.0       3.0
    1       1.0       1.0       NaN
    """
    import pandas as pd

    if not blocks:
        raise ValueError("concat_modalities needs at least one modality, e.g. audio=A")
    arrays: dict[str, np.ndarray] = {}
    index = None
    for name, block in blocks.items():
        if not name or _SEPARATOR in name:
            raise ValueError(
                f"a modality cannot be called {name!r}: {_SEPARATOR!r} ends its name in the columns"
            )
        if block is None:
            raise ValueError(
                f"the block of modality {name!r} is None: leave it out, or pass rows of NaN for "
                "samples without it"
            )
        if isinstance(block, pd.DataFrame):
            if index is not None and not block.index.equals(index):
                raise ValueError(
                    f"the rows of modality {name!r} have another index than those before: bring "
                    "them into one order, then reset_index or use the same index"
                )
            index = block.index
        array = np.asarray(block)
        if array.ndim != 2:
            raise ValueError(
                f"the block of modality {name!r} must be 2-D, got an array of shape {array.shape}"
            )
        if array.dtype.kind not in "biuf" or array.shape[1] == 0:
            raise ValueError(
                f"the block of modality {name!r} must have numeric columns, got an array of shape "
                f"{array.shape} and dtype {array.dtype}"
            )
        arrays[name] = array
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the modalities have different numbers of rows, {lengths}: a sample without a "
            "modality needs a row of NaN there"
        )
    columns = [
        f"{name}{_SEPARATOR}{column}"
        for name, array in arrays.items()
        for column in range(array.shape[1])
    ]
    return pd.DataFrame(np.hstack(list(arrays.values())), columns=columns, index=index)


def find_modalities(X: Any, modalities: str | Mapping[str, int] = "auto") -> dict[str, slice]:
    """Find the columns of each modality in an embedding table.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)
        Embedding table.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        ``"auto"`` reads the prefixes of the column names, ``"halves"`` splits the columns in
        two (``"first"``, which has one more when they are odd, and ``"second"``), a dict gives
        the width of each modality in order.

    Returns
    -------
    columns : dict of str to slice
        In the order of the table.

    Raises
    ------
    ValueError
        When the columns carry no names, the names no prefix, a modality's columns do not lie
        side by side, or the widths do not add up.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import find_modalities
    >>> find_modalities(np.ones((1, 3)), {"audio": 2, "image": 1})
    {'audio': slice(0, 2, None), 'image': slice(2, 3, None)}
    """
    n_columns = _n_columns(X)
    if isinstance(modalities, Mapping):
        widths = {str(name): int(width) for name, width in modalities.items()}
        if min(widths.values(), default=0) < 1 or sum(widths.values()) != n_columns:
            raise ValueError(
                f"modalities={widths} must be positive widths that add up to the {n_columns} "
                "columns of the table"
            )
    elif modalities == "halves":
        if n_columns < 2:
            raise ValueError(
                f"modalities='halves' needs two columns, the table has n_features = {n_columns}"
            )
        widths = {"first": n_columns - n_columns // 2, "second": n_columns // 2}
    elif modalities == "auto":
        widths = _widths_from_names(X)
    else:
        raise ValueError(
            f"modalities must be 'auto', 'halves' or a dict of widths, got {modalities!r}"
        )
    columns, start = {}, 0
    for name, width in widths.items():
        columns[name] = slice(start, start + width)
        start += width
    return columns


def present_rows(X: Any, *, modalities: str | Mapping[str, int] = "auto") -> dict[str, np.ndarray]:
    """Tell which rows have which modality.

    Parameters
    ----------
    X : DataFrame or array
        Media table or embedding table.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table, as in :func:`find_modalities`.

    Returns
    -------
    present : dict of str to bool array of shape (n_samples,)

    Raises
    ------
    ValueError
        When a block of a row is partly ``NaN``: such a row is neither present nor missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from skxmodal.modalities import present_rows
    >>> table = pd.DataFrame({"audio": ["a.wav", None], "image": [None, "b.png"]}, dtype=object)
    >>> {name: rows.tolist() for name, rows in present_rows(table).items()}
    {'audio': [True, False], 'image': [False, True]}
    """
    if _is_media_table(X, modalities):
        return {
            str(name): np.array([not is_missing(cell) for cell in X[name]], dtype=bool)
            for name in X.columns
        }
    columns = find_modalities(X, modalities)
    array = as_array(X)
    present = {name: np.empty(len(array), dtype=bool) for name in columns}
    # By chunks: the mask of a whole table that is read from disk would not fit in memory.
    for start in range(0, len(array), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        for name, block in columns.items():
            missing = np.isnan(array[rows, block])
            if not missing.any():
                present[name][rows] = True
                continue
            n_missing = missing.sum(axis=1)
            partly = np.flatnonzero((n_missing > 0) & (n_missing < missing.shape[1]))
            if len(partly):
                raise ValueError(
                    f"row {start + partly[0]} has NaN in {n_missing[partly[0]]} of "
                    f"{missing.shape[1]} columns of modality {name!r}: a missing modality is NaN "
                    "throughout, a present one nowhere"
                )
            present[name][rows] = n_missing == 0
    return present


def select_modality(X: Any, modality: str, *, modalities: str | Mapping[str, int] = "auto") -> Any:
    """Keep one modality; every other one becomes missing, the shape stays.

    Parameters
    ----------
    X : DataFrame or array
        Media table or embedding table (pandas, polars or numpy).
    modality : str
        The one to keep.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table, as in :func:`find_modalities`.

    Returns
    -------
    X : same type and shape
        A copy.

    Raises
    ------
    ValueError
        When the table has no such modality.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import select_modality
    >>> select_modality(np.ones((1, 3)), "image", modalities={"audio": 2, "image": 1})
    array([[nan, nan,  1.]])
    """
    if _is_media_table(X, modalities):
        names = [str(name) for name in X.columns]
        _check_known(modality, names)
        others = [name for name in X.columns if str(name) != modality]
        return blank_columns(X, others)
    columns = find_modalities(X, modalities)
    _check_known(modality, list(columns))
    array = np.array(as_array(X), copy=True)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    for name, block in columns.items():
        if name != modality:
            array[:, block] = np.nan
    return table_like(array, X)


def melt_modalities(
    X: Any, y: Any = None, *, modalities: str | Mapping[str, int] = "auto"
) -> tuple[Any, Any, np.ndarray]:
    """Make one row of every modality that a row has.

    Parameters
    ----------
    X : DataFrame or array
        Media table or embedding table.
    y : array-like of shape (n_samples,), optional
        Labels, repeated along.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table, as in :func:`find_modalities`.

    Returns
    -------
    X_long : same type, one modality present in each row
        All rows of the first modality, then all of the second, ...
    y_long : ndarray or None
        The label of each row.
    modality : str array
        The modality of each row.

    Raises
    ------
    ValueError
        When a block of a row is partly ``NaN``, or ``y`` has another number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import melt_modalities
    >>> X = np.array([[1.0, 2.0], [3.0, np.nan]])
    >>> X_long, y_long, modality = melt_modalities(X, ["a", "b"], modalities="halves")
    >>> X_long
    array([[ 1., nan],
           [ 3., nan],
           [nan,  2.]])
    >>> y_long.tolist(), modality.tolist()
    (['a', 'b', 'a'], ['first', 'first', 'second'])
    """
    if y is not None:
        check_consistent_length(X, y)
    parts, labels, names = [], [], []
    for name, present in present_rows(X, modalities=modalities).items():
        rows = np.flatnonzero(present)
        parts.append(select_modality(_safe_indexing(X, rows), name, modalities=modalities))
        names.append(np.full(len(rows), name, dtype=object))
        if y is not None:
            labels.append(np.asarray(y)[rows])
    y_long = np.concatenate(labels) if y is not None else None
    return stack_tables(parts), y_long, np.concatenate(names).astype(str)


def read_block(X: Any, rows: np.ndarray, columns: slice) -> np.ndarray:
    """Return some rows of one modality's columns, float32 in C order: the same bytes always."""
    if isinstance(X, np.ndarray):
        return np.require(X[rows, columns], np.float32, "C")
    block = _safe_indexing(_safe_indexing(X, columns, axis=1), rows)
    return np.require(as_array(block), np.float32, "C")


def _n_columns(X: Any) -> int:
    shape = getattr(X, "shape", None)
    if shape is None or len(shape) != 2:
        raise ValueError(f"expected a table of two dimensions, got {type(X).__name__}")
    return shape[1]


def _is_media_table(X: Any, modalities: str | Mapping[str, int]) -> bool:
    """Tell a table of cells: its columns are named, without prefixes, and no layout is given."""
    columns = getattr(X, "columns", None)
    return (
        columns is not None
        and modalities == "auto"
        and not any(_SEPARATOR in str(name) for name in columns)
    )


def _widths_from_names(X: Any) -> dict[str, int]:
    names = getattr(X, "columns", None)
    if names is None:
        raise ValueError(
            "a table without column names does not tell its modalities: pass "
            'modalities={"audio": <number of columns>, "image": <number of columns>}'
        )
    widths: dict[str, int] = {}
    last = None
    for column in names:
        name, separator, _ = str(column).partition(_SEPARATOR)
        if not separator or not name:
            raise ValueError(
                f"column {column!r} has no modality prefix such as 'audio{_SEPARATOR}': rename "
                "it, or pass modalities={name: width, ...}"
            )
        if name in widths and name != last:
            raise ValueError(f"the columns of modality {name!r} do not lie side by side")
        widths[name] = widths.get(name, 0) + 1
        last = name
    return widths


def _check_known(modality: str, names: list[str]) -> None:
    if modality not in names:
        raise ValueError(f"the table has no modality {modality!r}, only {', '.join(names)}")
