import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector, _cca, _kernel_moments


def test_linear_cca_finds_the_cosines_of_the_principal_angles(pairs):
    """Without a ridge, correlations are singular values of the product of orthonormal bases."""
    centred = pairs.to_numpy(np.float64) - pairs.to_numpy(np.float64).mean(axis=0)
    heard, seen = np.linalg.qr(centred[:, :8])[0], np.linalg.qr(centred[:, 8:])[0]
    expected = np.linalg.svd(heard.T @ seen, compute_uv=False)[:3]
    np.testing.assert_allclose(
        CCAProjector(3, reg=1e-12).fit(pairs).correlations_, expected, atol=1e-6
    )


def test_correlations_fall_and_lie_between_zero_and_one(pairs):
    correlations = CCAProjector(6).fit(pairs).correlations_
    assert (np.diff(correlations) <= 1e-12).all()
    assert correlations[-1] >= 0
    assert correlations[0] <= 1


def test_unrelated_modalities_have_small_regularised_correlations():
    rng = np.random.default_rng(0)
    X = concat_modalities(audio=rng.normal(size=(5000, 4)), image=rng.normal(size=(5000, 4)))
    assert CCAProjector(2).fit(X).correlations_.max() < 0.1


def test_the_general_form_agrees_with_the_one_for_two_modalities(pairs):
    """A third modality that is pure noise leaves the other two where they were."""
    rng = np.random.default_rng(0)
    two = CCAProjector(3).fit(pairs)
    three = pairs.copy()
    three["noise__0"] = rng.normal(size=300).astype(np.float32) * 1e-3
    general = CCAProjector(3, reg=0.01)
    with pytest.raises(ValueError, match="n_components=3 is more than the 1"):
        general.fit(three)
    for column in range(1, 4):
        three[f"noise__{column}"] = rng.normal(size=300).astype(np.float32)
    general.fit(three)
    assert _agreement(general, three, pairs.columns) > 0.8 * _agreement(two, pairs, pairs.columns)


def _agreement(fitted, X, columns):
    kept = X.copy()
    kept.loc[:, [c for c in X.columns if c not in columns]] = np.nan
    heard = fitted.transform(select_modality(kept, "audio"))
    seen = fitted.transform(select_modality(kept, "image"))
    return (heard * seen).sum(axis=1).mean()


def test_rbf_sees_a_curved_relation_that_linear_cca_misses():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, size=2000)
    X = concat_modalities(
        audio=np.stack([angle, 0.1 * rng.normal(size=2000)], axis=1),
        image=np.stack([np.cos(2 * angle), 0.1 * rng.normal(size=2000)], axis=1),
    )
    linear = CCAProjector(1, reg=1e-3).fit(X).correlations_[0]
    curved = CCAProjector(1, reg=1e-3, kernel="rbf", n_features=200, random_state=0).fit(X)
    assert linear < 0.2
    assert curved.correlations_[0] > 0.9


def test_chunks_do_not_change_the_result(pairs, monkeypatch):
    whole = CCAProjector(3).fit_transform(pairs)
    monkeypatch.setattr("skxmodal.translation._cca._CHUNK_ROWS", 37)
    np.testing.assert_allclose(CCAProjector(3).fit_transform(pairs), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("reg", 0, "reg must be a number > 0"),
        ("kernel", "poly", "kernel must be one of 'linear', 'rbf', 'nystroem', got 'poly'"),
        ("gamma", -1.0, "gamma must be a number > 0"),
        ("n_features", 0, "n_features must be an integer >= 1"),
    ],
)
def test_bad_parameters_are_named(pairs, parameter, value, message):
    with pytest.raises(ValueError, match=message):
        CCAProjector(2, **{parameter: value}).fit(pairs)


def test_constant_columns_do_no_harm(pairs):
    pairs.iloc[:, 0] = 1.0
    assert np.isfinite(CCAProjector(3).fit_transform(pairs)).all()


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_batches_add_up_to_the_whole(pairs, kernel):
    whole = CCAProjector(3, kernel=kernel, n_features=40, random_state=0).fit(pairs)
    batched = CCAProjector(3, kernel=kernel, n_features=40, random_state=0)
    for start in range(0, 300, 100):
        batched.partial_fit(pairs.iloc[start : start + 100], finish=start == 200)
    if kernel == "linear":
        np.testing.assert_allclose(batched.transform(pairs), whole.transform(pairs), atol=1e-5)
    # Kernel features are drawn on the first batch, so that only the quality is the same.
    assert _agreement(batched, pairs, pairs.columns) > 0.9 * _agreement(whole, pairs, pairs.columns)


