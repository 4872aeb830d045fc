"""The ONNX Runtime back end against PyTorch."""

import os

import numpy as np
import pytest

from skxmodal.encoders._native_base import NativeEncoder
from skxmodal.encoders._native_openl3_audio import OpenL3AudioEncoder
from skxmodal.encoders._native_openl3_image import OpenL3ImageEncoder
from skxmodal.encoders._native_resnet import ResNet50Encoder
from skxmodal.encoders._native_vgg import VGG16Encoder
from skxmodal.encoders._native_vggish import VGGishEncoder
from skxmodal.encoders._native_yamnet import YAMNetEncoder

from . import golden
from .encoding import some_windows

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CASES = {
    YAMNetEncoder: "yamnet",
    OpenL3AudioEncoder: "openl3_audio",
    OpenL3ImageEncoder: "openl3_image",
    ResNet50Encoder: "resnet50",
    VGG16Encoder: "vgg16",
    VGGishEncoder: "vggish",
}


@pytest.mark.parametrize(
    "encoder_class",
    [pytest.param(c, marks=pytest.mark.slow) if c is VGGishEncoder else c for c in CASES],
)
def test_both_back_ends_give_the_same_vectors(encoder_class, tmp_path):
    file = golden.weight_file(CASES[encoder_class])
    with_torch = encoder_class(file)
    with_onnx = encoder_class(file, backend="onnx", onnx_dir=tmp_path)
    windows = some_windows(with_torch)
    expected, actual = with_torch.encode(windows), with_onnx.encode(windows)
    alone = np.concatenate([with_onnx.encode(window[np.newaxis]) for window in windows])

    scale = np.abs(expected).max()
    assert np.abs(actual - expected).max() <= 1e-5 * scale
    assert np.abs(actual - alone).max() <= 1e-5 * scale
    assert with_onnx.fingerprint == with_torch.fingerprint


def test_images_of_any_size_run(tmp_path):
    file = golden.weight_file("resnet50")
    windows = np.zeros((1, 64, 96, 3), np.uint8)
    with_onnx = ResNet50Encoder(file, backend="onnx", onnx_dir=tmp_path)
    expected = ResNet50Encoder(file).encode(windows)
    assert np.abs(with_onnx.encode(windows) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_network_is_exported_once(tmp_path, monkeypatch):
    file = golden.weight_file("yamnet")
    YAMNetEncoder(file, backend="onnx", onnx_dir=tmp_path)
    (exported,) = tmp_path.iterdir()

    def refuse(self):
        raise AssertionError("exported again")

    monkeypatch.setattr(NativeEncoder, "folded_network", refuse)
    YAMNetEncoder(file, backend="onnx", onnx_dir=tmp_path)
    assert list(tmp_path.iterdir()) == [exported]


def test_an_export_that_differs_from_torch_is_refused_and_not_kept(tmp_path, monkeypatch):
    import skxmodal.encoders._native_onnx as module

    original = module.onnx_model

    def damaged(network, shape):
        model = original(network, shape)
        bias = np.frombuffer(model.graph.initializer[1].raw_data, np.float32) + 1
        model.graph.initializer[1].raw_data = bias.tobytes()
        return model

    monkeypatch.setattr(module, "onnx_model", damaged)
    with pytest.raises(RuntimeError, match="differs from PyTorch's by"):
        YAMNetEncoder(golden.weight_file("yamnet"), backend="onnx", onnx_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_other_weights_are_exported_apart(tmp_path):
    YAMNetEncoder(golden.weight_file("yamnet"), backend="onnx", onnx_dir=tmp_path)
    changed = tmp_path / "yamnet.h5"
    changed.write_bytes(golden.weight_file("yamnet").read_bytes())
    import h5py

    with h5py.File(changed, "a") as file:
        file["layer1/conv/layer1/conv/kernel:0"][...] *= 2
    YAMNetEncoder(changed, backend="onnx", onnx_dir=tmp_path)
    assert len(list(tmp_path.glob("*.onnx"))) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_session_is_made_anew_in_another_process(tmp_path, monkeypatch):
    encoder = YAMNetEncoder(golden.weight_file("yamnet"), backend="onnx", onnx_dir=tmp_path)
    session = encoder._runner()
    assert encoder._runner() is session
    monkeypatch.setattr(os, "getpid", lambda: -2)
    assert encoder._runner() is not session
