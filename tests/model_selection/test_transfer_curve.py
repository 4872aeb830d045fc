import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.modalities import concat_modalities, present_rows, select_modality
from skxmodal.model_selection import transfer_curve
from skxmodal.model_selection._frozen import can_project_once
from skxmodal.translation import PCAProjector

SEEN = []


class Witness(ClassifierMixin, BaseEstimator):
    """Remembers what it was trained and tested on, and predicts the most frequent class."""

    def fit(self, X, y, sample_weight=None):
        present = present_rows(X)
        SEEN.append({"present": present, "X": X, "y": np.asarray(y), "weight": sample_weight})
        known = self.classes_ = np.unique(y)
        self.most_ = known[0]
        return self

    def predict(self, X):
        SEEN[-1]["tested"] = present_rows(X)
        return np.full(len(X), self.most_)


class Failing(Witness):
    """Fails where there are fewer rows than it wants."""

    def __init__(self, at_least=0):
        self.at_least = at_least

    def fit(self, X, y):
        if len(X) < self.at_least:
            raise RuntimeError("too few rows")
        return super().fit(X, y)


class Slow(ModalityAgnosticClassifier):
    """The same classifier, for which the short cut is not taken."""


@pytest.fixture
def seen():
    """What the witness saw, fit by fit."""
    SEEN.clear()
    return SEEN


@pytest.fixture
def split(pairs):
    """The last two hundred rows in halves, as parameters."""
    X, y = pairs
    return {"X": X[100:200], "y": y[100:200], "X_test": X[200:], "y_test": y[200:]}


def agnostic(joint, kind=ModalityAgnosticClassifier, **options):
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    return kind(FrozenEstimator(joint), forest, **options)


def by_size(seen):
    return sorted(seen, key=lambda fit: fit["present"]["image"].sum())


# What is trained on


def test_all_of_the_source_is_seen_and_as_much_of_the_target_as_asked_for(seen, split):
    transfer_curve(Witness(), **split, target="image", sizes=(0, 12, "all"), n_repeats=1)
    present = [fit["present"] for fit in by_size(seen)]
    assert [rows["image"].sum() for rows in present] == [0, 12, 100]
    assert [rows["audio"].sum() for rows in present] == [100, 100, 100]
    assert [len(rows["audio"]) for rows in present] == [100, 100, 100]


def test_the_test_rows_have_the_target_alone(seen, split):
    transfer_curve(Witness(), **split, target="image", sizes=(0, "all"), n_repeats=1)
    assert all(fit["tested"]["image"].all() for fit in seen)
    assert not any(fit["tested"]["audio"].any() for fit in seen)


def test_without_a_source_only_the_drawn_samples_are_seen(seen, split):
    curve = transfer_curve(
        Witness(), **split, target="image", source=(), sizes=(0, 12, "all"), n_repeats=1
    )
    present = [fit["present"] for fit in by_size(seen)]
    assert [rows["image"].sum() for rows in present] == [12, 100]
    assert not any(rows["audio"].any() for rows in present)
    assert curve.source == ()
    assert curve.n_source == 0


def test_with_nothing_to_train_on_there_is_no_score_and_no_warning(split):
    curve = transfer_curve(
        Witness(), **split, target="image", source=(), sizes=(0, "all"), n_repeats=2
    )
    assert np.isnan(curve.scores[0]).all()
    assert not np.isnan(curve.scores[1]).any()


def test_drawn_samples_are_balanced_and_nested(seen, split):
    transfer_curve(Witness(), **split, target="image", source=(), sizes=(9, 30), n_repeats=1)
    few, many = by_size(seen)
    assert np.bincount(few["y"]).tolist() == [3, 3, 3]
    assert np.bincount(many["y"]).tolist() == [10, 10, 10]
    assert set(few["X"].index) < set(many["X"].index)


def test_repeats_are_other_draws(seen, split):
    transfer_curve(
        Witness(), **split, target="image", source=(), sizes=(9,), n_repeats=3, random_state=0
    )
    assert len({tuple(fit["X"].index) for fit in seen}) == 3


