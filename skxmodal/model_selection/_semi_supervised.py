"""SemiSupervisedSplit: cross-validation on a table of which some rows have no label."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils import check_consistent_length

from ..classification._labels import plain_labels, split_labels


class SemiSupervisedSplit(GroupsConsumerMixin, BaseCrossValidator):
    """Split the labelled rows; put every row without a label into each training set.

    Pairs without labels teach a joint space whatever fold is tested, and can test nothing. With
    any other splitter they would be test rows, on which every prediction is wrong.

    Where ``cv`` keeps groups apart, rows without a label are kept apart too: those of a test
    set's groups are not in its training set, which would else know a speaker, say, that it is to
    meet for the first time.

    A row has no label where ``y`` is -1, ``NaN``, ``None`` or ``pandas.NA``, as for
    :class:`~skxmodal.classification.ModalityAgnosticClassifier`. Test sets do not cover the whole
    table, which :func:`~sklearn.model_selection.cross_val_predict` asks for.

    Parameters
    ----------
    cv : int, splitter or list of (train, test), default=5
        How the labelled rows are split: an integer is a number of stratified folds; ``groups``
        are passed on to a splitter that uses them. A list holds row numbers of the whole table;
        those of rows without a label are passed over.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.model_selection import cross_val_score
    >>> from skxmodal.classification import ModalityAgnosticClassifier
    >>> from skxmodal.datasets import make_paired_embeddings
    >>> from skxmodal.model_selection import SemiSupervisedSplit
    >>> from skxmodal.translation import CCAProjector
    >>> sizes = dict(n_features={"audio": 20, "image": 30}, n_classes=3)
    >>> pairs = make_paired_embeddings(300, subset="translation", **sizes)
    >>> train = make_paired_embeddings(90, subset="train", **sizes)
    >>> X = pd.concat([pairs.frame, train.frame], ignore_index=True)
    >>> y = np.concatenate([np.full(300, -1), train.target])
    >>> model = ModalityAgnosticClassifier(CCAProjector(8), random_state=0)
    >>> scores = cross_val_score(model, X, y, cv=SemiSupervisedSplit(3), scoring="f1_macro")
    >>> bool(scores.min() > 0.8)
    True
    """

    def __init__(self, cv: Any = 5) -> None:
        self.cv = cv

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows to train and to test on.

        Parameters
        ----------
        X : table of n_samples rows
            Only their number counts.
        y : array of shape (n_samples,)
            Labels, of which some are missing.
        groups : array of shape (n_samples,) or None, default=None
            Groups, for a splitter that uses them.

        Yields
        ------
        train, test : int arrays
            Row numbers; those without a label are in every ``train``, unless the groups of
            ``train`` and ``test`` differ and theirs is one of ``test``.

        Raises
        ------
        ValueError
            When there are no labels, lengths differ, or ``cv`` cannot split them.
        """
        check_consistent_length(X, y, groups)
        splitter, rows, labels, unlabelled, of_labelled = self._labelled(y, groups)
        of_unlabelled = [] if groups is None else np.asarray(groups)[unlabelled].tolist()
        for train, test in splitter.split(rows.reshape(-1, 1), labels, of_labelled):
            taken = unlabelled
            if of_labelled is not None:
                tested = set(of_labelled[test].tolist())
                if tested.isdisjoint(of_labelled[train].tolist()):
                    taken = unlabelled[[group not in tested for group in of_unlabelled]]
            yield np.sort(np.concatenate([rows[train], taken])), rows[test]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : ignored
        y : array of shape (n_samples,) or None, default=None
            Labels; without them, only what ``cv`` knows by itself.
        groups : array of shape (n_samples,) or None, default=None
            As in ``split``.

        Returns
        -------
        n_splits : int
        """
        if y is None:
            return check_cv(self.cv).get_n_splits(X, y, groups)
        splitter, rows, labels, _, groups = self._labelled(y, groups)
        return splitter.get_n_splits(rows.reshape(-1, 1), labels, groups)

    def _labelled(self, y: Any, groups: Any) -> tuple[Any, ...]:
        """Return the splitter of the labelled rows, these, their labels, the others, groups."""
        if y is None:
            raise ValueError("SemiSupervisedSplit needs y: it splits the rows that have a label")
        y, labelled = split_labels(y)
        rows = np.flatnonzero(labelled)
        if not len(rows):
            raise ValueError("no row has a label: there is nothing to split")
        labels = plain_labels(y[rows])
        if groups is not None:
            groups = np.asarray(groups)[rows]
        cv = self.cv
        if not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split")):
            # Row numbers of the table become places among the labelled rows.
            place = np.cumsum(labelled) - 1
            splits = [[np.asarray(part) for part in split] for split in cv]
            cv = [[place[part[labelled[part]]] for part in split] for split in splits]
        splitter = check_cv(cv, labels, classifier=True)
        return splitter, rows, labels, np.flatnonzero(~labelled), groups
