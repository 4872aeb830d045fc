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
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..modalities import find_modalities, present_rows, read_block, select_modality
from ..utils import VersionedState, check_choice
from ._projector import check_learned
from ._recommended import make_recommended_joint


class JointSpaceHost(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MetaEstimatorMixin,
    VersionedState,
    BaseEstimator,
):
    """Base of estimators with a parameter ``joint`` and, once fitted, ``joint_``."""

    joint: Any
    joint_: Any
    modalities: str | Mapping[str, int]
    random_state: int | np.random.RandomState | None

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

    def _joint_or_default(self) -> Any:
        """Return the parameter ``joint``, or what its name stands for."""
        if not isinstance(self.joint, str):
            return self.joint
        check_choice("joint", self.joint, ("recommended",))
        return make_recommended_joint(random_state=self.random_state)

    def _each_modality(
        self, X: Any, wanted: np.ndarray | None = None
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield name, joint vectors and row numbers of one modality after the other.

        Modalities that no (wanted) row has are left out. What stands before the projector in a
        pipeline is applied once, to the whole table: only then is it known which cells could be
        read, and an error names the row of the table.
        """
        return self._embed(X).each_modality(wanted)

    def _embed(self, X: Any) -> EmbeddedTable:
        """Apply what stands before the projector, and find out which columns are whose."""
        before, projector = _split(self.joint_)
        if before is not None:
            X = before.transform(X)
        modalities = self.modalities
        found = getattr(projector, "modalities_", None)
        if found is not None:
            modalities = {name: columns.stop - columns.start for name, columns in found.items()}
        return EmbeddedTable(X, projector, modalities)

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
        tags.input_tags = get_tags(self._joint_or_default()).input_tags
        tags.transformer_tags.preserves_dtype = []
        return tags


class EmbeddedTable:
    """A table in front of the projector that takes it.

    Parameters
    ----------
    table : DataFrame or array
        Embedding table, or a media table when the projector embeds.
    projector : transformer
        The fitted joint projector.
    modalities : "auto", "halves" or dict of str to int
        Layout of the table.
    """

    def __init__(self, table: Any, projector: Any, modalities: str | Mapping[str, int]) -> None:
        self.table = table
        self.projector = projector
        self.modalities = modalities
        self.present = present_rows(table, modalities=modalities)

    def each_modality(
        self, wanted: np.ndarray | None = None
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield name, joint vectors and row numbers of one modality after the other."""
        learned = getattr(self.projector, "_learned", None)
        for name, present in self.present.items():
            if wanted is None and learned is not None:
                check_learned(name, present, learned)
            rows = np.flatnonzero(present if wanted is None else present & wanted)
            if len(rows):
                alone = select_modality(
                    _safe_indexing(self.table, rows), name, modalities=self.modalities
                )
                yield name, np.asarray(self.projector.transform(alone)), rows

    def block(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the embeddings of one modality, float32 ``(n_rows, width)``."""
        return read_block(self.table, rows, find_modalities(self.table, self.modalities)[name])


def _split(joint: Any) -> tuple[Any, Any]:
    """Split a fitted pipeline in front of the projector that it ends in; ``None``: nothing."""
    while isinstance(joint, FrozenEstimator):
        joint = joint.estimator
    if isinstance(joint, Pipeline) and len(joint) > 1 and hasattr(joint[-1], "modalities_"):
        return joint[:-1], joint[-1]
    return None, joint