def test_labels_stay_with_their_rows(seen, split):
    transfer_curve(Witness(), **split, target="image", source=(), sizes=(20,), n_repeats=1)
    (fit,) = seen
    assert fit["y"].tolist() == split["y"][fit["X"].index - 100].tolist()


def test_one_source_among_several_hides_the_rest(seen):
    rng = np.random.default_rng(0)
    X = concat_modalities(**{name: rng.normal(size=(20, 2)) for name in ("audio", "image", "text")})
    y = np.tile([0, 1], 10)
    options = {"X_test": X, "y_test": y, "sizes": (0, 4), "n_repeats": 1}
    transfer_curve(Witness(), X, y, target="image", source="text", **options)
    present = [fit["present"] for fit in by_size(seen)]
    assert [rows["text"].sum() for rows in present] == [20, 20]
    assert not any(rows["audio"].any() for rows in present)


def test_rows_with_one_modality_each_are_counted_by_it(seen):
    rng = np.random.default_rng(0)
    X = concat_modalities(audio=rng.normal(size=(20, 2)), image=rng.normal(size=(20, 2)))
    X.iloc[:12, 2:] = np.nan
    X.iloc[12:, :2] = np.nan
    y = np.tile([0, 1], 10)
    curve = transfer_curve(
        Witness(), X, y, X_test=X, y_test=y, target="image", sizes=(0, "all"), n_repeats=1
    )
    assert curve.sizes.tolist() == [0, 8]
    assert curve.n_source == 12
    assert curve.n_test == 8
    assert [len(fit["y"]) for fit in by_size(seen)] == [12, 20]


@pytest.mark.parametrize("marker", [-1, None])
def test_unlabelled_rows_are_passed_on_whole_and_never_drawn(seen, split, marker):
    labels = split["y"].astype(object)
    labels[:40] = marker
    split["y"] = labels.astype(int) if marker == -1 else labels
    transfer_curve(Witness_of(marker), **split, target="image", sizes=(0, "all"), n_repeats=1)
    present = [fit["present"] for fit in by_size(seen)]
    assert [rows["image"].sum() for rows in present] == [40, 100]
    assert [rows["audio"].sum() for rows in present] == [100, 100]


def Witness_of(marker):
    """A witness that does not sort labels among which is None."""
    if marker is None:
        return Unsorting()
    return Witness()


class Unsorting(Witness):
    """A witness of labels that cannot be sorted."""

    def fit(self, X, y, sample_weight=None):
        SEEN.append({"present": present_rows(X), "y": np.asarray(y)})
        self.classes_, self.most_ = np.array([0, 1, 2]), 0
        return self


def test_rows_without_a_label_are_not_tested_on(seen, split):
    split["y_test"] = np.where(np.arange(100) < 30, -1, split["y_test"])
    curve = transfer_curve(Witness(), **split, target="image", sizes=(0,), n_repeats=1)
    assert curve.n_test == 70
    assert len(seen[0]["tested"]["image"]) == 70


def test_what_has_a_value_for_each_row_is_cut_to_the_rows_used(seen, split):
    params = {"sample_weight": np.arange(100)}
    transfer_curve(
        Witness(), **split, target="image", source=(), sizes=(20,), n_repeats=1, params=params
    )
    assert seen[0]["weight"].tolist() == (seen[0]["X"].index - 100).tolist()


# Scores


def test_both_ends_are_the_scores_of_fits_by_hand(joint, split):
    model = agnostic(joint)
    curve = transfer_curve(
        model, **split, target="image", sizes=(0, "all"), n_repeats=1, reseed=False
    )
    pictures = select_modality(split["X_test"], "image")
    sounds = select_modality(split["X"], "audio")
    for score, X in zip(curve.scores[:, 0], (sounds, split["X"])):
        predicted = model.fit(X, split["y"]).predict(pictures)
        assert score == f1_score(split["y_test"], predicted, average="macro")


