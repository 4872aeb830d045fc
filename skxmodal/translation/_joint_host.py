"""What estimators that hold a joint space share: tables in, one modality at a time out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
)
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..modalities import present_rows, select_modality


class JointSpaceHost(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, MetaEstimatorMixin, BaseEstimator
):
    """Base of estimators with a parameter ``joint`` and, once fitted, ``joint_``."""

    joint: Any
    joint_: Any
    modalities: str | Mapping[str, int]

    def transform(self, X: Any) -> np.ndarray:
        """Project every row to the joint space.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As in ``fit``.

        Returns
        -------
        joint : float32 array of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return np.asarray(self.joint_.transform(self._as_table(X, reset=False)))

    def _each_modality(
        self, X: Any, wanted: np.ndarray | None = None
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield name, joint vectors and row numbers of one modality after the other.

        Modalities that no (wanted) row has are left out.
        """
        modalities = self.modalities
        found = getattr(self.joint_, "modalities_", None)
        if modalities == "auto" and found is not None:
            modalities = {name: columns.stop - columns.start for name, columns in found.items()}
        for name, present in present_rows(X, modalities=modalities).items():
            rows = np.flatnonzero(present if wanted is None else present & wanted)
            if len(rows):
                alone = select_modality(_safe_indexing(X, rows), name, modalities=modalities)
                yield name, np.asarray(self.joint_.transform(alone)), rows

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
        tags.transformer_tags.preserves_dtype = []
        return tags
