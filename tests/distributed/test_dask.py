"""Searches, scores, curves and embeddings on a cluster are those of one process."""

import os
from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.embedders import ImageEmbedder, make_embedder
from skxmodal.metrics import make_retrieval_scorer
from skxmodal.model_selection import transfer_curve
from skxmodal.translation import CCAProjector, ContrastiveTranslator

pytestmark = pytest.mark.slow


def classifier_on(joint):
    return ModalityAgnosticClassifier(joint, LogisticRegression())


def translator():
    return ContrastiveTranslator(2, hidden_dim=8, max_epochs=3, device="cpu", random_state=0)


@pytest.mark.parametrize("joint", [CCAProjector(2), translator()], ids=["cca", "contrastive"])
def test_a_grid_search_on_a_cluster_finds_what_one_process_finds(client, labelled, joint):
    search = GridSearchCV(
        classifier_on(joint),
        {"joint__n_components": [1, 2]},
        cv=3,
        error_score="raise",
    )
    expected = search.fit(*labelled).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        search.fit(*labelled)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)
    assert search.predict(labelled[0]).shape == (90,)


def test_cross_validation_on_a_cluster_scores_what_one_process_scores(client, labelled):
    scoring = {"found": make_retrieval_scorer("audio", "image")}
    arguments = {"scoring": scoring, "cv": 3, "error_score": "raise"}
    expected = cross_validate(translator(), *labelled, **arguments)["test_found"]
    with joblib.parallel_config(backend="dask"):
        found = cross_validate(translator(), *labelled, **arguments)["test_found"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_transfer_curve_on_a_cluster_is_that_of_one_process(client, labelled, frozen):
    X, y = labelled
    joint = CCAProjector(2)
    if frozen:
        joint = FrozenEstimator(joint.fit(X))
    else:
        y = np.where(np.arange(90) < 60, y, -1)  # what teaches the joint space
    arguments = {
        "target": "image",
        "cv": 2,
        "sizes": [0, "all"],
        "n_repeats": 2,
        "random_state": 0,
        "error_score": "raise",
    }
    classifier = classifier_on(joint)
    expected = transfer_curve(classifier, X, y, **arguments)
    with joblib.parallel_config(backend="dask"):
        curve = transfer_curve(classifier, X, y, **arguments)
    np.testing.assert_array_equal(curve.scores, expected.scores)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(24)] + [None]


@pytest.fixture
def counted(client, jobs, tmp_path):
    """An embedder of pictures, and a function that counts loads of its encoder by process."""
    log = tmp_path / "loads"
    client.run(jobs.register, str(log))
    jobs.register(str(log))
    embedder = ImageEmbedder("statistics").fit([None])
    log.write_text("")  # what this process loads is not counted
    return embedder, lambda: Counter(log.read_text().split())


def test_a_bag_of_cells_is_embedded_with_one_load_of_the_encoder_a_worker(
    client, counted, pictures
):
    bag = pytest.importorskip("dask.bag")
    embedder, loads = counted
    cells = bag.from_sequence(pictures, npartitions=8)
    parts = cells.map_partitions(lambda part: [embedder.transform(list(part))]).compute()
    np.testing.assert_array_equal(np.concatenate(parts), embedder.transform(pictures))
    pids = {str(pid) for pid in client.run(os.getpid).values()}
    assert {pid: n for pid, n in loads().items() if pid in pids} == dict.fromkeys(pids, 1)


def test_a_data_frame_of_files_is_embedded_by_partitions(client, pictures, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    paths = []
    for number, picture in enumerate(pictures[:-1]):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(picture).save(paths[-1])
    table = pd.DataFrame({"image": pd.Series([*paths, None], dtype=object)})
    embedder = make_embedder(audio=None, image="hog").fit(table)
    columns = embedder.get_feature_names_out()
    embedded = frames.from_pandas(table, npartitions=3).map_partitions(
        embedder.transform, meta=pd.DataFrame(columns=columns, dtype=np.float32)
    )
    pd.testing.assert_frame_equal(embedded.compute(), embedder.transform(table))
