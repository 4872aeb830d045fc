"""How many threads libraries use: NumPy's one for as long as anybody asks, PyTorch's shared."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from skxmodal.utils import _threads
from skxmodal.utils._threads import one_numpy_thread, share_torch_threads


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    with threadpool_limits(2, user_api="blas"):
        yield


def test_products_have_one_thread_and_then_as_many_as_before():
    before = threads()
    with one_numpy_thread():
        assert threads() == {1}
    assert threads() == before


def test_the_limit_lasts_until_the_last_one_leaves_it():
    before = threads()
    first, second = one_numpy_thread(), one_numpy_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_an_error_ends_the_limit():
    before = threads()
    with pytest.raises(KeyError), one_numpy_thread():
        raise KeyError
    assert threads() == before


def test_libraries_that_were_loaded_since_are_found(monkeypatch):
    looks = []

    class Controller(_threads.ThreadpoolController):
        def __init__(self):
            looks.append(1)
            super().__init__()

    monkeypatch.setattr(_threads, "ThreadpoolController", Controller)
    libraries = _threads._Libraries()
    for _ in range(2):
        libraries()
    assert len(looks) == 1
    monkeypatch.setitem(sys.modules, "a_library_that_was_just_loaded", sys)
    libraries()
    assert len(looks) == 2


def test_each_worker_gets_its_part_of_pytorchs_threads(torch_threads):
    torch_threads(4)
    with ThreadPoolExecutor(2, initializer=share_torch_threads, initargs=(2,)) as workers:
        assert set(workers.map(lambda _: torch.get_num_threads(), range(8))) == {2}
    with ThreadPoolExecutor(1, initializer=share_torch_threads, initargs=(9,)) as worker:
        assert worker.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == 4
    with ThreadPoolExecutor(1) as worker:  # others are left alone
        assert worker.submit(torch.get_num_threads).result() == 4
