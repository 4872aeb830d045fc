"""OpenL3 and VGG16 in ncnn against PyTorch."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from skxmodal.encoders import _native_ncnn
from skxmodal.encoders._native_layers import fold
from skxmodal.encoders._native_ncnn import NcnnLayers, give_chain
from skxmodal.encoders._native_openl3_audio import OpenL3AudioEncoder
from skxmodal.encoders._native_openl3_image import OpenL3ImageEncoder
from skxmodal.encoders._native_vgg import VGG16Encoder

from . import golden
from .encoding import encode_in_a_child, some_windows

pytest.importorskip("ncnn")

CASES = {OpenL3AudioEncoder: "openl3_audio", OpenL3ImageEncoder: "openl3_image"}


def norm(n_channels):
    layer = nn.BatchNorm2d(n_channels).eval()
    for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        nn.init.uniform_(values, 0.5, 2)
    return layer


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(3, 16, 3, padding=1), (3, 30, 31)),
        (nn.Conv2d(64, 64, 3, padding=1), (64, 57, 33)),
        (nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 2)), (4, 13, 17)),
        (nn.Conv2d(4, 8, 3, dilation=(1, 2)), (4, 13, 17)),
        (norm(1), (1, 257, 197)),  # OpenL3's first layer, of a size that is no multiple of four
        (norm(5), (5, 7, 7)),
        (nn.ReLU(), (3, 9, 8)),
        (nn.MaxPool2d(2), (3, 9, 8)),
        (nn.MaxPool2d((3, 2), stride=(1, 2)), (3, 9, 9)),
    ],
    ids=str,
)
def test_a_layer_does_what_pytorchs_does(layer, shape):
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    kept = x.clone()
    with torch.inference_mode():
        expected, actual = layer(x), NcnnLayers([layer], x)(x)
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))
    torch.testing.assert_close(x, kept, rtol=0, atol=0)


@pytest.mark.parametrize(("height", "n_strips"), [(60, 6), (61, 6), (50, 5), (16, 1)])
def test_strips_of_a_stage_give_what_the_whole_gives(height, n_strips, monkeypatch):
    stage = [norm(3), nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)]
    stage += [nn.ReLU(), nn.MaxPool2d(2)]
    row = 4 * 32 * 33
    monkeypatch.setattr(_native_ncnn, "_STRIP_BYTES", 11 * row)
    monkeypatch.setattr(_native_ncnn, "_LARGE_BYTES", 22 * row)
    assert _native_ncnn._n_strips(stage, (3, height, 33)) == n_strips
    x = torch.randn(2, 3, height, 33, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, actual = nn.Sequential(*stage)(x), NcnnLayers(stage, x)(x)
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize(
    "stage",
    [
        [nn.Conv2d(3, 64, 3, padding=1)],  # the maximum is missing
        [nn.Conv2d(3, 64, 3, padding=1), nn.MaxPool2d(3)],
        [nn.Conv2d(3, 64, 3, padding=1, stride=2), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 64, 5, padding=2), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 64, 3, padding=1), nn.MaxPool2d(2, stride=1)],
        [nn.Conv2d(3, 64, 3, padding=1, dilation=2), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 64, 3, padding=1) for _ in range(3)] + [nn.MaxPool2d(2)],
        [nn.MaxPool2d(2)],
    ],
    ids=str,
)
def test_no_strips_of_other_stages(stage):
    assert _native_ncnn._n_strips(stage, (3, 400, 400)) == 1


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 4, 3, groups=4), nn.MaxPool2d(3, padding=1), nn.Sigmoid()], ids=str
)
def test_a_layer_that_is_not_known_is_refused(layer):
    with pytest.raises(TypeError, match="no layer of ncnn is known for"):
        NcnnLayers([layer], torch.zeros(1, 4, 9, 9))


def test_the_chain_ends_where_another_layer_begins():
    network = fold(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)))
    x = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = network(x)
    changed = give_chain(network, x)
    assert [type(layer) for layer in changed.children()] == [nn.Flatten, nn.Linear, NcnnLayers]
    torch.testing.assert_close(changed(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("encoder_class", CASES)
def test_both_back_ends_give_the_same_vectors(encoder_class):
    file = golden.weight_file(CASES[encoder_class])
    with_torch, with_ncnn = encoder_class(file), encoder_class(file, backend="ncnn")
    windows = some_windows(with_torch)
    expected, actual = with_torch.encode(windows), with_ncnn.encode(windows)
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()
    assert with_ncnn.fingerprint == with_torch.fingerprint
    assert with_ncnn.concurrent


def test_vgg16_gives_the_same_vectors():
    file = golden.weight_file("vgg16")
    with_torch, with_ncnn = VGG16Encoder(file), VGG16Encoder(file, backend="ncnn")
    windows = some_windows(with_torch)
    expected, actual = with_torch.encode(windows), with_ncnn.encode(windows)
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.fixture(scope="module")
def openl3():
    file = golden.weight_file("openl3_audio")
    return OpenL3AudioEncoder(file, backend="ncnn", embedding_size=512)


def test_no_grouping_of_windows_or_threads_changes_a_bit(openl3):
    inputs = openl3._inputs(some_windows(openl3))
    network = openl3._runner()
    expected = network(inputs)
    alone = np.concatenate([network(window) for window in inputs.split(1)])
    np.testing.assert_array_equal(alone, expected)
    n_threads = torch.get_num_threads()
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            np.testing.assert_array_equal(network(inputs), expected)
    finally:
        torch.set_num_threads(n_threads)
    with ThreadPoolExecutor(2) as pool:
        for vectors in pool.map(network, [inputs] * 4):
            np.testing.assert_array_equal(vectors, expected)


def test_windows_of_another_size_are_refused():
    encoder = VGG16Encoder(golden.weight_file("vgg16"), backend="ncnn")
    with pytest.raises(
        ValueError, match=r"takes windows of \(3, 224, 224\) .* not of \(3, 64, 96\)"
    ):
        encoder.encode(np.zeros((2, 64, 96, 3), np.uint8))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_gives_the_same_vectors(openl3, method):
    windows = some_windows(openl3)[:1]
    expected = openl3.encode(windows)
    np.testing.assert_array_equal(encode_in_a_child(openl3, windows, method), expected)


def test_a_copy_by_pickle_gives_the_same_vectors(openl3):
    windows = some_windows(openl3)[:1]
    copy = pickle.loads(pickle.dumps(openl3))
    np.testing.assert_array_equal(copy.encode(windows), openl3.encode(windows))


def test_a_network_that_differs_from_pytorchs_is_refused(monkeypatch):
    described = _native_ncnn._described

    def damaged(layer):
        kind, parameters, arrays = described(layer)
        return kind, parameters, [*arrays[:-1], *(array + 0.1 for array in arrays[-1:])]

    monkeypatch.setattr(_native_ncnn, "_described", damaged)
    with pytest.raises(RuntimeError, match="the network in ncnn differs from PyTorch's by"):
        OpenL3AudioEncoder(golden.weight_file("openl3_audio"), backend="ncnn")


def test_auto_takes_it_where_it_is_installed(monkeypatch):
    file = golden.weight_file("openl3_audio")
    assert OpenL3AudioEncoder(file, backend="auto").backend == "ncnn"
    monkeypatch.setitem(sys.modules, "ncnn", None)
    assert OpenL3AudioEncoder(file, backend="auto").backend == "torch"
    with pytest.raises(ImportError) as error:
        OpenL3AudioEncoder(file, backend="ncnn")
    assert str(error.value) == (
        'openl3-mel256-music-6144 with backend="ncnn" needs ncnn: pip install "skxmodal[ncnn]"'
    )
