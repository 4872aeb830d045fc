"""Torch pieces the native networks share: Keras' layers by their own conventions, and folding.

A network is written as in its paper, with one module per layer of the official weight file.
For inference :func:`fold` turns it into a flat graph whose batch normalisations are part of the
convolutions before them; the arithmetic of the fold is in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ._native_files import LayerSpec, WeightFileError


class KerasBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with Keras' options; ``scale=False`` has no gamma in the file."""

    def __init__(self, n_channels: int, *, eps: float = 1e-3, scale: bool = True) -> None:
        super().__init__(n_channels, eps=eps)
        self.scale = scale


class FlattenChannelsLast(nn.Module):
    """Flatten in the order (height, width, channel), as TensorFlow does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(n, height * width * channels)``."""
        return x.permute(0, 2, 3, 1).flatten(1)


class GlobalAveragePool(nn.Module):
    """Mean over height and width."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(n, channels)``."""
        return x.mean((2, 3))


def same_stride_2() -> nn.ZeroPad2d:
    """Return TensorFlow's "SAME" padding of a 3 x 3 kernel with stride 2 on an even size.

    One row and one column at the end only: PyTorch's ``padding=1`` samples other pixels.
    """
    return nn.ZeroPad2d((0, 1, 0, 1))


def pair(size: Any) -> tuple[int, int]:
    """Return the size of a layer on both axes, which PyTorch keeps as one number or as two."""
    return (size, size) if isinstance(size, int) else tuple(size)


def layer_spec(name: str | None, layer: Any) -> LayerSpec:
    """Describe what the official weight file holds for a layer."""
    roles: list[tuple[str, tuple[int, ...]]]
    if isinstance(layer, nn.Conv2d):
        out, per_group, height, width = layer.weight.shape
        if layer.groups > 1:
            roles = [("depthwise_kernel", (height, width, out, per_group))]
        else:
            roles = [("kernel", (height, width, per_group, out))]
        if layer.bias is not None:
            roles.append(("bias", (out,)))
    elif isinstance(layer, KerasBatchNorm):
        size = (layer.num_features,)
        roles = [("gamma", size)] if layer.scale else []
        roles += [("beta", size), ("moving_mean", size), ("moving_variance", size)]
    elif isinstance(layer, nn.Linear):
        roles = [
            ("kernel", (layer.in_features, layer.out_features)),
            ("bias", (layer.out_features,)),
        ]
    else:
        raise TypeError(f"{type(layer).__name__} has no weights in a Keras file")
    return LayerSpec(name, tuple(roles))


_TENSOR_OF_ROLE = {
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@torch.no_grad()
def assign(layer: Any, arrays: dict[str, np.ndarray]) -> None:
    """Copy a layer's arrays, by role and in TensorFlow's layout, into the module."""
    for role, array in arrays.items():
        if role == "kernel":
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            target = layer.weight
        elif role == "depthwise_kernel":
            array = array.transpose(2, 3, 0, 1)
            target = layer.weight
        else:
            target = getattr(layer, _TENSOR_OF_ROLE[role])
        if tuple(target.shape) != array.shape:
            raise WeightFileError(f"{role} has shape {array.shape}, not {tuple(target.shape)}")
        target.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def weighted_layers(network: nn.Module) -> list[nn.Module]:
    """List a network's layers that have weights, in the order of definition."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | KerasBatchNorm)]


def count_parameters(network: nn.Module) -> int:
    """Count the numbers of a network that its weight file holds (moving statistics too)."""
    return sum(layer_spec(None, layer).n_values for layer in weighted_layers(network))


class _LayerTracer(fx.Tracer):
    """Traces a network down to its layers, not into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether a module is a layer."""
        return next(m.children(), None) is None


def fold(network: nn.Module) -> fx.GraphModule:
    """Return the network in evaluation mode with each BatchNorm merged into its convolution."""
    network.eval()
    traced = fx.GraphModule(network, _LayerTracer().trace(network))
    modules = dict(traced.named_modules())
    nodes: list[Any] = list(traced.graph.nodes)
    for node in nodes:
        if not _follows_a_convolution(node, modules):
            continue
        conv, norm = modules[node.args[0].target], modules[node.target]
        parent, _, child = node.args[0].target.rpartition(".")
        merged = _merge(conv, norm)
        setattr(traced.get_submodule(parent), child, merged)
        modules[node.args[0].target] = merged
        node.replace_all_uses_with(node.args[0])
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    traced.requires_grad_(False)
    return traced


def _follows_a_convolution(node: Any, modules: dict[str, nn.Module]) -> bool:
    """Tell whether a node is a BatchNorm whose only input is a convolution it alone uses."""
    if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm2d):
        return False
    before = node.args[0]
    return (
        before.op == "call_module"
        and isinstance(modules[before.target], nn.Conv2d)
        and len(before.users) == 1
    )


@torch.no_grad()
def _merge(conv: Any, norm: Any) -> nn.Conv2d:
    """Return one convolution that does the work of both."""
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    bias = 0.0 if conv.bias is None else conv.bias.double()
    merged: Any = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        groups=conv.groups,
    )
    merged.weight.copy_(conv.weight.double() * scale[:, None, None, None])
    merged.bias.copy_(bias * scale + shift)
    return merged.eval()
