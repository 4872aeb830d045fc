"""A table of the pairs that a sampler chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_random_state

from ..modalities import find_modalities, present_rows
from ..utils._tables import as_array, is_polars
from ._pair_samplers import make_sampler
from ._pair_sampling import paired_rows
from ._training_data import sample_rows


def select_pairs(
    X: Any,
    *,
    sampler: Any = "rematched",
    modalities: Any = "auto",
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Make a table of chosen pairs, to look at them or to fit any projector on them.

    Parameters
    ----------
    X : DataFrame or array of shape (n_samples, n_features)
        Embedding table; rows with one modality alone are left out.
    sampler : str or object, default="rematched"
        As in :func:`make_sampler`.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality, as in :class:`PCAProjector`.
    random_state : int, RandomState instance or None, default=None
        Same seed, same pairs.

    Returns
    -------
    pairs : DataFrame or array of shape (n_chosen, n_features)
        Embedding table of the chosen pairs, of the kind, with the columns and of the dtype of
        ``X``.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities
    >>> from skxmodal.translation import select_pairs
    >>> kind = np.array([0] * 190 + [1] * 10)
    >>> X = concat_modalities(audio=np.eye(2)[kind], image=np.eye(2)[kind])
    >>> select_pairs(X, sampler="dpp", random_state=0).shape
    (100, 4)
    """
    X = X if hasattr(X, "columns") else np.asarray(X)
    columns = find_modalities(X, modalities)
    array = as_array(X)
    present = present_rows(array, modalities={n: b.stop - b.start for n, b in columns.items()})
    rows = paired_rows(present)
    blocks = {name: array[:, block] for name, block in columns.items() if present[name][rows].any()}
    found = sample_rows(make_sampler(sampler), blocks, rows, check_random_state(random_state))
    chosen = dict(zip(blocks, found))
    # A modality that no pair has is missing in any of these rows.
    missing = np.repeat(rows[:1], len(found[0]))
    return _side_by_side(
        [
            _safe_indexing(_safe_indexing(X, block, axis=1), chosen.get(name, missing))
            for name, block in columns.items()
        ]
    )


def _side_by_side(parts: list) -> Any:
    """Join the columns of tables of one kind; pandas numbers the rows anew."""
    if isinstance(parts[0], np.ndarray):
        return np.hstack(parts)
    if is_polars(parts[0]):
        import polars as pl

        return pl.concat(parts, how="horizontal")
    import pandas as pd

    return pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
