"""Translation and classifier trained together."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from skxmodal.classification import JointTranslationClassifier, ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector, ContrastiveTranslator, RelevanceLoss

EXPECTED_FAILURES = {
    "check_classifiers_classes": (
        "the label -1 marks an unlabelled row, as in sklearn.semi_supervised, whose classifiers "
        "scikit-learn exempts from this check by name"
    )
}


@parametrize_with_checks(
    [
        JointTranslationClassifier(
            ContrastiveTranslator(
                # Several steps an epoch: with one, early stopping judges five steps.
                4,
                hidden_dim=16,
                lr=0.02,
                batch_size=32,
                max_epochs=10,
                modalities="halves",
            )
        )
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
    return X, np.where(np.arange(400) < 200, -1, y), y


def jointly(max_epochs=60, *, lr=0.02, alpha=1.0, agreement=1.0, **params):
    joint = ContrastiveTranslator(4, hidden_dim=16, lr=lr, max_epochs=max_epochs, **params)
    return JointTranslationClassifier(joint, alpha=alpha, agreement=agreement, random_state=0)


def test_trained_on_sounds_it_predicts_pictures(heard_and_seen):
    X, labels, y = heard_and_seen
    labels[300:] = -1
    assert jointly().fit(X, labels).score(X.iloc[300:], y[300:]) > 0.9


def test_with_all_labels_it_predicts_every_modality(heard_and_seen):
    X, labels, y = heard_and_seen
    model = jointly().fit(X, labels)
    for name in ("audio", "image"):
        assert model.score(select_modality(X.iloc[:200], name), y[:200]) > 0.9


def test_agreement_carries_labels_to_a_modality_that_has_none(heard_and_seen):
    X, labels, y = heard_and_seen
    labels[300:] = -1

    class NoTranslation(torch_module()):
        def forward(self, a, b):
            return 0 * (a.sum() + b.sum())

    scores = [
        jointly(loss=NoTranslation(), agreement=agreement)
        .fit(X, labels)
        .score(X.iloc[300:], y[300:])
        for agreement in (0, 1)
    ]
    assert scores[0] < 0.7
    assert scores[1] > 0.9


def on_wrong_pairs(model, class_sep, *, zero_shot, pair_noise=0.6):
    """Score on pictures after skewed pairs, most of them wrong, and labelled samples."""
    settings = {"n_features": {"audio": 30, "image": 30}, "n_classes": 6, "class_sep": class_sep}
    pairs = make_paired_embeddings(
        1000, subset="translation", pair_noise=pair_noise, skew=1.5, **settings
    ).frame
    train, test = (
        make_paired_embeddings(300, subset=subset, **settings) for subset in ("train", "test")
    )
    known = train.frame.copy()
    if zero_shot:
        known.iloc[:, 30:] = np.nan
    X = pd.concat([pairs, known], ignore_index=True)
    y = np.concatenate([np.full(1000, -1), train.target])
    return model.fit(X, y).score(select_modality(test.frame, "image"), test.target)


def small_translator():
    return ContrastiveTranslator(16, hidden_dim=64, batch_size=128, lr=3e-3, random_state=0)


def test_agreement_carries_labels_over_wrong_pairs():
    taught, not_taught = (
        on_wrong_pairs(
            JointTranslationClassifier(small_translator(), agreement=agreement),
            2,
            zero_shot=True,
            pair_noise=0.8,
        )
        for agreement in (1, 0)
    )
    assert taught > not_taught + 0.04  # 0.66 and 0.53


def test_joint_training_beats_training_one_after_the_other():
    together = JointTranslationClassifier(small_translator())
    apart = ModalityAgnosticClassifier(small_translator(), random_state=0)
    score_apart = on_wrong_pairs(apart, 1, zero_shot=False)
    assert on_wrong_pairs(together, 1, zero_shot=False) > score_apart + 0.04


def test_without_alpha_labels_teach_nothing(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly(5, alpha=0, agreement=0).fit(X, labels)
    share = np.bincount(labels[labels >= 0]) / np.count_nonzero(labels >= 0)
    np.testing.assert_allclose(model.predict_proba(X), np.tile(share, (400, 1)), rtol=1e-5)


def test_the_space_is_one_of_translation(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly().fit(X, labels)
    heard = model.transform(select_modality(X.iloc[:200], "audio"))
    seen = model.transform(select_modality(X.iloc[:200], "image"))
    np.testing.assert_allclose(np.linalg.norm(heard, axis=1), 1, atol=1e-5)
    assert (heard * seen).sum(axis=1).mean() > np.mean(heard @ seen.T) + 0.3
    assert isinstance(model.joint_, ContrastiveTranslator)
    np.testing.assert_array_equal(
        model.joint_.transform(select_modality(X.iloc[:200], "audio")), heard
    )


def test_probabilities_are_the_mean_over_a_rows_modalities(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly(5).fit(X, labels)
    both = X.iloc[:20]
    mean = (
        model.predict_proba(select_modality(both, "audio"))
        + model.predict_proba(select_modality(both, "image"))
    ) / 2
    np.testing.assert_allclose(model.predict_proba(both), mean, atol=1e-6)
    np.testing.assert_allclose(mean.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("unlabelled", "dtype"), [(np.nan, float), (None, object)], ids=["nan", "none"]
)
def test_every_mark_of_an_unlabelled_row_is_understood(heard_and_seen, unlabelled, dtype):
    X, labels, _ = heard_and_seen
    marked = np.array([unlabelled if label == -1 else int(label) for label in labels], dtype=dtype)
    np.testing.assert_array_equal(
        jointly(3).fit(X, marked).predict_proba(X), jointly(3).fit(X, labels).predict_proba(X)
    )


def test_labels_may_be_names(heard_and_seen):
    X, labels, _ = heard_and_seen
    names = np.array(["flute", "organ", "voice"])
    marked = [None if label == -1 else names[label] for label in labels]
    assert set(jointly(30).fit(X, marked).predict(X)) == set(names)


def test_training_stops_early_on_what_is_held_out(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly(200, lr=0.1, patience=2).fit(X, labels)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    assert len(losses) < 200
    assert np.argmin(losses) == len(losses) - 3
    assert jointly(3, validation_fraction=0).fit(X, labels).history_[-1].keys() == {
        "epoch",
        "train_loss",
        "seconds",
    }


def test_what_is_held_out_never_is_a_whole_class(heard_and_seen):
    X, labels, _ = heard_and_seen
    once = np.flatnonzero(labels == 2)[0]
    labels[(labels == 2) & (np.arange(400) != once)] = -1
    model = jointly(validation_fraction=0.5).fit(X, labels)
    assert model.predict(X.iloc[[once]]) == [2]


def test_a_sampler_of_pairs_is_heeded(heard_and_seen):
    X, labels, _ = heard_and_seen
    seen = {}

    class FirstTen:
        def sample_pairs(self, blocks, random_state):
            seen.update({name: len(block) for name, block in blocks.items()})
            return {name: np.arange(10) for name in blocks}

    jointly(2, sampler=FirstTen()).fit(X, labels)
    assert seen == {"audio": 180, "image": 180}


def test_same_seed_gives_the_same_bytes(heard_and_seen):
    X, labels, _ = heard_and_seen
    first, second = (jointly(3).fit(X, labels).predict_proba(X) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_pickle_keeps_the_predictions(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly(3).fit(X, labels)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))


def test_clone_has_the_parameters_and_nothing_learned(heard_and_seen):
    X, labels, _ = heard_and_seen
    copy = clone(jointly(3).fit(X, labels))
    assert not hasattr(copy, "joint_")
    assert copy.get_params()["joint__n_components"] == 4


def test_a_clone_of_the_space_is_a_translator_that_ignores_labels(heard_and_seen):
    X, labels, y = heard_and_seen
    space = jointly(2).fit(X, labels).joint_
    names = np.array(["flute", "organ", "voice"])[y]
    expected = ContrastiveTranslator(**space.get_params(deep=False)).fit(X).transform(X)
    for ignored in (y, names):
        np.testing.assert_array_equal(clone(space).fit(X, ignored).transform(X), expected)


def test_a_grid_reaches_the_translator(heard_and_seen):
    X, _, y = heard_and_seen
    search = GridSearchCV(jointly(3), {"joint__n_components": [2, 3], "alpha": [1.0]}, cv=2)
    assert search.fit(X, y).best_estimator_.joint_.n_components in (2, 3)


def test_it_ends_a_pipeline_that_embeds():
    from skxmodal.datasets import make_instruments
    from skxmodal.embedders import make_embedder

    data = make_instruments(40, classes=["drums", "flute"], difficulty=0.1)
    model = make_pipeline(make_embedder(), jointly(30))
    model.fit(data.frame, data.target)
    assert model.score(select_modality(data.frame, "image"), data.target) > 0.8
    assert model.transform(data.frame).shape == (40, 4)


def test_set_output_applies_to_transform(heard_and_seen):
    X, labels, _ = heard_and_seen
    table = jointly(2).set_output(transform="pandas").fit(X, labels).transform(X)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == [f"jointtranslationclassifier{i}" for i in range(4)]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"alpha": -1}, ValueError, "alpha must be a number >= 0"),
        ({"agreement": -1}, ValueError, "agreement must be a number >= 0"),
        ({"on_missing": "skip"}, ValueError, "on_missing must be one of 'raise', 'prior'"),
        ({"joint__distributed": True}, ValueError, "joint must have distributed=False"),
        ({"joint": CCAProjector(2)}, TypeError, "joint must be an unfitted ContrastiveTranslator"),
    ],
)
def test_parameters_are_checked(heard_and_seen, params, error, message):
    X, labels, _ = heard_and_seen
    with pytest.raises(error, match=message):
        jointly().set_params(**params).fit(X, labels)


def test_no_label_at_all_is_an_error(heard_and_seen):
    X, _, _ = heard_and_seen
    with pytest.raises(ValueError, match="no row has a label"):
        jointly().fit(X, np.full(400, -1))


def test_labels_of_rows_without_any_modality_are_an_error(heard_and_seen):
    X, labels, _ = heard_and_seen
    X.iloc[200:] = np.nan
    with pytest.raises(ValueError, match="no labelled row has a modality"):
        jointly(2).fit(X, labels)


def test_a_class_without_any_modality_is_none(heard_and_seen):
    X, labels, _ = heard_and_seen
    X[labels == 2] = np.nan
    model = jointly(2).fit(X, labels)
    assert model.classes_.tolist() == [0, 1]
    zeros, ones = (np.count_nonzero(labels == label) for label in (0, 1))
    np.testing.assert_allclose(model.class_prior_, [zeros / (zeros + ones), ones / (zeros + ones)])


def test_no_pairs_are_an_error(heard_and_seen):
    X, labels, _ = heard_and_seen
    with pytest.raises(ValueError, match="no row has them: add pairs"):
        jointly().fit(X.iloc[200:], labels[200:])


def test_a_row_without_any_modality_is_named(heard_and_seen):
    X, labels, _ = heard_and_seen
    model = jointly(2).fit(X, labels)
    X.iloc[7] = np.nan
    with pytest.raises(ValueError, match="row 7 has no modality"):
        model.predict(X)


def test_a_row_without_any_modality_may_get_the_priors(heard_and_seen):
    X, labels, _ = heard_and_seen
    labels = np.where(labels < 0, -1, np.minimum(labels, 1))
    strict = jointly(2).fit(X, labels)
    model = clone(strict).set_params(on_missing="prior").fit(X, labels)
    there = np.arange(400) != 7
    X.iloc[7] = np.nan
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities[there], strict.predict_proba(X[there]), rtol=1e-5)
    np.testing.assert_allclose(probabilities[7], np.bincount(labels[200:]) / 200)
    assert model.predict(X)[7] == 1


def torch_module():
    from torch import nn

    return nn.Module


def test_the_relevance_of_classes_is_that_of_their_labels(heard_and_seen):
    """Classes 1, 2 and 4 of five: the matrix has rows for others too."""
    X, labels, _ = heard_and_seen
    labels = np.where(labels < 0, -1, np.array([1, 2, 4])[labels])
    seen = set()

    class Spy(RelevanceLoss):
        def forward(self, a, b, labels_a, labels_b):
            seen.update(labels_a.tolist())
            return super().forward(a, b, labels_a, labels_b)

    X.iloc[200:300, 8:] = X.iloc[100:200, 8:].to_numpy()
    relevance = np.eye(5) + np.eye(5, k=1) + np.eye(5, k=-1)
    spied = jointly(2, loss=Spy(relevance)).fit(X, labels)
    assert seen == {-1, 1, 2, 4}

    whole = jointly(2, loss=RelevanceLoss(relevance)).fit(X, labels)
    same = jointly(2, loss=RelevanceLoss(relevance[np.ix_([1, 2, 4], [1, 2, 4])]))
    same.fit(X, np.select([labels == 1, labels == 2, labels == 4], [0, 1, 2], -1))
    np.testing.assert_array_equal(whole.transform(X), same.transform(X))
    np.testing.assert_array_equal(whole.transform(X), spied.transform(X))
    restored = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(restored.predict_proba(X), whole.predict_proba(X))


def test_names_of_classes_have_no_row_in_a_relevance(heard_and_seen):
    X, labels, _ = heard_and_seen
    names = np.array(["a", "b", "c", None], dtype=object)[labels]
    with pytest.raises(ValueError, match="pass y of row numbers"):
        jointly(loss=RelevanceLoss(np.eye(3))).fit(X, names)


def test_a_rare_modality_has_no_more_say_in_the_agreement_than_its_rows():
    """The teacher's losses of either student, by themselves, and together."""
    import torch

    from skxmodal.classification._joint_network import JointLoss
    from skxmodal.translation._network import MISSING

    generator = torch.Generator().manual_seed(0)
    vectors = [torch.randn(100, 4, generator=generator) for _ in range(3)]
    vectors[2][4:] = MISSING

    def agreement(*students):
        outputs = [vectors[index] for index in (0, *students)]
        criterion = JointLoss(
            torch.nn.MSELoss(), 0, 1, (0,), np.full(4, 0.25), len(outputs), held_out=True
        ).eval()
        labels = torch.full((100, len(outputs)), -1)
        translation = criterion.translation(outputs, labels)
        return (criterion((outputs, outputs), labels) - translation).item()

    assert agreement(1, 2) == pytest.approx((100 * agreement(1) + 4 * agreement(2)) / 104)


@pytest.mark.parametrize("seed", range(4))
def test_held_out_pairs_share_two_modalities_whatever_the_draw(heard_and_seen, seed):
    """Five pairs of each couple of three modalities; the first training is of pairs alone."""
    X, labels, _ = heard_and_seen
    for column in range(5):
        X[f"text__{column}"] = X.iloc[:, column] - X.iloc[:, 8]
    X.iloc[:5, 14:] = X.iloc[5:10, 8:14] = X.iloc[10:15, :8] = np.nan
    X.iloc[200:, 14:] = np.nan
    losses = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            losses.append(net.history[-1, "valid_loss"])

    model = jointly(1, alpha=0, agreement=0, callbacks=[Spy()]).set_params(random_state=seed)
    model.fit(X.drop(index=range(15, 200)), np.delete(labels, range(15, 200)))
    assert losses[0] > 0
