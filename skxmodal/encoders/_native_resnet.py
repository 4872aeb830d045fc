"""ResNet50 with Keras' ImageNet weights."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from ._native_images import KerasImageEncoder
from ._native_layers import GlobalAveragePool, KerasBatchNorm

_BN_EPS = 1.001e-5
_STAGES = ((2, 3, 64), (3, 4, 128), (4, 6, 256), (5, 3, 512))  # number, blocks, width


class _Block(nn.Module):
    """A bottleneck of three convolutions beside a shortcut; the first one has the stride."""

    def __init__(self, n_in: int, width: int, stride: int, *, project: bool) -> None:
        super().__init__()
        n_out = 4 * width
        self.conv_1 = nn.Conv2d(n_in, width, 1, stride=stride)
        self.bn_1 = KerasBatchNorm(width, eps=_BN_EPS)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn_2 = KerasBatchNorm(width, eps=_BN_EPS)
        self.conv_3 = nn.Conv2d(width, n_out, 1)
        self.bn_3 = KerasBatchNorm(n_out, eps=_BN_EPS)
        self.relu_1, self.relu_2, self.relu_3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.project = project
        if project:
            self.conv_0 = nn.Conv2d(n_in, n_out, 1, stride=stride)
            self.bn_0 = KerasBatchNorm(n_out, eps=_BN_EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of both ways, rectified."""
        y = self.relu_1(self.bn_1(self.conv_1(x)))
        y = self.relu_2(self.bn_2(self.conv_2(y)))
        y = self.bn_3(self.conv_3(y))
        shortcut = self.bn_0(self.conv_0(x)) if self.project else x
        return self.relu_3(shortcut + y)

    def file_layers(self, prefix: str) -> list[tuple[str | None, nn.Module]]:
        """List the layers in the order of Keras' file: the shortcut's before the third's."""
        order = ["conv_1", "bn_1", "conv_2", "bn_2"]
        order += ["conv_0", "conv_3", "bn_0", "bn_3"] if self.project else ["conv_3", "bn_3"]
        pairs: list[tuple[str | None, nn.Module]] = []
        for attribute in order:
            kind, _, number = attribute.partition("_")
            pairs.append((f"{prefix}_{number}_{kind}", getattr(self, attribute)))
        return pairs


class ResNet50Encoder(KerasImageEncoder):
    """ResNet50's average-pooled last feature map: 2048 dimensions.

    Version 1 of the network, as in Keras: the stride is on a block's first 1 x 1 convolution,
    every convolution has a bias, and the normalisations' epsilon is 1.001e-5.

    References
    ----------
    .. [1] K. He et al., "Deep residual learning for image recognition", CVPR 2016.
    .. [2] The paper, section 2.1 and table 1.
    """

    name = "resnet50"
    n_features = 2048

    def network(self) -> nn.Module:
        """Return the network up to the average pooling."""
        layers: list[tuple[str, nn.Module]] = [
            ("conv1_conv", nn.Conv2d(3, 64, 7, stride=2, padding=3)),
            ("conv1_bn", KerasBatchNorm(64, eps=_BN_EPS)),
            ("conv1_relu", nn.ReLU()),
            # Keras pads with zeros; behind a ReLU that is the same as padding with -inf.
            ("pool1_pool", nn.MaxPool2d(3, stride=2, padding=1)),
        ]
        n_in = 64
        for stage, n_blocks, width in _STAGES:
            for i in range(n_blocks):
                stride = 2 if i == 0 and stage > 2 else 1
                block = _Block(n_in, width, stride, project=i == 0)
                layers.append((f"conv{stage}_block{i + 1}", block))
                n_in = 4 * width
        return nn.Sequential(OrderedDict([*layers, ("avg_pool", GlobalAveragePool())]))

    def _file_layers(self, network: nn.Module) -> list[tuple[str | None, nn.Module]]:
        layers: list[tuple[str | None, nn.Module]] = []
        for name, layer in network.named_children():
            if isinstance(layer, _Block):
                layers += layer.file_layers(name)
            elif isinstance(layer, nn.Conv2d | KerasBatchNorm):
                layers.append((name, layer))
        return layers
