"""A scorer for model selection: how well one modality finds another in the joint space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing

from ..modalities import _is_media_table, present_rows, select_modality
from ..utils import VersionedState
from ._labels import labelled_rows, refuse_missing_as_text
from ._ndcg import retrieval_ndcg_score
from ._relevance import ExactMatch, Relevance


class RetrievalScorer(VersionedState, BaseEstimator):
    """NDCG of cross-modal retrieval as a scorer; made by :func:`make_retrieval_scorer`.

    Parameters
    ----------
    source, target : str
        Modality of the queries and of the gallery.
    k : int or None, default=30
        As in :func:`retrieval_ndcg_score`.
    relevance : relevance or None, default=None
        ``None`` is :class:`ExactMatch`.
    gain : {"exponential", "linear"}, default="exponential"
        As in :func:`retrieval_ndcg_score`.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        As in :func:`retrieval_ndcg_score`.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table without column names; "auto" is what the estimator found.
    """

    def __init__(
        self,
        source: str,
        target: str,
        *,
        k: int | None = 30,
        relevance: Relevance | None = None,
        gain: str = "exponential",
        metric: str = "cosine",
        modalities: str | Mapping[str, int] = "auto",
    ) -> None:
        self.source = source
        self.target = target
        self.k = k
        self.relevance = relevance
        self.gain = gain
        self.metric = metric
        self.modalities = modalities

    def __call__(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted; its ``transform`` gives the joint space.
        X : table of shape (n_samples, ...)
            Media table or embedding table.
        y : array-like of length n_samples, default=None
            Labels; rows with -1, ``NaN`` or ``None`` are left out. Without any, a row is relevant
            to itself only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows as queries.

        Returns
        -------
        float
            NDCG; larger is better.
        """
        return self.score(estimator, X, y, sample_weight=sample_weight)

    def score(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Do what calling the scorer does; metadata requests are made of this method.

        Parameters
        ----------
        estimator : estimator
            Fitted; its ``transform`` gives the joint space.
        X : table of shape (n_samples, ...)
            Media table or embedding table.
        y : array-like of length n_samples, default=None
            Labels; rows with -1, ``NaN`` or ``None`` are left out. Without any, a row is relevant
            to itself only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows as queries.

        Returns
        -------
        float
            NDCG; larger is better.
        """
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"The retrieval scorer needs an estimator that transforms to a joint space; "
                f"{type(estimator).__name__} has no transform."
            )
        if self.source == self.target:
            raise ValueError(
                f"source and target are both {self.source!r}: every query would find itself."
            )
        n_rows = X.shape[0]
        labels = np.arange(n_rows) if y is None else y
        length = labels.shape[0] if hasattr(labels, "shape") else len(labels)
        if length != n_rows:
            raise ValueError(f"X has {n_rows} rows, y has {length}.")
        if sample_weight is not None and np.shape(sample_weight) != (n_rows,):
            raise ValueError(
                f"X has {n_rows} rows, sample_weight has shape {np.shape(sample_weight)}."
            )
        modalities = self._layout(estimator, X)
        present = present_rows(X, modalities=modalities)
        for name in (self.source, self.target):
            if name not in present:
                raise ValueError(f"X has no modality {name!r}, only {sorted(present)}.")
            if not present[name].any():
                raise ValueError(f"No row of X has the modality {name!r}.")
        if y is not None:
            refuse_missing_as_text(labels, "y")
            labelled = labelled_rows(labels)
            present = {name: rows & labelled for name, rows in present.items()}
            for name in (self.source, self.target):
                if not present[name].any():
                    raise ValueError(f"No row of X with the modality {name!r} has a label.")
        queries, gallery = (np.flatnonzero(present[x]) for x in (self.source, self.target))
        return float(
            retrieval_ndcg_score(
                _embed(estimator, X, self.source, queries, modalities),
                _embed(estimator, X, self.target, gallery, modalities),
                _safe_indexing(labels, queries),
                _safe_indexing(labels, gallery),
                relevance=ExactMatch() if self.relevance is None else self.relevance,
                k=self.k,
                gain=self.gain,
                metric=self.metric,
                sample_weight=None if sample_weight is None else np.asarray(sample_weight)[queries],
            )
        )

    def _layout(self, estimator: Any, X: Any) -> Any:
        """Return the layout of X: as told, by its column names, or as the estimator found it."""
        found = getattr(estimator, "modalities_", None)
        if self.modalities != "auto" or found is None:
            return self.modalities
        if hasattr(X, "columns"):
            # Named columns tell their modalities, by prefixes or as those of a media table.
            named = not _is_media_table(X, "auto") or set(map(str, X.columns)) <= set(found)
            if named:
                return self.modalities
        return {name: columns.stop - columns.start for name, columns in found.items()}

    def _accept_sample_weight(self) -> bool:
        """Tell scikit-learn's multimetric scoring that weights may be passed on."""
        return True


def _embed(estimator: Any, X: Any, modality: str, rows: np.ndarray, modalities: Any) -> Any:
    """Return the joint vectors of one modality."""
    selected = select_modality(_safe_indexing(X, rows), modality, modalities=modalities)
    return np.asarray(estimator.transform(selected))


def make_retrieval_scorer(
    source: str,
    target: str,
    *,
    k: int | None = 30,
    relevance: Relevance | None = None,
    gain: str = "exponential",
    metric: str = "cosine",
    modalities: str | Mapping[str, int] = "auto",
) -> RetrievalScorer:
    """Make a scorer from the NDCG of one modality searching another.

    It is a scorer ``(estimator, X, y)`` as ``scoring=`` of :class:`GridSearchCV` or
    :func:`cross_validate` takes it, also in a dict of several, for any estimator or pipeline
    whose ``transform`` leads to a joint space. ``X`` is a media table or an embedding table.
    Rows with ``source`` are queries, rows with ``target`` the gallery.

    Parameters
    ----------
    source, target : str
        Modality of the queries and of the gallery.
    k : int or None, default=30
        How many of the best items count; ``None`` counts all.
    relevance : ExactMatch, TaxonomyRelevance, PrecomputedRelevance or callable, default=None
        Relevance between label sets; ``None`` is 1 for a shared label, else 0.
    gain : {"exponential", "linear"}, default="exponential"
        As in :func:`retrieval_ndcg_score`.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        As in :func:`retrieval_ndcg_score`.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Layout of an embedding table without column names; "auto" is what the estimator found.

    Returns
    -------
    RetrievalScorer
        Under metadata routing, ``set_score_request(sample_weight=True)`` asks for weights.

    References
    ----------
    .. [1] Sections 3.3 and 4.1 of H.-H. Wu, M. Fuentes, J. P. Bello, "Exploring
       modality-agnostic representations for music classification", 2021.

    Examples
    --------
    >>> from skxmodal.metrics import make_retrieval_scorer
    >>> scoring = {
    ...     "audio_to_image": make_retrieval_scorer("audio", "image"),
    ...     "image_to_audio": make_retrieval_scorer("image", "audio"),
    ... }
    """
    return RetrievalScorer(
        source,
        target,
        k=k,
        relevance=relevance,
        gain=gain,
        metric=metric,
        modalities=modalities,
    )
