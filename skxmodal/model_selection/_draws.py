"""Which samples of the target modality are mixed in, and the tables that result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..modalities import _is_media_table, find_modalities
from ..utils._tables import as_array, is_polars, table_like


def balanced_order(y: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Order rows at random so that every prefix is as balanced as the classes allow.

    Round after round takes one row of each class that has any left, the classes in a new random
    order each round.
    """
    classes, codes = np.unique(y, return_inverse=True)
    shuffled = random_state.permutation(len(y))
    codes = codes[shuffled]
    # The round in which a row is taken is how many rows of its class came before it.
    by_class = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(classes))
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rounds = np.empty(len(y), dtype=np.int64)
    rounds[by_class] = np.arange(len(y)) - starts
    return shuffled[np.lexsort((random_state.random_sample(len(y)), rounds))]


def resolve_sizes(sizes: Any, n_available: int, target: str) -> np.ndarray:
    """Turn the parameter ``sizes`` into increasing numbers of samples."""
    if isinstance(sizes, Integral) and not isinstance(sizes, bool):
        if sizes < 2:
            raise ValueError(f"sizes must be at least 2 points (0 and all), got {sizes}")
        return np.unique(np.linspace(0, n_available, int(sizes)).round().astype(np.int64))
    if isinstance(sizes, str) or not isinstance(sizes, Sequence | np.ndarray):
        raise TypeError(
            f'sizes must be a number of points or a sequence such as (0, 100, "all"), got {sizes!r}'
        )
    found = [_resolve_size(size, n_available, target) for size in sizes]
    if not found:
        raise ValueError('sizes is empty: give at least one, such as (0, "all")')
    return np.unique(np.array(found, dtype=np.int64))


def _resolve_size(size: Any, n_available: int, target: str) -> int:
    if isinstance(size, str):
        if size != "all":
            raise ValueError(f'a size must be a number or "all", got {size!r}')
        return n_available
    if isinstance(size, bool | np.bool_) or not isinstance(size, Real):
        raise TypeError(f'a size must be a number or "all", got {size!r}')
    if isinstance(size, Integral):
        if not 0 <= int(size) <= n_available:
            raise ValueError(
                f"size {size} is not between 0 and the {n_available} labelled training samples "
                f'of modality {target!r}; "all" takes them all'
            )
        return int(size)
    if not 0 <= float(size) <= 1:
        raise ValueError(f"size {size} is a fraction, and not between 0 and 1")
    return round(float(size) * n_available)


def hide_cells(
    X: Any, hidden: Mapping[str, np.ndarray], modalities: str | Mapping[str, int]
) -> Any:
    """Return a copy in which some cells are missing.

    Parameters
    ----------
    X : DataFrame or array
        Media table or embedding table.
    hidden : dict of str to bool array of shape (n_samples,)
        Rows to hide, by modality.
    modalities : "auto", "halves" or dict
        Layout of an embedding table.
    """
    if _is_media_table(X, modalities):
        return _hide_media(X, hidden)
    columns = find_modalities(X, modalities)
    array = np.array(as_array(X), copy=True)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    for name, rows in hidden.items():
        array[rows, columns[name]] = np.nan
    return table_like(array, X)


def _hide_media(X: Any, hidden: Mapping[str, np.ndarray]) -> Any:
    if is_polars(X):
        import polars as pl

        series = {
            name: pl.Series(
                name,
                [None if gone else cell for cell, gone in zip(X[name].to_list(), rows)],
                dtype=X.schema[name],
            )
            for name, rows in hidden.items()
        }
        return X.with_columns(list(series.values()))
    import pandas as pd

    X = X.copy(deep=False)
    for name in X.columns:
        if str(name) in hidden:
            cells = np.empty(len(X), dtype=object)
            cells[:] = list(X[name])
            cells[hidden[str(name)]] = None
            X[name] = pd.Series(cells, index=X.index, dtype=object)
    return X
