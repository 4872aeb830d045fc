"""Encoders that are loaded at their first cell."""

import numpy as np
import pytest

from skxmodal.embedders import AudioEmbedder
from skxmodal.encoders import Encoder, LogMelEncoder, load_encoder
from skxmodal.encoders import _registry as registry
from skxmodal.encoders._lazy import LazyEncoder, lazy_encoder

from . import golden


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_LOADED", {})


@pytest.fixture
def file():
    pytest.importorskip("torch")
    return golden.weight_file("yamnet")


@pytest.fixture
def lazy(file):
    return lazy_encoder("yamnet", "audio", weights=file, device="cpu", backend="torch")


def test_everything_but_vectors_is_known_without_loading(lazy):
    assert isinstance(lazy, Encoder)
    assert (lazy.name, lazy.modality) == ("yamnet", "audio")
    assert (lazy.n_features, lazy.sample_rate) == (1024, 16_000)
    assert (
        lazy.fingerprint
        == registry.spec_of("yamnet", "audio", weights=lazy.options["weights"]).fingerprint
    )
    assert registry._LOADED == {}


def test_vectors_are_those_of_the_loaded_encoder(lazy, file):
    sound = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    actual = lazy.encode(lazy.windows(sound))
    loaded = load_encoder("yamnet", "audio", weights=file, device="cpu", backend="torch")
    np.testing.assert_array_equal(actual, loaded.encode(loaded.windows(sound)))
    assert len(registry._LOADED) == 1


def test_a_warm_cache_does_not_load_it(lazy, tmp_path, monkeypatch):
    cells = [(16_000, np.sin(np.arange(20_000) * frequency)) for frequency in (0.1, 0.2)]
    embedder = AudioEmbedder(lazy, cache=tmp_path)
    expected = embedder.fit_transform(cells)
    monkeypatch.setattr(registry, "_LOADED", {})
    np.testing.assert_array_equal(embedder.fit_transform(cells), expected)
    assert registry._LOADED == {}


@pytest.mark.parametrize("encoder", ["logmel", LogMelEncoder()], ids=["name", "object"])
def test_what_is_light_is_loaded_at_once(encoder):
    assert isinstance(lazy_encoder(encoder, "audio"), LogMelEncoder)


def test_a_variant_is_lazy_without_its_weights_being_there():
    encoder = lazy_encoder("openl3-512", "image")
    assert isinstance(encoder, LazyEncoder)
    assert encoder.n_features == 512
