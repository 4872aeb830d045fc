"""The short cut for frozen joint spaces: project once, classify many times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator

from ..classification import ModalityAgnosticClassifier


class Projected(TransformerMixin, BaseEstimator):
    """The joint space of tables whose blocks are joint vectors already.

    Parameters
    ----------
    names : sequence of str
        Modalities, in the order of their blocks.
    width : int
        Columns of each block.
    """

    def __init__(self, names: tuple[str, ...], width: int) -> None:
        self.names = names
        self.width = width

    def fit(self, X: Any, y: Any = None) -> Projected:
        """Learn nothing."""
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the block of the one modality that each row has."""
        blocks = np.asarray(X).reshape(len(X), len(self.names), self.width)
        present = ~np.isnan(blocks[:, :, 0])
        return blocks[np.arange(len(blocks)), present.argmax(axis=1)]

    @property
    def modalities_(self) -> dict[str, slice]:
        """The columns of each modality."""
        return {
            name: slice(index * self.width, (index + 1) * self.width)
            for index, name in enumerate(self.names)
        }

    def __sklearn_is_fitted__(self) -> bool:
        """Tell that there is nothing to fit."""
        return True


def can_project_once(estimator: Any, scorer: Any) -> bool:
    """Tell whether neither fitting nor scoring can notice that the table is projected."""
    return (
        # A class derived from it may look at more than the joint vectors, as passthrough does.
        type(estimator) is ModalityAgnosticClassifier
        and not estimator.passthrough
        and isinstance(estimator.joint, FrozenEstimator)
        # A scorer made from a metric hands the table to the estimator, and does no more with it.
        and (hasattr(scorer, "_score_func") or type(scorer).__name__ == "_PassthroughScorer")
    )


def project_once(
    estimator: Any, tables: Mapping[str, Any], modalities: str | Mapping[str, int]
) -> tuple[Any, dict[str, np.ndarray], dict[str, int]]:
    """Return an estimator and tables that give the same scores, without the joint space.

    Each modality of each row is projected by itself, by the estimator's own code.
    """
    host = clone(estimator)
    if modalities != "auto" and host.modalities == "auto":
        host.set_params(modalities=modalities)
    host.joint_ = host.joint
    parts: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    known: dict[str, None] = {}
    lengths = {}
    for index, (which, X) in enumerate(tables.items()):
        X = host._as_table(X, reset=index == 0)
        lengths[which] = X.shape[0]
        embedded = host._embed(X)
        known |= dict.fromkeys(embedded.present)
        parts[which] = {name: (rows, joint) for name, joint, rows in embedded.each_modality()}
    names = tuple(known)
    widths_found = {joint.shape[1] for part in parts.values() for _, joint in part.values()}
    if not widths_found:
        raise ValueError("no row has a modality: there is nothing to train on")
    (width,) = widths_found
    projected = {}
    for which, part in parts.items():
        # A joint space of float64 keeps its digits, which the classifier may see.
        dtype = np.result_type(np.float32, *(joint.dtype for _, joint in part.values()))
        table = np.full((lengths[which], len(names) * width), np.nan, dtype=dtype)
        for index, name in enumerate(names):
            if name in part:
                rows, joint = part[name]
                table[rows, index * width : (index + 1) * width] = joint
        projected[which] = table
    widths = dict.fromkeys(names, width)
    joint = FrozenEstimator(Projected(names, width))
    return clone(estimator).set_params(joint=joint, modalities=widths), projected, widths
