"""Tests of the parity tests: each plausible mistake must exceed the tolerance it is held to."""

import os
from copy import copy, deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from torch import nn

from skxmodal.encoders._native_base import TorchRunner
from skxmodal.encoders._native_layers import FlattenChannelsLast, KerasBatchNorm
from skxmodal.encoders._native_openl3_audio import OpenL3AudioEncoder
from skxmodal.encoders._native_openl3_image import OpenL3ImageEncoder
from skxmodal.encoders._native_resnet import ResNet50Encoder
from skxmodal.encoders._native_vgg import VGG16Encoder
from skxmodal.encoders._native_vggish import VGGishEncoder
from skxmodal.encoders._native_yamnet import YAMNetEncoder

from . import golden
from .test_native_parity import EMBEDDING, relative_error


def epsilon(value):
    def change(network):
        for layer in network.modules():
            if isinstance(layer, KerasBatchNorm):
                layer.eps = value

    return change


def pad_symmetrically(network):
    for layer in network.modules():
        if isinstance(layer, nn.ZeroPad2d):
            layer.padding = (1, 0, 1, 0)


def flatten_channels_first(network):
    for name, layer in list(network.named_children()):
        if isinstance(layer, FlattenChannelsLast):
            setattr(network, name, nn.Flatten())


def stride_on_the_3x3(network):
    for block in network.children():
        if getattr(block, "project", False):
            block.conv_2.stride, block.conv_1.stride = block.conv_1.stride, (1, 1)


def relu_behind_the_output(network):
    network.append(nn.ReLU())


def swap_second_pair(network):
    layers = list(network)
    at = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)][1]
    network[at + 1], network[at + 2] = layers[at + 2], layers[at + 1]


def spectrogram(**changes):
    def change(encoder):
        encoder.spectrogram = replace(encoder.spectrogram, **changes)

    return change


def swap_red_and_blue(encoder):
    original = encoder._inputs
    encoder._inputs = lambda windows: original(windows[..., ::-1])


def scale_to_unit_range(encoder):
    original = encoder._inputs
    encoder._inputs = lambda windows: original(windows) / 255


def twenty_log10(encoder):
    original = encoder.spectrogram
    encoder.spectrogram = lambda windows: np.maximum(2 * original(windows), -80)


# Encoder, input and reference, mistake in the network, mistake in the front-end.
MUTANTS = {
    "yamnet: symmetric padding": (YAMNetEncoder, pad_symmetrically, None),
    "yamnet: epsilon of Keras' default": (YAMNetEncoder, epsilon(1e-3), None),
    "yamnet: power spectrum": (YAMNetEncoder, None, spectrogram(power=True)),
    "yamnet: symmetric Hann window": (YAMNetEncoder, None, spectrogram(periodic_window=False)),
    "yamnet: log offset of VGGish": (YAMNetEncoder, None, spectrogram(log_offset=0.01)),
    "yamnet: Slaney's mel scale": (YAMNetEncoder, None, spectrogram(mel_scale="slaney")),
    "vggish: flattened channels first": (VGGishEncoder, flatten_channels_first, None),
    "vggish: ReLU behind the output": (VGGishEncoder, relu_behind_the_output, None),
    "vggish: power spectrum": (VGGishEncoder, None, spectrogram(power=True)),
    "vggish: log offset of YAMNet": (VGGishEncoder, None, spectrogram(log_offset=0.001)),
    "openl3: epsilon of PyTorch's default": (OpenL3AudioEncoder, epsilon(1e-5), None),
    "openl3: flattened channels first": (OpenL3AudioEncoder, flatten_channels_first, None),
    "openl3: decibels of a power": (OpenL3AudioEncoder, None, twenty_log10),
    "openl3: HTK's mel scale": (OpenL3AudioEncoder, None, spectrogram(mel_scale="htk")),
    "openl3: centred frames": (OpenL3AudioEncoder, None, spectrogram(pad_left=1024)),
    "openl3 image: no swapped pair": (OpenL3ImageEncoder, swap_second_pair, None),
    "openl3 image: epsilon": (OpenL3ImageEncoder, epsilon(1e-5), None),
    "openl3 image: BGR": (OpenL3ImageEncoder, None, swap_red_and_blue),
    "resnet50: epsilon of Keras' default": (ResNet50Encoder, epsilon(1e-3), None),
    "resnet50: stride on the 3 x 3": (ResNet50Encoder, stride_on_the_3x3, None),
    "resnet50: RGB": (ResNet50Encoder, None, swap_red_and_blue),
    "vgg16: RGB": (VGG16Encoder, None, swap_red_and_blue),
    "vgg16: pixels in [0, 1]": (VGG16Encoder, None, scale_to_unit_range),
}
CASES = {
    YAMNetEncoder: ("yamnet", "wave_1p0_int16", "embeddings_1p0"),
    VGGishEncoder: ("vggish", "wave_1p0_int16", "embeddings_1p0"),
    OpenL3AudioEncoder: ("openl3_audio", "wave_0p4_int16", "emb6144_hop0.5_center_kapre_0p4"),
    OpenL3ImageEncoder: ("openl3_image", "image_a_224x224_uint8", "emb8192_a_224x224"),
    ResNet50Encoder: ("resnet50", "image_a_uint8", "embedding_image_a"),
    VGG16Encoder: ("vgg16", "image_a_uint8", "embedding_image_a"),
}


@cache
def loaded(encoder_class):
    """Return an encoder and its network as read from the file, before it is folded."""
    options = {"center": True} if encoder_class is OpenL3AudioEncoder else {}
    encoder = encoder_class(golden.weight_file(CASES[encoder_class][0]), **options)
    network = encoder.network()
    encoder._read_weights(network)
    return encoder, network.eval()


def error_over_tolerance(encoder_class, change_network=None, change_front_end=None):
    """How far an encoder, changed or not, is from the official output of one input."""
    name, media, reference = CASES[encoder_class]
    arrays = golden.golden(name)
    encoder, network = map(copy, loaded(encoder_class))
    if change_network is not None:
        network = deepcopy(network)
        change_network(network)
    encoder._made = TorchRunner(network, encoder.device, half=False)
    encoder._made_by = os.getpid()
    if change_front_end is not None:
        change_front_end(encoder)
    cell = arrays[media]
    cell = cell.astype(np.float32) / 32768 if media.startswith("wave") else cell
    embeddings = encoder.encode(encoder.windows(cell))
    expected = arrays[reference].reshape(embeddings.shape)
    return relative_error(embeddings, expected) / EMBEDDING[name]


@pytest.mark.parametrize("encoder_class", CASES, ids=lambda c: c.__name__)
def test_without_a_mistake_the_comparison_passes(encoder_class):
    assert error_over_tolerance(encoder_class) <= 1


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_fails_the_comparison(mistake):
    assert error_over_tolerance(*MUTANTS[mistake]) > 5
