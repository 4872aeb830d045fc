"""What all joint projectors promise."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmodal.modalities import select_modality
from skxmodal.translation import (
    CCAProjector,
    ContrastiveTranslator,
    PCAProjector,
    RematchedProjector,
)

PROJECTORS = [
    PCAProjector(3, random_state=0),
    CCAProjector(3),
    CCAProjector(3, kernel="rbf", n_features=50, random_state=0),
    ContrastiveTranslator(3, hidden_dim=16, max_epochs=5, random_state=0),
]
TRANSLATORS = PROJECTORS[1:]
each_projector = pytest.mark.parametrize("projector", PROJECTORS, ids=str)
each_translator = pytest.mark.parametrize("projector", TRANSLATORS, ids=str)


@parametrize_with_checks(
    [
        PCAProjector(1, modalities="halves"),
        CCAProjector(1, modalities="halves"),
        CCAProjector(1, modalities="halves", kernel="rbf", n_features=10),
        ContrastiveTranslator(2, hidden_dim=4, max_epochs=2, modalities="halves"),
        RematchedProjector(2, n_features=10, modalities="halves", random_state=0),
    ]
)
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


@each_projector
def test_joint_table_is_float32_without_nan(projector, pairs):
    pairs.iloc[3, :8] = np.nan
    joint = clone(projector).fit_transform(pairs)
    assert joint.shape == (300, 3)
    assert joint.dtype == np.float32
    assert np.isfinite(joint).all()


@each_translator
def test_rows_of_translators_have_unit_length(projector, pairs):
    pairs.iloc[:50, :8] = np.nan
    joint = clone(projector).fit_transform(pairs)
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)


@each_translator
def test_a_row_with_two_modalities_is_the_renormalised_mean_of_them(projector, pairs):
    fitted = clone(projector).fit(pairs)
    mean = fitted.transform(select_modality(pairs, "audio")) + fitted.transform(
        select_modality(pairs, "image")
    )
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.transform(pairs), mean, atol=1e-5)


@each_translator
def test_partners_are_closer_than_strangers(projector, pairs):
    fitted = clone(projector).set_params(**_longer(projector)).fit(pairs)
    heard = fitted.transform(select_modality(pairs, "audio"))
    seen = fitted.transform(select_modality(pairs, "image"))
    similarity = heard @ seen.T
    partners = similarity.diagonal().mean()
    strangers = (similarity.sum() - similarity.trace()) / (similarity.size - len(similarity))
    assert partners > strangers + 0.5


def _longer(projector):
    return {"max_epochs": 60} if isinstance(projector, ContrastiveTranslator) else {}


@each_projector
def test_same_seed_gives_the_same_bytes(projector, pairs):
    first, second = (clone(projector).fit_transform(pairs) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@each_projector
def test_pickle_keeps_the_result(projector, pairs):
    fitted = clone(projector).fit(pairs)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(pairs), fitted.transform(pairs))


@each_projector
def test_a_row_does_not_depend_on_the_other_rows(projector, pairs):
    fitted = clone(projector).fit(pairs)
    np.testing.assert_allclose(
        fitted.transform(pairs.iloc[[7]]), fitted.transform(pairs)[[7]], rtol=1e-5, atol=1e-5
    )


@each_projector
@pytest.mark.parametrize(("output", "kind"), [("pandas", "pandas"), ("polars", "polars")])
def test_set_output_names_the_columns(projector, pairs, output, kind):
    table = clone(projector).set_output(transform=output).fit_transform(pairs)
    assert type(table).__module__.startswith(kind)
    prefix = type(projector).__name__.lower()
    assert list(table.columns) == [f"{prefix}{i}" for i in range(3)]


@each_projector
def test_plain_arrays_need_their_widths(projector, pairs):
    with pytest.raises(ValueError, match="pass modalities="):
        clone(projector).fit(pairs.to_numpy())
    named = clone(projector).fit_transform(pairs)
    widths = clone(projector).set_params(modalities={"audio": 8, "image": 6})
    np.testing.assert_array_equal(widths.fit_transform(pairs.to_numpy()), named)


@each_projector
def test_polars_tables_give_the_same_as_pandas(projector, pairs):
    pl = pytest.importorskip("polars")
    np.testing.assert_array_equal(
        clone(projector).fit_transform(pl.from_pandas(pairs)),
        clone(projector).fit_transform(pairs),
    )


@each_projector
def test_a_row_without_any_modality_is_an_error_that_names_it(projector, pairs):
    fitted = clone(projector).fit(pairs)
    pairs.iloc[4] = np.nan
    with pytest.raises(ValueError, match="row 4 has no modality"):
        fitted.transform(pairs)


@each_projector
def test_a_partly_missing_modality_is_an_error_that_names_row_and_modality(projector, pairs):
    pairs.iloc[2, 9] = np.nan
    with pytest.raises(ValueError, match="row 2 has NaN in 1 of 6 columns of modality 'image'"):
        clone(projector).fit(pairs)


@pytest.mark.parametrize("projector", PROJECTORS[:3], ids=str)
def test_a_linear_method_refuses_more_components_than_columns(projector, pairs):
    with pytest.raises(ValueError, match="n_components=100 is more than"):
        clone(projector).set_params(n_components=100).fit(pairs)


@each_translator
def test_rows_without_a_pair_teach_nothing(projector, pairs):
    alone = select_modality(pairs, "audio")
    with pytest.raises(ValueError, match="no row has them"):
        clone(projector).fit(alone)
    both = pd.concat([pairs, alone], ignore_index=True)
    np.testing.assert_allclose(
        clone(projector).fit(both).transform(pairs),
        clone(projector).fit(pairs).transform(pairs),
        atol=1e-5,
    )


@each_translator
def test_one_modality_alone_is_refused(projector, pairs):
    with pytest.raises(ValueError, match="learns from pairs of modalities"):
        clone(projector).fit(pairs.iloc[:, :8])


@each_translator
def test_three_modalities_meet_in_one_space_though_no_row_has_all(projector):
    rng = np.random.default_rng(1)
    cause = rng.normal(size=(600, 3))
    blocks = {
        name: cause @ rng.normal(size=(3, 7)) + 0.05 * rng.normal(size=(600, 7))
        for name in ("audio", "image", "text")
    }
    blocks["text"][:200] = np.nan
    blocks["audio"][200:400] = np.nan
    blocks["image"][400:] = np.nan
    from skxmodal.modalities import concat_modalities

    X = concat_modalities(**blocks)
    fitted = clone(projector).set_params(**_longer(projector)).fit(X)
    audio, text = slice(400, 600), "text"
    heard = fitted.transform(select_modality(X.iloc[audio], "audio"))
    read = fitted.transform(select_modality(X.iloc[audio], text))
    assert (heard * read).sum(axis=1).mean() > 0.5


@each_projector
def test_a_modality_unseen_in_fit_cannot_be_projected(projector, pairs):
    if isinstance(projector, PCAProjector):
        fitted = clone(projector).fit(select_modality(pairs, "audio"))
        with pytest.raises(ValueError, match="row 0 has the modality 'image', which no row had"):
            fitted.transform(select_modality(pairs, "image"))
    else:
        pairs["text__0"] = np.nan
        fitted = clone(projector).fit(pairs)
        pairs["text__0"] = 1.0
        with pytest.raises(ValueError, match="row 0 has the modality 'text', which no row had"):
            fitted.transform(pairs)


@each_projector
def test_a_frozen_projector_keeps_its_space_through_clone(projector, pairs):
    fitted = clone(projector).fit(pairs)
    frozen = clone(FrozenEstimator(fitted)).fit(pairs.iloc[:10], None)
    np.testing.assert_array_equal(frozen.transform(pairs), fitted.transform(pairs))


@each_projector
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "three"])
def test_bad_n_components_is_named(projector, pairs, value):
    with pytest.raises((ValueError, TypeError), match="n_components must be an integer >= 1"):
        clone(projector).set_params(n_components=value).fit(pairs)


@each_projector
def test_values_beyond_float32_are_an_error_that_names_the_row(projector, pairs):
    fitted = clone(projector).fit(pairs.astype(np.float64))
    huge = pairs.astype(np.float64)
    huge.iloc[5] = 1e300
    if isinstance(projector, CCAProjector) and projector.kernel == "rbf":
        # Random Fourier features are cosines: bounded whatever comes in.
        assert np.isfinite(fitted.transform(huge)).all()
    elif isinstance(projector, CCAProjector):
        assert np.isfinite(fitted.transform(huge / 1e200)).all()
    else:
        with (
            np.errstate(all="ignore"),
            pytest.raises(ValueError, match="row 5 has values too large"),
        ):
            fitted.transform(huge)
