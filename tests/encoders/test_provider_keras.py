"""``keras:`` with weight files saved by the test."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from skxmodal.encoders import load_encoder

from . import golden

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("torch")
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def mobilenet(keras, tmp_path_factory):
    """A small network with random weights, and the file of them."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(
        include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3)
    )
    file = tmp_path_factory.mktemp("keras") / "mobilenet.weights.h5"
    network.save_weights(file)
    return network, file


def pictures(n):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (100 + 60 * k, 224, 3), dtype=np.uint8) for k in range(n)]


def test_vectors_are_those_of_the_network_after_its_own_preprocessing(keras, mobilenet):
    network, file = mobilenet
    encoder = load_encoder("keras:MobileNet", "image", weights=file)
    picture = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    scaled = picture[np.newaxis].astype(np.float32) / 127.5 - 1
    expected = network.predict_on_batch(scaled)
    actual = encoder.encode(encoder.windows(picture))
    assert actual.shape == (1, encoder.n_features) == (1, 1024)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_vector_does_not_depend_on_the_batch(mobilenet):
    encoder = load_encoder("keras:MobileNet", "image", weights=mobilenet[1])
    windows = np.concatenate([encoder.windows(picture) for picture in pictures(3)])
    before = windows.copy()
    together = encoder.encode(windows)
    alone = np.concatenate([encoder.encode(window[np.newaxis]) for window in windows])
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(together).max()
    np.testing.assert_array_equal(windows, before)


@pytest.mark.slow
def test_resnet50_of_keras_is_the_native_one(keras):
    file = golden.weight_file("resnet50")
    picture = golden.golden("resnet50")["image_a_uint8"]
    ours = load_encoder("resnet50", "image", weights=file, device="cpu", backend="torch")
    theirs = load_encoder("keras:ResNet50", "image", weights=file)
    expected = theirs.encode(theirs.windows(picture))
    actual = ours.encode(ours.windows(picture))
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_file_of_another_network_is_refused(keras, mobilenet):
    with pytest.raises(ValueError, match=r"'keras:VGG16' cannot read the weights '.*mobilenet"):
        load_encoder("keras:VGG16", "image", weights=mobilenet[1])


def test_a_file_that_is_not_there_is_named(keras, tmp_path):
    with pytest.raises(ValueError, match=r"'keras:VGG16': there is no weight file '.*none\.h5'"):
        load_encoder("keras:VGG16", "image", weights=tmp_path / "none.h5")


def test_an_unknown_network_is_refused_with_those_there_are(keras):
    with pytest.raises(ValueError, match=r"no 'ResNet51' \(it has: .*ResNet50"):
        load_encoder("keras:ResNet51", "image")


def test_keras_runs_on_pytorch_where_nothing_else_was_chosen(keras):
    script = textwrap.dedent(
        """
        import sys
        from skxmodal.encoders import load_encoder
        try:
            load_encoder("keras:Nothing", "image")
        except ValueError:
            pass
        import keras
        print(keras.backend.backend(), "tensorflow" in sys.modules)
        """
    )
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["torch", "False"]


def test_without_the_package_the_error_names_caller_and_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError) as caught:
        load_encoder("keras:ResNet50", "image")
    assert str(caught.value) == (
        'ImageEmbedder(encoder="keras:...") needs keras: pip install "skxmodal[keras]"'
    )