def test_the_short_cut_for_frozen_spaces_changes_no_score(joint, split):
    options = {**split, "target": "audio", "sizes": 4, "n_repeats": 2, "random_state": 3}
    fast, slow = (
        transfer_curve(agnostic(joint, kind), **options)
        for kind in (ModalityAgnosticClassifier, Slow)
    )
    assert fast.scores.tolist() == slow.scores.tolist()


def test_the_short_cut_projects_each_table_once(split, joint):
    counted = []

    class Counting(type(joint)):
        def transform(self, X):
            counted.append(len(X))
            return super().transform(X)

    space = Counting(3)
    space.__dict__.update(vars(joint))
    transfer_curve(agnostic(space), **split, target="image", sizes=4, n_repeats=3)
    assert counted == [100, 100, 100, 100]  # two modalities of two tables


def test_the_short_cut_is_not_taken_where_more_than_joint_vectors_count(joint):
    def look(estimator, X, y):
        return X.shape[1]

    scorer = type("Scorer", (), {"_score_func": None})()
    assert can_project_once(agnostic(joint), scorer)
    assert not can_project_once(agnostic(joint), look)
    assert not can_project_once(agnostic(joint, passthrough=True), scorer)
    assert not can_project_once(ModalityAgnosticClassifier(PCAProjector(3)), scorer)


def test_a_scorer_that_looks_at_the_table_sees_the_table(joint, split):
    def n_columns(estimator, X, y):
        return X.shape[1]

    curve = transfer_curve(
        agnostic(joint), **split, target="image", sizes=(0,), n_repeats=1, scoring=n_columns
    )
    assert curve.scores.tolist() == [[9.0]]
    assert curve.scoring == "n_columns"


def test_a_joint_space_that_is_not_frozen_is_fitted_anew(split):
    model = ModalityAgnosticClassifier(PCAProjector(3), LogisticRegression())
    with pytest.warns(FitFailedWarning, match="1 of 2 fits of the transfer curve failed"):
        curve = transfer_curve(model, **split, target="image", sizes=(0, "all"), n_repeats=1)
    # A PCA that has never seen a picture cannot project one.
    assert np.isnan(curve.scores[:, 0]).tolist() == [True, False]


def test_unlabelled_pairs_teach_a_joint_space_that_is_not_frozen(pairs):
    X, y = pairs
    labels = np.where(np.arange(200) < 100, -1, y[:200])
    model = ModalityAgnosticClassifier(PCAProjector(3), LogisticRegression())
    curve = transfer_curve(
        model, X[:200], labels, X_test=X[200:], y_test=y[200:], target="image", sizes=2, n_repeats=1
    )
    assert not np.isnan(curve.scores).any()


def test_arrays_are_read_by_their_widths(joint, split):
    named = transfer_curve(agnostic(joint), **split, target="image", sizes=3, random_state=0)
    bare = {**split, "X": split["X"].to_numpy(), "X_test": split["X_test"].to_numpy()}
    widths = {"audio": 5, "image": 4}
    space = PCAProjector(3, modalities=widths).fit(bare["X"])
    curves = [
        transfer_curve(
            agnostic(space, kind),
            **bare,
            target="image",
            sizes=3,
            modalities=widths,
            random_state=0,
        )
        for kind in (ModalityAgnosticClassifier, Slow)
    ]
    assert curves[0].scores.tolist() == curves[1].scores.tolist()
    assert named.sizes.tolist() == curves[0].sizes.tolist()


