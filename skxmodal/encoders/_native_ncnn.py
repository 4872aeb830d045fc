"""The convolutions of OpenL3 and VGG16 in ncnn, whose Winograd kernels are made by hand.

These networks are a chain of 3 x 3 convolutions, which ncnn runs one window at a time; what
follows stays in PyTorch. The windows of a batch are shared among threads of Python with one
thread of ncnn each: cores need not meet at every layer, the result does not depend on how many
there are, and none are left behind that a fork would miss. VGGish has the same kind of chain, but
windows so small that reading the kernels for each of them takes longer than a batch in PyTorch.

References
----------
.. [1] A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ._native_layers import pair

_MAGIC = 7767517  # of ncnn's text files
_FLOAT32 = np.uint32(0)  # the tag before weights that are stored as they are
_INPUT = "input"
_MAX_RELATIVE_ERROR = 1e-4


def give_chain(network: fx.GraphModule, example: torch.Tensor) -> fx.GraphModule:
    """Return a folded network whose first layers are run by ncnn; the given one is used up.

    They end where something else than a chain of known layers begins.

    Raises
    ------
    RuntimeError
        When the result for an example disagrees with PyTorch's.
    """
    with torch.inference_mode():
        expected = network(example[:1])
    start, *rest = network.graph.nodes
    chain: list[Any] = []
    for node in rest:
        layer = network.get_submodule(node.target) if node.op == "call_module" else None
        if not isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d):
            break
        chain.append(node)
    network.add_module("chain", NcnnLayers([network.get_submodule(n.target) for n in chain]))
    with network.graph.inserting_after(start):
        new = network.graph.call_module("chain", (start,))
    chain[-1].replace_all_uses_with(new)
    for node in reversed(chain):
        network.graph.erase_node(node)
    network.delete_all_unused_submodules()
    network.recompile()
    with torch.inference_mode():
        error = float((network(example[:1]) - expected).abs().max() / expected.abs().max())
    if not error <= _MAX_RELATIVE_ERROR:
        raise RuntimeError(
            f"the network in ncnn differs from PyTorch's by {error:.1e} (relative); use "
            'backend="torch"'
        )
    return network


class NcnnLayers(nn.Module):
    """A chain of layers in ncnn.

    Parameters
    ----------
    layers : list of Module
        Convolutions, normalisations, ReLUs and maxima, in their order.

    Raises
    ------
    TypeError
        When there is another kind of layer.
    """

    def __init__(self, layers: list[Any]) -> None:
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
        lines = [f"Input {_INPUT} 0 1 {_INPUT}"]
        # ncnn reads files only: its loader from memory keeps a pointer to what Python frees.
        with tempfile.TemporaryDirectory() as folder:
            text, weights = Path(folder, "layers.param"), Path(folder, "layers.bin")
            self._output = _INPUT
            with weights.open("wb") as file:
                for number, layer in enumerate(layers):
                    kind, parameters, arrays = _described(layer)
                    output = f"layer_{number}"
                    values = " ".join(f"{key}={value}" for key, value in parameters.items())
                    lines.append(f"{kind} {output} 1 1 {self._output} {output} {values}")
                    self._output = output
                    for array in arrays:
                        file.write(np.asarray(array).tobytes())
            header = [str(_MAGIC), f"{len(lines)} {len(lines)}"]
            text.write_text("\n".join([*header, *lines]) + "\n", encoding="ascii")
            if self._net.load_param(str(text)) or self._net.load_model(str(weights)):
                raise RuntimeError("ncnn could not read the network it was given")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of the last layer."""
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
            raise MemoryError("ncnn could not run a network, most likely for want of memory")
        return np.array(output)


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
