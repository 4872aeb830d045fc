"""PCAProjector: the same dimension for every modality, and nothing else in common."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA

from ._projector import JointProjector, check_components


class PCAProjector(JointProjector):
    """One principal component analysis per modality: the paper's baseline.

    It brings every modality to the same dimension without relating them; a classifier on top
    must do all the work of translation. Each PCA is fitted on all rows that have its modality,
    paired or not.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    whiten : bool, default=False
        Whether components are scaled to unit variance.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality: by the prefixes of their names, two halves, or
        a width for each modality in order.
    random_state : int, RandomState instance or None, default=None
        For the randomised solver that scikit-learn chooses for large tables.

    Attributes
    ----------
    modalities_ : dict of str to slice
        The columns of each modality.
    pcas_ : dict of str to :class:`~sklearn.decomposition.PCA`
        The fitted analyses; a modality that no row had is not among them.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 2.2 (systems MMP, SMA and SMI).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities
    >>> from skxmodal.translation import PCAProjector
    >>> rng = np.random.default_rng(0)
    >>> X = concat_modalities(audio=rng.normal(size=(20, 5)), image=rng.normal(size=(20, 4)))
    >>> PCAProjector(n_components=3).fit_transform(X).shape
    (20, 3)
    """

    _unit_rows = False

    def __init__(
        self,
        n_components: int = 128,
        *,
        whiten: bool = False,
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.whiten = whiten
        self.modalities = modalities
        self.random_state = random_state

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        self.pcas_ = {}
        for name, rows in present.items():
            if not rows.any():
                continue
            block = array[rows, columns[name]]
            check_components(self.n_components, block.shape[0], block.shape[1], name)
            # A constant block has no variance of which components could have a share.
            with np.errstate(invalid="ignore"):
                self.pcas_[name] = PCA(
                    self.n_components, whiten=self.whiten, random_state=self.random_state
                ).fit(block)
        if not self.pcas_:
            raise ValueError("no row has any modality")

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        return self.pcas_[name].transform(block)

    @property
    def _learned(self) -> set[str]:
        return set(self.pcas_)