def test_media_are_embedded_by_a_frozen_pipeline(joint, split):
    def embed(table):
        return concat_modalities(
            **{
                name: np.stack(
                    [cell if cell is not None else np.full(width, np.nan) for cell in table[name]]
                )
                for name, width in (("audio", 5), ("image", 4))
            }
        )

    def cells(table):
        return pd.DataFrame(
            {
                "audio": list(table.to_numpy()[:, :5]),
                "image": list(table.to_numpy()[:, 5:]),
            },
            dtype=object,
        )

    pipeline = Pipeline([("embed", FunctionTransformer(embed)), ("joint", joint)])
    media = {**split, "X": cells(split["X"]), "X_test": cells(split["X_test"])}
    options = {"target": "image", "sizes": (0, 9, "all"), "n_repeats": 2, "random_state": 0}
    expected = transfer_curve(agnostic(joint), **split, **options)
    for kind in (ModalityAgnosticClassifier, Slow):
        found = transfer_curve(agnostic(pipeline, kind), **media, **options)
        assert found.scores.tolist() == expected.scores.tolist()


# Randomness and parallelism


def test_the_same_seed_gives_the_same_scores(joint, split):
    options = {**split, "target": "image", "sizes": 3, "n_repeats": 2}
    first, again, other = (
        transfer_curve(agnostic(joint), **options, random_state=seed).scores.tolist()
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_each_repeat_has_a_seed_of_its_own_unless_told_otherwise(split, joint):
    model = ModalityAgnosticClassifier(
        FrozenEstimator(joint), RandomForestClassifier(n_estimators=1, max_features=1)
    )
    options = {**split, "target": "image", "sizes": (0,), "n_repeats": 4, "random_state": 0}
    varied = transfer_curve(model, **options)
    model.set_params(classifier__random_state=0)
    fixed = transfer_curve(model, **options, reseed=False)
    assert len(set(varied.scores[0])) > 1
    assert len(set(fixed.scores[0])) == 1


def test_the_estimator_is_left_as_it_was(joint, split):
    model = agnostic(joint)
    transfer_curve(model, **split, target="image", sizes=2, n_repeats=1)
    assert not hasattr(model, "classifier_")
    assert model.classifier.random_state == 0
    assert model.joint.estimator is joint


@pytest.mark.parametrize("kind", [ModalityAgnosticClassifier, Slow])
def test_threads_and_processes_give_the_same_scores(joint, split, kind):
    options = {**split, "target": "image", "sizes": 3, "n_repeats": 2, "random_state": 0}
    alone = transfer_curve(agnostic(joint, kind), **options).scores.tolist()
    with parallel_config("threading", n_jobs=2):
        assert transfer_curve(agnostic(joint, kind), **options).scores.tolist() == alone


@pytest.mark.slow
def test_processes_give_the_same_scores(joint, split):
    options = {**split, "target": "image", "sizes": 3, "n_repeats": 2, "random_state": 0}
    alone, processes = (
        transfer_curve(agnostic(joint), **options, n_jobs=n_jobs).scores.tolist()
        for n_jobs in (1, 2)
    )
    assert alone == processes


def test_progress_goes_to_stderr_when_asked_for(split, capsys):
    options = {**split, "target": "image", "sizes": 2, "n_repeats": 1}
    transfer_curve(Witness(), **options)
    assert capsys.readouterr().err == ""
    transfer_curve(Witness(), **options, verbose=1)
    assert "transfer curve" in capsys.readouterr().err


def test_a_backend_without_single_results_shows_progress_all_the_same(joint, split, capsys):
    options = {**split, "target": "image", "sizes": 2, "n_repeats": 1, "random_state": 0}
    alone = transfer_curve(agnostic(joint), **options).scores.tolist()
    with parallel_config("multiprocessing", n_jobs=2):
        found = transfer_curve(agnostic(joint), **options, verbose=1).scores.tolist()
    assert found == alone
    assert "transfer curve" in capsys.readouterr().err


# Cross-validation


def test_without_test_rows_the_labelled_ones_are_split(seen, pairs):
    X, y = pairs
    curve = transfer_curve(
        Witness(), X[:90], y[:90], target="image", cv=3, sizes=(0, "all"), n_repeats=2
    )
    assert curve.scores.shape == (2, 6)
    assert curve.n_test == 90
    # Sizes are those that every fold has.
    assert curve.sizes.tolist() == [0, 60]
    assert all(len(fit["y"]) == 60 for fit in seen)


def test_unlabelled_rows_are_in_every_training_fold_and_in_no_test_fold(seen, pairs):
    X, y = pairs
    labels = np.where(np.arange(90) < 30, -1, y[:90])
    curve = transfer_curve(Witness(), X[:90], labels, target="image", cv=3, sizes=(0,), n_repeats=1)
    assert curve.n_test == 60
    assert all((fit["y"] == -1).sum() == 30 for fit in seen)


def test_groups_stay_together(seen, pairs):
    X, y = pairs
    groups = np.repeat(np.arange(6), 10)
    transfer_curve(
        Witness(),
        X[:60],
        y[:60],
        target="image",
        cv=GroupKFold(3),
        groups=groups,
        sizes=(0,),
        n_repeats=1,
    )
    for fit in seen:
        assert set(np.bincount(groups[fit["X"].index], minlength=6)) == {0, 10}


def test_the_short_cut_serves_cross_validation_too(joint, pairs):
    X, y = pairs
    options = {"target": "image", "cv": 3, "sizes": 3, "n_repeats": 1, "random_state": 0}
    fast, slow = (
        transfer_curve(agnostic(joint, kind), X[100:], y[100:], **options).scores.tolist()
        for kind in (ModalityAgnosticClassifier, Slow)
    )
    assert fast == slow


# Errors


def test_failed_fits_get_the_error_score_and_a_warning(split):
    options = {**split, "target": "image", "source": (), "sizes": (5, 50), "n_repeats": 2}
    with pytest.warns(FitFailedWarning, match="2 of 4 fits .*their score is -1"):
        curve = transfer_curve(Failing(at_least=20), **options, error_score=-1)
    assert curve.scores[0].tolist() == [-1, -1]
    assert (curve.scores[1] >= 0).all()


def test_failed_fits_are_raised_when_asked_for(split):
    with pytest.raises(RuntimeError, match="too few rows"):
        transfer_curve(Failing(1000), **split, target="image", sizes=2, error_score="raise")


def test_when_all_fits_fail_that_is_an_error(split):
    with pytest.raises(ValueError, match=r"2 of 2 fits .* failed(.|\n)*too few rows"):
        transfer_curve(Failing(1000), **split, target="image", sizes=2, n_repeats=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "smell"}, "no modality 'smell', only audio, image"),
        ({"target": "image", "source": ["smell"]}, "no modality 'smell'"),
        ({"target": "image", "source": ["image"]}, "cannot be a source too"),
        ({"target": "image", "n_repeats": 0}, "n_repeats must be an integer >= 1"),
        ({"target": "image", "error_score": "ignore"}, "error_score must be 'raise' or a number"),
        ({"target": "image", "y_test": None}, "give both X_test and y_test"),
        ({"target": "image", "cv": 3}, "give either X_test or cv"),
    ],
)
def test_parameters_that_make_no_sense_are_errors(split, options, message):
    with pytest.raises(ValueError, match=message):
        transfer_curve(Witness(), **{**split, **options})


