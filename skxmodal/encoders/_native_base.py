"""What the native encoders share: weights, devices, back ends, and batches of bounded memory."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import fx, nn

from ..utils._memory import keep_freed_memory
from ._backend import resolve_backend
from ._native_files import LayerSpec, WeightFileError, read_keras_h5
from ._native_fused import can_fuse, fuse
from ._native_layers import assign, fold, layer_spec, weighted_layers

_IMPORTED_BY = os.getpid()  # another one later: a fork, which inherits this module
# Runners of the parent process: to destroy one would wait for threads that are not in the child.
_INHERITED: list[Any] = []

Runner = Callable[[torch.Tensor], np.ndarray]


class NativeEncoder(ABC):
    """A pretrained network run by PyTorch, ONNX Runtime or ncnn.

    Parameters
    ----------
    weights : path-like or None, default=None
        A file in the official format; ``None`` fetches (and verifies) the official file.
    device : str or torch.device, default="cpu"
        Where the network runs.
    backend : {"torch", "onnx", "ncnn", "auto"}, default="torch"
        ``"onnx"`` and ``"ncnn"`` need a CPU and the extras of these names, and ncnn runs some
        networks only; ``"auto"`` takes the one that is there and was measured to be the fastest
        for this encoder.
    half : bool, default=False
        Half precision; on a GPU only.
    onnx_dir : path-like or None, default=None
        Where the exported network is kept; ``None``: beside the weights, or in the data home when
        that folder is read-only.

    Notes
    -----
    The network is read when the encoder is made, is left out of pickles, and is read again at
    the first use behind one. A forked process makes its own runner.
    """

    name: str
    modality: str
    n_features: int
    _made_by: int
    _made: Runner
    # Rounds of this many windows: activations that fit the caches are faster than big batches,
    # memory of more than 32 MB comes from the system anew at every call, and that of a round does
    # not grow with the batch.
    round_size: ClassVar[dict[str, int]] = {"torch": 16, "onnx": 16, "ncnn": 32, "cuda": 128}
    # What can run the network on a CPU, the fastest first.
    cpu_backends: ClassVar[tuple[str, ...]] = ("onnx", "torch")
    # With which of them several callers at once outdo one that has all threads.
    concurrent_with: ClassVar[tuple[str, ...]] = ("torch", "ncnn")
    version = "1"

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        *,
        device: str | torch.device = "cpu",
        backend: str = "torch",
        half: bool = False,
        onnx_dir: str | os.PathLike | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.backend = resolve_backend(
            backend, self.device, half=half, cpu_backends=self.cpu_backends, caller=self.name
        )
        if half and self.device.type == "cpu":
            raise ValueError(f"{self.name}: half=True needs a GPU, the device is the CPU")
        self.half = half
        self.weights = Path(weights) if weights is not None else self._fetch(self.weights_key)
        self.onnx_dir = Path(onnx_dir) if onnx_dir is not None else _onnx_dir(self.weights)
        self._reset()
        self.weights_digest = sha256_of(self.weights)
        self._runner()

    @property
    def weights_key(self) -> str:
        """Key of the official file in the table of weights."""
        return self.name

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Every parameter that changes what an input becomes."""
        return {}

    @property
    def fingerprint(self) -> str:
        """Name, version, preprocessing parameters and digest of the weights."""
        identity = {
            "encoder": self.name,
            "version": self.version,
            "preprocessing": self.preprocessing,
            "half": self.half,
            "weights": self.weights_digest,
        }
        return json.dumps(identity, sort_keys=True)

    @property
    def concurrent(self) -> bool:
        """Whether several threads that encode at the same time outdo one."""
        on_cpu = self.device.type == "cpu"
        return on_cpu and self.backend in self.concurrent_with

    @abstractmethod
    def windows(self, media: np.ndarray) -> np.ndarray:
        """Cut or resize one decoded cell into the network's windows."""

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n_windows, n_features)``, the same for any grouping of the windows."""
        windows = np.asarray(windows)
        out = np.empty((len(windows), self.n_features), np.float32)
        step = self.round_size["cuda" if self.device.type != "cpu" else self.backend]
        runner = self._runner()
        with torch.inference_mode():
            for start in range(0, len(windows), step):
                out[start : start + step] = runner(self._inputs(windows[start : start + step]))
        return self._finish(out)

    @abstractmethod
    def network(self) -> nn.Module:
        """Return the bare network, its layers defined in the order of the weight file."""

    @abstractmethod
    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        """Return the network's input ``(n, channels, height, width)`` for some windows."""

    def _finish(self, embeddings: np.ndarray) -> np.ndarray:
        """Last step behind the network."""
        return embeddings

    def _file_layers(self, network: nn.Module) -> list[tuple[str | None, nn.Module]]:
        """List ``(fixed name or None, layer)`` in the order of the weight file."""
        return [(None, layer) for layer in weighted_layers(network)]

    def _ignored_layers(self) -> list[LayerSpec]:
        """Layers that may follow in the weight file."""
        return []

    def _read_weights(self, network: nn.Module) -> None:
        """Read the weight file into the network."""
        layers = self._file_layers(network)
        specs = [layer_spec(name, layer) for name, layer in layers]
        arrays = read_keras_h5(self.weights, specs, ignored=self._ignored_layers())
        for (_, layer), values in zip(layers, arrays, strict=True):
            assign(layer, values)

    def folded_network(self) -> fx.GraphModule:
        """Read the weights and return the network ready for inference, on the CPU."""
        network = self.network()
        self._read_weights(network)
        return fold(network)

    @abstractmethod
    def example_input(self) -> torch.Tensor:
        """Return an input like those the network gets, for its shapes and for checks."""

    def _runner(self) -> Runner:
        """Return what runs the network in this process, made on first use."""
        with self._lock:
            if self._made_by != os.getpid():
                _leave_the_parents_threads()
                if self._made_by != -1:
                    _INHERITED.append(self._made)
                self._made = self._make_runner()
                self._made_by = os.getpid()
            return self._made

    def _make_runner(self) -> Runner:
        if self.backend == "onnx":
            from ._native_onnx import OnnxRunner

            return OnnxRunner(self)
        network = self.folded_network()
        if self.backend == "ncnn":
            from ._native_ncnn import give_chain

            network = give_chain(network, self.example_input())
        elif self.device.type == "cpu":
            keep_freed_memory()
            if can_fuse():
                network = fuse(network, self.example_input(), self.round_size["torch"])
        return TorchRunner(network, self.device, half=self.half)

    def _fetch(self, key: str) -> Path:
        from skxmodal.datasets._remote import fetch_file

        from ._native_weights import WEIGHTS

        return fetch_file(WEIGHTS[key])

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._made_by = -1

    def __getstate__(self) -> dict[str, Any]:
        """Leave the network and the lock out of pickles."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_made", "_made_by")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the parameters; the network is read at the first use."""
        self.__dict__.update(state)
        self._reset()


