"""Columns of sounds and of pictures, and an encoder that counts."""

import threading

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from skxmodal.embedders import AudioEmbedder, ImageEmbedder
from skxmodal.encoders import EncoderSpec, _registry, register_encoder

EMBEDDERS = {"audio": AudioEmbedder, "image": ImageEmbedder}


class StatisticsEncoder:
    """Mean, deviation and largest value of pieces of 500 values; it counts what it is asked."""

    n_features = 3
    sample_rate = 8000

    def __init__(self, modality, version=1):
        self.name = "statistics"
        self.modality = modality
        self.fingerprint = f"statistics/{version}"
        self.n_decoded = 0
        self.n_encoded = 0
        self.most_waiting = 0
        self.batches = []
        self._lock = threading.Lock()

    def windows(self, media):
        values = np.asarray(media, np.float32).ravel()
        n_windows = -(-values.size // 500)
        windows = np.resize(values, (n_windows, 500))
        with self._lock:
            self.n_decoded += 1
            self.most_waiting = max(self.most_waiting, self.n_decoded - self.n_encoded)
        return windows

    def encode(self, windows):
        with self._lock:
            self.batches.append(len(windows))
            # Right where a cell is one window.
            self.n_encoded += len(windows)
        return np.stack([windows.mean(axis=1), windows.std(axis=1), windows.max(axis=1)], axis=1)


def draw(modality, rng, size):
    """Draw a cell: a sound of ``100 * size`` samples, or a picture of ``size + 6`` rows."""
    if modality == "audio":
        return 8000, rng.uniform(-0.5, 0.5, 100 * size).astype(np.float32)
    return rng.integers(0, 256, (size + 6, 9, 3), dtype=np.uint8)


def save(modality, cell, path):
    """Write a cell to a lossless file, and return its path."""
    if modality == "audio":
        path = path.with_suffix(".wav")
        soundfile.write(path, cell[1], cell[0], subtype="FLOAT")
    else:
        path = path.with_suffix(".png")
        Image.fromarray(cell).save(path)
    return path


@pytest.fixture(params=["audio", "image"])
def modality(request):
    return request.param


@pytest.fixture
def Embedder(modality):
    return EMBEDDERS[modality]


@pytest.fixture
def counting_of():
    return StatisticsEncoder


@pytest.fixture
def counting(modality):
    return StatisticsEncoder(modality)


@pytest.fixture
def make_counting(modality):
    return lambda **options: StatisticsEncoder(modality, **options)


@pytest.fixture
def draw_cell(modality):
    return lambda seed, size=5: draw(modality, np.random.default_rng(seed), size)


@pytest.fixture
def save_cell(modality, tmp_path):
    return lambda cell, name: save(modality, cell, tmp_path / name)


@pytest.fixture
def cells(modality, draw_cell, save_cell):
    """Files and arrays of many lengths or sizes, one after the other."""
    drawn = [draw_cell(seed, size) for seed, size in enumerate([5, 40, 1, 12, 170, 7, 23, 90])]
    return [cell if n % 2 else str(save_cell(cell, f"c{n}")) for n, cell in enumerate(drawn)]


@pytest.fixture
def table(tmp_path):
    """Media table of files with sounds, pictures and holes, and labels."""
    rng = np.random.default_rng(0)
    columns = {
        kind: [str(save(kind, draw(kind, rng, 6), tmp_path / f"{kind}{n}")) for n in range(12)]
        for kind in EMBEDDERS
    }
    columns["audio"][3] = None
    columns["image"][7] = None
    return pd.DataFrame(columns), np.arange(12) % 2


@pytest.fixture
def register(monkeypatch):
    """Register an encoder under a name until the test ends."""
    monkeypatch.setattr(_registry, "_SPECS", dict(_registry._SPECS))
    monkeypatch.setattr(_registry, "_LOADED", dict(_registry._LOADED))

    def add(name, encoder, factory=None):
        register_encoder(
            EncoderSpec(name, encoder.modality, encoder.n_features, factory or (lambda: encoder))
        )

    return add
