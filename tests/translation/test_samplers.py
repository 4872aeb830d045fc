import numpy as np
import pytest
from sklearn.base import clone

from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import (
    AgreeingPairs,
    BalancedPairs,
    ContrastiveTranslator,
    DPPPairs,
    RematchedPairs,
    make_sampler,
)
from skxmodal.translation._dpp import sample_kdpp

SAMPLERS = {
    "rematched": RematchedPairs,
    "balanced": BalancedPairs,
    "dpp": DPPPairs,
    "agreement": AgreeingPairs,
}
each_sampler = pytest.mark.parametrize("name", SAMPLERS)


def right_share(chosen, kinds):
    return (kinds["audio"][chosen["audio"]] == kinds["image"][chosen["image"]]).mean()


def evenness(rows, kinds):
    """Entropy of the kinds among rows, 1 when all are as frequent."""
    share = np.bincount(kinds[rows], minlength=6) / len(rows)
    share = share[share > 0]
    return -(share * np.log(share)).sum() / np.log(6)


@each_sampler
def test_a_name_makes_its_sampler(name):
    assert type(make_sampler(name)) is SAMPLERS[name]


@each_sampler
def test_same_seed_same_pairs(name, noisy):
    first, second = (make_sampler(name).sample_pairs(noisy[0], random_state=3) for _ in range(2))
    for modality in ("audio", "image"):
        np.testing.assert_array_equal(first[modality], second[modality])


@each_sampler
def test_parameters_can_be_cloned(name):
    sampler = SAMPLERS[name](n_pairs=7)
    assert clone(sampler).get_params() == sampler.get_params()


@each_sampler
def test_the_number_of_pairs_is_as_asked(name, noisy):
    chosen = SAMPLERS[name](n_pairs=120).sample_pairs(noisy[0], random_state=0)
    assert {modality: len(rows) for modality, rows in chosen.items()} == {
        "audio": 120,
        "image": 120,
    }


@each_sampler
def test_a_translator_takes_the_name_and_beats_chance(name, noisy):
    blocks, kinds = noisy
    X = concat_modalities(**blocks).astype(np.float32)
    # A ninth of the pairs wrong, and no early stopping: 0.88 to 1.0 over seeds and samplers.
    few_wrong = (kinds["audio"] == kinds["image"]) | (np.arange(400) % 4 == 0)
    translator = ContrastiveTranslator(
        6,
        hidden_dim=16,
        max_epochs=40,
        lr=0.01,
        loss="symmetric_margin",
        sampler=name,
        validation_fraction=0,
        random_state=0,
    ).fit(X[few_wrong])
    heard = translator.transform(select_modality(X, "audio"))
    seen = translator.transform(select_modality(X, "image"))
    found = kinds["image"][(heard @ seen.T).argmax(axis=1)]
    assert (found == kinds["audio"]).mean() > 0.65  # the most frequent kind alone has 0.37


def test_balanced_pairs_are_more_even_than_the_pairs(noisy):
    blocks, kinds = noisy
    chosen = BalancedPairs(12).sample_pairs(blocks, random_state=0)
    assert evenness(chosen["audio"], kinds["audio"]) > evenness(np.arange(400), kinds["audio"])


def test_dpp_pairs_are_more_even_than_as_many_random_pairs(noisy):
    blocks, kinds = noisy
    sampler = DPPPairs(n_pairs=60)
    draws = {
        "dpp": [sampler.sample_pairs(blocks, random_state=seed)["audio"] for seed in range(5)],
        "random": [np.random.default_rng(seed).permutation(400)[:60] for seed in range(5)],
    }
    mean = {
        name: np.mean([evenness(rows, kinds["audio"]) for rows in drawn])
        for name, drawn in draws.items()
    }
    assert mean["dpp"] > mean["random"]


def test_dpp_pairs_are_drawn_without_replacement(noisy):
    chosen = DPPPairs(0.5).sample_pairs(noisy[0], random_state=0)["audio"]
    assert len(np.unique(chosen)) == len(chosen) == 200


