"""Winograd's convolution against the plain one."""

import numpy as np
import pytest
import torch
from torch import nn

import skxmodal.encoders._native_winograd as module
from skxmodal.encoders._native_fused import can_fuse
from skxmodal.encoders._native_winograd import WinogradConv, is_faster, transforms

pytestmark = pytest.mark.skipif(not can_fuse(), reason="this build of PyTorch has no oneDNN")

# Float32 sums of 144 to 2304 products: about what the plain convolution loses too.
TOLERANCE = 5e-6


def convolution(n_in=32, n_out=24, **options):
    torch.manual_seed(0)
    return nn.Conv2d(n_in, n_out, **{"kernel_size": 3, "padding": 1, **options}).eval()


def relative_error(actual, expected):
    assert actual.shape == expected.shape
    return float((actual - expected).abs().max() / expected.abs().max())


@torch.inference_mode()
def exact(conv, x):
    conv = nn.Conv2d.double(conv)
    out = conv(x.double())
    conv.float()
    return out


def test_the_three_matrices_correlate_four_times():
    inputs, kernel, outputs = transforms()
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=6), rng.normal(size=3)
    expected = np.correlate(d, g, "valid")
    np.testing.assert_allclose(outputs @ ((kernel @ g) * (inputs @ d)), expected, atol=1e-14)


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (1, 3), (24, 17)])
@pytest.mark.parametrize("channels", [(32, 24), (16, 48), (256, 8)])
def test_it_is_the_plain_convolution_for_any_size(size, channels):
    conv = convolution(*channels)
    x = torch.randn(3, channels[0], *size)
    with torch.inference_mode():
        assert relative_error(WinogradConv(conv)(x), exact(conv, x)) <= TOLERANCE


@pytest.mark.parametrize("size", [(8, 12), (9, 7)])
@pytest.mark.parametrize("relu", [False, True])
def test_relu_and_pooling_follow(size, relu):
    conv = convolution()
    x = torch.randn(2, 32, *size)
    expected = exact(conv, x)
    expected = nn.functional.max_pool2d(expected.relu() if relu else expected, 2)
    with torch.inference_mode():
        actual = WinogradConv(conv, relu=relu, pool=True)(x)
    assert relative_error(actual, expected) <= TOLERANCE


@pytest.mark.parametrize("block", [1, 9, 10**6])
def test_blocks_of_any_size_give_the_same(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK_TILES", block)
    conv = convolution()
    x = torch.randn(5, 32, 16, 12).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert relative_error(WinogradConv(conv, relu=True)(x), exact(conv, x).relu()) <= TOLERANCE


def test_the_output_is_in_channels_last_memory():
    with torch.inference_mode():
        out = WinogradConv(convolution())(torch.randn(2, 32, 8, 8))
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"padding": 0},
        {"kernel_size": 1, "padding": 0},
        {"dilation": 2, "padding": 2},
        {"groups": 2},
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(options):
    assert is_faster(convolution(128, 128), (1, 128, 16, 16))
    assert not is_faster(convolution(128, 128, **options), (1, 128, 16, 16))


def test_few_channels_and_small_images_are_left_alone():
    assert not is_faster(convolution(64, 128), (1, 64, 16, 16))
    assert not is_faster(convolution(128, 128), (1, 128, 7, 7))


@pytest.mark.parametrize("n_out", [256, 257, 600])
def test_more_outputs_than_one_product_has_give_the_same(n_out):
    conv = convolution(8, n_out)
    x = torch.randn(2, 8, 9, 8)
    expected = nn.functional.max_pool2d(exact(conv, x).relu(), 2)
    with torch.inference_mode():
        actual = WinogradConv(conv, relu=True, pool=True)(x)
    assert relative_error(actual, expected) <= TOLERANCE
