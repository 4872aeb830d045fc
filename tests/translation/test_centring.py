"""Modalities of a joint space get one common centre."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector, ModalityCentring, PCAProjector
from skxmodal.translation._projector import JointProjector


class Apart(JointProjector):
    """Two columns of each modality, moved apart by a third axis, of unit length."""

    def __init__(self, n_components=3, modalities="auto"):
        self.n_components = n_components
        self.modalities = modalities

    def _learn(self, array, columns, present):
        self._names = list(columns)

    def _project(self, name, block):
        away = np.full(len(block), {"audio": 5.0, "image": -5.0}[name])
        joint = np.column_stack([block[:, :2], away]).astype(np.float32)
        return joint / np.linalg.norm(joint, axis=1, keepdims=True)

    @property
    def _learned(self):
        return set(self._names)


@parametrize_with_checks([ModalityCentring(PCAProjector(1, modalities="halves"))])
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


def centres(joint, X):
    return [joint.transform(select_modality(X, name)).mean(axis=0) for name in ("audio", "image")]


def test_the_gap_between_the_centres_is_closed(pairs):
    apart = Apart().fit(pairs)
    centred = ModalityCentring(Apart()).fit(pairs)
    before = np.linalg.norm(np.subtract(*centres(apart, pairs)))
    assert centred.gap_ == pytest.approx(before, rel=1e-5)
    assert np.linalg.norm(np.subtract(*centres(centred, pairs))) < before / 4


def test_rows_of_translators_keep_unit_length(pairs):
    joint = ModalityCentring(Apart()).fit_transform(pairs)
    assert joint.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)


def test_centres_are_those_of_the_pairs(pairs):
    expected = ModalityCentring(Apart()).fit(pairs.iloc[:200]).means_
    X = pairs.copy()
    X.iloc[200:, 8:] = np.nan  # sounds without pictures, which may show other things
    for name, mean in ModalityCentring(Apart()).fit(X).means_.items():
        np.testing.assert_allclose(mean, expected[name], atol=1e-6)


def test_a_frozen_projector_is_not_refitted(pairs):
    projector = CCAProjector(3).fit(pairs)
    centred = ModalityCentring(FrozenEstimator(projector)).fit(pairs.iloc[:100])
    assert centred.joint_.estimator is projector


def test_a_classifier_takes_it_for_its_joint_space(pairs):
    labels = (pairs["audio__0"] > pairs["audio__0"].median()).to_numpy().astype(int)
    model = ModalityAgnosticClassifier(ModalityCentring(CCAProjector(3)), random_state=0)
    assert model.fit(pairs, labels).score(select_modality(pairs, "audio"), labels) > 0.9


def test_a_row_without_any_modality_is_named(pairs):
    centred = ModalityCentring(CCAProjector(3)).fit(pairs)
    pairs.iloc[7] = np.nan
    with pytest.raises(ValueError, match="row 7 has no modality"):
        centred.transform(pairs)


def test_a_pipeline_around_the_projector_is_refused_with_what_to_do(pairs):
    model = ModalityCentring(make_pipeline(FunctionTransformer(), CCAProjector(2)))
    with pytest.raises(TypeError, match="in a pipeline it is the last step"):
        model.fit(pairs)