@pytest.mark.parametrize("which", ["X", "X_test"])
def test_a_table_without_the_target_is_an_error(split, which):
    split[which] = select_modality(split[which], "audio")
    where = "training" if which == "X" else "test"
    with pytest.raises(ValueError, match=f"no labelled {where} row has the target modality"):
        transfer_curve(Witness(), **split, target="image")


@pytest.mark.parametrize("which", ["X", "X_test"])
def test_the_short_cut_names_a_target_that_no_row_has_too(joint, split, which):
    split[which] = select_modality(split[which], "audio")
    where = "training" if which == "X" else "test"
    with pytest.raises(ValueError, match=f"no labelled {where} row has the target modality"):
        transfer_curve(agnostic(joint), **split, target="image")


def test_unlabelled_rows_of_the_groups_tested_are_not_trained_on(seen, pairs):
    X, y = pairs
    labels = np.where(np.arange(60) % 2 == 0, -1, y[:60])
    groups = np.repeat(np.arange(6), 10)
    transfer_curve(
        Witness(),
        X[:60],
        labels,
        target="image",
        cv=GroupKFold(3),
        groups=groups,
        sizes=(0,),
        n_repeats=1,
    )
    for fit in seen:
        of_training = set(groups[fit["X"].index])
        assert len(of_training) == 4
        assert (fit["y"] == -1).sum() == 20


