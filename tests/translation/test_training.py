"""Training that goes wrong, and what is held out to tell."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skxmodal.modalities import select_modality
from skxmodal.translation import ContrastiveTranslator, MarginLoss


def translator(**parameters):
    defaults = {"n_components": 4, "hidden_dim": 16, "max_epochs": 20, "lr": 0.01}
    return ContrastiveTranslator(**{**defaults, "random_state": 0, **parameters})


class NanOnce(MarginLoss):
    """A margin loss that is NaN in one step of training."""

    def __init__(self, step):
        super().__init__()
        self.n_left = step

    def forward(self, a, b):
        self.n_left -= self.training
        return super().forward(a, b) * (np.nan if self.training and self.n_left == 0 else 1)


def test_a_fit_that_diverges_keeps_its_best_epoch_and_says_so(pairs):
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch 8.*weights of epoch 7 are kep"):
        diverged = translator(loss=NanOnce(8)).fit(pairs)
    assert [row["epoch"] for row in diverged.history_] == list(range(1, 9))
    assert np.isnan(diverged.history_[-1]["valid_loss"])
    sound = translator(max_epochs=7).fit(pairs)
    np.testing.assert_array_equal(diverged.transform(pairs), sound.transform(pairs))


@pytest.mark.parametrize("options", [{"lr": 1e30}, {"loss": NanOnce(3), "validation_fraction": 0}])
def test_a_fit_that_diverges_and_has_no_good_epoch_is_an_error(pairs, options):
    with pytest.raises(ValueError, match=r"training diverged in epoch \d, its .* is nan: lower lr"):
        translator(**options).fit(pairs)


@pytest.fixture
def with_rare_text(pairs):
    """The pairs, three of which have a third modality."""
    for column in range(5):
        pairs[f"text__{column}"] = pairs.iloc[:, column] - pairs.iloc[:, -1]
    pairs.iloc[3:, -5:] = np.nan
    return pairs


def recall(fitted, X):
    """Share of sounds whose picture is the nearest."""
    heard = fitted.transform(select_modality(X, "audio"))
    seen = fitted.transform(select_modality(X, "image"))
    return np.mean((heard @ seen.T).argmax(axis=1) == np.arange(len(X)))


def test_a_rare_third_modality_leaves_the_other_two_what_they_learn(with_rare_text):
    without = with_rare_text.iloc[:, :14]
    options = {"max_epochs": 60, "validation_fraction": 0}
    three = translator(**options).fit(with_rare_text)
    two = translator(**options).fit(without)
    assert recall(three, with_rare_text) > recall(two, without) - 0.1


def epochs(X, **options):
    """Return the held-out losses of a few epochs."""
    return [row["valid_loss"] for row in translator(max_epochs=5, **options).fit(X).history_]


@pytest.fixture
def three_couples(pairs):
    """Nine rows: four of audio and image, four of audio and text, one of image and text."""
    X = pairs.iloc[:9].copy()
    for column in range(5):
        X[f"text__{column}"] = X.iloc[:, column] - X.iloc[:, 8]
    X.iloc[:4, 14:] = np.nan
    X.iloc[4:8, 8:14] = np.nan
    X.iloc[8, :8] = np.nan
    return X


@pytest.mark.parametrize("seed", range(4))
def test_held_out_rows_share_two_modalities_whatever_the_draw(three_couples, seed):
    assert min(epochs(three_couples, random_state=seed)) > 0


def test_a_held_out_batch_whose_modalities_never_meet_is_left_out_of_the_mean(three_couples):
    seen = []

    class Spy(Callback):
        def on_batch_end(self, net, training=None, **kwargs):
            if not training:
                seen.append((net.history[-1, "batches", -1, "valid_loss"], net.criterion_.told))

    losses = epochs(
        three_couples,
        validation_fraction=0.45,
        batch_size=2,
        callbacks=[Spy()],
        random_state=1,
    )
    told = [loss for loss, was_told in seen if was_told]
    assert 0 < len(told) < len(seen)
    assert np.mean(losses) == pytest.approx(np.mean(told))


def test_rows_of_which_no_two_share_two_modalities_are_too_few(three_couples):
    with pytest.raises(ValueError, match="1 rows with the same two modalities are too few"):
        translator(validation_fraction=0).fit(three_couples.iloc[[0, 4, 8]])
