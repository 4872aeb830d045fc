"""What each loss teaches a translator: more than chance, and what it promises beyond others."""

import numpy as np
import pytest

from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import (
    ContrastiveTranslator,
    InfoNCELoss,
    RelevanceLoss,
    RobustInfoNCELoss,
    SpectralLoss,
    VICRegLoss,
)
from skxmodal.translation._losses import LOSSES


def translator(**parameters):
    defaults = {"n_components": 4, "hidden_dim": 32, "max_epochs": 60, "patience": 60, "lr": 0.01}
    return ContrastiveTranslator(**{**defaults, "random_state": 0, **parameters})


def recall_at_tenth(fitted, X):
    """Share of rows whose partner is among the nearest tenth of the other modality."""
    heard = fitted.transform(select_modality(X, "audio"))
    seen = fitted.transform(select_modality(X, "image"))
    s = heard @ seen.T
    return np.mean((s > s.diagonal()[:, None]).mean(axis=1) < 0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_partners_are_found_far_above_chance(pairs, loss):
    labels = np.full(len(pairs), -1)
    fitted = translator(loss=loss).fit(pairs.iloc[:200], labels[:200])
    assert recall_at_tenth(fitted, pairs.iloc[200:]) > 0.5


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_seed_gives_the_same_bytes_with_every_loss(pairs, loss):
    y = np.arange(len(pairs)) % 3
    fits = [translator(loss=loss, max_epochs=3).fit(pairs, y).transform(pairs) for _ in range(2)]
    assert fits[0].tobytes() == fits[1].tobytes()


@pytest.mark.parametrize("loss", ["clip", "sigmoid"])
def test_learnable_parameters_of_a_loss_are_trained(pairs, loss):
    fitted = translator(loss=loss, max_epochs=10).fit(pairs)
    criterion = fitted.net_.criterion_.loss
    moved = {name: value.item() for name, value in criterion.named_parameters()}
    start = {"scale.log_scale": np.log(10), "bias": -10.0}
    assert moved
    for name, value in moved.items():
        assert abs(value - start[name]) > 0.01


def test_a_fixed_temperature_stays(pairs):
    fitted = translator(loss="infonce", max_epochs=3).fit(pairs)
    assert not list(fitted.net_.criterion_.parameters())
    assert fitted.net_.criterion_.loss.scale().item() == pytest.approx(10)


def effective_rank(fitted, X):
    """How many dimensions the joint vectors really use."""
    Z = fitted.transform(X)
    values = np.linalg.eigvalsh(np.cov(Z.T))
    return values.sum() ** 2 / np.square(values).sum()


def test_without_its_variance_and_covariance_terms_vicreg_uses_fewer_dimensions(pairs):
    invariance_alone = translator(loss=VICRegLoss(variance=0, covariance=0)).fit(pairs)
    whole = translator(loss="vicreg").fit(pairs)
    assert effective_rank(whole, pairs) > effective_rank(invariance_alone, pairs) + 0.2


def test_without_its_second_term_the_spectral_loss_uses_fewer_dimensions(pairs):
    attraction_alone = translator(loss=SpectralLoss(1e-3)).fit(pairs)
    whole = translator(loss="spectral").fit(pairs)
    assert effective_rank(whole, pairs) > effective_rank(attraction_alone, pairs) + 0.2


def five_classes(n):
    """Return pairs of five classes that look and sound alike within, and their labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, size=n)
    heard, seen = rng.normal(size=(5, 10)), rng.normal(size=(5, 8))
    X = concat_modalities(
        audio=heard[y] + 0.7 * rng.normal(size=(n, 10)),
        image=seen[y] + 0.7 * rng.normal(size=(n, 8)),
    )
    return X.astype(np.float32), y


@pytest.fixture
def classes():
    """600 pairs of five classes, and their labels."""
    return five_classes(600)


def separation(fitted, X, y):
    """Accuracy of pictures classified by the mean vector of each class of sounds."""
    heard = fitted.transform(select_modality(X, "audio"))
    seen = fitted.transform(select_modality(X, "image"))
    means = np.stack([heard[y == label].mean(axis=0) for label in np.unique(y)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return np.mean((seen @ means.T).argmax(axis=1) == y)


def mispaired(X, share, seed):
    """Give a share of the sounds the picture of another row."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(X)) < share)
    noisy = X.copy()
    images = [name for name in X.columns if name.startswith("image")]
    noisy.loc[noisy.index[rows], images] = X[images].to_numpy()[rng.permutation(rows)]
    return noisy


def test_the_robust_loss_stands_wrong_pairs_that_mislead_infonce():
    X, y = five_classes(2400)
    scores = {"plain": [], "robust": []}
    for seed in range(2):
        noisy = mispaired(X.iloc[:2000], 0.6, seed)
        for name, loss in (("plain", InfoNCELoss(0.2)), ("robust", RobustInfoNCELoss(0.2))):
            fitted = translator(
                loss=loss, lr=0.003, patience=5, batch_size=600, random_state=seed
            ).fit(noisy)
            scores[name].append(separation(fitted, X.iloc[2000:], y[2000:]))
    assert np.mean(scores["robust"]) > np.mean(scores["plain"]) + 0.05


def test_labels_make_a_better_space_than_a_few_pairs_alone(classes):
    X, y = classes
    few = X.iloc[:25]
    scores = {"labels": [], "pairs": []}
    for seed in range(3):
        for name, labels in (("labels", y[:25]), ("pairs", np.full(25, -1))):
            fitted = translator(loss="relevance", validation_fraction=0, random_state=seed)
            fitted.fit(few, labels)
            scores[name].append(separation(fitted, X.iloc[400:], y[400:]))
    # 0.84 and 0.69.
    assert np.mean(scores["labels"]) > np.mean(scores["pairs"]) + 0.05


def test_relevance_between_labels_brings_related_classes_nearer(classes):
    X, y = classes
    related = np.eye(5)
    related[0, 1] = related[1, 0] = 0.8

    def nearness(relevance):
        fitted = translator(loss=RelevanceLoss(relevance, temperature=0.5)).fit(X, y)
        heard = fitted.transform(select_modality(X, "audio"))
        return heard[y == 0].mean(axis=0) @ heard[y == 1].mean(axis=0)

    assert nearness(related) > nearness(np.eye(5)) + 0.2


def test_text_labels_and_missing_ones_mean_what_their_numbers_mean(classes):
    X, y = classes
    X, y = X.iloc[:60], y[:60]
    numbers = np.where(np.arange(60) % 2, y, -1)
    words = np.array([None if label < 0 else f"class {label}" for label in numbers], dtype=object)
    fits = [
        translator(loss="relevance", max_epochs=3).fit(X, labels).transform(X)
        for labels in (numbers, words, np.where(numbers < 0, np.nan, numbers))
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[0], fits[2])


def test_other_losses_ignore_labels(pairs):
    y = np.arange(len(pairs))
    np.testing.assert_array_equal(
        translator(max_epochs=2).fit(pairs, y).transform(pairs),
        translator(max_epochs=2).fit(pairs).transform(pairs),
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [(None, "learns from labels: pass y to fit"), (np.zeros(5), r"y must have the shape \(300,\)")],
)
def test_labels_that_are_missing_or_of_another_length_are_an_error(pairs, y, message):
    with pytest.raises(ValueError, match=message):
        translator(loss="relevance").fit(pairs, y)


def test_a_sampler_that_pairs_anew_brings_the_labels_of_each_side(classes):
    X, y = classes
    seen = []

    class Spy(RelevanceLoss):
        def forward(self, a, b, labels_a, labels_b):
            seen.append((labels_a, labels_b))
            return super().forward(a, b, labels_a, labels_b)

    class Shift:
        def sample_pairs(self, blocks, random_state):
            n = len(blocks["audio"])
            return {"audio": np.arange(n), "image": np.roll(np.arange(n), 1)}

    translator(loss=Spy(), sampler=Shift(), validation_fraction=0, max_epochs=1).fit(X, y)
    labels_a, labels_b = (np.sort(labels.numpy()) for labels in seen[0])
    assert (seen[0][0] != seen[0][1]).any()
    np.testing.assert_array_equal(labels_a, labels_b)
