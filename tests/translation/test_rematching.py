import tracemalloc

import numpy as np
import pytest

from skxmodal.translation import CCAProjector, ModalityCentring, RematchedPairs
from skxmodal.translation._rematching import pair_agreement, partner_matrix


def right_share(chosen, kinds):
    return (kinds["audio"][chosen["audio"]] == kinds["image"][chosen["image"]]).mean()


def unit(rng, n, d):
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_rematched_pairs_are_right_where_half_of_the_pairs_are_wrong(noisy):
    blocks, kinds = noisy
    before = right_share({"audio": np.arange(400), "image": np.arange(400)}, kinds)
    after = right_share(RematchedPairs().sample_pairs(blocks, random_state=0), kinds)
    assert before < 0.7
    assert after > before + 0.15


def test_a_second_round_does_not_undo_the_first(noisy):
    blocks, kinds = noisy
    once, twice = (
        right_share(RematchedPairs(n_iter=n).sample_pairs(blocks, random_state=0), kinds)
        for n in (1, 2)
    )
    assert twice > once - 0.03


def test_even_items_whose_only_partner_was_wrong_get_right_ones(noisy):
    blocks, kinds = noisy
    wrong = np.flatnonzero(kinds["audio"] != kinds["image"])
    sampler = RematchedPairs(pair_noise=1.0, n_pairs=4000)
    chosen = sampler.sample_pairs(blocks, random_state=0)
    among = np.isin(chosen["audio"], wrong)
    assert among.sum() > 100
    assert (
        kinds["audio"][chosen["audio"][among]] == kinds["image"][chosen["image"][among]]
    ).mean() > 0.85


def test_clean_pairs_are_left_as_they_are():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(400, 4))
    blocks = {"audio": cause @ rng.normal(size=(4, 6)), "image": cause @ rng.normal(size=(4, 6))}
    sampler = RematchedPairs(CCAProjector(4))
    chosen = sampler.sample_pairs(blocks, random_state=0)
    assert sampler.pair_noise_ < 0.05
    assert (chosen["audio"] == chosen["image"]).mean() > 0.9


def test_balance_gives_rare_kinds_more_pairs(noisy):
    blocks, kinds = noisy
    rarest = {}
    for balance in (None, "clusters"):
        sampler = RematchedPairs(pair_noise=1.0, balance=balance, n_clusters=12, n_pairs=8000)
        chosen = sampler.sample_pairs(blocks, random_state=0)
        rarest[balance] = (kinds["audio"][chosen["audio"]] == 5).mean()
    assert rarest["clusters"] > 1.3 * rarest[None]


def test_partners_are_those_of_the_full_matrix_of_csls():
    rng = np.random.default_rng(0)
    first, second = unit(rng, 40, 5), unit(rng, 30, 5)
    cosine = first.astype(float) @ second.T.astype(float)
    near_first = np.sort(cosine, axis=1)[:, -10:].mean(axis=1)
    near_second = np.sort(cosine, axis=0)[-10:].mean(axis=0)
    csls = 2 * cosine - near_first[:, None] - near_second
    expected = np.zeros_like(csls)
    for row, best in enumerate(np.argsort(-csls, axis=1)[:, :3]):
        expected[row, best] += 1
    for col, best in enumerate(np.argsort(-csls, axis=0)[:3].T):
        expected[best, col] += 1
    np.testing.assert_array_equal(partner_matrix(first, second, 3).toarray(), expected)


@pytest.mark.parametrize("wrong", [0.0, 0.3, 0.6])
def test_the_share_of_wrong_pairs_is_estimated(wrong):
    rng = np.random.default_rng(0)
    first = unit(rng, 3000, 8)
    second = first + 0.2 * rng.normal(size=first.shape)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    count = round(wrong * 3000)
    second[:count] = unit(rng, count, 8)
    agreement, noise = pair_agreement(first, second, np.random.RandomState(0))
    assert noise == pytest.approx(wrong, abs=0.06)
    assert agreement[count:].mean() > 0.95


def test_copies_of_an_item_do_not_use_up_the_places_of_its_partners(noisy):
    blocks, _ = noisy
    copies = {name: np.concatenate([block] * 5) for name, block in blocks.items()}
    chosen = RematchedPairs(pair_noise=1.0, n_partners=5).sample_pairs(copies, random_state=0)
    partners = {}
    for heard, seen in zip(chosen["audio"] % 400, chosen["image"] % 400):
        partners.setdefault(heard, set()).add(seen)
    assert np.mean([len(found) for found in partners.values()]) > 2.5


