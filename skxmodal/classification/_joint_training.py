"""JointTranslationClassifier: translation and classifier trained together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ..modalities import present_rows
from ..translation import ContrastiveTranslator
from ..translation._joint_host import JointSpaceHost
from ..translation._projector import check_learned
from ..utils import check_choice, check_number
from ._joint_translator import JointTranslator
from ._labels import LabelledScore, split_labels
from ._missing import ON_MISSING, check_there, class_prior, with_prior


class JointTranslationClassifier(LabelledScore, ClassifierMixin, JointSpaceHost):
    """Train the translation network and a classifier on its joint vectors at the same time.

    The network of :class:`~skxmodal.translation.ContrastiveTranslator` gets one linear layer
    that reads the joint vectors of every modality alike. It is first trained on the pairs alone;
    then, more gently, three losses are minimised together: the contrastive loss of all pairs,
    ``alpha`` times the cross-entropy of the labelled samples, and ``agreement`` times the
    cross-entropy by which, in unlabelled pairs, the modalities are taught to say what a modality
    with labels says of their partner. Labels of sounds thus shape the space into which pictures
    are translated, and reach pictures through all pairs at once. How many pairs are wrong, and
    how frequent each class is among them, is estimated along the way and allowed for.

    Parameters
    ----------
    joint : ContrastiveTranslator or None, default=None
        Unfitted; its parameters are those of the network, the contrastive loss and the training
        (``joint__loss``, ``joint__lr``, ``joint__sampler`` ...). ``None`` is
        ``ContrastiveTranslator()``.
    alpha : float >= 0, default=1.0
        Weight of the cross-entropy of labelled samples.
    agreement : float >= 0, default=1.0
        Weight of the agreement in unlabelled pairs.
    on_missing : {"raise", "prior"}, default="raise"
        What becomes of a row without any modality, such as one whose files cannot be read, in
        ``predict``, ``predict_proba`` and ``score``: an error that names the row, or the most
        frequent class and, as its probabilities, ``class_prior_``.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality; handed on to ``joint``.
    random_state : int, RandomState instance or None, default=None
        Handed on to ``joint``, unless that has its own.

    Attributes
    ----------
    joint_ : ContrastiveTranslator
        The trained translator.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class among the labelled rows that have a modality.
    history_ : list of dict
        ``epoch``, ``train_loss``, ``valid_loss`` (of what is held out) and ``seconds`` of every
        epoch of the joint training.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    See Also
    --------
    ModalityAgnosticClassifier : Trains one after the other, with any joint space and classifier.

    Notes
    -----
    A row is unlabelled when its label is -1 (integers), ``NaN`` (floats) or ``None``. A share
    ``joint.validation_fraction`` of the unlabelled pairs and of each class is held out, for
    early stopping.

    Probabilities are for classes as frequent as among the labelled samples, whatever their
    frequency among pairs.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 5 (end-to-end training as future work).
    .. [2] S. Gupta, J. Hoffman and J. Malik, "Cross modal distillation for supervision
       transfer", CVPR 2016 (the agreement).
    .. [3] A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021 (how skewed
       pairs are made up for).
    .. [4] G. Patrini et al., "Making deep neural networks robust to label noise: a loss
       correction approach", CVPR 2017, section 4.1 (how wrong pairs are allowed for).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.classification import JointTranslationClassifier
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.translation import ContrastiveTranslator
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> cause = 3 * y[:, None] + rng.normal(size=(300, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> heard = X.copy()
    >>> heard.iloc[200:, 5:] = np.nan  # labelled sounds without pictures
    >>> labels = np.where(np.arange(300) < 200, -1, y)
    >>> joint = ContrastiveTranslator(4, hidden_dim=16, lr=0.01, max_epochs=40)
    >>> model = JointTranslationClassifier(joint, random_state=0).fit(heard, labels)
    >>> bool(model.score(select_modality(X, "image"), y) > 0.9)
    True
    """

    def __init__(
        self,
        joint: ContrastiveTranslator | None = None,
        *,
        alpha: float = 1.0,
        agreement: float = 1.0,
        on_missing: str = "raise",
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.joint = joint
        self.alpha = alpha
        self.agreement = agreement
        self.on_missing = on_missing
        self.modalities = modalities
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> JointTranslationClassifier:
        """Train on the rows that have a pair, a label or both.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table; a row without a modality has ``NaN`` in all of its block.
        y : array-like of shape (n_samples,)
            Labels; -1, ``NaN`` or ``None`` marks a row without.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When a parameter is out of range, ``y`` and ``X`` differ in length, no row has a
            label and a modality, no row has two modalities, or training diverges before any epoch
            is good.
        TypeError
            When ``joint`` is no :class:`ContrastiveTranslator`.
        """
        if y is None:
            raise ValueError(
                "JointTranslationClassifier requires y to be passed, but the target y is None; "
                "mark rows without a label by -1"
            )
        check_number("alpha", self.alpha, low=0)
        check_number("agreement", self.agreement, low=0)
        check_choice("on_missing", self.on_missing, ON_MISSING)
        joint = self._joint_or_default()
        if not isinstance(joint, ContrastiveTranslator):
            raise TypeError(
                "joint must be an unfitted ContrastiveTranslator, whose network is trained "
                f"together with the classifier, got {type(joint).__name__}"
            )
        if joint.distributed:
            raise ValueError(
                "joint must have distributed=False: JointTranslationClassifier is trained by one "
                "process"
            )
        X = self._as_table(X, reset=True)
        y, labelled = split_labels(y)
        check_consistent_length(X, y)
        if not labelled.any():
            raise ValueError("no row has a label: the classifier has nothing to learn")
        joint = clone(joint)
        if self.modalities != "auto" and joint.modalities == "auto":
            joint.set_params(modalities=self.modalities)
        labelled = labelled & np.any(
            list(present_rows(X, modalities=joint.modalities).values()), axis=0
        )
        if not labelled.any():
            raise ValueError("no labelled row has a modality: the classifier has nothing to learn")
        # What is left without the None has a type of its own again.
        known = np.asarray(y[labelled].tolist()) if y.dtype == object else y[labelled]
        assert_all_finite(known, input_name="y")
        check_classification_targets(known)
        self.classes_, codes = np.unique(known, return_inverse=True)
        self.class_prior_ = class_prior(known, self.classes_)
        targets = np.full(len(y), -1, dtype=np.int64)
        targets[labelled] = codes

        if joint.random_state is None:
            joint.set_params(random_state=self.random_state)
        joint = JointTranslator.prepare(
            joint, alpha=self.alpha, agreement=self.agreement, classes=self.classes_
        )
        self.joint_ = joint.fit(X, targets)
        self.history_ = self.joint_.history_
        self._n_features_out = self.joint_.n_components
        return self

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
            When a row has no modality and ``on_missing="raise"``, or one that no row had in
            ``fit``.
        """
        check_is_fitted(self)
        X = self._as_table(X, reset=False)
        embedded = self._embed(X)
        n_modalities = np.sum(list(embedded.present.values()), axis=0)
        check_there(n_modalities > 0, self.on_missing)
        for name, present in embedded.present.items():
            check_learned(name, present, self.joint_._learned)
        total = np.zeros((X.shape[0], len(self.classes_)))
        for name, present in embedded.present.items():
            rows = np.flatnonzero(present)
            if len(rows):
                block = embedded.block(name, rows)
                assert_all_finite(block, input_name="X")
                total[rows] += self.joint_.classify(name, block)
        finite = np.isfinite(total).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"row {np.flatnonzero(~finite)[0]} has values too large to be projected"
            )
        mean = total / np.maximum(n_modalities, 1)[:, np.newaxis]
        return with_prior(mean, n_modalities > 0, self.class_prior_)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each row from whichever modalities it has.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As in ``fit``.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _joint_or_default(self) -> Any:
        return ContrastiveTranslator() if self.joint is None else self.joint
