"""3 x 3 convolutions by Winograd's minimal filtering, for the CPU.

``F(4 x 4, 3 x 3)`` computes a tile of 16 outputs from 36 inputs with 36 products per pair of
channels instead of 144. Tiles are gathered into ``(n_tiles, 36, channels)``, so that each of the
three steps is a matrix product: the transform of a tile's inputs, which its 36 rows do in the first
cache, 36 products with the transformed kernels, and the transform of a tile's outputs. The 36
products are the groups of one 1 x 1 convolution: oneDNN packs the weights once and takes three
quarters of the time of a batch of products. The points of interpolation are 0, ±3/4,
±3/2 and infinity, at which float32 loses no more than in a plain convolution.

References
----------
.. [1] A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
.. [2] B. Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for
   deep neural networks", ACM Transactions on Mathematical Software 46(4), 2020.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
_TILE, _KERNEL = 4, 3
_SIDE = _TILE + _KERNEL - 1  # of a tile's inputs
# That are worked on at a time: fewer, and the product is slower; more, and they leave the caches.
_BLOCK_TILES = 108
_USUAL_TILES = 200  # in a block, for which the weights are packed
# Channels of one product: for more, oneDNN wants the weights packed differently for few tiles than
# for many, and repacks them at every call, which takes 20 times as long as the product.
_OUTPUTS = 256
_FEWEST_CHANNELS = 128  # below, the transforms cost more than they save


@cache
def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices of the inputs (6, 6), the kernel (6, 3) and the outputs (4, 6).

    ``outputs @ ((kernel @ g) * (inputs @ d))`` are the four correlations of six numbers with
    three. By transposition of the product of two polynomials, computed from its values at the
    points.
    """

    def values_at_points(n_coefficients: int) -> np.ndarray:
        matrix = np.vander([*_POINTS, 0.0], n_coefficients, increasing=True)
        matrix[-1] = np.eye(n_coefficients)[-1]  # at infinity: the leading coefficient
        return matrix

    inputs = np.linalg.inv(values_at_points(_SIDE)).T
    kernel, outputs = values_at_points(_KERNEL), values_at_points(_TILE).T
    # The same size for all rows of the inputs' transform; the kernel's takes up the rest.
    scale = np.abs(inputs).max(axis=1, keepdims=True)
    return inputs / scale, kernel * scale, outputs


def is_faster(conv: Any, input_size: tuple[int, ...]) -> bool:
    """Tell whether a convolution is one that this algorithm does faster."""
    return (
        isinstance(conv, nn.Conv2d)
        and conv.kernel_size == (3, 3)
        and conv.stride == conv.dilation == conv.padding == (1, 1)
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= _FEWEST_CHANNELS
        and min(input_size[2:]) >= 2 * _TILE
    )


class WinogradConv(nn.Module):
    """A 3 x 3 convolution with padding 1, then a ReLU, then a 2 x 2 maximum.

    Parameters
    ----------
    conv : Conv2d
        The convolution; its weights are transformed in float64.
    relu, pool : bool, default=False
        What follows.
    """

    def __init__(self, conv: Any, *, relu: bool = False, pool: bool = False) -> None:
        super().__init__()
        inputs, kernel, outputs = (torch.from_numpy(m) for m in transforms())
        weight = conv.weight.detach().double()
        transformed = torch.einsum("ia,jb,kcab->ijck", kernel, kernel, weight)
        self.n_out = conv.out_channels
        self.options = (0, 0), (1, 1), (1, 1), _SIDE**2
        self.kernels = [
            self._pack(some) for some in transformed.flatten(0, 1).float().split(_OUTPUTS, dim=2)
        ]
        self.bias = conv.bias.detach()
        self.of_inputs = torch.kron(inputs, inputs).float()
        self.of_outputs = torch.kron(outputs, outputs).float()
        self.relu, self.pool = relu, pool

    def _pack(self, kernels: torch.Tensor) -> torch.Tensor:
        """Return the weights of one 1 x 1 convolution with a group per point."""
        n_points, n_in, n_out = kernels.shape
        weight = kernels.transpose(1, 2).reshape(n_points * n_out, n_in, 1, 1)
        pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        return pack(weight.to_mkldnn(), *self.options, [1, n_points * n_in, 1, _USUAL_TILES])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output in channels-last memory."""
        n, channels, height, width = x.shape
        n_out = self.n_out
        rows, columns = -(-height // _TILE), -(-width // _TILE)
        padded = x.new_empty((n, _TILE * rows + 2, _TILE * columns + 2, channels))
        padded[:, 1 : height + 1, 1 : width + 1] = x.permute(0, 2, 3, 1)
        for edge in (slice(0, 1), slice(height + 1, None)):
            padded[:, edge] = 0
        for edge in (slice(0, 1), slice(width + 1, None)):
            padded[:, :, edge] = 0
        side = _TILE // 2 if self.pool else _TILE
        out = x.new_empty((n, rows, side, columns, side, n_out))
        fitting = max(1, _BLOCK_TILES // columns)
        many, few = max(1, fitting // rows), min(rows, fitting)
        for i in range(0, n, many):
            for row in range(0, rows, few):
                block = out[i : i + many, row : row + few]
                self._block(padded[i : i + many, _TILE * row :], block)
        if self.pool:
            height, width = height // 2, width // 2
        out = out.view(n, rows * side, columns * side, n_out)
        return out[:, :height, :width].permute(0, 3, 1, 2)

    def _block(self, x: torch.Tensor, out: torch.Tensor) -> None:
        """Compute some rows of tiles of some images."""
        n, rows, side, columns, _, _ = out.shape
        image, line, pixel, _ = x.stride()
        tiles = x.as_strided(
            (n, rows, columns, _SIDE, _SIDE, x.shape[3]),
            (image, _TILE * line, _TILE * pixel, line, pixel, 1),
        ).reshape(-1, _SIDE**2, x.shape[3])
        # The shape of an image of one row, in channels-last memory.
        points = (self.of_inputs @ tiles).flatten(1).t()[None, :, None]
        outs, biases = out.split(_OUTPUTS, dim=5), self.bias.split(_OUTPUTS)
        for kernels, part, bias in zip(self.kernels, outs, biases, strict=True):
            products = torch.ops.mkldnn._convolution_pointwise(
                points, kernels, None, *self.options, "none", [], ""
            )
            y = self.of_outputs @ products[0, :, 0].t().unflatten(1, (_SIDE**2, len(bias)))
            if self.pool:
                y = y.view(-1, 2, 2, 2, 2, len(bias))
                y = torch.maximum(y[:, :, 0], y[:, :, 1])
                y = torch.maximum(y[:, :, :, 0], y[:, :, :, 1])
            y = y.view(n, rows, columns, side, side, len(bias)).transpose(2, 3)
            torch.add(y, bias, out=part)
            if self.relu:
                part.relu_()
