"""Embedders inside scikit-learn: side by side, in pipelines, in searches."""

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skxmodal.embedders import AudioEmbedder, ImageEmbedder, make_embedder
from skxmodal.encoders import load_encoder


def test_make_embedder_names_the_columns_by_modality(table):
    X, _ = table
    out = make_embedder().fit_transform(X)
    assert out.columns[[0, 639, 640, -1]].tolist() == [
        "audio__0",
        "audio__639",
        "image__0",
        "image__899",
    ]
    assert np.isnan(out.loc[3, "audio__0":"audio__639"].to_numpy(float)).all()
    assert np.isnan(out.loc[7, "image__0":].to_numpy(float)).all()
    assert (out.dtypes == np.float32).all()


def test_make_embedder_takes_a_polars_table(table):
    X, _ = table
    expected = make_embedder().fit_transform(X)
    out = make_embedder().fit_transform(pl.from_pandas(X))
    assert out.columns.tolist() == expected.columns.tolist()
    np.testing.assert_array_equal(out.to_numpy(), expected.to_numpy())


def test_make_embedder_makes_a_polars_table_when_told(table):
    X, _ = table
    out = make_embedder().set_output(transform="polars").fit_transform(pl.from_pandas(X))
    assert isinstance(out, pl.DataFrame)
    assert out.columns[0] == "audio__0"


def test_make_embedder_passes_parameters_on(tmp_path):
    embedder = make_embedder(sample_rate=8000, n_jobs=2, cache=tmp_path)
    audio, image = (transformer for _, transformer, _ in embedder.transformers)
    assert audio.sample_rate == 8000
    assert audio.n_jobs == image.n_jobs == 2
    assert audio.cache == image.cache == tmp_path


def test_make_embedder_leaves_out_a_modality(table):
    X, _ = table
    assert make_embedder(audio=None).fit_transform(X).shape == (12, 900)
    with pytest.raises(ValueError, match="audio, image or text"):
        make_embedder(None, None)


def test_embedders_work_in_a_column_transformer_of_one_s_own(table):
    X, _ = table
    transformer = ColumnTransformer([("sound", AudioEmbedder(), ["audio"])], remainder="drop")
    assert transformer.fit(X).get_feature_names_out()[:2].tolist() == ["sound__0", "sound__1"]
    column = ColumnTransformer([("sound", AudioEmbedder(), "audio")]).fit_transform(X)
    np.testing.assert_array_equal(column, transformer.transform(X))


def test_embedders_work_in_cross_validation(table):
    X, y = table
    X = X["image"].dropna()
    scores = cross_validate(
        make_pipeline(ImageEmbedder(), LogisticRegression()), X, y[X.index], cv=2
    )
    assert len(scores["test_score"]) == 2


def test_a_grid_search_may_choose_the_encoder(table, modality, Embedder):
    X, y = table
    X = X[modality].dropna()
    search = GridSearchCV(
        make_pipeline(Embedder(), LogisticRegression()),
        {
            f"{Embedder.__name__.lower()}__encoder": [
                Embedder().encoder,
                load_encoder(Embedder().encoder, modality),
            ]
        },
        cv=2,
    ).fit(X, y[X.index])
    np.testing.assert_array_equal(
        search.cv_results_["split0_test_score"][0], search.cv_results_["split0_test_score"][1]
    )
    assert search.predict(X).shape == (len(X),)
