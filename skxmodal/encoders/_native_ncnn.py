"""The convolutions of OpenL3 and VGG16 in ncnn, whose Winograd kernels are made by hand.

These networks are a chain of 3 x 3 convolutions, which ncnn runs one window at a time; what
follows stays in PyTorch. The windows of a batch are shared among threads of Python with one
thread of ncnn each: cores need not meet at every layer, the result does not depend on how many
there are, and none are left behind that a fork would miss. Where outputs are large, a stage of the
chain is done strip by strip, each with kernels of its own and with the rows around it that its
convolutions look at, so that what lies between two layers stays in the caches. VGGish has the
same kind of chain, but windows so small that reading the kernels for each of them takes longer
than a batch in PyTorch.

References
----------
.. [1] A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ._native_layers import pair

_MAGIC = 7767517  # of ncnn's text files
_FLOAT32 = torch.zeros(1, dtype=torch.int32)  # the tag before weights that are stored as they are
_INPUT = "input"
_REST = -233  # all that there is of an axis
_LARGE_BYTES, _STRIP_BYTES = 4 * 2**20, 2**20  # of one layer's output
_MAX_RELATIVE_ERROR = 1e-4


def give_chain(network: fx.GraphModule, example: torch.Tensor) -> fx.GraphModule:
    """Return a folded network whose first layers are run by ncnn; the given one is used up.

    They end at the first layer that is no convolution, normalisation, ReLU or maximum; variants
    of these that ncnn is not told about raise a ``TypeError``.
    """
    start, *rest = network.graph.nodes
    chain: list[Any] = []
    for node in rest:
        layer = network.get_submodule(node.target) if node.op == "call_module" else None
        if not isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d):
            break
        chain.append(node)
    layers = [network.get_submodule(node.target) for node in chain]
    network.add_module("chain", NcnnLayers(layers, example))
    with network.graph.inserting_after(start):
        new = network.graph.call_module("chain", (start,))
    chain[-1].replace_all_uses_with(new)
    for node in reversed(chain):
        network.graph.erase_node(node)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


class NcnnLayers(nn.Module):
    """A chain of layers in ncnn.

    Parameters
    ----------
    layers : list of Module
        Convolutions, normalisations, ReLUs and maxima, in their order.
    example : Tensor of shape (n, channels, height, width)
        Inputs like those that will come: others must have the same channels, height and width.

    Raises
    ------
    TypeError
        When there is another kind of layer.
    RuntimeError
        When the result for an example disagrees with PyTorch's.
    """

    def __init__(self, layers: list[Any], example: torch.Tensor) -> None:
        super().__init__()
        import ncnn

        self._mat = ncnn.Mat
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        options.use_vulkan_compute = False
        # Half precision, ncnn's default on some processors, keeps too little of a product.
        for name in (option for option in dir(options) if "fp16" in option or "bf16" in option):
            setattr(options, name, False)
        chain = _Chain()
        self._shape = example.shape[1:]
        expected = example[:1]
        with torch.inference_mode():
            for stage in _stages(layers):
                chain.add_stage(stage, tuple(expected.shape[1:]))
                expected = nn.Sequential(*stage)(expected)
        self._output = chain.last
        # ncnn reads files only: its loader from memory keeps a pointer to what Python frees.
        with tempfile.TemporaryDirectory() as folder:
            text, weights = Path(folder, "layers.param"), Path(folder, "layers.bin")
            chain.write(text, weights)
            if self._net.load_param(str(text)) or self._net.load_model(str(weights)):
                raise RuntimeError("ncnn could not read the network it was given")
        actual = self(example[:1])
        if actual.shape != expected.shape:
            raise RuntimeError(
                f"the network in ncnn has an output of {tuple(actual.shape)}, PyTorch's of "
                f'{tuple(expected.shape)}; use backend="torch"'
            )
        error = float((actual - expected).abs().max() / expected.abs().max())
        if not error <= _MAX_RELATIVE_ERROR:
            raise RuntimeError(
                f"the network in ncnn differs from PyTorch's by {error:.1e} (relative); use "
                'backend="torch"'
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of the last layer."""
        if x.shape[1:] != self._shape:
            raise ValueError(
                f'backend="ncnn" takes windows of {tuple(self._shape)} (channels, height, width), '
                f'not of {tuple(x.shape[1:])}; use backend="torch" for these'
            )
        windows = np.ascontiguousarray(x.numpy())
        n_threads = min(torch.get_num_threads(), len(windows))
        if n_threads == 1:
            return torch.from_numpy(np.stack([self._run(window) for window in windows]))
        with ThreadPoolExecutor(n_threads) as pool:
            return torch.from_numpy(np.stack(list(pool.map(self._run, windows))))

    def _run(self, window: np.ndarray) -> np.ndarray:
        """Return the output for one window, which other threads may do for others meanwhile."""
        extractor = self._net.create_extractor()
        # A copy, in memory aligned as ncnn's kernels expect it: they crash on that of NumPy.
        extractor.input(_INPUT, self._mat(window).clone())
        failed, output = extractor.extract(self._output)
        if failed:
            raise RuntimeError(f"ncnn could not run the network (code {failed}, -100: no memory)")
        return np.array(output)


def _stages(layers: list[Any]) -> Iterator[list[Any]]:
    """Yield the layers in groups, each of which ends with a maximum."""
    stage: list[Any] = []
    for layer in layers:
        stage.append(layer)
        if isinstance(layer, nn.MaxPool2d):
            yield stage
            stage = []
    if stage:
        yield stage


