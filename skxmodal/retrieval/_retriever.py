"""CrossModalRetriever: find pictures by sounds, sounds by pictures, anything by anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..translation._joint_host import JointSpaceHost
from ..utils import check_choice, check_number
from ..utils._embedding_rows import METRICS, check_embeddings
from ._gallery import Gallery, nearest_once
from ._indexes import faiss_name, import_faiss, torch_device
from ._persistence import read_index, write_index

_HUBNESS = (None, "csls", "qbnorm")
_GALLERY_SETTINGS = ("metric", "backend", "hubness")


class CrossModalRetriever(JointSpaceHost):
    """Index samples in a joint space; query them with whichever modality is at hand.

    ``fit`` fits the joint space and indexes every modality of every row by itself.

    Parameters
    ----------
    joint : transformer or "recommended"
        Joint projector (:mod:`skxmodal.translation`), or a pipeline that ends in one; then ``X``
        may be a media table. A :class:`~sklearn.frozen.FrozenEstimator` keeps one that is
        already fitted. ``"recommended"`` is
        :func:`~skxmodal.translation.make_recommended_joint` with this ``random_state``.
    n_neighbors : int, default=30
        How many neighbours a query gets unless it asks for another number.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        What nearest means.
    backend : str, default="torch"
        "torch" is exact, in blocks. "faiss" is the exact index of faiss, "faiss:HNSW" and
        "faiss:IVF" are approximate ones with settings for the size of the gallery; any other
        ``"faiss:NAME"`` is a string of faiss's index factory, such as "faiss:IVF256,PQ16".
    hubness : {None, "csls", "qbnorm"}, default=None
        Correction for items that are near to every query, learned from the vectors of the
        other modalities: cross-domain similarity local scaling [2]_, or query bank
        normalisation with the dynamic inverted softmax [3]_. Needs metric "cosine".
    hubness_neighbors : int, default=10
        Neighbours that make up a density, for "csls".
    hubness_beta : float, default=20.0
        Inverse temperature, for "qbnorm".
    bank_size : int, default=10000
        How many vectors of other modalities the correction learns from, drawn at random.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns of an embedding table belong to which modality; handed on to ``joint``,
        unless that is a pipeline, whose projector has its own. ``"auto"`` takes what ``joint``
        found, or the prefixes of the column names.
    device : str, default="cpu"
        The torch device of exact search; ``"auto"`` is a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        For drawing the bank.

    Attributes
    ----------
    joint_ : transformer
        The fitted joint space.
    galleries_ : dict of str to Gallery
        What is indexed of each modality.
    n_samples_fit_ : int
        Number of rows that were indexed.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    References
    ----------
    .. [1] Sections 2.1 and 4.1 of H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring
       modality-agnostic representations for music classification", 2021.
    .. [2] A. Conneau et al., "Word translation without parallel data", ICLR 2018.
    .. [3] S.-V. Bogolin et al., "Cross modal retrieval with querybank normalisation", CVPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.retrieval import CrossModalRetriever
    >>> from skxmodal.translation import CCAProjector
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=(200, 3))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(3, 5)),
    ...                       image=cause @ rng.normal(size=(3, 4)))
    >>> retriever = CrossModalRetriever(CCAProjector(3), n_neighbors=2).fit(X)
    >>> sounds = select_modality(X, "audio")
    >>> distances, rows = retriever.kneighbors(sounds, target="image")
    >>> bool(np.mean([i in found for i, found in enumerate(rows)]) > 0.8)
    True
    """

    def __init__(
        self,
        joint: Any,
        n_neighbors: int = 30,
        *,
        metric: str = "cosine",
        backend: str = "torch",
        hubness: str | None = None,
        hubness_neighbors: int = 10,
        hubness_beta: float = 20.0,
        bank_size: int = 10_000,
        modalities: str | Mapping[str, int] = "auto",
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.joint = joint
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.backend = backend
        self.hubness = hubness
        self.hubness_neighbors = hubness_neighbors
        self.hubness_beta = hubness_beta
        self.bank_size = bank_size
        self.modalities = modalities
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> CrossModalRetriever:
        """Fit the joint space, and index every modality of every row.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table, or a media table when ``joint`` embeds.
        y : array-like of shape (n_samples,), default=None
            Passed on to ``joint``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When a parameter is out of range.
        ImportError
            When the backend is not installed.
        """
        self._check_parameters()
        X = self._as_table(X, reset=True)
        joint = clone(self._joint_or_default())
        # One that is frozen has no such parameter, and keeps the layout that it was fitted with.
        if self.modalities != "auto" and joint.get_params(deep=False).get("modalities") == "auto":
            joint.set_params(modalities=self.modalities)
        self.joint_ = joint.fit(X, y)
        self._n_features_out: int | None = None
        vectors, rows = {}, {}
        for name, joint_vectors, of_modality in self._each_modality(X):
            vectors[name], rows[name] = self._comparable(joint_vectors, of_modality), of_modality
        if not vectors:
            raise ValueError("No row has a modality: there is nothing to index.")
        self.n_samples_fit_ = X.shape[0]
        self._n_features_out = next(iter(vectors.values())).shape[1]
        self.galleries_ = {
            name: Gallery(
                vectors=of_one,
                rows=rows[name],
                metric=self.metric,
                backend=self.backend,
                device=self.device,
                hubness=self.hubness,
            )
            for name, of_one in vectors.items()
        }
        random_state = check_random_state(self.random_state)
        for name, gallery in self.galleries_.items():
            if self.hubness is not None:
                gallery.learn_hubs(
                    self._bank(name, random_state),
                    n_neighbors=self.hubness_neighbors,
                    beta=self.hubness_beta,
                )
            gallery.build()
        return self

    def kneighbors(
        self,
        X: Any,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        target: str | None = None,
        return_modality: bool = False,
    ) -> Any:
        """Find the nearest indexed rows of every query.

        Parameters
        ----------
        X : DataFrame or array of shape (n_queries, n_features)
            Queries, in a table like that of ``fit``. A row is a query by all modalities it has;
            :func:`skxmodal.modalities.select_modality` leaves one of them.
        n_neighbors : int, default=None
            How many; ``None`` means the parameter of the estimator.
        return_distance : bool, default=True
            Whether distances are returned too.
        target : str, default=None
            The modality to find; ``None`` searches all, and a row found in several of its
            modalities counts once, by the nearest.
        return_modality : bool, default=False
            Whether to return by which modality each row was found.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Only if ``return_distance``. One minus the cosine, Euclidean distance, or negative
            inner product; with ``hubness``, the negative of the corrected score.
        indices : ndarray of shape (n_queries, n_neighbors)
            Rows of the table given to ``fit``, nearest first. An approximate index may find
            fewer, and fills up with -1 at distance infinity.
        modality : str ndarray of shape (n_queries, n_neighbors)
            Only if ``return_modality``.

        Raises
        ------
        ValueError
            When a query has no modality, ``target`` was not indexed, or fewer rows were indexed
            than neighbours are asked for.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_number("n_neighbors", k, integer=True, low=1)
        names = self._targets(target)
        rows_indexed = np.unique(np.concatenate([self.galleries_[name].rows for name in names]))
        if k > len(rows_indexed):
            raise ValueError(
                f"n_neighbors={k} is more than the {len(rows_indexed)} rows that were indexed."
            )
        queries = self._comparable(self.transform(X))
        found = [self.galleries_[name].search(queries, k, self.hubness_neighbors) for name in names]
        modality = np.repeat(np.arange(len(names)), [rows.shape[1] for _, rows in found])
        distances = np.concatenate([part for part, _ in found], axis=1)
        rows = np.concatenate([part for _, part in found], axis=1)
        modality = np.broadcast_to(modality, rows.shape)
        if len(names) > 1:
            distances, rows, modality = nearest_once(distances, rows, modality, k)
        result = (distances, rows) if return_distance else (rows,)
        if return_modality:
            result = (*result, np.asarray(names)[modality])
        return result if len(result) > 1 else result[0]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the index to one file, without the joint space.

        The file is NumPy's ``.npz`` with plain arrays only: reading it executes nothing, so an
        index may come from anyone. The joint space is an estimator, which is saved by means of
        your choice (skops, or pickle where the source is trusted), once for any number of
        indexes. The file is complete or not there.

        Parameters
        ----------
        path : path
            Name of the file; ``.npz`` is appended if it is not there.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        check_is_fitted(self)
        path = Path(path)
        if path.suffix != ".npz":
            path = path.with_name(path.name + ".npz")
        about = {
            "settings": {
                **{name: getattr(self, name) for name in _GALLERY_SETTINGS},
                "hubness_neighbors": int(self.hubness_neighbors),
            },
            "n_samples_fit": self.n_samples_fit_,
            "n_features_in": self.n_features_in_,
            "feature_names_in": [str(x) for x in getattr(self, "feature_names_in_", [])],
            "modalities": list(self.galleries_),
        }
        write_index(path, about, [gallery.to_arrays() for gallery in self.galleries_.values()])
        return path

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], joint: Any, **parameters: Any
    ) -> CrossModalRetriever:
        """Read an index that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            The file.
        joint : transformer
            The fitted joint space with which the index was made.
        **parameters
            Parameters of the retriever that do not concern what is indexed, such as
            ``n_neighbors`` and ``device``.

        Returns
        -------
        CrossModalRetriever
            Fitted; ``joint`` itself, not a clone, is its ``joint_``.

        Raises
        ------
        ValueError
            When the file is not such an index, or ``joint`` does not fit it.
        """
        about, galleries = read_index(Path(path))
        settings = about["settings"]
        clash = sorted(set(parameters) & set(settings))
        if clash:
            raise ValueError(f"{clash[0]} is part of the saved index and cannot be changed.")
        retriever = cls(joint, **settings, **parameters)
        retriever._check_parameters()
        n_features = getattr(joint, "n_features_in_", about["n_features_in"])
        if n_features != about["n_features_in"]:
            raise ValueError(
                f"The index was made from {about['n_features_in']} columns, joint was fitted on "
                f"{n_features}: give the joint space with which it was made."
            )
        retriever.joint_ = joint
        retriever.n_samples_fit_ = about["n_samples_fit"]
        retriever.n_features_in_ = about["n_features_in"]
        if about["feature_names_in"]:
            retriever.feature_names_in_ = np.asarray(about["feature_names_in"], dtype=object)
        of_gallery = {name: settings[name] for name in _GALLERY_SETTINGS}
        retriever.galleries_ = {
            name: Gallery.from_arrays(arrays, **of_gallery, device=retriever.device)
            for name, arrays in zip(about["modalities"], galleries, strict=True)
        }
        retriever._n_features_out = next(iter(retriever.galleries_.values())).vectors.shape[1]
        return retriever

    def _check_parameters(self) -> None:
        """Raise if a parameter is out of range."""
        check_number("n_neighbors", self.n_neighbors, integer=True, low=1)
        check_number("hubness_neighbors", self.hubness_neighbors, integer=True, low=1)
        check_number("bank_size", self.bank_size, integer=True, low=1)
        check_number("hubness_beta", self.hubness_beta, above=0)
        check_choice("metric", self.metric, METRICS)
        torch_device(self.device)
        check_choice("hubness", self.hubness, _HUBNESS)
        if self.hubness is not None and self.metric != "cosine":
            raise ValueError(f"hubness={self.hubness!r} needs metric='cosine'.")
        if self.backend != "torch":
            import_faiss(faiss_name(self.backend))

    def _comparable(self, joint: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Check joint vectors, of all rows or of some; give them unit length for the cosine."""
        joint = check_embeddings(joint, "the joint table", metric=self.metric, rows=rows)
        width = self._n_features_out
        if width is not None and joint.shape[1] != width:
            raise ValueError(
                f"The index has vectors of length {width}, the joint space gives "
                f"{joint.shape[1]}: it is not the one with which the index was made."
            )
        if self.metric == "cosine":
            joint = joint / np.linalg.norm(joint.astype(np.float64), axis=1, keepdims=True)
        return np.ascontiguousarray(joint, dtype=np.float32)

    def _bank(self, target: str, random_state: np.random.RandomState) -> np.ndarray:
        """Return vectors like the queries that will search a modality: those of the others."""
        others = [g.vectors for name, g in self.galleries_.items() if name != target]
        bank = np.concatenate(others or [self.galleries_[target].vectors])
        if len(bank) > self.bank_size:
            bank = bank[random_state.choice(len(bank), self.bank_size, replace=False)]
        return bank

    def _targets(self, target: str | None) -> list[str]:
        """Return the modalities to search."""
        if target is None:
            if self.hubness == "qbnorm" and len(self.galleries_) > 1:
                raise ValueError(
                    "hubness='qbnorm' makes scores that cannot be compared between modalities: "
                    f"name the target, one of {list(self.galleries_)}."
                )
            return list(self.galleries_)
        if target not in self.galleries_:
            raise ValueError(
                f"No row with the modality {target!r} was indexed, only "
                f"{', '.join(self.galleries_)}."
            )
        return [target]