def test_kdpp_never_draws_two_equal_rows():
    features = np.repeat(np.eye(5), 3, axis=0)
    for seed in range(20):
        rows = sample_kdpp(features, 5, np.random.RandomState(seed))
        assert sorted(rows // 3) == list(range(5))


def test_kdpp_draws_pairs_by_their_squared_area():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    drawn = [
        tuple(sorted(sample_kdpp(features, 2, np.random.RandomState(seed)))) for seed in range(3000)
    ]
    area = {(0, 1): 1.0, (0, 2): 0.64, (1, 2): 0.36}
    for pair, expected in area.items():
        assert drawn.count(pair) / 3000 == pytest.approx(expected / 2, abs=0.03)


def test_kdpp_refuses_more_rows_than_the_rank():
    with pytest.raises(ValueError, match="features of rank 2 cannot give 3 rows"):
        sample_kdpp(np.eye(5)[:, :2], 3, np.random.RandomState(0))


def test_agreeing_pairs_are_right_more_often_than_the_pairs(noisy):
    blocks, kinds = noisy
    sampler = AgreeingPairs()
    chosen = sampler.sample_pairs(blocks, random_state=0)
    everything = {"audio": np.arange(400), "image": np.arange(400)}
    assert right_share(chosen, kinds) > right_share(everything, kinds) + 0.15
    assert 0.2 < sampler.pair_noise_ < 0.6


def test_agreement_keeps_the_share_asked_for(noisy):
    chosen = AgreeingPairs(keep=0.25).sample_pairs(noisy[0], random_state=0)
    assert len(chosen["audio"]) == 100


@pytest.mark.parametrize("n_rows", [1, 2, 10, 100])
def test_a_modality_that_few_rows_have_does_not_hide_that_pairs_agree(n_rows, triples):
    triples["text"][n_rows:] = np.nan
    sampler = AgreeingPairs()
    chosen = sampler.sample_pairs(triples, random_state=0)
    assert len(chosen["audio"]) > 390
    assert sampler.pair_noise_ < 0.05


def test_pairs_that_cannot_be_judged_are_kept(triples):
    triples["text"][10:] = np.nan
    triples["image"][:10] = np.nan
    chosen = AgreeingPairs(keep=0.5).sample_pairs(triples, random_state=0)["audio"]
    np.testing.assert_array_equal(chosen[:10], np.arange(10))
    assert len(chosen) == 10 + 195


@pytest.mark.parametrize("n_pairs", [2, 3])
def test_two_or_three_pairs_are_too_few_to_be_judged(n_pairs, noisy):
    blocks = {name: block[:n_pairs] for name, block in noisy[0].items()}
    chosen = AgreeingPairs().sample_pairs(blocks, random_state=0)
    np.testing.assert_array_equal(chosen["audio"], np.arange(n_pairs))


def test_balanced_pairs_do_not_depend_on_what_comes_first():
    kind = np.r_[np.zeros(1200, dtype=int), np.arange(300) % 3 + 1]
    blocks = {"audio": np.eye(4)[kind], "image": np.eye(4)[kind]}
    chosen = kind[BalancedPairs(4).sample_pairs(blocks, random_state=0)["audio"]]
    assert np.bincount(chosen, minlength=4) / 1500 == pytest.approx(0.25, abs=0.08)


def test_making_a_sampler_copies_it():
    own = BalancedPairs(5)
    assert make_sampler(own) is not own
    assert make_sampler(own).n_clusters == 5


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"sampler must be one of 'rematched'.* got 'best'"):
        make_sampler("best")


def test_an_object_without_the_method_is_refused():
    with pytest.raises(TypeError, match="an object with a method sample_pairs"):
        make_sampler(3)


@each_sampler
def test_one_modality_is_refused(name, noisy):
    with pytest.raises(ValueError, match="chooses pairs of modalities, got only"):
        make_sampler(name).sample_pairs({"audio": noisy[0]["audio"]})


@each_sampler
def test_blocks_of_different_lengths_are_refused(name, noisy):
    with pytest.raises(ValueError, match="as many rows as each other"):
        make_sampler(name).sample_pairs(
            {"audio": noisy[0]["audio"], "image": noisy[0]["image"][:5]}
        )


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (BalancedPairs(0), "n_clusters must be an integer >= 1"),
        (DPPPairs(0), "fraction must be a number > 0"),
        (DPPPairs(n_pairs=401), "without replacement: n_pairs=401 is more than the 400"),
        (AgreeingPairs(keep=0), "keep must be a number > 0"),
        (RematchedPairs(n_partners=0), "n_partners must be an integer >= 1"),
        (RematchedPairs(balance="yes"), "balance must be one of None, 'clusters'"),
        (RematchedPairs(pair_noise=2), "pair_noise must be a number >= 0 and <= 1"),
        (BalancedPairs(n_pairs=0), "n_pairs must be an integer >= 1"),
    ],
)
def test_bad_parameters_are_named(sampler, message, noisy):
    with pytest.raises(ValueError, match=message):
        sampler.sample_pairs(noisy[0])
