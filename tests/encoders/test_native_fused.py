"""Fused networks against the folded ones that they replace."""

import operator

import pytest
import torch
from torch import fx, nn

import skxmodal.encoders._native_base as base
from skxmodal.encoders._native_base import NativeEncoder
from skxmodal.encoders._native_fused import FewWindows, FusedConv, FusedLinear, can_fuse, fuse
from skxmodal.encoders._native_layers import (
    FlattenChannelsLast,
    GlobalAveragePool,
    fold,
    same_stride_2,
)
from skxmodal.encoders._native_resnet import ResNet50Encoder
from skxmodal.encoders._native_vggish import VGGishEncoder
from skxmodal.encoders._native_winograd import WinogradConv
from skxmodal.encoders._native_yamnet import YAMNetEncoder

from . import golden

pytestmark = pytest.mark.skipif(not can_fuse(), reason="this build of PyTorch has no oneDNN")


class Residual(nn.Module):
    """A sum whose second term is a convolution."""

    def __init__(self, swapped=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.relu, self.swapped = nn.ReLU(), swapped

    def forward(self, x):
        y = self.first(x)
        z = self.second(y)
        return self.relu(operator.add(z, y) if self.swapped else operator.add(y, z))


def layers_of(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


@torch.inference_mode()
def fused_and_plain(network, x):
    traced = fx.symbolic_trace(network.eval()).requires_grad_(False)
    expected = traced(x)
    fused = fuse(traced, x, len(x))
    return fused, fused(x), expected


def assert_same(actual, expected):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 5e-6 * expected.abs().max()


@pytest.mark.parametrize("swapped", [False, True])
def test_the_sum_of_a_residual_block_is_kept(swapped):
    torch.manual_seed(0)
    _, actual, expected = fused_and_plain(Residual(swapped), torch.randn(2, 8, 12, 12))
    assert_same(actual, expected)


class Shortcut(nn.Module):
    """A sum with what other layers read before, and one of them may read after."""

    def __init__(self, read_after):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.third, self.fourth = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.read_after = read_after

    def forward(self, x):
        y = self.first(x)
        z = operator.add(y, self.third(self.second(y)))
        return operator.mul(self.fourth(y), z) if self.read_after else z


@pytest.mark.parametrize("read_after", [False, True])
def test_a_sum_takes_the_memory_of_what_nobody_reads_after_it(read_after):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 12, 12)
    fused, actual, expected = fused_and_plain(Shortcut(read_after), x)
    assert_same(actual, expected)
    in_place = [conv for conv in layers_of(fused, FusedConv) if conv.in_place]
    assert len(in_place) == (0 if read_after else 1)


def test_a_sum_with_the_input_leaves_it_as_it_was():
    torch.manual_seed(0)
    network = Shortcut(False)
    network.first = nn.Identity()
    x = torch.randn(2, 8, 12, 12).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    _, actual, expected = fused_and_plain(network, x)
    assert_same(actual, expected)
    assert torch.equal(x, before)


def test_a_sum_and_its_relu_become_part_of_the_convolution():
    fused, *_ = fused_and_plain(Residual(), torch.randn(2, 8, 12, 12))
    assert len(layers_of(fused, FusedConv)) == 2
    assert not layers_of(fused, nn.ReLU)


def test_a_padding_at_the_end_is_merged():
    torch.manual_seed(0)
    network = nn.Sequential(
        same_stride_2(), nn.Conv2d(1, 8, 3, stride=2), same_stride_2(),
        nn.Conv2d(8, 8, 3, stride=2, groups=8), nn.ReLU(),
    )  # fmt: skip
    fused, actual, expected = fused_and_plain(network, torch.randn(3, 1, 16, 24))
    assert_same(actual, expected)
    assert not layers_of(fused, nn.ZeroPad2d)


def test_large_convolutions_take_winograds_algorithm_with_what_follows():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(128, 128, 3, padding=1), nn.MaxPool2d(4), GlobalAveragePool(),
        nn.Linear(128, 16), nn.ReLU(),
    )  # fmt: skip
    fused, actual, expected = fused_and_plain(network, torch.randn(2, 128, 24, 16))
    assert_same(actual, expected)
    first, second = layers_of(fused, WinogradConv)
    assert first.relu
    assert first.pool
    assert not second.pool
    assert len(layers_of(fused, FusedLinear)) == 1


