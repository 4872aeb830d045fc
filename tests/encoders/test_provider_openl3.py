"""``openl3:``: calls of the package, with a stand-in, and with the real one where it installs."""

import importlib.metadata
import sys
import types

import numpy as np
import pytest

from skxmodal.encoders import load_encoder


class Model(dict):
    """What the package's loaders return: here, what they were called with."""

    def get_weights(self):
        return [np.ones(3, np.float32)]


@pytest.fixture
def package(monkeypatch):
    """A stand-in for the package that notes what it is asked for."""
    openl3 = types.ModuleType("openl3")
    openl3.models = types.ModuleType("openl3.models")
    openl3.calls = []

    def load_model(**options):
        openl3.calls.append(options)
        return Model(options)

    def get_audio_embedding(audio, sr, **options):
        openl3.calls.append({"n_samples": len(audio), "sr": sr, **options})
        n_windows = 1 + int(np.ceil(max(0, len(audio) - 48_000) / 24_000))
        return np.ones((n_windows, options["model"]["embedding_size"])), np.arange(n_windows)

    def get_image_embedding(image, **options):
        openl3.calls.append({"shape": image.shape, **options})
        return np.ones(options["model"]["embedding_size"])

    openl3.models.load_audio_embedding_model = load_model
    openl3.models.load_image_embedding_model = load_model
    openl3.get_audio_embedding = get_audio_embedding
    openl3.get_image_embedding = get_image_embedding
    monkeypatch.setitem(sys.modules, "openl3", openl3)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.4.2")
    from skxmodal.encoders import _registry

    monkeypatch.setattr(_registry, "_LOADED", {})
    return openl3


def test_the_package_makes_one_window_of_a_second(package):
    encoder = load_encoder("openl3:mel128-env-512", "audio")
    assert package.calls == [{"input_repr": "mel128", "content_type": "env", "embedding_size": 512}]
    assert (encoder.n_features, encoder.sample_rate) == (512, 48_000)
    for n_samples in (1, 48_000):
        vectors = encoder.encode(encoder.windows(np.zeros(n_samples, np.float32)))
        assert vectors.shape == (1, 512)
        assert package.calls[-1]["n_samples"] == 48_000
    assert (package.calls[-1]["center"], package.calls[-1]["hop_size"]) == (False, 0.5)
    assert len(encoder.windows(np.zeros(100_000, np.float32))) == 4


def test_the_default_of_images_is_that_of_the_paper(package):
    encoder = load_encoder("openl3:", "image")
    assert package.calls == [
        {"input_repr": "mel256", "content_type": "music", "embedding_size": 8192}
    ]
    picture = np.zeros((30, 40, 3), np.uint8)
    assert encoder.encode(encoder.windows(picture)).shape == (1, 8192)


@pytest.mark.parametrize("model", ["mel64", "v03"])
def test_a_variant_that_the_package_lacks_is_refused(package, model):
    with pytest.raises(ValueError, match=model):
        load_encoder(f"openl3:{model}", "audio")


def test_without_the_package_the_error_names_caller_and_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openl3", None)
    with pytest.raises(ImportError) as caught:
        load_encoder("openl3:mel256-music-512", "audio")
    assert str(caught.value) == (
        'AudioEmbedder(encoder="openl3:...") needs openl3: pip install "skxmodal[openl3]"'
    )
