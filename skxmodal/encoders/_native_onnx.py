"""The native networks in ONNX Runtime: exported once, checked against PyTorch, kept on disk.

The networks are plain enough (convolutions, pooling, dense layers, sums) for a graph written
node by node, so that an export needs only the package ``onnx`` and depends on no tracer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn

from ..utils._whole_file import whole_file
from ._native_layers import FlattenChannelsLast, GlobalAveragePool, pair

if TYPE_CHECKING:
    from ._native_base import NativeEncoder

_OPSET, _IR_VERSION = 17, 8  # old enough for any onnxruntime of the last years
_EXPORT_VERSION = 1
_MAX_RELATIVE_ERROR = 1e-4


class OnnxRunner:
    """Runs an encoder's network in ONNX Runtime on the CPU.

    Raises
    ------
    RuntimeError
        When the exported network disagrees with PyTorch's.
    """

    def __init__(self, encoder: NativeEncoder) -> None:
        path = encoder.onnx_dir / (
            f"{encoder.weights_key}-{encoder.n_features}-{encoder.weights_digest[:16]}"
            f"-v{_EXPORT_VERSION}.onnx"
        )
        if not path.is_file():
            _export(encoder, path)
        self._session = _session(path)

    def __call__(self, inputs: torch.Tensor) -> np.ndarray:
        """Return float32 embeddings of a batch."""
        return self._session.run(None, {"input": inputs.contiguous().numpy()})[0]


def _session(path: Path) -> Any:
    """Open a network with as many threads as PyTorch uses."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores from the threads that decode the next cells.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )


def _export(encoder: NativeEncoder, path: Path) -> None:
    """Write the network to a file beside the goal, check it, and move it into place."""
    import onnx

    network = encoder.folded_network()
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        example = encoder.example_input()
        onnx.save_model(onnx_model(network, tuple(example.shape)), partial)
        with torch.inference_mode():
            expected = network(example).numpy()
        actual = _session(partial).run(None, {"input": example.contiguous().numpy()})[0]
        error = float(np.abs(actual - expected).max() / np.abs(expected).max())
        if not error <= _MAX_RELATIVE_ERROR:
            raise RuntimeError(
                f"{encoder.name}: the network exported for ONNX Runtime differs from PyTorch's by "
                f'{error:.1e} (relative); use backend="torch"'
            )


def onnx_model(network: fx.GraphModule, shape: tuple[int, ...]) -> Any:
    """Return the ONNX model of a folded network for inputs like ``shape``.

    The batch, and with three channels also height and width, may have any size.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    output = ""
    for node in network.graph.nodes:
        if node.op == "placeholder":
            graph.value_of[node] = "input"
        elif node.op == "output":
            output = graph.value_of[node.args[0]]
        else:
            graph.add(node, network)
    sizes = ["n", shape[1], *(("height", "width") if shape[1] == 3 else shape[2:])]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "encoder",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, sizes)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "features"])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="skxmodal",
    )


class _Graph:
    """The nodes of an ONNX graph, added one layer at a time."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.value_of: dict[Any, str] = {}
        self._pads: dict[str, tuple[int, ...]] = {}

    def add(self, node: Any, network: fx.GraphModule) -> None:
        """Add what a node of the folded network does."""
        inputs = [self.value_of[argument] for argument in node.args]
        if node.op == "call_function" and node.target.__name__ == "add":
            self.value_of[node] = self._node("Add", inputs)
            return
        layer = network.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(layer, nn.ZeroPad2d):
            # ONNX convolutions pad by themselves, on each side by its own width.
            left, right, top, bottom = layer.padding
            self.value_of[node] = inputs[0]
            self._pads[inputs[0]] = (top, left, bottom, right)
            return
        self.value_of[node] = self._layer(layer, inputs[0])

    def _layer(self, layer: Any, x: str) -> str:
        """Add one layer and return the name of its output."""
        if isinstance(layer, nn.Conv2d):
            weights = [self._constant(layer.weight), self._constant(layer.bias)]
            pads = self._pads.pop(x, layer.padding * 2)
            return self._node(
                "Conv", [x, *weights], strides=layer.stride, pads=pads, group=layer.groups
            )
        if isinstance(layer, nn.BatchNorm2d):
            tensors = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
            constants = [self._constant(tensor) for tensor in tensors]
            return self._node("BatchNormalization", [x, *constants], epsilon=layer.eps)
        if isinstance(layer, nn.ReLU):
            return self._node("Relu", [x])
        if isinstance(layer, nn.MaxPool2d):
            kernel, stride, padding = map(pair, (layer.kernel_size, layer.stride, layer.padding))
            return self._node("MaxPool", [x], kernel_shape=kernel, strides=stride, pads=padding * 2)
        if isinstance(layer, GlobalAveragePool):
            return self._node("Flatten", [self._node("GlobalAveragePool", [x])])
        if isinstance(layer, FlattenChannelsLast):
            return self._node("Flatten", [self._node("Transpose", [x], perm=(0, 2, 3, 1))])
        if isinstance(layer, nn.Linear):
            weights = [self._constant(layer.weight), self._constant(layer.bias)]
            return self._node("Gemm", [x, *weights], transB=1)
        raise TypeError(f"no ONNX node is known for {type(layer).__name__}")

    def _node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        output = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, tensor: Any) -> str:
        from onnx import numpy_helper

        name = f"weight_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(tensor.detach().numpy(), name))
        return name