class _Chain:
    """The text and the weights from which ncnn makes a network.

    Attributes
    ----------
    last : str
        Name of the output so far.
    """

    def __init__(self) -> None:
        self.last = _INPUT
        self._lines = [f"Input {_INPUT} 0 1 {_INPUT}"]
        self._weights: list[Any] = []

    def add_stage(self, stage: list[Any], shape: tuple[int, ...]) -> None:
        """Add layers for an input of ``(channels, height, width)``."""
        height = shape[1]
        n_strips = _n_strips(stage, shape)
        if n_strips == 1:
            self._add_layers(stage)
            return
        around = sum(isinstance(layer, nn.Conv2d) for layer in stage)
        starts = range(0, height - 1, 2 * ceil(height / 2 / n_strips))
        copies = self._add("Split", [self.last], len(starts))
        strips = []
        for start, copy in zip(starts, copies, strict=True):
            stop = min(start + starts.step, height)
            top, bottom = start == 0, stop >= height - 1
            first, end = max(0, start - around), height if bottom else min(height, stop + around)
            rows = {1: first, 3: _REST, 4: end - first, 5: _REST}
            (self.last,) = self._add("Crop", [copy], 1, rows)
            self._add_layers(stage, top=top, bottom=bottom)
            strips.append(self.last)
        (self.last,) = self._add("Concat", strips, 1, {0: 1})

    def write(self, text: Path, weights: Path) -> None:
        """Write ncnn's two files."""
        n_values = sum(int(line.split()[3]) for line in self._lines)
        lines = [str(_MAGIC), f"{len(self._lines)} {n_values}", *self._lines]
        text.write_text("\n".join(lines) + "\n", encoding="ascii")
        with weights.open("wb") as file:
            for array in self._weights:
                file.write(array.detach().numpy().tobytes())

    def _add_layers(self, layers: list[Any], *, top: bool = True, bottom: bool = True) -> None:
        """Add layers, whose convolutions pad at the edges of the image only."""
        for layer in layers:
            kind, parameters, arrays = _described(layer)
            if isinstance(layer, nn.Conv2d):
                parameters |= {14: top * parameters[14], 16: bottom * parameters[14]}
            (self.last,) = self._add(kind, [self.last], 1, parameters)
            self._weights += arrays

    def _add(
        self, kind: str, inputs: list[str], n_outputs: int, parameters: dict[int, Any] | None = None
    ) -> list[str]:
        """Add a line and return the names of the outputs."""
        name = f"layer_{len(self._lines)}"
        outputs = [f"{name}_{number}" for number in range(n_outputs)]
        values = [f"{key}={value}" for key, value in (parameters or {}).items()]
        counts = [str(len(inputs)), str(n_outputs)]
        self._lines.append(" ".join([kind, name, *counts, *inputs, *outputs, *values]))
        return outputs


def _n_strips(stage: list[Any], shape: tuple[int, ...]) -> int:
    """Return into how many strips a stage is cut: one, unless its outputs are far too large."""
    *_, last = stage
    convolutions = [layer for layer in stage if isinstance(layer, nn.Conv2d)]
    if not isinstance(last, nn.MaxPool2d):
        return 1
    if (pair(last.kernel_size), pair(last.stride)) != ((2, 2), (2, 2)):
        return 1
    plain = (3, 3), (1, 1), (1, 1), (1, 1)
    if any((c.kernel_size, c.stride, c.padding, c.dilation) != plain for c in convolutions):
        return 1
    # A strip has two rows at least, the most that the next one may look at.
    if len(convolutions) > 2:
        return 1
    n_channels = max((layer.out_channels for layer in convolutions), default=0)
    n_bytes = 4 * n_channels * shape[1] * shape[2]
    return ceil(n_bytes / _STRIP_BYTES) if n_bytes > _LARGE_BYTES else 1


def _described(layer: Any) -> tuple[str, dict[int, Any], list[Any]]:
    """Return ncnn's name of a layer, its parameters by their numbers, and its weights."""
    if isinstance(layer, nn.Conv2d) and layer.groups == 1:
        return "Convolution", _parameters_of(layer), [_FLOAT32, layer.weight, layer.bias]
    if isinstance(layer, nn.BatchNorm2d):
        arrays = [layer.weight, layer.running_mean, layer.running_var, layer.bias]
        return "BatchNorm", {0: layer.num_features, 1: layer.eps}, arrays
    if isinstance(layer, nn.ReLU):
        return "ReLU", {}, []
    if isinstance(layer, nn.MaxPool2d) and layer.padding == 0 and not layer.ceil_mode:
        (height, width), (down, right) = pair(layer.kernel_size), pair(layer.stride)
        return "Pooling", {0: 0, 1: width, 11: height, 2: right, 12: down, 5: 1}, []
    raise TypeError(f"no layer of ncnn is known for {layer}")


def _parameters_of(conv: Any) -> dict[int, int]:
    """Return ncnn's parameters of a convolution by their numbers, width before height."""
    both = {1: conv.kernel_size, 2: conv.dilation, 3: conv.stride, 4: conv.padding}
    sizes = {key + 10 * (axis == 0): both[key][axis] for key in both for axis in (0, 1)}
    return {0: conv.out_channels, **sizes, 5: 1, 6: conv.weight.numel()}
