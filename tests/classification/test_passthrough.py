"""The classifier reads what each modality knows by itself, beside the joint vector."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector


@pytest.fixture
def shared_and_own():
    """Four classes: whether it is above 1 is shared; odd or even only the pictures tell.

    The first 200 rows are unlabelled pairs, then 150 labelled sounds, then 150 pictures.
    """
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=500)
    cause = 6 * (y // 2)[:, None] + rng.normal(size=(500, 2))
    own = 4 * (y % 2)[:, None] + rng.normal(size=(500, 2))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(2, 8)),
        image=np.hstack([10 * cause @ rng.normal(size=(2, 6)), own]),
    )
    X.iloc[200:350, 8:] = np.nan
    X.iloc[350:, :8] = np.nan
    return X, np.where(np.arange(500) < 200, -1, y), y


def agnostic(passthrough=True, classifier=None, **params):
    if classifier is None:
        classifier = RandomForestClassifier(30, random_state=0)
    return ModalityAgnosticClassifier(
        CCAProjector(2), classifier, passthrough=passthrough, random_state=0, **params
    )


def test_what_is_not_shared_is_read_from_the_modality_itself(shared_and_own):
    X, labels, y = shared_and_own
    seen = select_modality(X.iloc[:200], "image")
    assert agnostic(False).fit(X, labels).score(seen, y[:200]) < 0.65
    assert agnostic(True).fit(X, labels).score(seen, y[:200]) > 0.9


def test_a_modality_without_labels_is_judged_as_without_passthrough(shared_and_own):
    X, labels, _ = shared_and_own
    labels[350:] = -1
    seen = select_modality(X.iloc[:200], "image")
    np.testing.assert_array_equal(
        agnostic(True).fit(X, labels).predict_proba(seen),
        agnostic(False).fit(X, labels).predict_proba(seen),
    )


def test_the_blocks_of_other_modalities_are_missing(shared_and_own):
    X, labels, _ = shared_and_own
    seen = {}

    class Watch(DummyClassifier):
        def fit(self, X, y):
            seen["X"] = X
            return super().fit(X, y)

    agnostic(classifier=Watch(), passthrough_components=3).fit(X, labels)
    assert seen["X"].shape == (300, 2 + 3 + 3)
    assert seen["X"].dtype == np.float32
    missing = np.isnan(seen["X"])
    assert not missing[:, :2].any()
    np.testing.assert_array_equal(missing[:150], [[False] * 5 + [True] * 3] * 150)
    np.testing.assert_array_equal(missing[150:], [[False] * 2 + [True] * 3 + [False] * 3] * 150)


def test_blocks_are_learned_from_rows_without_labels_too(shared_and_own):
    X, _, y = shared_and_own
    few = np.where(np.isin(np.arange(500), [*range(200, 350), *range(350, 358)]), y, -1)
    model = agnostic().fit(X, few)
    assert model._own_blocks.pcas_["image"].n_components_ == 8
    assert model._own_blocks.pcas_["image"].n_samples_ == 350


def test_probabilities_are_the_mean_over_a_rows_modalities(shared_and_own):
    X, labels, _ = shared_and_own
    labels[350:] = -1  # sounds by one classifier, pictures by the other
    model = agnostic().fit(X, labels)
    both = X.iloc[:20]
    mean = (
        model.predict_proba(select_modality(both, "audio"))
        + model.predict_proba(select_modality(both, "image"))
    ) / 2
    np.testing.assert_allclose(model.predict_proba(both), mean)
    np.testing.assert_array_equal(model.predict(both), model.classes_[mean.argmax(axis=1)])


def test_a_classifier_that_takes_no_nan_is_refused_with_the_remedy(shared_and_own):
    X, labels, _ = shared_and_own
    with pytest.raises(ValueError, match="LogisticRegression does not take: put it behind an imp"):
        agnostic(classifier=LogisticRegression()).fit(X, labels)


@pytest.mark.parametrize(
    "classifier",
    [
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        make_pipeline(
            StandardScaler(),
            SimpleImputer(strategy="constant", fill_value=0),
            LogisticRegression(max_iter=1000),
        ),
    ],
    ids=["boosting", "imputed"],
)
def test_any_classifier_that_copes_with_nan_will_do(shared_and_own, classifier):
    X, labels, y = shared_and_own
    model = agnostic(classifier=classifier).fit(X, labels)
    assert model.score(select_modality(X.iloc[:200], "image"), y[:200]) > 0.9


def test_a_pipeline_that_scales_first_gives_blocks_of_what_it_scaled(shared_and_own):
    X, labels, y = shared_and_own
    scale = StandardScaler().set_output(transform="pandas")
    model = agnostic().set_params(joint=Pipeline([("scale", scale), ("cca", CCAProjector(2))]))
    model.fit(X, labels)
    np.testing.assert_allclose(model._own_blocks.pcas_["image"].mean_, 0, atol=1e-5)
    assert model.score(select_modality(X.iloc[:200], "image"), y[:200]) > 0.9


def test_a_media_table_goes_through_an_embedder_first():
    from skxmodal.datasets import make_instruments
    from skxmodal.embedders import make_embedder

    data = make_instruments(24, classes=["drums", "flute"], difficulty=0.1)
    joint = Pipeline([("embed", make_embedder()), ("cca", CCAProjector(4))])
    model = agnostic().set_params(joint=joint).fit(data.frame, data.target)
    assert model.classifier_.n_features_in_ == 4 + 24 + 24
    assert model.score(select_modality(data.frame, "image"), data.target) > 0.9


@pytest.mark.parametrize("layout", ["polars", "array"])
def test_every_kind_of_table_gives_the_same_predictions(shared_and_own, layout):
    X, labels, _ = shared_and_own
    expected = agnostic().fit(X, labels).predict_proba(X)
    model = agnostic()
    if layout == "polars":
        X = pytest.importorskip("polars").from_pandas(X)
    else:
        X = X.to_numpy()
        model.set_params(joint__modalities={"audio": 8, "image": 8})
    np.testing.assert_allclose(model.fit(X, labels).predict_proba(X), expected)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_tables_that_scikit_learn_is_told_to_give_do_not_matter(shared_and_own, output):
    pytest.importorskip(output)
    X, labels, _ = shared_and_own
    model = agnostic()
    expected = model.fit(X, labels).predict(X)
    with sklearn.config_context(transform_output=output):
        np.testing.assert_array_equal(model.fit(X, labels).predict(X), expected)


def test_transform_and_its_names_are_those_of_the_joint_space(shared_and_own):
    X, labels, _ = shared_and_own
    table = agnostic().set_output(transform="pandas").fit(X, labels).transform(X)
    assert list(table.columns) == [f"modalityagnosticclassifier{i}" for i in range(2)]


def test_sample_weights_reach_both_classifiers(shared_and_own):
    X, labels, _ = shared_and_own
    labels[350:] = -1
    forest = RandomForestClassifier(10, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = agnostic(classifier=forest.set_fit_request(sample_weight=True))
        weights = np.where(labels == 3, 0.0, 1.0)
        model.fit(X, labels, sample_weight=weights)
        assert 3 not in model.predict(select_modality(X.iloc[:200], "image"))
        assert 3 not in model.predict(select_modality(X.iloc[:200], "audio"))


def test_a_second_fit_without_passthrough_forgets_the_blocks(shared_and_own):
    X, labels, _ = shared_and_own
    model = agnostic().fit(X, labels)
    model.set_params(passthrough=False).fit(X, labels)
    np.testing.assert_array_equal(
        model.predict_proba(X), agnostic(False).fit(X, labels).predict_proba(X)
    )


def test_pickle_keeps_the_predictions(shared_and_own):
    X, labels, _ = shared_and_own
    model = agnostic().fit(X, labels)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"passthrough": "yes"}, ValueError, "passthrough must be one of False, True"),
        ({"passthrough_components": 0}, ValueError, "passthrough_components must be an integer"),
    ],
)
def test_parameters_are_checked(shared_and_own, params, error, message):
    X, labels, _ = shared_and_own
    with pytest.raises(error, match=message):
        agnostic().set_params(**params).fit(X, labels)
