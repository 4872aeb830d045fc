"""The folded networks on the CPU through oneDNN's fused convolutions.

PyTorch's own convolution repacks its weights at every call and leaves ReLU and the sum of a
residual block to passes of their own over memory. oneDNN packs weights once and does both inside
the convolution: ResNet50 runs half as fast again. The 3 x 3 convolutions of many channels are
done by Winograd's algorithm where it is faster.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn

from ._native_layers import FlattenChannelsLast
from ._native_winograd import WinogradConv, is_faster

_FEW_BYTES = 4_000_000  # of the largest output, for which the first layers get so few windows
# Of the layers before dense ones. These, whose weights are the largest, take more windows at once.
_TRUNK_WINDOWS = 16


def can_fuse() -> bool:
    """Tell whether this build of PyTorch has oneDNN and its fused operators."""
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in ("_convolution_pointwise", "_linear_pointwise")
    )


class FusedConv(nn.Module):
    """A convolution with packed weights, then a sum with another input, then a ReLU.

    Parameters
    ----------
    conv : Conv2d
        The convolution; its weights are copied.
    input_size : tuple of int
        Shape of the input for which the weights are packed; others work.
    relu : bool, default=False
        Rectify the output.
    in_place : bool, default=False
        Put the output where the other input is, which saves the memory of the largest outputs.
    """

    def __init__(
        self,
        conv: Any,
        input_size: tuple[int, ...],
        *,
        relu: bool = False,
        in_place: bool = False,
    ) -> None:
        super().__init__()
        self.bias = conv.bias.detach()
        self.options = conv.padding, conv.stride, conv.dilation, conv.groups
        self.activation = "relu" if relu else "none"
        self.in_place = in_place
        pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        weight = conv.weight.detach().to_mkldnn()
        self.packed = pack(weight, *self.options, list(input_size))

    def forward(self, x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Return the output in channels-last memory."""
        if other is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, self.packed, self.bias, *self.options, self.activation, [], ""
            )
        activation = "relu" if self.activation == "relu" else None  # what a sum calls "none"
        rest: Any = (self.packed, self.bias, *self.options, "add", 1.0, activation, [], "")
        if self.in_place:
            return torch.ops.mkldnn._convolution_pointwise_.binary(other, x, *rest)
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *rest)


class FusedLinear(nn.Module):
    """A dense layer with packed weights, then a ReLU."""

    def __init__(self, linear: Any, n_rows: int, *, relu: bool = False) -> None:
        super().__init__()
        self.bias = linear.bias.detach()
        self.activation = "relu" if relu else "none"
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), n_rows)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output."""
        return torch.ops.mkldnn._linear_pointwise(
            x, self.packed, self.bias, self.activation, [], ""
        )


class FewWindows(nn.Module):
    """Layers of large outputs, done for a few windows at a time.

    Those of all windows of a round do not fit the caches, and memory of that size comes from the
    system anew at every call, page by page.
    """

    def __init__(self, layers: nn.Module, n_windows: int) -> None:
        super().__init__()
        self.layers = layers
        self.n_windows = n_windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of the last of the layers."""
        return torch.cat([self.layers(some) for some in x.split(self.n_windows)])


class _Shapes(fx.Interpreter):
    """Runs a network once and notes the shape of each layer's first input."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.of: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one layer."""
        if n.op == "call_module":
            self.of[n] = tuple(self.env[n.args[0]].shape)  # type: ignore[index]
        return super().run_node(n)


def fuse(network: fx.GraphModule, example: torch.Tensor, n_windows: int) -> fx.GraphModule:
    """Return the network with fused layers; the given one is used up.

    Parameters
    ----------
    network : GraphModule
        A folded network.
    example : Tensor
        An input of the usual height and width.
    n_windows : int
        Windows in a batch.
    """
    shapes = _Shapes(network)
    with torch.inference_mode():
        shapes.run(example[:1])
    for node in list(network.graph.nodes):
        _merge_padding(network, node)
    for node in list(network.graph.nodes):
        layer = _layer(network, node)
        if isinstance(layer, nn.Conv2d):
            _fuse_conv(network, node, layer, (n_windows, *shapes.of[node][1:]))
        elif isinstance(layer, nn.Linear):
            relu = _only_user(network, node, nn.ReLU)
            fused = FusedLinear(layer, n_windows, relu=relu is not None)
            _replace(network, node, fused, [node.args[0]], [relu])
    _part_first_layers(network, example, n_windows)
    _part_trunk(network, n_windows)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def _merge_padding(network: fx.GraphModule, node: Any) -> None:
    """Do without the copy that pads a stride of 2 at its end.

    Between a row of zeros in the kernel and one around the image, the windows are the same.
    """
    layer = _layer(network, node)
    before = _layer(network, node.args[0]) if isinstance(layer, nn.Conv2d) else None
    if not isinstance(before, nn.ZeroPad2d) or tuple(before.padding) != (0, 1, 0, 1):
        return
    if (layer.kernel_size, layer.stride, layer.padding) != ((3, 3), (2, 2), (0, 0)):
        return
    merged: Any = nn.Conv2d(
        layer.in_channels, layer.out_channels, 4, stride=2, padding=1, groups=layer.groups
    ).requires_grad_(False)
    merged.weight.copy_(nn.functional.pad(layer.weight, (1, 0, 1, 0)))
    merged.bias.copy_(layer.bias)
    name = f"{node.target.replace('.', '_')}_padded"
    network.add_module(name, merged)
    node.target = name
    padding = node.args[0]
    node.replace_input_with(padding, padding.args[0])
    if not padding.users:
        network.graph.erase_node(padding)


