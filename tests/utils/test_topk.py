"""Exact search in blocks."""

import numpy as np
import pytest
import torch

from skxmodal.utils import _embedding_rows
from skxmodal.utils._topk import BlockSearch, exact_topk


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def nearness(Q, G, metric):
    if metric == "dot":
        return Q @ G.T
    if metric == "euclidean":
        return -((Q[:, None] - G[None]) ** 2).sum(axis=2)
    return Q @ G.T / np.linalg.norm(Q, axis=1)[:, None] / np.linalg.norm(G, axis=1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize(("n_gallery", "k"), [(30, 30), (30, 99), (1000, 5), (4099, 20)])
def test_the_nearest_are_those_of_a_full_sort(rng, metric, n_gallery, k):
    Q, G = rng.normal(size=(25, 6)), rng.normal(size=(n_gallery, 6))
    indices, scores = exact_topk(Q, G, k, metric=metric)
    expected = nearness(Q, G, metric)
    np.testing.assert_array_equal(indices, np.argsort(-expected, axis=1)[:, :k])
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :k], rtol=1e-12, atol=1e-12)


def test_ties_stand_in_the_order_of_the_gallery(rng):
    distinct = rng.normal(size=(50, 8))
    G = np.tile(distinct, (40, 1))
    indices, _ = exact_topk(distinct, G, 60, metric="cosine")
    np.testing.assert_array_equal(indices[:, :40] % 50, np.arange(50)[:, None] * np.ones(40, int))
    assert (np.diff(indices[:, :40], axis=1) > 0).all()


def test_a_near_duplicate_is_told_apart_beyond_float32(rng):
    base = rng.normal(size=16)
    G = np.tile(base, (500, 1)) + 1e-10 * rng.normal(size=(500, 16))
    indices, _ = exact_topk(base[None], G, 10, metric="dot")
    np.testing.assert_array_equal(indices[0], np.argsort(-(G @ base))[:10])


def test_squared_distances_far_from_the_origin_keep_their_digits(rng):
    Q, G = rng.normal(size=(10, 4)) + 1e6, rng.normal(size=(800, 4)) + 1e6
    indices, scores = exact_topk(Q, G, 7, metric="euclidean")
    expected = nearness(Q, G, "euclidean")
    np.testing.assert_array_equal(indices, np.argsort(-expected, axis=1)[:, :7])
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :7], rtol=1e-12)


def test_a_read_only_file_on_disk_is_a_gallery(rng, tmp_path):
    G = rng.normal(size=(900, 5)).astype(np.float32)
    np.save(tmp_path / "gallery.npy", G)
    on_disk = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    indices, _ = exact_topk(on_disk[:9], on_disk, 1)
    np.testing.assert_array_equal(indices[:, 0], np.arange(9))


def test_small_blocks_give_the_same(rng, monkeypatch):
    Q, G = rng.normal(size=(40, 5)), rng.normal(size=(1500, 5))
    expected = exact_topk(Q, G, 6)
    monkeypatch.setattr(_embedding_rows, "BLOCK_ENTRIES", 2000)
    for got, wanted in zip(exact_topk(Q, G, 6), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_search_in_inference_mode_may_be_followed_by_one_outside(rng):
    G = rng.normal(size=(1500, 5))
    search = BlockSearch(G)
    with torch.inference_mode():
        first, _ = search.topk(G[:4], 3)
    np.testing.assert_array_equal(search.topk(G[:4], 3)[0], first)


def test_the_default_type_of_torch_does_not_matter(rng):
    G = rng.normal(size=(1500, 5))
    expected, _ = exact_topk(G[:4], G, 3)
    torch.set_default_dtype(torch.float64)
    try:
        indices, _ = exact_topk(G[:4], G, 3)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(indices, expected)


def test_memory_does_not_grow_with_the_product_of_queries_and_gallery(rng):
    import tracemalloc

    Q, G = (rng.normal(size=(6000, 4)).astype(np.float32) for _ in range(2))
    search = BlockSearch(G)
    search.topk(Q[:10], 3)
    tracemalloc.start()
    search.topk(Q, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 4 / 10


def test_a_gallery_of_zeros_is_all_tied_for_inner_products():
    indices, scores = exact_topk(np.ones((2, 3)), np.zeros((500, 3)), 4, metric="dot")
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(scores, np.zeros((2, 4)))