def test_nystroem_sees_a_curved_relation_too():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, size=1000)
    X = concat_modalities(
        audio=np.stack([angle, 0.1 * rng.normal(size=1000)], axis=1),
        image=np.stack([np.cos(2 * angle), 0.1 * rng.normal(size=1000)], axis=1),
    )
    curved = CCAProjector(1, kernel="nystroem", n_features=100, random_state=0).fit(X)
    assert curved.weights_[0] > 0.8


def test_the_ridge_grows_with_the_noise_of_the_pairs():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(400, 3))
    heard = cause @ rng.normal(size=(3, 60)) + 0.5 * rng.normal(size=(400, 60))
    seen = cause @ rng.normal(size=(3, 60)) + 0.5 * rng.normal(size=(400, 60))
    clean = CCAProjector(3).fit(concat_modalities(audio=heard, image=seen))
    seen[:300] = rng.permutation(seen[:300])
    noisy = CCAProjector(3).fit(concat_modalities(audio=heard, image=seen))
    assert noisy.reg_ >= clean.reg_
    assert noisy.weights_[0] < clean.weights_[0]


def test_weights_of_components_that_are_not_shared_are_near_zero(pairs):
    weights = CCAProjector(6).fit(pairs).weights_
    assert weights[:3].min() > 0.7
    assert weights[4:].max() < 0.3


def test_a_batch_with_a_new_modality_is_refused(pairs):
    pairs["text__0"] = np.nan
    projector = CCAProjector(1).partial_fit(pairs)
    pairs["text__0"] = 1.0
    with pytest.raises(ValueError, match="the modality 'text', which no row had"):
        projector.partial_fit(pairs)


def test_where_divide_and_conquer_does_not_converge_another_method_answers(pairs, monkeypatch):
    expected = CCAProjector(3).fit(pairs).transform(pairs)
    decompose = _kernel_moments.svd

    def svd(matrix, *, lapack_driver="gesdd", **options):
        if lapack_driver == "gesdd":
            raise np.linalg.LinAlgError("SVD did not converge")
        return decompose(matrix, lapack_driver=lapack_driver, **options)

    monkeypatch.setattr(_kernel_moments, "svd", svd)
    found = CCAProjector(3).fit(pairs).transform(pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_copies_of_a_pair_say_nothing_about_how_it_generalises():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(120, 2))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(2, 60)) + 2 * rng.normal(size=(120, 60)),
        image=cause @ rng.normal(size=(2, 60)) + 2 * rng.normal(size=(120, 60)),
    )
    once = CCAProjector(20).fit(X)
    thrice = CCAProjector(20).fit(X.loc[np.repeat(np.arange(120), 3)])
    np.testing.assert_allclose(thrice.weights_, once.weights_, atol=1e-6)
    assert thrice.reg_ == once.reg_
    assert once.weights_[10:].max() < 0.3


def test_the_two_signs_of_zero_are_one_content():
    block = np.array([[0.0, 1.0], [-0.0, 1.0]] * 4)
    assert len(set(_cca._fold_of(block))) == 1


def test_the_fold_of_a_content_is_the_same_everywhere():
    block = np.arange(12, dtype=np.float64).reshape(6, 2)
    assert _cca._fold_of(block).tolist() == [1, 1, 1, 1, 0, 1]
    assert _cca._fold_of(block.astype(np.float32)).tolist() == [1, 1, 1, 1, 0, 1]


def test_numbers_beyond_single_precision_have_a_fold():
    assert len(_cca._fold_of(np.array([[1e300, 1.0]]))) == 1


@pytest.mark.parametrize("n_batches", [2, 7])
def test_folds_do_not_depend_on_the_batches(pairs, n_batches):
    whole = CCAProjector(3).fit(pairs)
    batched = CCAProjector(3)
    for rows in np.array_split(np.arange(300), n_batches):
        batched.partial_fit(pairs.iloc[rows], finish=False)
    batched.partial_fit(select_modality(pairs, "audio"))
    assert [fold.count for fold in batched._folds] == [fold.count for fold in whole._folds]


