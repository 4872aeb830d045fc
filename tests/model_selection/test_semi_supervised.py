"""Cross-validation where most rows have no label."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
    cross_validate,
)

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.metrics import make_retrieval_scorer
from skxmodal.model_selection import SemiSupervisedSplit
from skxmodal.translation import CCAProjector

N_PAIRS, N_LABELLED = 300, 90


@pytest.fixture(scope="module")
def X():
    sizes = {"n_features": {"audio": 20, "image": 30}, "n_classes": 3}
    pairs = make_paired_embeddings(N_PAIRS, subset="translation", **sizes)
    train = make_paired_embeddings(N_LABELLED, subset="train", **sizes)
    table = pd.concat([pairs.frame, train.frame], ignore_index=True)
    table.attrs["y"] = np.concatenate([np.full(N_PAIRS, -1), train.target])
    return table


@pytest.fixture(scope="module")
def y(X):
    return X.attrs["y"]


@pytest.fixture
def model():
    return ModalityAgnosticClassifier(CCAProjector(8), random_state=0)


def as_names(y):
    return np.array([None if label == -1 else f"class {label}" for label in y], dtype=object)


@pytest.mark.parametrize("names", [False, True])
def test_unlabelled_rows_are_in_every_training_set_and_in_no_test(X, y, names):
    labels = as_names(y) if names else y
    splits = list(SemiSupervisedSplit(3).split(X, labels))
    assert len(splits) == SemiSupervisedSplit(3).get_n_splits(X, labels) == 3
    for train, test in splits:
        assert set(range(N_PAIRS)) <= set(train)
        assert not set(train) & set(test)
        assert np.unique(y[test], return_counts=True)[1].tolist() == [10, 10, 10]
    tested = np.sort(np.concatenate([test for _, test in splits]))
    np.testing.assert_array_equal(tested, np.arange(N_PAIRS, N_PAIRS + N_LABELLED))


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("scoring", [None, "f1_macro"])
def test_scores_are_those_of_the_labelled_rows(model, X, y, names, scoring):
    labels = as_names(y) if names else y
    scores = cross_val_score(model, X, labels, cv=SemiSupervisedSplit(3), scoring=scoring)
    assert scores.shape == (3,)
    assert scores.mean() > 0.8  # of 30 rows each; a third by chance


def test_a_grid_is_searched(model, X, y):
    grid = {"joint__n_components": [1, 8]}
    search = GridSearchCV(model, grid, cv=SemiSupervisedSplit(3), error_score="raise").fit(X, y)
    assert search.best_params_ == {"joint__n_components": 8}
    assert search.n_splits_ == 3


def test_groups_are_passed_on(X, y):
    groups = np.arange(len(y)) % 5
    splitter = SemiSupervisedSplit(LeaveOneGroupOut())
    splits = list(splitter.split(X, y, groups))
    assert len(splits) == splitter.get_n_splits(X, y, groups) == 5
    for _, test in splits:
        assert len(set(groups[test])) == 1
    model = ModalityAgnosticClassifier(CCAProjector(4), random_state=0)
    cv = SemiSupervisedSplit(GroupKFold(2))
    scores = cross_validate(model, X, y, cv=cv, groups=groups, params=None)["test_score"]
    assert len(scores) == 2


def test_it_says_how_it_was_made_and_how_many_folds_it_has():
    assert repr(SemiSupervisedSplit(3)) == "SemiSupervisedSplit(cv=3)"
    assert SemiSupervisedSplit(3).get_n_splits() == 3


def test_without_labels_there_is_nothing_to_split(X):
    with pytest.raises(ValueError, match="needs y"):
        next(SemiSupervisedSplit().split(X))
    with pytest.raises(ValueError, match="no row has a label: there is nothing to split"):
        next(SemiSupervisedSplit().split(X, np.full(len(X), -1)))


def test_the_score_of_a_classifier_leaves_unlabelled_rows_out(model, X, y):
    model.fit(X, y)
    known = y != -1
    weights = np.random.default_rng(0).uniform(size=len(y))
    assert model.score(X, y) == model.score(X[known], y[known])
    assert model.score(X, y, weights) == model.score(X[known], y[known], weights[known])
    with pytest.raises(ValueError, match="no row has a label: there is nothing to score"):
        model.score(X, np.full(len(y), -1))


@pytest.mark.parametrize("names", [False, True])
def test_the_scorer_of_retrieval_leaves_unlabelled_rows_out(X, y, names):
    scorer = make_retrieval_scorer("audio", "image")
    joint = CCAProjector(8).fit(X)
    known = y != -1
    labels = as_names(y) if names else y
    assert scorer(joint, X, labels) == scorer(joint, X[known], labels[known])
    with pytest.raises(ValueError, match="No row of X with the modality 'audio' has a label"):
        scorer(joint, X, np.full(len(y), -1))


def test_where_groups_are_kept_apart_unlabelled_rows_are_too():
    y = np.tile([0, 1, -1], 20)
    groups = np.repeat(np.arange(6), 10)
    X = np.zeros((60, 1))
    for train, test in SemiSupervisedSplit(GroupKFold(3)).split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])
        elsewhere = np.isin(groups, groups[train])
        assert set(np.flatnonzero((y == -1) & elsewhere)) <= set(train)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_groups_that_the_splitter_does_not_use_leave_out_nothing():
    y = np.tile([0, 1, -1], 20)
    unlabelled = set(np.flatnonzero(y == -1))
    for train, _ in SemiSupervisedSplit(3).split(np.zeros((60, 1)), y, np.arange(60) % 6):
        assert unlabelled <= set(train)


def test_lengths_that_differ_are_an_error(X, y):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(SemiSupervisedSplit().split(X[:-1], y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(SemiSupervisedSplit(GroupKFold(2)).split(X, y, np.arange(9)))


def test_a_list_of_splits_holds_rows_of_the_whole_table():
    y = np.tile([-1, 0, 1], 10)
    given = [(np.arange(20), np.arange(20, 30)), (np.arange(10, 30), np.arange(10))]
    splits = list(SemiSupervisedSplit(given).split(np.zeros((30, 1)), y))
    for (train, test), (rows, tested) in zip(splits, given, strict=True):
        assert test.tolist() == [row for row in tested if y[row] != -1]
        assert train.tolist() == sorted({*rows, *np.flatnonzero(y == -1)})