def _fuse_conv(network: fx.GraphModule, node: Any, conv: Any, size: tuple[int, ...]) -> None:
    """Replace a convolution and what follows it by one layer."""
    relu = _only_user(network, node, nn.ReLU)
    if is_faster(conv, size):
        pool = _only_user(network, relu or node, nn.MaxPool2d)
        if pool is not None and network.get_submodule(pool.target).kernel_size != 2:
            pool = None
        fused: Any = WinogradConv(conv, relu=relu is not None, pool=pool is not None)
        _replace(network, node, fused, [node.args[0]], [relu, pool])
        return
    total = None if relu is not None else _only_user(network, node, None)
    if total is None:
        fused = FusedConv(conv, size, relu=relu is not None)
        _replace(network, node, fused, [node.args[0]], [relu])
        return
    (other,) = (argument for argument in total.args if argument is not node)
    relu = _only_user(network, total, nn.ReLU)
    # A convolution must not overwrite what it reads.
    in_place = other is not node.args[0] and _ends_with(network, other, total)
    fused = FusedConv(conv, size, relu=relu is not None, in_place=in_place)
    _replace(network, node, fused, [node.args[0], other], [total, relu])


def _ends_with(network: fx.GraphModule, node: Any, user: Any) -> bool:
    """Tell whether a layer's output is memory of its own and nothing uses it after that user."""
    if not isinstance(_layer(network, node), nn.Conv2d | FusedConv | nn.MaxPool2d):
        return False
    order = {node: number for number, node in enumerate(network.graph.nodes)}
    return max(node.users, key=order.__getitem__) is user


def _part_first_layers(network: fx.GraphModule, example: torch.Tensor, n_windows: int) -> None:
    """Give few windows at a time to the layers up to the last maximum before Winograd's."""
    shapes = _Shapes(network)
    with torch.inference_mode():
        shapes.run(example[:1])
    early: list[fx.Node] = []
    for node in network.graph.nodes:
        if isinstance(_layer(network, node), WinogradConv):
            break
        early.append(node)
    while early and not isinstance(_layer(network, early[-1]), nn.MaxPool2d):
        early.pop()
    if not early:
        return
    largest = max(4 * math.prod(shapes.of[node][1:]) for node in early[1:] if node in shapes.of)
    few = max(1, _FEW_BYTES // largest)
    if few < n_windows and all(user in early for node in early[:-1] for user in node.users):
        _give_few(network, early, few, "early")


def _part_trunk(network: fx.GraphModule, n_windows: int) -> None:
    """Give the layers before dense ones no more than the usual number of windows at a time."""
    trunk: list[fx.Node] = []
    for node in network.graph.nodes:
        if isinstance(_layer(network, node), FlattenChannelsLast):
            if n_windows > _TRUNK_WINDOWS:
                _give_few(network, trunk, _TRUNK_WINDOWS, "trunk")
            return
        trunk.append(node)


def _give_few(network: fx.GraphModule, nodes: list[fx.Node], few: int, name: str) -> None:
    """Do the first nodes of a network, the input's and the layers', for a few windows at a time."""
    first, *layers = nodes
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[nodes[-1]])
    network.add_module(name, FewWindows(fx.GraphModule(network, graph), few))
    with network.graph.inserting_after(nodes[-1]):
        new = network.graph.call_module(name, (first,))
    nodes[-1].replace_all_uses_with(new)
    for node in reversed(layers):
        network.graph.erase_node(node)


def _layer(network: fx.GraphModule, node: Any) -> Any:
    """Return the module that a node calls."""
    return network.get_submodule(node.target) if node.op == "call_module" else None


def _only_user(network: fx.GraphModule, node: Any, kind: type[nn.Module] | None) -> Any:
    """Return the one node that uses another, when it is of a kind (``None``: a sum)."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    if kind is None:
        is_sum = user.op == "call_function" and user.target.__name__ == "add"
        terms = [term for term in user.args if isinstance(term, fx.Node)]
        return user if is_sum and len(terms) == 2 and terms[0] is not terms[1] else None
    return user if isinstance(_layer(network, user), kind) else None


def _replace(
    network: fx.GraphModule, node: Any, layer: nn.Module, inputs: list[Any], followers: list[Any]
) -> None:
    """Put one layer in the place of a node and of those that follow it."""
    nodes = [node, *(follower for follower in followers if follower is not None)]
    name = f"{node.target.replace('.', '_')}_fused"
    network.add_module(name, layer)
    with network.graph.inserting_after(nodes[-1]):
        new = network.graph.call_module(name, tuple(inputs))
    nodes[-1].replace_all_uses_with(new)
    for old in reversed(nodes):
        network.graph.erase_node(old)
