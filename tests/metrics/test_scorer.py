"""The retrieval scorer in scikit-learn's model selection."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmodal.metrics import PrecomputedRelevance, make_retrieval_scorer, retrieval_ndcg_score
from skxmodal.modalities import concat_modalities

WIDTHS = {"audio": 3, "image": 3}
SCORING = {
    "audio_to_image": make_retrieval_scorer("audio", "image"),
    "image_to_audio": make_retrieval_scorer("image", "audio"),
}


class SumOfBlocks(TransformerMixin, BaseEstimator):
    """A joint space that needs no training: both blocks share their coordinates."""

    def __init__(self, power=1.0):
        self.power = power

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        blocks = np.asarray(X, dtype=float).reshape(len(X), 2, -1)
        if np.isnan(blocks).all(axis=(1, 2)).any():
            raise ValueError("a row without any modality")
        return np.nansum(np.sign(blocks) * np.abs(blocks) ** self.power, axis=1)


@pytest.fixture
def data(rng):
    y = rng.integers(0, 4, 120)
    centres = rng.normal(size=(4, 3))
    audio, image = (centres[y] + rng.normal(size=(120, 3)) for _ in range(2))
    return concat_modalities(audio=audio, image=image), y


def test_the_score_is_the_ndcg_of_source_queries_in_a_target_gallery(data):
    X, y = data
    score = SCORING["audio_to_image"](SumOfBlocks().fit(X), X, y)
    audio, image = X.to_numpy()[:, :3], X.to_numpy()[:, 3:]
    assert score == retrieval_ndcg_score(audio, image, y, y)


def test_rows_without_a_modality_are_left_out(data):
    X, y = data
    X.iloc[:20, :3] = np.nan
    X.iloc[100:, 3:] = np.nan
    score = SCORING["audio_to_image"](SumOfBlocks().fit(X), X, y)
    audio, image = X.to_numpy()[20:, :3], X.to_numpy()[:100, 3:]
    assert score == retrieval_ndcg_score(audio, image, y[20:], y[:100])


def test_a_grid_search_with_several_scorers_refits_by_one(data):
    X, y = data
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), SumOfBlocks()),
        {"sumofblocks__power": [0.0, 1.0]},
        scoring=SCORING,
        refit="audio_to_image",
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"sumofblocks__power": 1.0}
    assert SCORING["image_to_audio"](search, X, y) > 0.3


def test_cross_validate_takes_multilabel_indicators(data):
    X, y = data
    indicator = np.eye(5, dtype=int)[y]
    indicator[::3, 4] = 1
    cv = KFold(3)
    scores = cross_validate(
        SumOfBlocks(), X, indicator, scoring=SCORING, cv=cv, error_score="raise"
    )
    _, test = next(iter(cv.split(X)))
    table = X.to_numpy()[test]
    labels = [np.flatnonzero(row).tolist() for row in indicator[test]]
    expected = retrieval_ndcg_score(table[:, :3], table[:, 3:], labels, labels)
    assert scores["test_audio_to_image"][0] == pytest.approx(expected)


def test_weights_reach_the_scorer_under_metadata_routing(data):
    X, y = data
    weight = np.linspace(0, 1, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = make_retrieval_scorer("audio", "image").set_score_request(sample_weight=True)
        plain = make_retrieval_scorer("audio", "image").set_score_request(sample_weight=False)
        scores = cross_validate(
            SumOfBlocks(),
            X,
            y,
            scoring={"weighted": weighted, "plain": plain},
            params={"sample_weight": weight},
            cv=KFold(2),
            error_score="raise",
        )
    half = slice(0, 60)
    table = X.to_numpy()[half]
    expected = [
        retrieval_ndcg_score(table[:, :3], table[:, 3:], y[half], y[half], sample_weight=w)
        for w in (weight[half], None)
    ]
    assert [scores["test_weighted"][0], scores["test_plain"][0]] == pytest.approx(expected)
    assert expected[0] != expected[1]


def test_without_labels_a_row_is_relevant_to_itself_only(data):
    X, _ = data
    score = make_retrieval_scorer("audio", "image", k=5)(SumOfBlocks().fit(X), X)
    rows = np.arange(len(X))
    audio, image = X.to_numpy()[:, :3], X.to_numpy()[:, 3:]
    assert score == retrieval_ndcg_score(audio, image, rows, rows, k=5)


def test_options_are_passed_on(data):
    X, y = data
    relevance = PrecomputedRelevance(np.arange(16).reshape(4, 4))
    options = {"relevance": relevance, "k": 3, "gain": "linear", "metric": "euclidean"}
    score = make_retrieval_scorer("audio", "image", **options)(SumOfBlocks().fit(X), X, y)
    audio, image = X.to_numpy()[:, :3], X.to_numpy()[:, 3:]
    assert score == retrieval_ndcg_score(audio, image, y, y, **options)


def test_a_nameless_array_needs_widths(data):
    X, y = data
    array = X.to_numpy()
    joint = SumOfBlocks().fit(array)
    scorer = make_retrieval_scorer("audio", "image", modalities=WIDTHS)
    assert scorer(joint, array, y) == SCORING["audio_to_image"](joint, X, y)
    with pytest.raises(ValueError, match="without column names"):
        SCORING["audio_to_image"](joint, array, y)


def test_a_media_table_is_scored_through_its_pipeline(data):
    X, y = data
    media = pd.DataFrame(
        {
            "audio": pd.Series(list(X.to_numpy()[:, :3]), dtype=object),
            "image": pd.Series(list(X.to_numpy()[:, 3:]), dtype=object),
        }
    )

    def embed(table):
        missing = np.full(3, np.nan)
        columns = [
            np.stack([missing if cell is None else cell for cell in table[name]])
            for name in ("audio", "image")
        ]
        return concat_modalities(audio=columns[0], image=columns[1])

    pipeline = make_pipeline(FunctionTransformer(embed), SumOfBlocks()).fit(media)
    expected = SCORING["audio_to_image"](SumOfBlocks().fit(X), X, y)
    assert SCORING["audio_to_image"](pipeline, media, y) == expected


def test_a_scorer_survives_clone_and_pickle():
    scorer = SCORING["audio_to_image"]
    for other in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert repr(other) == repr(scorer) == "RetrievalScorer(source='audio', target='image')"


def test_scikit_learn_accepts_it_as_a_scorer():
    assert get_scorer(SCORING["audio_to_image"]) is SCORING["audio_to_image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X.drop(columns=X.columns[3:]), y), "X has no modality 'image'"),
        (lambda X, y: (X, y[:-1]), "X has 120 rows, y has 119"),
        (lambda X, y: (X.assign(**dict.fromkeys(X.columns[3:], np.nan)), y), "No row of X has"),
    ],
)
def test_what_cannot_be_scored_is_refused(data, change, message):
    X, y = change(*data)
    with pytest.raises(ValueError, match=message):
        SCORING["audio_to_image"](SumOfBlocks(), X, y)


def test_an_estimator_without_transform_is_refused(data):
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(TypeError, match="LogisticRegression has no transform"):
        SCORING["audio_to_image"](LogisticRegression(), *data)


def test_a_joint_space_that_knows_its_layout_needs_no_widths(data):
    from skxmodal.translation import CCAProjector

    X, y = data
    named = CCAProjector(2).fit(X)
    plain = CCAProjector(2, modalities=WIDTHS).fit(X.to_numpy())
    scorer = SCORING["audio_to_image"]
    assert scorer(plain, X.to_numpy(), y) == scorer(named, X, y)


@pytest.mark.parametrize("form", [np.asarray, list, pd.Series, lambda y: y.astype(object)])
def test_rows_without_a_label_are_left_out_whatever_holds_the_labels(data, form):
    X, y = data
    joint = SumOfBlocks().fit(X)
    known = y != 0
    expected = SCORING["audio_to_image"](joint, X[known], y[known])
    for missing, dtype in ((-1, int), (-1, float), (np.nan, float), (np.nan, np.float32)):
        labels = form(np.where(known, y, missing).astype(dtype))
        assert SCORING["audio_to_image"](joint, X, labels) == expected


def test_missing_labels_that_became_text_are_refused(data):
    X, _ = data
    labels = np.array(["cat", -1] * 60)
    with pytest.raises(ValueError, match="label '-1' of row 1 of y is a missing label turned"):
        SCORING["audio_to_image"](SumOfBlocks().fit(X), X, labels)


def test_a_modality_does_not_search_itself(data):
    scorer = make_retrieval_scorer("audio", "audio")
    with pytest.raises(ValueError, match="both 'audio': every query would find itself"):
        scorer(SumOfBlocks().fit(data[0]), *data)


@pytest.mark.parametrize("length", [60, 240])
def test_weights_of_another_length_are_refused(data, length):
    with pytest.raises(ValueError, match=rf"120 rows, sample_weight has shape \({length},\)"):
        SCORING["audio_to_image"](SumOfBlocks(), *data, sample_weight=np.ones(length))


def test_columns_without_prefixes_are_read_as_the_joint_space_read_them(data):
    from skxmodal.translation import CCAProjector

    X, y = data
    plain = X.set_axis([f"feature {n}" for n in range(6)], axis=1)
    scorer = SCORING["audio_to_image"]
    found = scorer(CCAProjector(2, modalities=WIDTHS).fit(plain), plain, y)
    assert found == scorer(CCAProjector(2).fit(X), X, y)