class TorchRunner:
    """Runs a folded network on a device in channels-last memory."""

    def __init__(self, network: nn.Module, device: torch.device, *, half: bool) -> None:
        self.device = device
        self.dtype = torch.float16 if half else torch.float32
        self.network: Any = network.to(device, self.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, inputs: torch.Tensor) -> np.ndarray:
        """Return float32 embeddings of a batch."""
        inputs = inputs.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        if self.device.type != "cuda":
            return self.network(inputs).float().cpu().numpy()
        # TensorFloat-32 keeps 10 bits of a product: too few for the published tolerance.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return self.network(inputs).float().cpu().numpy()


def _leave_the_parents_threads() -> None:
    """Use one thread in a forked process, as PyTorch's own data workers do.

    The threads of OpenMP do not survive a fork, and a child that waits for them waits for ever.
    """
    if os.getpid() != _IMPORTED_BY:
        torch.set_num_threads(1)


def _onnx_dir(weights: Path) -> Path:
    """Return the folder of the weights, or one of the data home where that is read-only."""
    if os.access(weights.parent, os.W_OK):
        return weights.parent
    from skxmodal.datasets._data_home import get_data_home

    return get_data_home() / "onnx"


def sha256_of(path: Path) -> str:
    """Return the digest of the weights, the part of the fingerprint that names them."""
    if not path.is_file():
        raise WeightFileError(f"there is no weight file {str(path)!r}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
