import numpy as np
import pytest

from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector, _kernel_moments


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
    with pytest.raises(ValueError, match="the modality 'text', which no row had in fit"):
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