def test_three_modalities_are_paired_anew():
    rng = np.random.default_rng(0)
    kind = rng.integers(4, size=300)
    kinds = {
        name: np.where(rng.random(300) < 0.3, rng.integers(4, size=300), kind)
        for name in ("audio", "image", "text")
    }
    blocks = {
        name: rng.normal(size=(4, 6))[kinds[name]] + 0.1 * rng.normal(size=(300, 6))
        for name in kinds
    }
    chosen = RematchedPairs().sample_pairs(blocks, random_state=0)
    labels = {name: kinds[name][rows] for name, rows in chosen.items()}
    before = (kinds["audio"] == kinds["text"]).mean()
    assert set(chosen) == {"audio", "image", "text"}
    assert (labels["audio"] == labels["text"]).mean() > before + 0.1
    assert (labels["audio"] == labels["image"]).mean() > before + 0.1


def test_more_items_than_max_items_are_thinned(noisy):
    chosen = RematchedPairs(pair_noise=1.0, max_items=50).sample_pairs(noisy[0], random_state=0)
    assert len(np.unique(chosen["audio"])) <= 50


@pytest.mark.parametrize("pair_noise", [0.005, 0.5])
def test_kept_pairs_are_kept_once(pair_noise, noisy):
    blocks, _ = noisy
    chosen = RematchedPairs(pair_noise=pair_noise).sample_pairs(blocks, random_state=0)
    n_kept = round((1 - pair_noise) * 400)
    kept = chosen["audio"][-n_kept:]
    np.testing.assert_array_equal(kept, chosen["image"][-n_kept:])
    assert len(np.unique(kept)) == n_kept


def test_every_clean_row_of_three_modalities_is_kept_once(triples):
    chosen = RematchedPairs(pair_noise=0.0).sample_pairs(triples, random_state=0)
    for rows in chosen.values():
        np.testing.assert_array_equal(np.sort(rows), np.arange(400))


def test_more_pairs_than_there_are_repeat_each_as_often(noisy):
    sampler = RematchedPairs(pair_noise=0.0, n_pairs=900)
    chosen = sampler.sample_pairs(noisy[0], random_state=0)
    assert set(np.bincount(chosen["audio"])) == {2, 3}


@pytest.mark.parametrize("n_rows", [1, 2, 10, 100])
def test_a_modality_that_few_rows_have_does_not_hide_that_pairs_are_clean(n_rows, triples):
    triples["text"][n_rows:] = np.nan
    sampler = RematchedPairs()
    chosen = sampler.sample_pairs(triples, random_state=0)
    assert sampler.pair_noise_ < 0.05
    assert len(np.unique(chosen["audio"])) > 390


def test_pairs_of_a_modality_that_few_rows_have_stay(triples):
    triples["text"][10:] = np.nan
    sampler = RematchedPairs(pair_noise=1.0)
    chosen = sampler.sample_pairs(triples, random_state=0)
    with_text = chosen["text"] < 10
    assert len(with_text) == 400
    for rows in chosen.values():
        np.testing.assert_array_equal(rows[with_text], np.arange(10))
    # The others are new, and have none.
    new = {name: rows[~with_text] for name, rows in chosen.items()}
    assert (new["audio"] != new["image"]).mean() > 0.5
    assert np.isnan(triples["text"][new["text"]]).all()


def test_two_modalities_that_never_meet_in_two_rows_stay_as_they_are(triples):
    blocks = {name: block[:2].copy() for name, block in triples.items()}
    blocks["image"][0] = blocks["text"][1] = np.nan
    chosen = RematchedPairs().sample_pairs(blocks, random_state=0)
    for rows in chosen.values():
        np.testing.assert_array_equal(rows, [0, 1])


def test_a_seed_reaches_the_projector_inside_another(noisy):
    sampler = RematchedPairs(ModalityCentring(CCAProjector(4, kernel="rbf")), pair_noise=1.0)
    first, second = (sampler.sample_pairs(noisy[0], random_state=0) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_seed_of_the_projector_is_its_own(noisy):
    class Projector(CCAProjector):
        def fit(self, X, y=None):
            seeds.append(self.random_state)
            return super().fit(X, y)

    seeds = []
    for seed in (7, None):
        RematchedPairs(Projector(4, random_state=seed)).sample_pairs(noisy[0], random_state=0)
    assert seeds[0] == 7
    assert seeds[1] not in (None, 7)


def test_the_table_is_held_twice_at_most():
    rng = np.random.default_rng(0)
    blocks = {name: rng.random((20_000, 100), dtype=np.float32) for name in ("audio", "image")}
    sampler = RematchedPairs(CCAProjector(4), pair_noise=0.0)
    tracemalloc.start()
    sampler.sample_pairs(blocks, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Beside the blocks themselves, which are not counted.
    assert peak < 2.5 * sum(block.nbytes for block in blocks.values())