def test_contents_are_shared_out_evenly():
    block = np.random.default_rng(0).normal(size=(20_000, 3))
    assert abs(_cca._fold_of(block).mean() - 0.5) < 0.02


@pytest.fixture
def taking_turns(pairs):
    """Rows of sounds and pictures, then of sounds and texts, in turn; all share their causes."""
    blocks = {"audio": pairs.iloc[:, :8], "image": pairs.iloc[:, 8:], "text": pairs.iloc[:, :5]}
    X = concat_modalities(**{name: block.to_numpy() for name, block in blocks.items()})
    X.iloc[0::2, 14:] = np.nan
    X.iloc[1::2, 8:14] = np.nan
    return X


def test_modalities_may_take_turns(taking_turns):
    heard = CCAProjector(3).fit(taking_turns).transform(select_modality(taking_turns, "audio"))
    assert np.linalg.norm(heard, axis=1) == pytest.approx(1, abs=1e-5)


def test_perfect_correlations_are_one_though_not_all_modalities_meet():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(300, 3))
    X = concat_modalities(
        **{name: cause @ rng.normal(size=(3, 4)) for name in ("audio", "image", "text")}
    )
    X.iloc[:150, 8:] = np.nan
    X.iloc[150:, 4:8] = np.nan
    np.testing.assert_allclose(CCAProjector(3, reg=1e-6).fit(X).correlations_, 1, atol=1e-2)


@pytest.mark.parametrize("n_held_out", [0, 1])
def test_a_fold_that_tells_next_to_nothing_is_done_without(pairs, monkeypatch, n_held_out):
    monkeypatch.setattr(_cca, "_fold_of", lambda block: np.arange(len(block)) < n_held_out)
    fitted = CCAProjector(3).fit(pairs)
    np.testing.assert_allclose(fitted.weights_, fitted.correlations_)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("alike", [slice(None, 8), slice(None)])
def test_a_modality_that_never_differs_is_refused(pairs, kernel, alike):
    pairs.iloc[:, alike] = pairs.iloc[0, alike]
    with pytest.raises(ValueError, match="the modality 'audio' is the same in every row"):
        CCAProjector(3, kernel=kernel, n_features=20, random_state=0).fit(pairs)


def test_batches_without_a_pair_are_passed_over(pairs):
    fitted = CCAProjector(3).partial_fit(pairs)
    expected = fitted.transform(pairs)
    fitted.partial_fit(select_modality(pairs, "audio"))
    np.testing.assert_array_equal(fitted.transform(pairs), expected)


def test_a_first_batch_without_a_pair_is_passed_over_too(pairs):
    batched = CCAProjector(3).partial_fit(select_modality(pairs, "audio"), finish=False)
    expected = CCAProjector(3).fit(pairs).transform(pairs)
    np.testing.assert_array_equal(batched.partial_fit(pairs).transform(pairs), expected)


def test_nothing_can_be_solved_before_there_is_a_pair(pairs):
    with pytest.raises(ValueError, match="no row has them"):
        CCAProjector(3).partial_fit(select_modality(pairs, "audio"))


def test_batches_that_are_not_finished_are_not_fitted(pairs):
    unfinished = CCAProjector(3).partial_fit(pairs, finish=False)
    with pytest.raises(NotFittedError):
        unfinished.transform(pairs)
    assert unfinished.partial_fit(select_modality(pairs, "audio")).transform(pairs).shape[1] == 3


def test_a_modality_that_never_had_a_partner_is_told_from_an_unknown_one(pairs):
    X = concat_modalities(
        audio=pairs.iloc[:, :8].to_numpy(),
        image=pairs.iloc[:, 8:].to_numpy(),
        text=np.ones((300, 2)),
    )
    X.iloc[:50, :14] = np.nan
    X.iloc[50:, 14:] = np.nan
    fitted = CCAProjector(2).fit(X)
    with pytest.raises(ValueError, match=r"row 0 .* 'text'.* none together with another"):
        fitted.transform(X)
