"""Batches are encoded by the caller, or by the threads that decode where an encoder allows it."""

import threading

import numpy as np
import pytest
import torch
from joblib import parallel_config

from skxmodal.embedders import AudioEmbedder
from skxmodal.encoders import FunctionEncoder
from skxmodal.media import MediaError


@pytest.fixture(autouse=True)
def _two_threads(torch_threads):
    torch_threads(2)


class Means:
    """Mean of every second; notes by which thread and with how many of PyTorch's it is asked."""

    name, modality, n_features, fingerprint = "means", "audio", 1, "means/1"
    sample_rate = 100

    def __init__(self, *, concurrent=True, n_at_once=1):
        self.concurrent = concurrent
        self.calls = []
        self.met = threading.Barrier(n_at_once)

    def windows(self, media):
        return np.resize(media, (-(-len(media) // 100), 100))

    def encode(self, windows):
        if threading.current_thread() is not threading.main_thread():
            self.met.wait(timeout=30)
        self.calls.append((threading.get_ident(), len(windows), torch.get_num_threads()))
        return windows.mean(axis=1, keepdims=True)

    def asked(self):
        """Return the windows and PyTorch's threads of every call, of this thread and others."""
        here = threading.get_ident()
        return (
            sorted(call[1:] for call in self.calls if call[0] == here),
            sorted(call[1:] for call in self.calls if call[0] != here),
        )


def sounds(n_cells, n_seconds=1):
    rng = np.random.default_rng(0)
    return [(100, rng.normal(0, 0.1, 100 * n_seconds).astype(np.float32)) for _ in range(n_cells)]


def embed(encoder, cells, n_jobs):
    return AudioEmbedder(encoder, batch_size=8, n_jobs=n_jobs).fit_transform(cells)


def test_decoding_threads_encode_at_the_same_time_and_the_caller_what_is_left():
    cells = sounds(52)
    encoder = Means(n_at_once=2)
    rows = embed(encoder, cells, 2)
    assert encoder.asked() == ([(4, 2)], [(8, 1)] * 6)
    assert np.array_equal(rows, embed(Means(), cells, None))
    assert np.allclose(rows[:, 0], [sound.mean() for _, sound in cells])


def test_a_long_sound_is_encoded_in_batches_by_one_thread():
    encoder = Means()
    embed(encoder, sounds(2, n_seconds=20), 2)
    assert encoder.asked() == ([], [(4, 1)] * 2 + [(8, 1)] * 4)


def test_short_columns_are_left_to_the_caller():
    encoder = Means()
    embed(encoder, sounds(15), 2)
    assert encoder.asked() == ([(7, 2), (8, 2)], [])


@pytest.mark.parametrize(
    ("concurrent", "n_jobs"),
    [(False, 2), (True, None), pytest.param(True, 3, id="more threads than PyTorch's")],
)
def test_the_caller_encodes(concurrent, n_jobs):
    encoder = Means(concurrent=concurrent)
    embed(encoder, sounds(16), n_jobs)
    assert encoder.asked() == ([(8, 2)] * 2, [])


def test_the_caller_encodes_what_processes_decode():
    called = []
    encoder = FunctionEncoder(
        lambda windows: called.append(threading.get_ident()) or windows.mean(axis=1, keepdims=True),
        "audio",
        sample_rate=100,
        window=1.0,
        fingerprint="mean",
    )
    encoder.concurrent = True
    with parallel_config(backend="loky"):
        embed(encoder, sounds(40), 2)
    assert set(called) == {threading.get_ident()}


def test_an_error_in_a_thread_ends_the_column():
    class Fails(Means):
        def encode(self, windows):
            raise ArithmeticError("too much")

    before = set(threading.enumerate())
    with pytest.raises(ArithmeticError, match="too much") as kept:
        embed(Fails(), sounds(100), 2)
    assert kept.tb is not None
    assert set(threading.enumerate()) <= before


def test_a_bad_cell_ends_the_column_while_threads_encode(tmp_path):
    before = set(threading.enumerate())
    cells = [*sounds(70), tmp_path / "there_is_none.wav", *sounds(70)]
    with pytest.raises(MediaError, match=r"row 70, '.*there_is_none\.wav'") as kept:
        embed(Means(), cells, 2)
    assert kept.tb is not None
    assert set(threading.enumerate()) <= before
