"""Products by oneDNN against those of NumPy in float64."""

import numpy as np
import pytest
import torch

from skxmodal.utils import _products
from skxmodal.utils._products import product, product_of_columns

by_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this build of PyTorch has no oneDNN"
)


def matrix(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=2e-5 * abs(expected).max())


@pytest.fixture(params=["oneDNN", "BLAS"])
def _library(request, monkeypatch):
    if request.param == "BLAS":
        monkeypatch.setattr(_products, "_by_onednn", lambda *_: False)


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("sizes", [(300, 40, 17), (64, 1, 5), (3, 20, 9), (200, 128, 1)])
class TestBothLibraries:
    @pytest.fixture(autouse=True)
    def _threads(self, n_threads, torch_threads):
        torch_threads(n_threads)

    def test_rows_with_rows(self, sizes):
        n, k, m = sizes
        a, b = matrix(n, k), matrix(m, k)
        assert_close(product(a, b), a.double().numpy() @ b.double().numpy().T)

    def test_rows_with_columns_of_memory(self, sizes):
        n, k, m = sizes
        a, b = matrix(n, k), matrix(k, m)
        assert_close(product(a, b.T), a.double().numpy() @ b.double().numpy())

    def test_columns_with_columns(self, sizes):
        k, n, m = sizes
        a, b = matrix(k, n), matrix(k, m)
        assert_close(product_of_columns(a, b), a.double().numpy().T @ b.double().numpy())

    def test_parts_of_larger_matrices(self, sizes):
        n, k, m = sizes
        a, b = matrix(n, 2 * k)[:, k:], matrix(2 * m, k)[::2]
        assert_close(product(a, b), a.double().numpy() @ b.double().numpy().T)


@by_onednn
def test_single_precision_is_for_onednn_unless_fewer_bits_are_allowed():
    a = matrix(4, 4)
    assert _products._by_onednn(a, a)
    with torch.autocast("cpu"):
        assert not _products._by_onednn(a, a)
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    try:
        assert not _products._by_onednn(a, a)
    finally:
        torch.backends.mkldnn.conv.fp32_precision = "none"


@by_onednn
def test_onednn_that_is_switched_off_is_not_used(monkeypatch):
    a = matrix(4, 4)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not _products._by_onednn(a, a)


@pytest.mark.parametrize("n", [0, 100])
def test_doubles_and_nothing_are_left_to_the_blas(n):
    a = matrix(n, 3).double()
    assert product(a, a).dtype == torch.float64
    torch.testing.assert_close(product(a, a), a @ a.T)
    torch.testing.assert_close(product_of_columns(a, a), a.T @ a)
    assert product(matrix(n, 3), matrix(n, 3)).shape == (n, n)


def test_what_is_returned_may_be_overwritten():
    a, b = matrix(100, 8), matrix(70, 8)
    before = a.clone(), b.clone()
    product(a, b).zero_()
    product_of_columns(a, a).zero_()
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])
