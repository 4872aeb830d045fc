"""The joint space in which samplers judge pairs: closed form, of modalities with enough pairs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from sklearn.base import clone

from ..modalities import concat_modalities
from ._cca import CCAProjector

_CHUNK_ROWS = 8192
_MOST_COMPONENTS = 64
_MOST_FEATURES = 1024
_ENOUGH_PAIRS = 128  # fewer would leave fewer components to all modalities


class RobustSpace:
    """A joint projector, fitted on pairs of rows.

    Modalities that few pairs have are left out, or they would decide how fine the space can be.

    Parameters
    ----------
    projector : joint projector or None
        ``None`` is kernel CCA of a size that fits the pairs.
    blocks : dict of str to array of shape (n_rows, width)
        Embeddings of each modality; a row of ``NaN`` lacks it.
    chosen : dict of str to int array of shape (n_pairs,)
        Rows of each block that are paired.
    random_state : RandomState instance
        Gives the projector a seed where it has none.

    Attributes
    ----------
    names : list of str
        The modalities that can be embedded; none where no two have two pairs.
    """

    def __init__(
        self,
        projector: Any,
        blocks: dict[str, np.ndarray],
        chosen: dict[str, np.ndarray],
        random_state: np.random.RandomState,
    ) -> None:
        self._blocks = blocks
        self._columns = concat_modalities(**{n: block[:0] for n, block in blocks.items()}).columns
        present = {name: ~np.isnan(block[chosen[name], 0]) for name, block in blocks.items()}
        self.names = _common_modalities(present)
        seed = random_state.randint(np.iinfo(np.int32).max)
        if self.names:
            rows = {name: chosen[name] for name in self.names}
            own = self._sized(present, seed) if projector is None else _seeded(projector, seed)
            self._projector = own.fit(self._table(rows))

    def embed(self, name: str, present: np.ndarray) -> np.ndarray:
        """Return unit vectors of the rows that have a modality; zeros for the others."""
        rows = np.flatnonzero(present)
        parts = []
        for start in range(0, len(rows), _CHUNK_ROWS):
            table = self._table({name: rows[start : start + _CHUNK_ROWS]})
            parts.append(self._projector.transform(table))
        projected = np.concatenate(parts)
        vectors = np.zeros((len(present), projected.shape[1]), dtype=np.float32)
        vectors[rows] = projected / np.maximum(
            np.linalg.norm(projected, axis=1, keepdims=True), 1e-12
        )
        return vectors

    def _sized(self, present: dict[str, np.ndarray], seed: int) -> CCAProjector:
        """Return kernel CCA with as many components and features as the pairs allow."""
        several = np.sum([present[name] for name in self.names], axis=0) >= 2
        n_pairs = [int((present[name] & several).sum()) for name in self.names]
        widths = [self._blocks[name].shape[1] for name in self.names]
        return CCAProjector(
            max(1, min(_MOST_COMPONENTS, min(n_pairs) // 2, *widths)),
            kernel="rbf",
            # More features than pairs would only cost time.
            n_features=min(_MOST_FEATURES, max(n_pairs)),
            random_state=seed,
        )

    def _table(self, rows: dict[str, np.ndarray]) -> Any:
        """Put rows of some modalities side by side, all columns in place: one copy, no more."""
        import pandas as pd

        n_rows = len(next(iter(rows.values())))
        dtype = np.result_type(np.float32, *self._blocks.values())
        table = np.full((n_rows, len(self._columns)), np.nan, dtype=dtype)
        end = 0
        for name, block in self._blocks.items():
            columns = slice(end, end + block.shape[1])
            end = columns.stop
            for start in range(0, n_rows if name in rows else 0, _CHUNK_ROWS):
                chunk = slice(start, start + _CHUNK_ROWS)
                table[chunk, columns] = block[rows[name][chunk]]
        return pd.DataFrame(table, columns=self._columns, copy=False)


def _common_modalities(present: dict[str, np.ndarray]) -> list[str]:
    """Name the modalities that enough rows have together with one other."""
    together = {
        (first, second): int((present[first] & present[second]).sum())
        for first, second in combinations(present, 2)
    }
    enough = max(2, min(_ENOUGH_PAIRS, max(together.values()) // 2))
    common = {name for couple, count in together.items() if count >= enough for name in couple}
    return [name for name in present if name in common]


def _seeded(projector: Any, seed: int) -> Any:
    """Copy a projector; whatever in it has no seed gets this one."""
    projector = clone(projector)
    unseeded = {
        name: seed
        for name, value in projector.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return projector.set_params(**unseeded)