def test_an_output_that_is_used_twice_is_not_rectified_for_both():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(4, 4, 1), nn.ReLU()

        def forward(self, x):
            y = self.conv(x)
            return operator.add(self.relu(y), y)

    torch.manual_seed(0)
    _, actual, expected = fused_and_plain(Twice(), torch.randn(2, 4, 9, 9))
    assert_same(actual, expected)


def test_the_first_layers_get_few_windows_at_a_time():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(128, 128, 3, padding=1), nn.MaxPool2d(2), GlobalAveragePool(),
    )  # fmt: skip
    fused, actual, expected = fused_and_plain(network, torch.randn(7, 1, 64, 48))
    assert_same(actual, expected)
    (early,) = layers_of(fused, FewWindows)
    assert early.n_windows == 2  # of 1.6 MB each
    assert len(layers_of(early, FusedConv)) == 1
    assert not layers_of(early, WinogradConv)


def test_the_layers_before_dense_ones_get_the_usual_number_of_windows_at_a_time():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), FlattenChannelsLast(), nn.Linear(4 * 6 * 5, 3)
    )
    x = torch.randn(37, 1, 6, 5)
    with torch.inference_mode():
        expected = network(x)
        fused = fuse(fold(network.eval()), x, len(x))  # whose tracer knows the layers
        assert_same(fused(x), expected)
    (trunk,) = layers_of(fused, FewWindows)
    assert trunk.n_windows == 16
    assert layers_of(trunk, FusedConv)
    assert not layers_of(trunk, FusedLinear)


def test_layers_whose_input_is_used_later_get_all_windows_at_once():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 64, 1), nn.Conv2d(64, 64, 3, padding=1)
            self.pool, self.other = nn.MaxPool2d(2), nn.MaxPool2d(2)

        def forward(self, x):
            y = self.first(x)
            return self.pool(self.second(y)), self.other(y)[:, :1]

    torch.manual_seed(0)
    x = torch.randn(3, 1, 128, 128)
    fused, actual, expected = fused_and_plain(Around(), x)
    assert not layers_of(fused, FewWindows)
    for one, other in zip(actual, expected, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(("encoder_class", "sizes"), [(ResNet50Encoder, (64, 96))])
def test_an_encoder_takes_other_sizes_and_batches_than_it_was_packed_for(encoder_class, sizes):
    encoder = encoder_class(golden.weight_file(encoder_class.name))
    inputs = torch.randn(3, 3, *sizes)
    with torch.inference_mode():
        expected = encoder.folded_network()(inputs)
        assert_same(torch.from_numpy(encoder._runner()(inputs)), expected)


def test_without_fused_operators_the_folded_network_runs(monkeypatch):
    monkeypatch.setattr(base, "can_fuse", lambda: False)
    plain = YAMNetEncoder(golden.weight_file("yamnet"))
    assert not layers_of(plain._runner().network, FusedConv)
    monkeypatch.undo()
    fused = YAMNetEncoder(golden.weight_file("yamnet"))
    assert layers_of(fused._runner().network, FusedConv)
    inputs = plain.example_input()
    assert_same(*(torch.from_numpy(e._runner()(inputs)) for e in (fused, plain)))


def test_auto_takes_the_back_end_that_is_faster_for_the_encoder(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(NativeEncoder, "_runner", lambda self: None)
    weights = tmp_path / "weights"
    weights.write_bytes(b"")
    assert VGGishEncoder(weights, backend="auto").backend == "torch"
    assert ResNet50Encoder(weights, backend="auto").backend == "onnx"
    monkeypatch.setattr("skxmodal.encoders._native_fused.can_fuse", lambda: False)
    assert VGGishEncoder(weights, backend="auto").backend == "onnx"


@pytest.mark.parametrize(
    ("encoder_class", "backend", "concurrent"),
    [
        (YAMNetEncoder, "torch", True),
        (ResNet50Encoder, "torch", True),
        (YAMNetEncoder, "onnx", True),  # whose threads so light a network leaves idle
        (ResNet50Encoder, "onnx", False),
    ],
)
def test_several_threads_may_encode_where_that_was_measured_to_gain(
    encoder_class, backend, concurrent, monkeypatch, tmp_path
):
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    monkeypatch.setattr(NativeEncoder, "_runner", lambda self: None)
    weights = tmp_path / "weights"
    weights.write_bytes(b"")
    assert encoder_class(weights, backend=backend).concurrent == concurrent
