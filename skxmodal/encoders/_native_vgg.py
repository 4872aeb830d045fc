"""VGG16 with Keras' ImageNet weights."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from ._native_images import KerasImageEncoder
from ._native_layers import GlobalAveragePool

_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, channels


class VGG16Encoder(KerasImageEncoder):
    """VGG16's average-pooled last feature map: 512 dimensions.

    References
    ----------
    .. [1] K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
       recognition", ICLR 2015.
    .. [2] The paper, section 2.1 and table 1.
    """

    name = "vgg16"
    n_features = 512
    cpu_backends = ("ncnn", "torch", "onnx")

    def network(self) -> nn.Module:
        """Return the convolutions up to the average pooling."""
        layers: list[tuple[str, nn.Module]] = []
        n_in = 3
        for block, (n_convolutions, n_out) in enumerate(_BLOCKS, start=1):
            for i in range(1, n_convolutions + 1):
                layers += [
                    (f"block{block}_conv{i}", nn.Conv2d(n_in, n_out, 3, padding=1)),
                    (f"block{block}_relu{i}", nn.ReLU()),
                ]
                n_in = n_out
            layers.append((f"block{block}_pool", nn.MaxPool2d(2)))
        return nn.Sequential(OrderedDict([*layers, ("pool", GlobalAveragePool())]))

    def _file_layers(self, network: nn.Module) -> list[tuple[str | None, nn.Module]]:
        return [(n, layer) for n, layer in network.named_children() if isinstance(layer, nn.Conv2d)]
