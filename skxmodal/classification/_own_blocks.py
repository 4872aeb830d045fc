"""What each modality knows by itself, beside the joint vector."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from ..translation._joint_host import EmbeddedTable


class OwnBlocks:
    """Each modality's embedding, reduced, in columns of its own behind the joint vector.

    Parameters
    ----------
    n_components : int
        Most components of a modality; fewer where its rows or columns are fewer.
    random_state : int, RandomState instance or None
        For the randomised solver that scikit-learn chooses for large tables.

    Attributes
    ----------
    pcas_ : dict of str to :class:`~sklearn.decomposition.PCA`
        The modalities that have a block, in the order of their columns.
    """

    def __init__(self, n_components: int, random_state: int | np.random.RandomState | None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, embedded: EmbeddedTable, names: list[str]) -> OwnBlocks:
        """Learn the reduction of some modalities from all rows that have them."""
        self.pcas_ = {}
        for name in names:
            block = embedded.block(name, np.flatnonzero(embedded.present[name]))
            if len(block) < 2:  # one row varies in nothing
                continue
            n_components = min(self.n_components, *block.shape)
            # A constant block has no variance of which components could have a share.
            with np.errstate(invalid="ignore"):
                self.pcas_[name] = PCA(n_components, random_state=self.random_state).fit(block)
        return self

    def beside(self, joint: np.ndarray, name: str, block: np.ndarray) -> np.ndarray:
        """Put the blocks behind joint vectors of one modality; those of others are ``NaN``."""
        parts = [np.asarray(joint, dtype=np.float32)]
        for other, pca in self.pcas_.items():
            if other == name:
                # As an array, whatever kind of table scikit-learn is told to give.
                parts.append(np.asarray(pca.transform(block), dtype=np.float32))
            else:
                parts.append(np.full((len(joint), pca.n_components_), np.nan, dtype=np.float32))
        return np.hstack(parts)
