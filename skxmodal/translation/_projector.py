"""What every joint projector does alike: find the modalities, project each, merge per row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..modalities import find_modalities, present_rows
from ..utils import VersionedState, check_number

_CHUNK_ROWS = 8192


class JointProjector(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, VersionedState, BaseEstimator, ABC
):
    """Base of the joint projectors.

    A subclass says how it learns (:meth:`_learn`) and how it projects one modality
    (:meth:`_project`).
    """

    n_components: int
    modalities: str | Mapping[str, int]

    #: Whether rows of the joint table have unit length.
    _unit_rows = True
    _min_samples = 2

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the joint space, without labels.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table; a row without a modality has ``NaN`` in all of its block.
        y : ignored

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When a parameter is out of range, the modalities cannot be told from the columns,
            or too few rows have what the method needs.
        """
        check_number("n_components", self.n_components, integer=True, low=1)
        self._check_parameters()
        array = self._validate(X, reset=True)
        columns = find_modalities(X if hasattr(X, "columns") else array, self.modalities)
        present = present_rows(array, modalities=_widths(columns))
        self.modalities_ = columns
        self._learn(array, columns, present)
        self._n_features_out = self.n_components
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Project every row to the joint space, whichever modalities it has.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table with the columns seen in ``fit``.

        Returns
        -------
        joint : float32 array of shape (n_samples, n_components)
            A row with several modalities is the mean of their joint vectors (of unit length
            again, for translators).

        Raises
        ------
        ValueError
            When a row has no modality, or one that no row had in ``fit``.
        """
        check_is_fitted(self)
        array = self._validate(X, reset=False)
        present = present_rows(array, modalities=_widths(self.modalities_))
        self._check_rows(present)
        joint = np.zeros((len(array), self.n_components), dtype=np.float32)
        for start in range(0, len(array), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            self._transform_chunk(
                array[chunk], {name: rows[chunk] for name, rows in present.items()}, joint[chunk]
            )
        finite = np.isfinite(joint).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"row {np.flatnonzero(~finite)[0]} has values too large to be projected"
            )
        return joint

    def _transform_chunk(
        self, array: np.ndarray, present: dict[str, np.ndarray], joint: np.ndarray
    ) -> None:
        """Write the joint vectors of some rows into ``joint``."""
        for name, rows in present.items():
            if rows.all():
                joint += self._project(name, array[:, self.modalities_[name]])
            elif rows.any():
                joint[rows] += self._project(name, array[rows, self.modalities_[name]])
        if self._unit_rows:
            joint /= np.maximum(np.linalg.norm(joint, axis=1, keepdims=True), 1e-12)
        else:
            joint /= np.sum(list(present.values()), axis=0)[:, np.newaxis]

    @abstractmethod
    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        """Learn from the blocks of an embedding table."""

    @abstractmethod
    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        """Project a full block of one modality, ``(n, width)`` to ``(n, n_components)``."""

    @property
    @abstractmethod
    def _learned(self) -> set[str]:
        """Names of the modalities that can be projected."""

    def _check_parameters(self) -> None:
        """Check the parameters of one method alone."""

    def _validate(self, X: Any, *, reset: bool) -> np.ndarray:
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float32, np.float64],
            ensure_all_finite="allow-nan",
            ensure_min_samples=self._min_samples if reset else 1,
        )

    def _check_rows(self, present: dict[str, np.ndarray]) -> None:
        nothing = ~np.any(list(present.values()), axis=0)
        if nothing.any():
            raise ValueError(
                f"row {np.flatnonzero(nothing)[0]} has no modality at all: leave such rows out"
            )
        for name, rows in present.items():
            check_learned(name, rows, self._learned)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # NaN stands for a whole missing modality only; single ones are refused, as the tag says.
        tags.input_tags.allow_nan = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _widths(columns: dict[str, slice]) -> dict[str, int]:
    return {name: block.stop - block.start for name, block in columns.items()}


def check_learned(name: str, rows: np.ndarray, learned: set[str]) -> None:
    """Raise when a row has a modality that cannot be projected."""
    if name not in learned and rows.any():
        raise ValueError(
            f"row {np.flatnonzero(rows)[0]} has the modality {name!r}, which no row had in fit, or "
            "none together with another modality where pairs are learned from"
        )


def constant_modality(name: str) -> ValueError:
    """Return the error for a modality of which nothing can be learned."""
    return ValueError(
        f"the modality {name!r} is the same in every row that has another modality too: "
        "there is nothing to relate it by, add pairs that differ"
    )


def check_components(n_components: int, n_rows: int, n_columns: int, name: str) -> None:
    """Raise when a linear method cannot give that many components."""
    most = min(n_rows, n_columns)
    if n_components > most:
        raise ValueError(
            f"n_components={n_components} is more than the {most} that modality {name!r} allows "
            f"({n_rows} rows, n_features = {n_columns})"
        )


def paired_rows(
    present: dict[str, np.ndarray], estimator: str, *, required: bool = True
) -> dict[str, np.ndarray]:
    """Restrict each modality's rows to those that have another modality too."""
    several = np.sum(list(present.values()), axis=0) >= 2
    paired = {name: rows & several for name, rows in present.items()}
    if len(present) < 2:
        raise ValueError(
            f"{estimator} learns from pairs of modalities, the table has only {list(present)}"
        )
    if required and not several.any():
        raise ValueError(
            f"{estimator} learns from rows with two modalities or more, and no row has them: "
            "add pairs, they need no label"
        )
    return paired
