"""One manner for tables of numpy, pandas and polars: read, make again, blank, stack."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_polars(X: Any) -> bool:
    """Tell a table of polars without importing it."""
    return type(X).__module__.partition(".")[0] == "polars"


def as_array(X: Any) -> np.ndarray:
    """Return the numbers of a table as an array."""
    if isinstance(X, np.ndarray):
        return X.astype(np.float64) if X.dtype.kind == "O" else X
    if not is_polars(X) and not all(
        isinstance(dtype, np.dtype) and dtype.kind != "O" for dtype in X.dtypes
    ):
        # Nullable columns and those of objects mark what is missing by NA or None.
        return X.to_numpy(dtype=np.float64, na_value=np.nan)
    return X.to_numpy()


def table_like(array: np.ndarray, X: Any) -> Any:
    """Give an array the table type, columns and index of ``X``."""
    if isinstance(X, np.ndarray):
        return array
    if is_polars(X):
        import polars as pl

        return pl.DataFrame(array, schema=list(X.columns))
    import pandas as pd

    return pd.DataFrame(array, columns=X.columns, index=X.index)


def blank_columns(X: Any, names: list) -> Any:
    """Set media columns missing."""
    if is_polars(X):
        import polars as pl

        return X.with_columns(
            [pl.Series(name, [None] * len(X), dtype=X.schema[name]) for name in names]
        )
    import pandas as pd

    X = X.copy(deep=False)
    for name in names:
        X[name] = pd.Series([None] * len(X), dtype=object, index=X.index)
    return X


def stack_tables(parts: list) -> Any:
    """Put tables of the same columns below one another."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if is_polars(parts[0]):
        import polars as pl

        return pl.concat(parts)
    import pandas as pd

    if any(not part.dtypes.equals(parts[0].dtypes) for part in parts):
        # Blank columns hold objects. Where they meet strings or categories, pandas 2 warns that it
        # will stop choosing the narrower type; all versions are to answer the same.
        parts = [part.astype(object) for part in parts]
    return pd.concat(parts)
