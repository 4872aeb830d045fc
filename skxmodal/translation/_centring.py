"""ModalityCentring: close the gap between modalities in a joint space."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..modalities import present_rows, select_modality
from ..utils import VersionedState
from ._projector import check_learned

_SMALLEST_NORM = 1e-12


class ModalityCentring(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MetaEstimatorMixin,
    VersionedState,
    BaseEstimator,
):
    """A joint projector whose modalities have one common centre.

    Contrastive training leaves each modality in a region of its own, so that any sound is
    nearer to any other sound than to its picture: the *modality gap*. It harms whatever compares
    across modalities, such as a classifier trained on one and asked about another, or a search
    in a gallery of both. Here the mean joint vector of each modality is subtracted; rows of
    unit length get unit length again. The means are taken over the rows that have two
    modalities or more, where there are any: only there do all modalities show the same things.

    Parameters
    ----------
    joint : transformer
        Joint projector (:mod:`skxmodal.translation`); a
        :class:`~sklearn.frozen.FrozenEstimator` keeps one that is already fitted.

    Attributes
    ----------
    joint_ : transformer
        The fitted projector.
    means_ : dict of str to float32 array of shape (n_components,)
        The centre of each modality.
    gap_ : float
        Largest distance between two centres before they were moved.
    modalities_ : dict of str to slice
        The columns of each modality.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    References
    ----------
    .. [1] V. W. Liang et al., "Mind the gap: understanding the modality gap in multi-modal
       contrastive representation learning", NeurIPS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.translation import CCAProjector, ModalityCentring
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.exponential(size=(200, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> centred = ModalityCentring(CCAProjector(2)).fit(X)
    >>> centred.transform(select_modality(X, "audio")).shape
    (200, 2)
    """

    def __init__(self, joint: Any) -> None:
        self.joint = joint

    def fit(self, X: Any, y: Any = None) -> ModalityCentring:
        """Fit the projector, then find the centre of each modality.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table.
        y : array-like or None, default=None
            Handed on to ``joint``.

        Returns
        -------
        self : object
        """
        X = self._as_table(X, reset=True)
        self.joint_ = clone(self.joint).fit(X, y)
        projector = getattr(self.joint_, "estimator", self.joint_)  # of a FrozenEstimator
        if not hasattr(projector, "modalities_"):
            raise TypeError(
                f"ModalityCentring takes a joint projector, not {type(projector).__name__}: in a "
                "pipeline it is the last step, around the projector"
            )
        self.modalities_ = projector.modalities_
        self._unit_rows = projector._unit_rows
        present = present_rows(X, modalities=self._widths())
        several = np.sum(list(present.values()), axis=0) >= 2
        self.means_ = {}
        for name, has in present.items():
            check_learned(name, has, projector._learned)
            rows = np.flatnonzero(has & several if (has & several).any() else has)
            if len(rows):
                self.means_[name] = self._project(X, rows, name).mean(axis=0)
        centres = list(self.means_.values())
        self.gap_ = float(max(np.linalg.norm(a - b) for a in centres for b in centres))
        self._n_features_out = len(centres[0])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Project every row, relative to the centres of its modalities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table with the columns seen in ``fit``.

        Returns
        -------
        joint : float32 array of shape (n_samples, n_components)
            A row with several modalities is the mean of their joint vectors.

        Raises
        ------
        ValueError
            When a row has no modality, or one that no row had in ``fit``.
        """
        check_is_fitted(self)
        X = self._as_table(X, reset=False)
        present = present_rows(X, modalities=self._widths())
        count = np.sum(list(present.values()), axis=0)
        if not count.all():
            raise ValueError(
                f"row {np.flatnonzero(count == 0)[0]} has no modality at all: leave such rows out"
            )
        joint = np.zeros((X.shape[0], self._n_features_out), dtype=np.float32)
        for name, has in present.items():
            check_learned(name, has, self._learned)
            rows = np.flatnonzero(has)
            if len(rows):
                joint[rows] += self._unit(self._project(X, rows, name) - self.means_[name])
        return self._unit(joint / count[:, np.newaxis].astype(np.float32))

    def _project(self, X: Any, rows: np.ndarray, name: str) -> np.ndarray:
        """Return the joint vectors of one modality of some rows."""
        alone = select_modality(_safe_indexing(X, rows), name, modalities=self._widths())
        return np.asarray(self.joint_.transform(alone), dtype=np.float32)

    def _unit(self, joint: np.ndarray) -> np.ndarray:
        """Give rows unit length, where the projector does."""
        if not self._unit_rows:
            return joint
        return joint / np.maximum(np.linalg.norm(joint, axis=1, keepdims=True), _SMALLEST_NORM)

    @property
    def _learned(self) -> set[str]:
        return set(self.means_)

    def _widths(self) -> dict[str, int]:
        return {name: block.stop - block.start for name, block in self.modalities_.items()}

    def _as_table(self, X: Any, *, reset: bool) -> Any:
        """Check names and number of columns; keep tables as they are, make arrays of the rest."""
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(
            self, X, reset=reset, dtype=[np.float32, np.float64], ensure_all_finite="allow-nan"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.joint).input_tags
        tags.transformer_tags.preserves_dtype = get_tags(
            self.joint
        ).transformer_tags.preserves_dtype
        return tags
