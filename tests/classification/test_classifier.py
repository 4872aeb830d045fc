import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector, ContrastiveTranslator, PCAProjector

EXPECTED_FAILURES = {
    "check_classifiers_classes": (
        "the label -1 marks an unlabelled row, as in sklearn.semi_supervised, whose classifiers "
        "scikit-learn exempts from this check by name"
    )
}


@parametrize_with_checks(
    [
        ModalityAgnosticClassifier(PCAProjector(1, modalities="halves")),
        ModalityAgnosticClassifier(
            PCAProjector(1, modalities="halves"),
            RandomForestClassifier(10, max_depth=8, random_state=0),
            passthrough=True,
        ),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def heard_and_seen():
    """Three classes; 200 unlabelled pairs, 100 labelled sounds, 100 labelled pictures."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=400)
    cause = 4 * np.eye(3)[y] + rng.normal(size=(400, 3))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(3, 8)), image=cause @ rng.normal(size=(3, 6))
    )
    X.iloc[200:300, 8:] = np.nan
    X.iloc[300:, :8] = np.nan
    labels = np.where(np.arange(400) < 200, -1, y)
    return X, labels, y


def agnostic(joint=None, classifier=None):
    return ModalityAgnosticClassifier(joint or CCAProjector(3), classifier, random_state=0)


def test_trained_on_sounds_it_predicts_pictures(heard_and_seen):
    X, labels, y = heard_and_seen
    labels[300:] = -1
    model = agnostic().fit(X, labels)
    assert model.score(X.iloc[300:], y[300:]) > 0.9


def test_pca_does_not_translate(heard_and_seen):
    X, labels, y = heard_and_seen
    labels[300:] = -1
    translated = agnostic().fit(X, labels).score(X.iloc[300:], y[300:])
    assert agnostic(PCAProjector(3)).fit(X, labels).score(X.iloc[300:], y[300:]) < translated - 0.2


def test_probabilities_are_the_mean_over_a_rows_modalities(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic().fit(X, labels)
    both = X.iloc[:20]
    mean = (
        model.predict_proba(select_modality(both, "audio"))
        + model.predict_proba(select_modality(both, "image"))
    ) / 2
    np.testing.assert_allclose(model.predict_proba(both), mean)


def test_every_modality_of_a_labelled_row_is_a_training_sample(heard_and_seen):
    X, labels, y = heard_and_seen

    class Count(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            self.n_seen_ = len(y)
            return super().fit(X, y, sample_weight)

    model = agnostic(classifier=Count()).fit(X, np.where(np.arange(400) < 10, y, labels))
    assert model.classifier_.n_seen_ == 10 * 2 + 100 + 100


@pytest.mark.parametrize(
    ("unlabelled", "dtype"),
    [(-1, int), (np.nan, float), (None, object), (pd.NA, object)],
    ids=["minus one", "nan", "none", "NA"],
)
def test_every_mark_of_an_unlabelled_row_is_understood(heard_and_seen, unlabelled, dtype):
    X, labels, _ = heard_and_seen
    expected = agnostic().fit(X, labels).predict(X)
    marked = np.array([unlabelled if label == -1 else int(label) for label in labels], dtype=dtype)
    np.testing.assert_array_equal(agnostic().fit(X, marked).predict(X), expected)


@pytest.mark.parametrize("unlabelled", [None, np.nan, -1])
def test_string_labels_may_be_missing(heard_and_seen, unlabelled):
    X, labels, _ = heard_and_seen
    names = np.array(["flute", "organ", "voice"])
    marked = [unlabelled if label == -1 else names[label] for label in labels]
    predicted = agnostic().fit(X, np.array(marked, dtype=object)).predict(X)
    assert set(predicted) == set(names)


def test_lists_of_labels_may_have_gaps(heard_and_seen):
    X, labels, _ = heard_and_seen
    names = ["flute", "organ", "voice"]
    marked = [np.nan if label == -1 else names[label] for label in labels]
    assert set(agnostic().fit(X, marked).classes_) == set(names)
    counted = pd.Series(np.where(labels == -1, None, labels)).astype("Int64")
    assert agnostic().fit(X, counted).classes_.tolist() == [0, 1, 2]


def test_labels_may_be_a_column_of_a_table(heard_and_seen):
    X, labels, _ = heard_and_seen
    with pytest.warns(DataConversionWarning):
        fitted = agnostic().fit(X, pd.DataFrame({"instrument": labels}))
    np.testing.assert_array_equal(fitted.predict(X), agnostic().fit(X, labels).predict(X))


@pytest.mark.parametrize("text", ["-1", "nan", "None", "<NA>", ""])
def test_a_missing_label_turned_into_text_is_not_taken_for_a_class(heard_and_seen, text):
    X, labels, _ = heard_and_seen
    marked = np.where(labels == -1, text, "organ")
    with pytest.raises(ValueError, match="row 0 is a missing label turned into text"):
        agnostic().fit(X, marked)


def test_labels_may_be_a_column_of_a_polars_table(heard_and_seen):
    pl = pytest.importorskip("polars")
    X, labels, _ = heard_and_seen
    column = pl.DataFrame({"instrument": pd.Series(labels).astype("Int64").where(labels >= 0)})
    with pytest.warns(DataConversionWarning):
        fitted = agnostic().fit(X, column)
    np.testing.assert_array_equal(fitted.predict(X), agnostic().fit(X, labels).predict(X))


@pytest.mark.parametrize("several", [["flute", "organ"], ["flute"], ("flute", 1), {"flute"}])
def test_a_row_with_a_list_of_labels_is_named(heard_and_seen, several):
    X, _, y = heard_and_seen
    labels = ["flute" if label else None for label in y]
    labels[7] = several
    with pytest.raises(ValueError, match=r"row 7 has .* for a label: give each row one label"):
        agnostic().fit(X, labels)
    column = pd.Series(labels)
    with pytest.raises(ValueError, match=r"row 7 has .* for a label: give each row one label"):
        agnostic().fit(X, column)


def test_lists_of_one_label_each_are_no_classes_of_minus_one(heard_and_seen):
    X, labels, _ = heard_and_seen
    with pytest.raises(ValueError, match=r"row 0 has \[-1\] for a label"):
        agnostic().fit(X, labels[:, np.newaxis].tolist())


def test_numbers_among_names_are_not_turned_into_text(heard_and_seen):
    X, labels, _ = heard_and_seen
    mixed = [None if label == -1 else "organ" if label else 5 for label in labels]
    row = mixed.index(5)
    with pytest.raises(ValueError, match=f"the label 5 of row {row} is no text, but other labels"):
        agnostic().fit(X, mixed)


def test_nullable_columns_are_tables_too(heard_and_seen):
    X, labels, _ = heard_and_seen
    expected = agnostic().fit(X, labels).predict(X)
    nullable = X.convert_dtypes()
    np.testing.assert_array_equal(agnostic().fit(nullable, labels).predict(nullable), expected)


def test_widths_given_to_the_classifier_reach_the_joint_space(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic().set_params(modalities={"audio": 8, "image": 6})
    expected = agnostic().fit(X, labels).predict(X)
    np.testing.assert_array_equal(model.fit(X.to_numpy(), labels).predict(X.to_numpy()), expected)


def test_a_pipeline_on_arrays_knows_the_widths_of_its_projector(heard_and_seen):
    from sklearn.preprocessing import StandardScaler

    X, labels, y = heard_and_seen
    joint = CCAProjector(3, modalities={"audio": 8, "image": 6})
    model = agnostic(Pipeline([("scale", StandardScaler()), ("cca", joint)]))
    assert model.fit(X.to_numpy(), labels).score(X.to_numpy(), y) > 0.9


def test_a_cell_that_cannot_be_read_leaves_the_rows_other_modality(tmp_path):
    from skxmodal.datasets import make_instruments
    from skxmodal.embedders import MediaWarning, make_embedder

    data = make_instruments(24, classes=["drums", "flute"], difficulty=0.1)
    broken = data.frame.copy()
    broken.loc[5, "audio"] = str(tmp_path / "gone.wav")
    joint = Pipeline([("embed", make_embedder(on_error="warn")), ("cca", CCAProjector(4))])
    with pytest.warns(MediaWarning, match="row 5, .*gone.wav"):
        model = agnostic(joint).fit(broken, data.target)
    with pytest.warns(MediaWarning, match="1 of 24 cells"):
        assert len(model.predict(broken)) == 24


def test_errors_name_the_row_of_the_table(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic(PCAProjector(3)).fit(select_modality(X, "audio"), labels)
    mixed = pd.concat([X.iloc[200:203], X.iloc[300:303]])
    with pytest.raises(ValueError, match="row 3 has the modality 'image', which no row had"):
        model.predict(mixed)


def test_a_frozen_joint_space_is_not_refitted(heard_and_seen):
    X, labels, _ = heard_and_seen
    joint = CCAProjector(3).fit(X)
    model = agnostic(FrozenEstimator(joint)).fit(X.iloc[200:], labels[200:])
    np.testing.assert_array_equal(model.transform(X), joint.transform(X))


def test_a_frozen_joint_space_keeps_its_widths(heard_and_seen):
    X, labels, _ = heard_and_seen
    frozen = FrozenEstimator(CCAProjector(3).fit(X))
    expected = agnostic(frozen).fit(X, labels).predict(X)
    model = agnostic(frozen).set_params(modalities={"audio": 8, "image": 6})
    np.testing.assert_array_equal(model.fit(X, labels).predict(X), expected)


def test_a_classifier_without_any_scores_cannot_judge_two_modalities(heard_and_seen):
    X, labels, y = heard_and_seen
    vote = VotingClassifier([("tree", DecisionTreeClassifier(random_state=0))])
    model = agnostic(classifier=vote).fit(X, labels)
    assert model.score(X.iloc[200:], y[200:]) > 0.9
    with pytest.raises(TypeError, match="VotingClassifier has neither predict_proba nor"):
        model.predict(X)


def test_classifiers_without_probabilities_vote_by_their_decision_function(heard_and_seen):
    X, labels, y = heard_and_seen
    model = agnostic(classifier=LinearSVC(random_state=0)).fit(X, labels)
    assert not hasattr(model, "predict_proba")
    assert model.score(X, y) > 0.9


def test_with_one_modality_the_classifier_decides_by_its_own_rule(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic(classifier=SVC(decision_function_shape="ovo")).fit(X, labels)
    heard = select_modality(X.iloc[:300], "audio")
    expected = model.classifier_.predict(model.transform(heard))
    np.testing.assert_array_equal(model.predict(heard), expected)


def test_scores_that_are_not_one_a_class_cannot_be_averaged():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 4
    cause = 4 * np.eye(4)[y] + rng.normal(size=(80, 4))
    X = concat_modalities(audio=cause, image=-cause)
    model = agnostic(CCAProjector(4), SVC(decision_function_shape="ovo")).fit(X, y)
    with pytest.raises(ValueError, match="6 scores for 4 classes"):
        model.predict(X)


def test_the_default_is_the_papers_forest(heard_and_seen):
    X, labels, _ = heard_and_seen
    forest = agnostic().fit(X, labels).classifier_
    assert isinstance(forest, RandomForestClassifier)
    assert (forest.n_estimators, forest.max_depth) == (100, 32)


@pytest.mark.parametrize("layout", ["pandas", "polars", "array"])
def test_every_kind_of_table_gives_the_same_predictions(heard_and_seen, layout):
    X, labels, _ = heard_and_seen
    expected = agnostic().fit(X, labels).predict_proba(X)
    if layout == "polars":
        X = pytest.importorskip("polars").from_pandas(X)
    model = agnostic()
    if layout == "array":
        X = X.to_numpy()
        model.set_params(joint__modalities={"audio": 8, "image": 6})
    np.testing.assert_allclose(model.fit(X, labels).predict_proba(X), expected)


def test_a_pipeline_is_a_joint_space_too(heard_and_seen):
    from sklearn.preprocessing import StandardScaler

    X, labels, y = heard_and_seen
    scaler = StandardScaler().set_output(transform="pandas")
    model = agnostic(Pipeline([("scale", scaler), ("cca", CCAProjector(3))]))
    assert model.fit(X, labels).score(X, y) > 0.9


def test_grid_search_reaches_into_the_joint_space(heard_and_seen):
    X, _, y = heard_and_seen
    search = GridSearchCV(agnostic(), {"joint__n_components": [1, 3]}, cv=3).fit(X, y)
    assert search.best_params_ == {"joint__n_components": 3}


def test_cross_validate_runs(heard_and_seen):
    X, _, y = heard_and_seen
    scores = cross_validate(agnostic(), X, y, cv=3, scoring=["accuracy", "neg_log_loss"])
    assert scores["test_accuracy"].min() > 0.8


def test_pickle_keeps_the_predictions(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic(ContrastiveTranslator(3, max_epochs=3, random_state=0)).fit(X, labels)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))


def test_clone_has_the_parameters_and_nothing_learned(heard_and_seen):
    X, labels, _ = heard_and_seen
    copy = clone(agnostic().fit(X, labels))
    assert not hasattr(copy, "classifier_")
    assert copy.get_params()["joint__n_components"] == 3


def test_metadata_reaches_the_classifier_once_per_modality(heard_and_seen):
    X, labels, _ = heard_and_seen
    seen = {}

    class Weighted(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen["weights"] = sample_weight
            return super().fit(X, y, sample_weight)

    with sklearn.config_context(enable_metadata_routing=True):
        model = agnostic(classifier=Weighted().set_fit_request(sample_weight=True))
        model.fit(X, np.abs(labels), sample_weight=np.arange(400.0))
    expected = np.concatenate([np.arange(300.0), np.arange(200.0), np.arange(300.0, 400.0)])
    np.testing.assert_array_equal(seen["weights"], expected)


def test_weights_of_the_labelled_rows_alone_are_refused(heard_and_seen):
    X, labels, _ = heard_and_seen
    with sklearn.config_context(enable_metadata_routing=True):
        model = agnostic(classifier=LogisticRegression().set_fit_request(sample_weight=True))
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[400, 200\]"):
            model.fit(X, labels, sample_weight=np.arange(200.0))


def test_weights_reach_the_score_too(heard_and_seen):
    X, _, y = heard_and_seen
    weights = np.where(y == 0, 1.0, 0.1)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True)
        model = agnostic(CCAProjector(1), classifier).set_score_request(sample_weight=True)
        scores = cross_validate(
            model,
            X,
            y,
            cv=2,
            params={"sample_weight": weights},
            return_estimator=True,
            return_indices=True,
        )
    test = scores["indices"]["test"][0]
    fitted, rows = scores["estimator"][0], X.iloc[test]
    assert scores["test_score"][0] == fitted.score(rows, y[test], sample_weight=weights[test])
    assert scores["test_score"][0] != fitted.score(rows, y[test])


def test_set_output_applies_to_transform(heard_and_seen):
    X, labels, _ = heard_and_seen
    table = agnostic().set_output(transform="pandas").fit(X, labels).transform(X)
    assert list(table.columns) == [f"modalityagnosticclassifier{i}" for i in range(3)]


def test_a_row_without_any_modality_is_named(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic().fit(X, labels)
    X.iloc[7] = np.nan
    with pytest.raises(ValueError, match=r"row 7 has no modality at all: .* on_missing='prior'"):
        model.predict(X)


@pytest.mark.parametrize("passthrough", [False, True])
def test_a_row_without_any_modality_may_get_the_priors(heard_and_seen, passthrough):
    X, labels, _ = heard_and_seen
    names = np.array([None, "organ", "a longer name", "drum"], dtype=object)
    # Two of three labelled rows are organs; the unlabelled ones do not count, nor does row 210.
    labels = names[np.where(labels < 0, 0, np.where(np.arange(400) % 3 > 0, 1, 2 + labels % 2))]
    X.iloc[210] = np.nan
    strict = agnostic().set_params(passthrough=passthrough).fit(X, labels)
    model = clone(strict).set_params(on_missing="prior").fit(X, labels)
    there = np.arange(400) != 210
    probabilities = model.predict_proba(X)
    np.testing.assert_array_equal(probabilities[there], strict.predict_proba(X[there]))
    np.testing.assert_array_equal(model.predict(X)[there], strict.predict(X[there]))
    counted = pd.Series(labels[there]).value_counts(normalize=True)
    np.testing.assert_allclose(probabilities[210], counted[model.classes_])
    np.testing.assert_allclose(model.class_prior_, counted[model.classes_])
    assert model.predict(X)[210] == "organ"
    assert model.score(X, labels) == np.mean(model.predict(X)[200:] == labels[200:])


def test_a_table_without_anything_is_predicted_by_priors(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = agnostic().set_params(on_missing="prior").fit(X, labels)
    nothing = X.iloc[:3] * np.nan
    np.testing.assert_array_equal(model.predict_proba(nothing), [model.class_prior_] * 3)
    np.testing.assert_array_equal(
        model.predict(nothing), model.classes_[[model.class_prior_.argmax()] * 3]
    )


@pytest.mark.parametrize("classifier", [LinearSVC(random_state=0), SVC(random_state=0)])
def test_classifiers_without_probabilities_have_priors_too(heard_and_seen, classifier):
    X, labels, y = heard_and_seen
    binary = np.where(labels < 0, -1, labels == 2)
    model = agnostic(classifier=classifier).set_params(on_missing="prior").fit(X, binary)
    X.iloc[7] = np.nan
    assert model.predict(X)[7] == 0
    assert model.score(X, y == 2) > 0.9


def test_a_media_table_may_have_a_row_of_which_nothing_can_be_read():
    from skxmodal.datasets import make_instruments
    from skxmodal.embedders import make_embedder

    data = make_instruments(24, classes=["drums", "flute"], difficulty=0.1)
    model = make_pipeline(
        make_embedder(on_error="ignore"),
        ModalityAgnosticClassifier(CCAProjector(4), on_missing="prior", random_state=0),
    ).fit(data.frame, data.target)
    broken = data.frame.copy()
    broken.loc[5] = [b"no sound", "gone.png"]
    np.testing.assert_array_equal(model.predict_proba(broken)[5], model[-1].class_prior_)


def test_what_becomes_of_missing_rows_is_checked(heard_and_seen):
    X, labels, _ = heard_and_seen
    with pytest.raises(ValueError, match="on_missing must be one of 'raise', 'prior', got 'skip'"):
        agnostic().set_params(on_missing="skip").fit(X, labels)


def test_no_labelled_row_is_an_error(heard_and_seen):
    X, _, _ = heard_and_seen
    with pytest.raises(ValueError, match="no labelled row has a modality"):
        agnostic().fit(X, np.full(400, -1))
