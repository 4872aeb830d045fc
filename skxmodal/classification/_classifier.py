"""ModalityAgnosticClassifier: one classifier on the joint space, for every modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import (
    _safe_indexing,
    assert_all_finite,
    check_consistent_length,
    get_tags,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ..translation._joint_host import EmbeddedTable, JointSpaceHost
from ..utils import check_choice, check_number
from ._labels import LabelledScore, plain_labels, split_labels
from ._missing import ON_MISSING, check_there, class_prior, with_prior
from ._own_blocks import OwnBlocks


def _has_probabilities(self: ModalityAgnosticClassifier) -> bool:
    classifier = getattr(self, "classifier_", None) or self.classifier
    return classifier is None or hasattr(classifier, "predict_proba")


class _Part(NamedTuple):
    """The samples of one modality, and the classifier that judges them."""

    classifier: Any
    vectors: np.ndarray
    rows: np.ndarray


class ModalityAgnosticClassifier(LabelledScore, ClassifierMixin, JointSpaceHost):
    """Fit a joint space and one classifier in it; predict from whatever a row has.

    The joint space is fitted on all rows: rows without a label still teach it (their pairs do).
    The classifier is fitted on every modality of every labelled row, each by itself, so that a
    row with a sound and a picture counts as two samples of its class. A prediction is the mean
    of the class probabilities of the row's modalities.

    Parameters
    ----------
    joint : transformer or "recommended"
        Joint projector (:mod:`skxmodal.translation`), or a pipeline that ends in one; then ``X``
        may be a media table. A :class:`~sklearn.frozen.FrozenEstimator` keeps one that is
        already fitted. ``"recommended"`` is
        :func:`~skxmodal.translation.make_recommended_joint` with this ``random_state``.
    classifier : classifier or None, default=None
        ``None`` is the paper's ``RandomForestClassifier(n_estimators=100, max_depth=32)``.
    passthrough : bool, default=False
        Whether the classifier also reads what each modality knows by itself: behind the joint
        vector stands a block of columns for every modality that has labels, its embedding
        reduced by a PCA (fitted on all rows that have the modality), ``NaN`` in the blocks of
        the other modalities. The classifier must take ``NaN``, as scikit-learn's forests do.
        A modality without labels is judged by a second classifier, of the joint vector alone:
        the blocks of others could only mislead it.
    passthrough_components : int, default=128
        Most columns of such a block.
    on_missing : {"raise", "prior"}, default="raise"
        What becomes of a row without any modality, such as one whose files cannot be read, in
        ``predict``, ``predict_proba`` and ``score``: an error that names the row, or the most
        frequent class and, as its probabilities, ``class_prior_``.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns of an embedding table belong to which modality; handed on to ``joint``,
        unless that is a pipeline, whose projector has its own. ``"auto"`` takes what ``joint``
        found, or the prefixes of the column names.
    random_state : int, RandomState instance or None, default=None
        For the default classifier and ``passthrough``; ``joint`` and a classifier of your own
        have theirs.

    Attributes
    ----------
    joint_ : transformer
        The fitted joint space.
    classifier_ : classifier
        The fitted classifier.
    joint_classifier_ : classifier
        The one for modalities without labels; only with ``passthrough``, and only where the
        table has such a modality.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class among the labelled rows that have a modality.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    Notes
    -----
    A row is unlabelled when its label is -1 (integers), ``NaN`` (floats) or ``None``, as in
    :mod:`sklearn.semi_supervised`.

    A pipeline that embeds belongs in front of this estimator rather than into ``joint``, unless
    its embedder has a ``cache``: ``fit`` needs the embeddings twice.

    Metadata such as ``sample_weight`` reaches ``joint.fit`` and ``classifier.fit`` by
    scikit-learn's metadata routing; what has one value a row is repeated for each modality.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 2.3.

    Examples
    --------
    Train on sounds, predict on pictures; the pairs have no labels:

    >>> import numpy as np
    >>> from skxmodal.classification import ModalityAgnosticClassifier
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.translation import CCAProjector
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> cause = 3 * y[:, None] + rng.normal(size=(300, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> heard = X.copy()
    >>> heard.iloc[200:, 5:] = np.nan  # labelled sounds without pictures
    >>> labels = np.where(np.arange(300) < 200, -1, y)
    >>> model = ModalityAgnosticClassifier(CCAProjector(2)).fit(heard, labels)
    >>> bool(model.score(select_modality(X, "image"), y) > 0.9)
    True
    """

    def __init__(
        self,
        joint: Any,
        classifier: Any = None,
        *,
        passthrough: bool = False,
        passthrough_components: int = 128,
        on_missing: str = "raise",
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.joint = joint
        self.classifier = classifier
        self.passthrough = passthrough
        self.passthrough_components = passthrough_components
        self.on_missing = on_missing
        self.modalities = modalities
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **params: Any) -> ModalityAgnosticClassifier:
        """Fit the joint space on all rows, the classifier on the labelled ones.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table, or a media table when ``joint`` embeds.
        y : array-like of shape (n_samples,)
            Labels; -1, ``NaN`` or ``None`` marks a row without.
        **params
            Metadata, routed to ``joint.fit`` and ``classifier.fit``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When ``X``, ``y`` and weights differ in length, no labelled row has a modality, or the
            classifier does not take the ``NaN`` of ``passthrough``.
        """
        check_choice("passthrough", self.passthrough, (False, True))
        check_number("passthrough_components", self.passthrough_components, integer=True, low=1)
        check_choice("on_missing", self.on_missing, ON_MISSING)
        if y is None:
            raise ValueError(
                "ModalityAgnosticClassifier requires y to be passed, but the target y is None; "
                "mark rows without a label by -1"
            )
        X = self._as_table(X, reset=True)
        y, labelled = split_labels(y)
        check_consistent_length(X, y)
        routed = process_routing(self, "fit", **params)
        weights = routed.classifier.fit.get("sample_weight")
        if np.ndim(weights):  # of the labelled rows alone they could fit the samples by chance
            check_consistent_length(X, weights)

        joint = clone(self._joint_or_default())
        # One that is frozen has no such parameter, and keeps the layout that it was fitted with.
        if self.modalities != "auto" and joint.get_params(deep=False).get("modalities") == "auto":
            joint.set_params(modalities=self.modalities)
        self.joint_ = joint.fit(X, y, **routed.joint.fit)
        embedded = self._embed(X)
        samples = list(embedded.each_modality(labelled))
        if not samples:
            raise ValueError("no labelled row has a modality: the classifier has nothing to learn")
        vectors = np.concatenate([joint for _, joint, _ in samples])
        rows = np.concatenate([rows for _, _, rows in samples])
        labels = plain_labels(y[rows])
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        per_row = {
            name: _safe_indexing(value, rows) if _is_per_row(value, len(y)) else value
            for name, value in routed.classifier.fit.items()
        }
        classifier = self._default_classifier() if self.classifier is None else self.classifier
        self._forget_passthrough()
        if self.passthrough:
            self._fit_passthrough(classifier, embedded, samples, labels, per_row)
            if set(embedded.present) - self._labelled:
                self.joint_classifier_ = clone(classifier).fit(vectors, labels, **per_row)
        else:
            self.classifier_ = clone(classifier).fit(vectors, labels, **per_row)
        self.classes_ = self.classifier_.classes_
        # Each row once, however many samples its modalities make.
        self.class_prior_ = class_prior(plain_labels(y[np.unique(rows)]), self.classes_)
        self._n_features_out = vectors.shape[1]
        return self

    def _fit_passthrough(
        self,
        classifier: Any,
        embedded: EmbeddedTable,
        samples: list[tuple[str, np.ndarray, np.ndarray]],
        labels: np.ndarray,
        params: dict[str, Any],
    ) -> None:
        """Fit the blocks on all rows, and the classifier on joint vectors with blocks."""
        names = [name for name, _, _ in samples]
        self._labelled = set(names)
        self._own_blocks = OwnBlocks(self.passthrough_components, self.random_state)
        self._own_blocks.fit(embedded, names)
        vectors = np.concatenate(
            [
                self._own_blocks.beside(joint, name, embedded.block(name, rows))
                for name, joint, rows in samples
            ]
        )
        try:
            self.classifier_ = clone(classifier).fit(vectors, labels, **params)
        except ValueError as error:
            if get_tags(classifier).input_tags.allow_nan or "nan" not in str(error).lower():
                raise
            raise ValueError(
                f"passthrough=True gives the classifier NaN for the modalities that a sample "
                f"lacks, which {type(classifier).__name__} does not take: put it behind an "
                "imputer, make_pipeline(StandardScaler(), SimpleImputer(strategy='constant', "
                "fill_value=0), classifier), or use a forest"
            ) from error

    def _forget_passthrough(self) -> None:
        """Drop what an earlier ``fit`` with ``passthrough`` learned."""
        for name in ("joint_classifier_", "_own_blocks", "_labelled"):
            self.__dict__.pop(name, None)

    def _parts(self, X: Any) -> list[_Part]:
        """Return the samples of each modality with the classifier for them."""
        embedded = self._embed(X)
        parts = []
        for name, joint, rows in embedded.each_modality():
            if not hasattr(self, "_own_blocks"):
                parts.append(_Part(self.classifier_, joint, rows))
            elif name in self._labelled:
                vectors = self._own_blocks.beside(joint, name, embedded.block(name, rows))
                parts.append(_Part(self.classifier_, vectors, rows))
            else:
                parts.append(_Part(self.joint_classifier_, joint, rows))
        return parts

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each row from whichever modalities it has.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As in ``fit``.

        Returns
        -------
        y : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            When a row has no modality and ``on_missing="raise"``.
        """
        check_is_fitted(self)
        X = self._as_table(X, reset=False)
        parts = self._parts(X)
        n_modalities = _count(parts, X.shape[0], self.on_missing)
        predicted = np.empty(X.shape[0], dtype=self.classes_.dtype)
        predicted[n_modalities == 0] = self.classes_[self.class_prior_.argmax()]
        # With one modality there is nothing to average: the classifier decides by its own rule.
        for classifier, vectors, rows in parts:
            alone = n_modalities[rows] == 1
            if alone.any():
                predicted[rows[alone]] = classifier.predict(vectors[alone])
        several = n_modalities > 1
        if several.any():
            method = "predict_proba" if _has_probabilities(self) else "decision_function"
            scores = self._mean_scores(parts, n_modalities, method)[several]
            best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
            predicted[several] = self.classes_[best]
        return predicted

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Mean of the class probabilities of each row's modalities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As in ``fit``.

        Returns
        -------
        probabilities : float array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        ValueError
            When a row has no modality and ``on_missing="raise"``.
        """
        check_is_fitted(self)
        X = self._as_table(X, reset=False)
        parts = self._parts(X)
        n_modalities = _count(parts, X.shape[0], self.on_missing)
        if not parts:
            return np.tile(self.class_prior_, (X.shape[0], 1))
        mean = self._mean_scores(parts, n_modalities, "predict_proba")
        return with_prior(mean, n_modalities > 0, self.class_prior_)

    def get_metadata_routing(self) -> MetadataRouter:
        """Route ``fit``'s metadata to the joint space and the classifier, ``score``'s to itself.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        classifier = self._default_classifier() if self.classifier is None else self.classifier
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)  # of score
            .add(joint=self._joint_or_default(), method_mapping=to_fit)
            .add(classifier=classifier, method_mapping=to_fit)
        )

    def _mean_scores(self, parts: list[_Part], n_modalities: np.ndarray, method: str) -> np.ndarray:
        """Average the classifier's scores over the modalities of each row; zeros without any."""
        total: Any = None
        for classifier, vectors, rows in parts:
            if not hasattr(classifier, method):
                raise TypeError(
                    f"{type(classifier).__name__} has neither predict_proba nor decision_function, "
                    "which are averaged over the modalities of a row: use a classifier that has "
                    "one, or leave one modality (skxmodal.modalities.select_modality)"
                )
            scores = getattr(classifier, method)(vectors)
            if scores.ndim == 2 and scores.shape[1] != len(self.classes_):
                raise ValueError(
                    f"the classifier gives {scores.shape[1]} scores for {len(self.classes_)} "
                    "classes, which cannot be averaged over modalities: use one score a class "
                    "(decision_function_shape='ovr')"
                )
            if total is None:
                total = np.zeros((len(n_modalities), *scores.shape[1:]))
            total[rows] += scores
        return total / np.maximum(n_modalities, 1).reshape(-1, *[1] * (total.ndim - 1))

    def _default_classifier(self) -> RandomForestClassifier:
        """The paper's classifier (section 3.2)."""
        return RandomForestClassifier(
            n_estimators=100, max_depth=32, random_state=self.random_state
        )


def _count(parts: list[_Part], n_rows: int, on_missing: str) -> np.ndarray:
    """Number of modalities of each row; a row without any may be an error."""
    count = np.zeros(n_rows, dtype=int)
    for _, _, rows in parts:
        count[rows] += 1
    check_there(count > 0, on_missing)
    return count


def _is_per_row(value: Any, n_rows: int) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str) and len(value) == n_rows
