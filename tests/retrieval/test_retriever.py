"""CrossModalRetriever: who is found by what, through which index, and saved how."""

import json
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmodal.metrics import make_retrieval_scorer
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import CCAProjector, PCAProjector, make_recommended_joint

BACKENDS = ["torch", "faiss"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def X(rng):
    cause = rng.normal(size=(300, 4))
    noise = 0.05 * rng.normal(size=(2, 300, 6))
    blocks = [cause @ rng.normal(size=(4, 6)) + noise[i] for i in range(2)]
    return concat_modalities(audio=blocks[0], image=blocks[1])


@pytest.fixture
def joint(X):
    return FrozenEstimator(CCAProjector(4).fit(X))


def fitted(joint, X, backend="torch", **parameters):
    if backend.startswith("faiss"):
        pytest.importorskip("faiss")
    return CrossModalRetriever(joint, 5, backend=backend, **parameters).fit(X)


def vectors(joint, X):
    return [joint.transform(select_modality(X, name)) for name in ("audio", "image")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_those_of_scikit_learn(joint, X, backend, metric):
    sounds, pictures = vectors(joint, X)
    retriever = fitted(joint, X, backend, metric=metric)
    queries = select_modality(X, "audio")
    distances, rows = retriever.kneighbors(queries, target="image")
    search = NearestNeighbors(n_neighbors=5, metric=metric).fit(pictures.astype(float))
    expected_distances, expected = search.kneighbors(sounds.astype(float))
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(distances, expected_distances, atol=2e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dot_finds_the_largest_inner_products(X, backend):
    joint = FrozenEstimator(PCAProjector(4).fit(X))
    sounds, pictures = vectors(joint, X)
    distances, rows = fitted(joint, X, backend, metric="dot").kneighbors(
        select_modality(X, "image"), target="audio"
    )
    products = pictures @ sounds.T
    np.testing.assert_array_equal(rows, np.argsort(-products, axis=1)[:, :5])
    np.testing.assert_allclose(distances, -np.sort(-products, axis=1)[:, :5] * -1, rtol=1e-4)


def test_a_picture_is_found_by_its_sound(joint, X):
    rows = fitted(joint, X).kneighbors(
        select_modality(X, "audio"), 1, return_distance=False, target="image"
    )
    assert (rows[:, 0] == np.arange(300)).mean() > 0.8


def test_without_a_target_a_row_is_found_once_by_its_nearest_modality(joint, X):
    sounds, pictures = vectors(joint, X)
    queries = select_modality(X, "audio")
    distances, rows, modality = fitted(joint, X).kneighbors(queries, return_modality=True)
    both = np.stack([1 - sounds @ sounds.T, 1 - sounds @ pictures.T])
    nearest = both.min(axis=0)
    np.testing.assert_array_equal(rows, np.argsort(nearest, axis=1)[:, :5])
    np.testing.assert_allclose(distances, np.sort(nearest, axis=1)[:, :5], atol=1e-5)
    expected = np.take_along_axis(both.argmin(axis=0), rows, axis=1)
    np.testing.assert_array_equal(modality, np.array(["audio", "image"])[expected])
    np.testing.assert_array_equal(rows[:, 0], np.arange(300))


def test_a_row_without_the_target_is_never_found(joint, X):
    X = X.copy()
    X.iloc[100:, 6:] = np.nan
    rows = fitted(joint, X).kneighbors(X, return_distance=False, target="image")
    assert rows.max() < 100
    assert fitted(joint, X).kneighbors(X, 250, return_distance=False).max() >= 100


def test_indices_are_rows_of_the_table_not_places_in_the_gallery(joint, X):
    X = X.copy()
    X.iloc[:200, 6:] = np.nan
    rows = fitted(joint, X).kneighbors(
        select_modality(X, "audio").iloc[200:], 1, return_distance=False, target="image"
    )
    assert (rows[:, 0] == np.arange(200, 300)).mean() > 0.8


def test_a_query_with_two_modalities_is_their_joint_vector(joint, X):
    retriever = fitted(joint, X)
    _, pictures = vectors(joint, X)
    rows = retriever.kneighbors(X, return_distance=False, target="image")
    expected = np.argsort(-joint.transform(X) @ pictures.T, axis=1)[:, :5]
    np.testing.assert_array_equal(rows, expected)


def test_fit_fits_the_joint_space_unless_it_is_frozen(X):
    projector = CCAProjector(4)
    retriever = CrossModalRetriever(projector).fit(X)
    assert not hasattr(projector, "modalities_")
    assert hasattr(retriever.joint_, "modalities_")
    assert retriever.transform(X).shape == (300, 4)
    assert retriever.get_feature_names_out()[0] == "crossmodalretriever0"


def test_the_recommended_joint_space_goes_by_its_name(X):
    named = CrossModalRetriever("recommended", 5, random_state=0).fit(X)
    given = CrossModalRetriever(make_recommended_joint(random_state=0), 5).fit(X)
    sounds = select_modality(X, "audio").iloc[:9]
    for one, other in zip(*(r.kneighbors(sounds, target="image") for r in (named, given))):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="joint must be one of 'recommended'"):
        CrossModalRetriever("closest").fit(X)


def test_fit_again_forgets_the_first_table(X):
    retriever = CrossModalRetriever(CCAProjector(4)).fit(X)
    retriever.set_params(joint=CCAProjector(3)).fit(X.iloc[:100])
    assert retriever.kneighbors(X, return_distance=False).max() < 100


def test_a_nameless_array_is_laid_out_as_its_joint_space_says(X):
    widths = {"audio": 6, "image": 6}
    named = CrossModalRetriever(CCAProjector(4)).fit(X)
    plain = CrossModalRetriever(CCAProjector(4, modalities=widths)).fit(X.to_numpy())
    np.testing.assert_array_equal(
        plain.kneighbors(X.to_numpy(), return_distance=False, target="image"),
        named.kneighbors(X, return_distance=False, target="image"),
    )


def test_widths_given_to_the_retriever_reach_the_joint_space(X):
    retriever = CrossModalRetriever(CCAProjector(4), 5, modalities={"audio": 6, "image": 6})
    distances, rows = retriever.fit(X.to_numpy()).kneighbors(X.to_numpy())
    expected = CrossModalRetriever(CCAProjector(4), 5).fit(X).kneighbors(X)
    np.testing.assert_array_equal(rows, expected[1])
    np.testing.assert_array_equal(distances, expected[0])


def test_a_media_table_is_searched_through_its_pipeline(X):
    media = pd.DataFrame(
        {
            "audio": pd.Series(list(X.to_numpy()[:, :6]), dtype=object),
            "image": pd.Series(list(X.to_numpy()[:, 6:]), dtype=object),
        }
    )

    def embed(table):
        nothing = np.full(6, np.nan)
        blocks = {
            name: np.stack([nothing if cell is None else cell for cell in table[name]])
            for name in ("audio", "image")
        }
        return concat_modalities(**blocks)

    pipeline = make_pipeline(FunctionTransformer(embed), CCAProjector(4))
    retriever = CrossModalRetriever(pipeline, 5).fit(media)
    rows = retriever.kneighbors(
        select_modality(media, "audio"), return_distance=False, target="image"
    )
    expected = CrossModalRetriever(CCAProjector(4), 5).fit(X)
    np.testing.assert_array_equal(
        rows,
        expected.kneighbors(select_modality(X, "audio"), return_distance=False, target="image"),
    )


def test_it_can_be_grid_searched_by_retrieval(X):
    search = GridSearchCV(
        CrossModalRetriever(CCAProjector(1)),
        {"joint__n_components": [1, 4]},
        scoring=make_retrieval_scorer("audio", "image", k=5),
        error_score="raise",
        cv=3,
    ).fit(X)
    assert search.best_params_ == {"joint__n_components": 4}


@pytest.mark.parametrize("name", ["HNSW", "IVF", "HNSW16", "IVF4,Flat"])
def test_approximate_indexes_find_most_of_the_neighbours(joint, X, name):
    queries = select_modality(X, "audio")
    exact = fitted(joint, X).kneighbors(queries, return_distance=False, target="image")
    found = fitted(joint, X, f"faiss:{name}").kneighbors(
        queries, return_distance=False, target="image"
    )
    common = [len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)]
    assert np.mean(common) > 4


def test_places_an_approximate_index_leaves_empty_are_marked(joint, X):
    retriever = fitted(joint, X, "faiss:IVF16,Flat")
    retriever.galleries_["image"]._plain.index.nprobe = 1
    distances, rows = retriever.kneighbors(select_modality(X, "audio"), 200, target="image")
    assert (rows == -1).any()
    np.testing.assert_array_equal(np.isinf(distances), rows == -1)


# Hubness


@pytest.fixture
def hubs(rng):
    """A joint space in which one picture is near to every sound."""
    sounds = rng.normal(size=(200, 32)) + 1
    pictures = sounds + 1.5 * rng.normal(size=(200, 32))
    pictures[7] = 1
    return concat_modalities(audio=sounds, image=pictures)


class Identity(FunctionTransformer):
    """Both blocks as they are: the joint vector is the mean of what is there."""

    def __init__(self):
        super().__init__(lambda X: np.nanmean(np.asarray(X).reshape(len(X), 2, -1), axis=1))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hubness", ["csls", "qbnorm"])
def test_a_hub_is_found_less_and_the_partner_more_often(hubs, hubness, backend):
    queries = select_modality(hubs, "audio")
    finds = [
        fitted(Identity(), hubs, backend, hubness=correction).kneighbors(
            queries, return_distance=False, target="image"
        )
        for correction in (None, hubness)
    ]
    times_hub = [(rows == 7).sum() for rows in finds]
    assert times_hub[0] > 150
    assert times_hub[1] < 0.7 * times_hub[0]
    hits = [(rows[:, 0] == np.arange(200)).mean() for rows in finds]
    assert hits[1] > hits[0] + 0.1


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def test_csls_is_the_published_formula(hubs):
    sounds, pictures = (unit(hubs.to_numpy()[:, part]) for part in (slice(0, 32), slice(32, 64)))
    cosine = sounds @ pictures.T
    around_query = np.sort(cosine, axis=1)[:, -4:].mean(axis=1)
    around_item = np.sort(cosine, axis=0)[-4:].mean(axis=0)
    csls = 2 * cosine - around_query[:, None] - around_item
    retriever = fitted(Identity(), hubs, hubness="csls", hubness_neighbors=4)
    distances, rows = retriever.kneighbors(select_modality(hubs, "audio"), target="image")
    np.testing.assert_array_equal(rows, np.argsort(-csls, axis=1)[:, :5])
    np.testing.assert_allclose(-distances, -np.sort(-csls, axis=1)[:, :5], atol=1e-5)


def test_query_bank_normalisation_is_the_published_formula(hubs):
    sounds, pictures = (unit(hubs.to_numpy()[:, part]) for part in (slice(0, 32), slice(32, 64)))
    cosine = sounds @ pictures.T
    normalised = np.exp(20 * cosine) / np.exp(20 * cosine).sum(axis=0)
    active = np.isin(np.arange(200), cosine.argmax(axis=1))
    suspect = active[cosine.argmax(axis=1)]
    expected = np.where(
        suspect[:, None], np.argsort(-normalised, axis=1), np.argsort(-cosine, axis=1)
    )[:, :5]
    retriever = fitted(Identity(), hubs, hubness="qbnorm")
    rows = retriever.kneighbors(
        select_modality(hubs, "audio"), return_distance=False, target="image"
    )
    np.testing.assert_array_equal(rows, expected)


def test_the_bank_is_drawn_by_the_random_state(hubs):
    def distances(seed):
        retriever = fitted(Identity(), hubs, hubness="csls", bank_size=50, random_state=seed)
        return retriever.kneighbors(select_modality(hubs, "audio"), target="image")[0]

    np.testing.assert_array_equal(distances(0), distances(0))
    assert (distances(0) != distances(1)).any()


def test_query_bank_normalisation_needs_a_target(hubs):
    with pytest.raises(ValueError, match="name the target, one of"):
        fitted(Identity(), hubs, hubness="qbnorm").kneighbors(hubs)


# Persistence

SAVED = [
    {},
    {"hubness": "csls"},
    {"hubness": "qbnorm"},
    {"backend": "faiss:HNSW"},
    {"backend": "faiss", "hubness": "qbnorm"},
]


@pytest.mark.parametrize("parameters", SAVED)
def test_a_saved_index_finds_the_same(joint, X, tmp_path, parameters):
    retriever = fitted(joint, X, **parameters)
    queries = select_modality(X, "audio")
    path = retriever.save(tmp_path / "index")
    assert path == tmp_path / "index.npz"
    assert list(tmp_path.iterdir()) == [path]
    loaded = CrossModalRetriever.load(path, retriever.joint_, n_neighbors=5)
    for got, expected in zip(
        loaded.kneighbors(queries, target="image"),
        retriever.kneighbors(queries, target="image"),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


def test_a_saved_index_knows_the_neighbours_that_make_up_a_density(joint, X, tmp_path):
    retriever = fitted(joint, X, hubness="csls", hubness_neighbors=np.int64(2))
    loaded = CrossModalRetriever.load(retriever.save(tmp_path / "index"), joint, n_neighbors=5)
    for got, expected in zip(loaded.kneighbors(X), retriever.kneighbors(X), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("parameters", SAVED)
def test_a_pickled_retriever_finds_the_same(joint, X, parameters):
    retriever = fitted(joint, X, **parameters)
    retriever.kneighbors(X, target="image")
    copy = pickle.loads(pickle.dumps(retriever))
    np.testing.assert_array_equal(
        copy.kneighbors(X, target="image")[0], retriever.kneighbors(X, target="image")[0]
    )


def test_a_saved_index_holds_plain_arrays_only(joint, X, tmp_path):
    path = fitted(joint, X).save(tmp_path / "index.npz")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert {array.dtype.kind for array in arrays.values()} <= set("fiub")
    assert json.loads(arrays["about"].tobytes())["modalities"] == ["audio", "image"]


def test_a_loaded_index_checks_the_columns_of_queries(joint, X, tmp_path):
    path = fitted(joint, X).save(tmp_path / "index")
    loaded = CrossModalRetriever.load(path, joint, n_neighbors=5)
    with pytest.raises(ValueError, match="feature names"):
        loaded.kneighbors(X.rename(columns={"audio__0": "audio__x"}))


def test_a_joint_space_that_does_not_fit_the_index_is_refused(joint, X, tmp_path):
    path = fitted(joint, X).save(tmp_path / "index")
    other = CCAProjector(2).fit(X.drop(columns="audio__0"))
    with pytest.raises(ValueError, match="made from 12 columns, joint was fitted on 11"):
        CrossModalRetriever.load(path, other)
    narrow = CrossModalRetriever.load(path, CCAProjector(2).fit(X), n_neighbors=5)
    with pytest.raises(ValueError, match="vectors of length 4, the joint space gives 2"):
        narrow.kneighbors(X)


def test_what_is_part_of_the_index_cannot_be_changed_on_loading(joint, X, tmp_path):
    path = fitted(joint, X).save(tmp_path / "index")
    with pytest.raises(ValueError, match="metric is part of the saved index"):
        CrossModalRetriever.load(path, joint, metric="dot")


def foreign_files(path):
    yield b"nothing"
    np.savez(path, a=np.ones(2))
    yield path.read_bytes()
    about = np.frombuffer(b'{"format": "other/9", "modalities": []}', dtype=np.uint8)
    np.savez(path, about=about)
    yield path.read_bytes()
    np.savez(path, about=np.array([{}], dtype=object))
    yield path.read_bytes()


def test_a_file_that_is_no_index_is_refused(joint, tmp_path):
    path = tmp_path / "file.npz"
    for content in list(foreign_files(path)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is not the index|has the format 'other/9'"):
            CrossModalRetriever.load(path, joint)


def test_a_failed_save_leaves_nothing_behind(joint, X, tmp_path, monkeypatch):
    retriever = fitted(joint, X)

    def fails(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="disk full"):
        retriever.save(tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


# Errors


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_neighbors": 0}, ValueError, "n_neighbors must be"),
        ({"metric": "l1"}, ValueError, "metric must be one of"),
        ({"hubness": "magic"}, ValueError, "hubness must be one of"),
        ({"hubness": "csls", "metric": "dot"}, ValueError, "needs metric='cosine'"),
        ({"backend": "annoy"}, ValueError, "backend must be 'torch', 'faiss' or 'faiss:NAME'"),
        ({"backend": None}, ValueError, "NAME one of .* got None"),
        ({"bank_size": 0}, ValueError, "bank_size must be"),
    ],
)
def test_bad_parameters_are_refused(joint, X, parameters, error, message):
    with pytest.raises(error, match=message):
        CrossModalRetriever(joint, **parameters).fit(X)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_indexed(joint, X, device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        fitted(joint, X, device=device)


def test_the_device_may_be_chosen_automatically(joint, X, tmp_path):
    retriever = fitted(joint, X, device="auto")
    _, expected = fitted(joint, X).kneighbors(X)
    np.testing.assert_array_equal(retriever.kneighbors(X)[1], expected)
    path = retriever.save(tmp_path / "index")
    loaded = CrossModalRetriever.load(path, joint, n_neighbors=5, device="auto")
    np.testing.assert_array_equal(loaded.kneighbors(X)[1], expected)


def test_an_unknown_faiss_index_is_named(joint, X):
    with pytest.raises(ValueError, match="faiss cannot build"):
        fitted(joint, X, "faiss:Nonsense")


def test_the_missing_faiss_names_its_extra(joint, X, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'needs faiss: pip install "skxmodal\[faiss\]"'):
        CrossModalRetriever(joint, backend="faiss").fit(X)


def test_more_neighbours_than_rows_are_refused(joint, X):
    with pytest.raises(ValueError, match="n_neighbors=301 is more than the 300 rows"):
        fitted(joint, X).kneighbors(X, 301)


def test_an_unknown_target_is_refused(joint, X):
    with pytest.raises(ValueError, match="No row with the modality 'text' was indexed"):
        fitted(joint, X).kneighbors(X, target="text")


def test_a_query_without_a_modality_is_named(joint, X):
    X.iloc[3] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        fitted(joint, X.iloc[:3]).kneighbors(X, 1)


def test_an_indexed_row_without_a_direction_is_named_by_its_row_of_the_table():
    corners = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]] * 2)
    seen = np.full((9, 2), np.nan)
    seen[4:8], seen[8] = corners[4:], 0  # the mean
    X = concat_modalities(audio=np.vstack([corners, [[5, 5]]]), image=seen)
    with pytest.raises(ValueError, match="Row 8 of the joint table is all zeros"):
        CrossModalRetriever(PCAProjector(2)).fit(X)


def test_clone_keeps_the_parameters(joint):
    retriever = CrossModalRetriever(joint, 7, hubness="csls")
    assert clone(retriever).get_params(deep=False) == retriever.get_params(deep=False)
