"""Synthetic paired embeddings: shapes, streams, and that they pose the paper's problem."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector, PCAProjector

WIDTHS = {"audio": 40, "image": 60}


def test_the_defaults_have_the_papers_widths():
    assert make_paired_embeddings(4).frame.shape == (4, 1024 + 2048)


def test_labelled_subsets_are_balanced_and_the_translation_subset_is_unlabelled():
    counts = np.bincount(make_paired_embeddings(90, n_features=WIDTHS).target)
    assert set(counts) == {5}
    translation = make_paired_embeddings(90, subset="translation", n_features=WIDTHS)
    assert set(translation.target) == {-1}


def test_same_seed_same_bytes_and_other_seeds_views_and_subsets_differ():
    first = make_paired_embeddings(50, n_features=WIDTHS).frame
    assert first.equals(make_paired_embeddings(50, n_features=WIDTHS).frame)
    for other in ({"random_state": 1}, {"view": 1}, {"subset": "test"}, {"problem": 1}):
        assert not np.allclose(first, make_paired_embeddings(50, n_features=WIDTHS, **other).frame)


def test_files_hold_the_same_bytes_as_memory(tmp_path):
    kept = make_paired_embeddings(50, n_features=WIDTHS)
    written = make_paired_embeddings(50, n_features=WIDTHS, out=tmp_path)
    assert written.frame is None
    for name in WIDTHS:
        np.testing.assert_array_equal(written.blocks[name], kept.blocks[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "train-audio.npy",
        "train-image.npy",
    ]


def test_a_skewed_subset_has_fewer_of_every_next_class():
    drawn = make_paired_embeddings(
        4000, subset="translation", n_features=WIDTHS, n_classes=3, skew=3
    )
    share = np.bincount(drawn.causes) / 4000
    np.testing.assert_allclose(share, [9 / 13, 3 / 13, 1 / 13], atol=0.03)


def test_samples_of_any_seed_belong_to_one_problem():
    pairs = make_paired_embeddings(800, subset="translation", n_features=WIDTHS, random_state=5)
    test = make_paired_embeddings(200, subset="test", n_features=WIDTHS)
    joint = CCAProjector(16, reg=0.1).fit(pairs.frame)
    heard, seen = (joint.transform(select_modality(test.frame, name)) for name in WIDTHS)
    found = test.target[(heard @ seen.T).argmax(axis=1)]
    assert (found == test.target).mean() > 0.5


def test_a_joint_space_carries_labels_across_and_mispairing_costs():
    train, test = (
        make_paired_embeddings(n, subset=subset, n_features=WIDTHS, n_classes=6)
        for n, subset in ((300, "train"), (300, "test"))
    )

    def zero_shot(space, pair_noise):
        pairs = make_paired_embeddings(
            800, subset="translation", n_features=WIDTHS, n_classes=6, pair_noise=pair_noise
        )
        model = ModalityAgnosticClassifier(FrozenEstimator(space.fit(pairs.frame)))
        model.set_params(classifier=LogisticRegression())
        model.fit(select_modality(train.frame, "audio"), train.target)
        return model.score(select_modality(test.frame, "image"), test.target)

    clean = zero_shot(CCAProjector(16, reg=0.1), 0)
    assert clean > 0.8
    assert zero_shot(CCAProjector(16, reg=0.1), 1) < 0.4
    assert zero_shot(PCAProjector(16, random_state=0), 0) < 0.4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_features": {"audio": 4}}, "two modalities or more"),
        ({"n_features": {"audio": 4, "image": 0}}, r"n_features\['image'\]"),
        ({"subset": "all"}, "subset must be"),
        ({"skew": 0.5}, "skew must be"),
        ({"n_classes": 1}, "n_classes must be"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_paired_embeddings(10, **wrong)