def test_draws_do_not_depend_on_whether_seeds_are_given(seen, split):
    for reseed in (True, False):
        transfer_curve(
            Witness(),
            **split,
            target="image",
            source=(),
            sizes=(9,),
            n_repeats=2,
            reseed=reseed,
            random_state=0,
        )
    rows = [fit["X"].index.tolist() for fit in seen]
    assert rows[:2] == rows[2:]


def test_the_short_cut_keeps_the_digits_of_a_joint_space_of_float64(split):
    options = {**split, "target": "image", "sizes": 3, "n_repeats": 1, "random_state": 0}
    fast, slow = (
        transfer_curve(kind(FrozenEstimator(FarAway()), KNeighborsClassifier(1)), **options)
        for kind in (ModalityAgnosticClassifier, Slow)
    )
    assert fast.scores.tolist() == slow.scores.tolist()


class FarAway(TransformerMixin, BaseEstimator):
    """A joint space of float64 whose differences float32 cannot hold."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = np.asarray(X, dtype=np.float64)
        return np.where(np.isnan(X[:, :1]), X[:, 5:9], X[:, :4]) + 1e7

    def __sklearn_is_fitted__(self):
        return True


def test_when_all_fits_that_had_rows_fail_that_is_an_error(split):
    options = {**split, "target": "image", "source": (), "sizes": (0, "all"), "n_repeats": 2}
    with pytest.raises(ValueError, match="2 of 2 fits of the transfer curve failed"):
        transfer_curve(Failing(1000), **options)


@pytest.mark.parametrize("scoring", [["accuracy", "f1_macro"], {"a": "accuracy"}])
def test_several_scores_at_once_are_an_error(split, scoring):
    with pytest.raises(TypeError, match="scoring must be the name of one score or a callable"):
        transfer_curve(Witness(), **split, target="image", scoring=scoring)


@pytest.mark.parametrize("length", [20, 200])
def test_groups_of_another_length_are_an_error(pairs, length):
    X, y = pairs
    options = {"target": "image", "cv": GroupKFold(2), "groups": np.arange(length) // 5}
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transfer_curve(Witness(), X[:90], y[:90], **options)


def test_the_short_cut_counts_cells_that_cannot_be_embedded(joint, split):
    def embed(table):
        blocks = {}
        for name, width in (("audio", 5), ("image", 4)):
            gone = np.full(width, np.nan)
            cells = [
                gone if cell is None or isinstance(cell, str) else cell for cell in table[name]
            ]
            blocks[name] = np.stack(cells)
        return concat_modalities(**blocks)

    def broken(table):
        cells = pd.DataFrame({"audio": list(table.iloc[:, :5].to_numpy())}, dtype=object)
        cells["image"] = pd.Series(list(table.iloc[:, 5:].to_numpy()), dtype=object)
        cells.loc[::5, "image"] = "broken.png"
        return cells

    pipeline = Pipeline([("embed", FunctionTransformer(embed)), ("joint", joint)])
    media = {**split, "X": broken(split["X"]), "X_test": broken(split["X_test"])}
    options = {"target": "image", "sizes": 3, "n_repeats": 1, "random_state": 0}
    fast, slow = (
        transfer_curve(agnostic(pipeline, kind, on_missing="prior"), **media, **options)
        for kind in (ModalityAgnosticClassifier, Slow)
    )
    assert fast.n_test == slow.n_test == 100
    assert fast.sizes.tolist() == slow.sizes.tolist() == [0, 50, 100]
    assert fast.scores.tolist() == slow.scores.tolist()
