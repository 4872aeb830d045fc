"""What a translator is trained on: scales of inputs, labels, and pairs that a sampler chooses."""

import numpy as np
import pandas as pd
import pytest

from skxmodal.translation import ContrastiveTranslator, RelevanceLoss
from skxmodal.translation._training_data import encode_labels, moments_of


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_follow_the_scale_of_the_inputs(factor, dtype):
    block = np.random.default_rng(0).normal(size=(1300, 7)) + 2
    rows = np.arange(1300)
    mean, scale = moments_of(block, rows)
    scaled_mean, scaled = moments_of((block * factor).astype(dtype), rows)
    assert scaled == pytest.approx(scale * factor, rel=1e-6)
    np.testing.assert_allclose(scaled_mean, mean * factor, rtol=1e-6)


@pytest.mark.parametrize("value", [0, 1e-20 / 3, 0.1, 1e6 / 3, 1e25])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_inputs_have_no_scale(value, dtype):
    assert moments_of(np.full((1300, 7), value, dtype=dtype), np.arange(1300))[1] == 1


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_a_translator_learns_the_same_from_inputs_of_any_scale(pairs, factor):
    scaled = pairs.astype(np.float32)
    scaled.iloc[:, :8] *= np.float32(factor)
    losses = [
        ContrastiveTranslator(4, hidden_dim=16, max_epochs=10, lr=0.01, random_state=0)
        .fit(X)
        .history_[-1]["valid_loss"]
        for X in (pairs, scaled)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize(
    "labels",
    [
        [1.0, 3.0, np.nan],
        np.array([1, 3, None], dtype=object),
        pd.array([1, 3, None], dtype="Int64"),
        np.array([1, 3, -1], dtype=np.int8),
    ],
)
@pytest.mark.parametrize("loss", ["relevance", RelevanceLoss(np.eye(4))])
def test_whole_numbers_stay_what_they_are_whatever_their_type(labels, loss):
    assert encode_labels(labels, 3, loss).tolist() == [1, 3, -1]


@pytest.mark.parametrize("labels", [["a", "b", None], [0.5, 2.0, np.nan], [-3, 7, -1]])
def test_other_labels_are_numbered_but_have_no_row_in_a_relevance(labels):
    labels = np.array(labels, dtype=object)
    assert encode_labels(labels, 3, "relevance").tolist() == [0, 1, -1]
    with pytest.raises(ValueError, match="pass y of row numbers, 0 and above"):
        encode_labels(labels, 3, RelevanceLoss(np.eye(2)))


@pytest.mark.parametrize(
    ("audio", "image", "error", "message"),
    [
        (np.ones(270, bool), np.ones(270, bool), TypeError, "arrays of integers, got bool"),
        (np.arange(9.0), np.arange(9), TypeError, "got float64 of shape .9,. for 'audio'"),
        (np.arange(9), np.arange(9)[:, None], TypeError, r"of shape \(9, 1\) for 'image'"),
        (np.arange(9), np.arange(8), ValueError, "9 rows of 'audio' and 8 of 'image'"),
        (np.arange(9), np.arange(262, 271), ValueError, "row 262 to 270 of 'image', which has 270"),
    ],
)
def test_what_a_sampler_may_not_return_is_told(pairs, audio, image, error, message):
    class Sampler:
        def sample_pairs(self, blocks, random_state):
            return {"audio": audio, "image": image}

    with pytest.raises(error, match=message):
        ContrastiveTranslator(4, sampler=Sampler(), random_state=0).fit(pairs)
