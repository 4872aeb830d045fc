"""YAMNet: MobileNet v1 on log-mel patches of 0.96 s."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import nn

from ._native_base import NativeEncoder
from ._native_files import LayerSpec
from ._native_frontend import Spectrogram, cut_windows
from ._native_layers import GlobalAveragePool, KerasBatchNorm, same_stride_2

_BN_EPS = 1e-4
_N_CLASSES = 521
# (stride, channels) of the separable convolutions, layer2 to layer14.
_SEPARABLE = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)


class YAMNetEncoder(NativeEncoder):
    """YAMNet's 1024-dimensional embedding, one row per patch of 0.96 s (hop 0.48 s).

    Short audio is padded with silence to one patch, longer audio to a whole number of hops, as
    the official code does: one second gives two patches.

    References
    ----------
    .. [1] M. Plakal and D. Ellis, "YAMNet", TensorFlow Model Garden, research/audioset/yamnet.
    .. [2] The paper, section 2.1 and table 1.
    """

    name = "yamnet"
    modality = "audio"
    n_features = 1024
    sample_rate = 16_000
    cpu_backends = ("torch", "onnx")
    concurrent_with = ("torch", "onnx")
    window_size, window_hop = 15_600, 7_680
    spectrogram = Spectrogram(
        sample_rate=16_000, frame=400, n_fft=512, hop=160, n_frames=96, log_offset=0.001
    )

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The front-end's parameters."""
        return {**asdict(self.spectrogram), "window_hop": self.window_hop}

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return ``(n_patches, 15600)`` samples of a mono waveform at 16 kHz."""
        extra = max(0, len(media) - self.window_size)
        return cut_windows(
            media, self.window_size, self.window_hop, 1 + ceil(extra / self.window_hop)
        )

    def network(self) -> nn.Module:
        """Return the convolutions up to the average pooling."""
        layers: list[tuple[str, nn.Module]] = [
            ("pad1", same_stride_2()),
            ("layer1/conv", nn.Conv2d(1, 32, 3, stride=2, bias=False)),
            ("layer1/conv/bn", KerasBatchNorm(32, eps=_BN_EPS, scale=False)),
            ("relu1", nn.ReLU()),
        ]
        n_in = 32
        for i, (stride, n_out) in enumerate(_SEPARABLE, start=2):
            if stride == 2:
                layers.append((f"pad{i}", same_stride_2()))
            depthwise = nn.Conv2d(
                n_in, n_in, 3, stride=stride, padding=stride % 2, groups=n_in, bias=False
            )
            layers += [
                (f"layer{i}/depthwise_conv", depthwise),
                (f"layer{i}/depthwise_conv/bn", KerasBatchNorm(n_in, eps=_BN_EPS, scale=False)),
                (f"relu{i}a", nn.ReLU()),
                (f"layer{i}/pointwise_conv", nn.Conv2d(n_in, n_out, 1, bias=False)),
                (f"layer{i}/pointwise_conv/bn", KerasBatchNorm(n_out, eps=_BN_EPS, scale=False)),
                (f"relu{i}b", nn.ReLU()),
            ]
            n_in = n_out
        return nn.Sequential(OrderedDict([*layers, ("pool", GlobalAveragePool())]))

    def example_input(self) -> torch.Tensor:
        """Return a batch of random patches."""
        return torch.randn(3, 1, 96, 64, generator=torch.Generator().manual_seed(0))

    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        patches = self.spectrogram(windows)
        return torch.from_numpy(patches).unsqueeze(1)

    def _file_layers(self, network: nn.Module) -> list[tuple[str | None, nn.Module]]:
        return [(name, layer) for name, layer in network.named_children() if "/" in name]

    def _ignored_layers(self) -> list[LayerSpec]:
        classifier = (("kernel", (1024, _N_CLASSES)), ("bias", (_N_CLASSES,)))
        return [LayerSpec(None, classifier)]
