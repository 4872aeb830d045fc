"""VGGish: a VGG network on log-mel examples of 0.96 s."""

from __future__ import annotations

import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from ._native_base import NativeEncoder, sha256_of
from ._native_checkpoint import TABLE_MAGIC, read_tf_checkpoint
from ._native_files import WeightFileError, read_npz, read_torch
from ._native_frontend import Spectrogram, cut_windows
from ._native_layers import FlattenChannelsLast, assign, layer_spec, weighted_layers

# Variable of the TensorFlow checkpoint, module of the torch-hub port; in order.
_LAYERS = (
    ("vggish/conv1", "features.0"),
    ("vggish/conv2", "features.3"),
    ("vggish/conv3/conv3_1", "features.6"),
    ("vggish/conv3/conv3_2", "features.8"),
    ("vggish/conv4/conv4_1", "features.11"),
    ("vggish/conv4/conv4_2", "features.13"),
    ("vggish/fc1/fc1_1", "embeddings.0"),
    ("vggish/fc1/fc1_2", "embeddings.2"),
    ("vggish/fc2", "embeddings.4"),
)
_CLIP = 2.0  # the released AudioSet features are quantised over [-2, 2]
POSTPROCESSES = (None, "pca", "quantised")


class VGGishEncoder(NativeEncoder):
    """VGGish's 128-dimensional embedding, one row per example of 0.96 s.

    Examples do not overlap and an incomplete last one is dropped, as in the official code, which
    returns nothing for audio below 0.975 s; here it is padded with silence to one example.

    Parameters
    ----------
    weights : path-like or None, default=None
        ``vggish_model.ckpt`` (TensorFlow V1 checkpoint), the torch-hub port's
        ``vggish-10086976.pth``, or an ``.npz`` keyed by the checkpoint's variable names.
    postprocess : {None, "pca", "quantised"}, default=None
        ``None``: the network's output before any activation. ``"pca"``: whitened with the
        published PCA. ``"quantised"``: that, clipped to [-2, 2] and cut to the 256 levels of the
        released AudioSet features.
    pca_weights : path-like or None, default=None
        A local ``vggish_pca_params.npz``; ``None`` fetches it when it is needed.
    **runtime : device, backend, half, onnx_dir
        As in the other encoders.

    References
    ----------
    .. [1] S. Hershey et al., "CNN architectures for large-scale audio classification", ICASSP
       2017.
    .. [2] The paper, section 2.1 and table 1.
    """

    name = "vggish"
    modality = "audio"
    n_features = 128
    sample_rate = 16_000
    round_size: ClassVar[dict[str, int]] = {"torch": 32, "onnx": 16, "cuda": 128}
    cpu_backends = ("torch", "onnx")
    window_size, window_hop = 15_600, 15_360
    # The official front-end computes in float64.
    spectrogram = Spectrogram(
        sample_rate=16_000,
        frame=400,
        n_fft=512,
        hop=160,
        n_frames=96,
        log_offset=0.01,
        double=True,
    )

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        *,
        postprocess: str | None = None,
        pca_weights: str | os.PathLike | None = None,
        **runtime: Any,
    ) -> None:
        if postprocess not in POSTPROCESSES:
            raise ValueError(
                f'vggish: postprocess must be None, "pca" or "quantised", not {postprocess!r}'
            )
        self.postprocess = postprocess
        if postprocess is not None:
            self.name = f"vggish-{postprocess}"
        self._pca: dict[str, np.ndarray] | None = None
        self._pca_digest = None
        if postprocess is not None:
            path = Path(pca_weights) if pca_weights is not None else self._fetch("vggish-pca")
            self._pca = read_npz(path, {"pca_eigen_vectors": (128, 128), "pca_means": (128,)})
            self._pca_digest = sha256_of(path)
        super().__init__(weights, **runtime)

    @property
    def weights_key(self) -> str:
        """Key of the official file in the table of weights."""
        return "vggish"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The parameters of the front-end and of the post-processing."""
        own = {"window_hop": self.window_hop, "postprocess": self.postprocess}
        return {**asdict(self.spectrogram), **own, "pca": self._pca_digest}

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return ``(n_examples, 15600)`` samples of a mono waveform at 16 kHz."""
        extra = max(0, len(media) - self.window_size)
        return cut_windows(media, self.window_size, self.window_hop, 1 + extra // self.window_hop)

    def network(self) -> nn.Module:
        """Return the network up to the 128 outputs, which have no activation."""
        layers: list[nn.Module] = []
        n_in = 1
        for block in ((64,), (128,), (256, 256), (512, 512)):
            for n_out in block:
                layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
                n_in = n_out
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(
            *layers,
            FlattenChannelsLast(),
            nn.Linear(6 * 4 * 512, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 128),
        )

    def example_input(self) -> torch.Tensor:
        """Return a batch of random examples."""
        return torch.randn(3, 1, 96, 64, generator=torch.Generator().manual_seed(0))

    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        examples = self.spectrogram(windows)
        return torch.from_numpy(examples).unsqueeze(1)

    def _finish(self, embeddings: np.ndarray) -> np.ndarray:
        if self.postprocess is None or self._pca is None:
            return embeddings
        whitened = (embeddings - self._pca["pca_means"]) @ self._pca["pca_eigen_vectors"].T
        if self.postprocess == "pca":
            return whitened
        levels = (np.clip(whitened, -_CLIP, _CLIP) + _CLIP) * (255 / (2 * _CLIP))
        return np.trunc(levels)

    def _read_weights(self, network: nn.Module) -> None:
        layers: list[Any] = weighted_layers(network)
        kind = _kind_of(self.weights)
        if kind == "torch":
            shapes = {}
            for layer, (_, module) in zip(layers, _LAYERS, strict=True):
                shapes[f"{module}.weight"] = tuple(layer.weight.shape)
                shapes[f"{module}.bias"] = tuple(layer.bias.shape)
            state = read_torch(self.weights, shapes)
            for layer, (_, module) in zip(layers, _LAYERS, strict=True):
                layer.load_state_dict(
                    {p: torch.from_numpy(state[f"{module}.{p}"]) for p in ("weight", "bias")}
                )
            return
        names = {"kernel": "weights", "bias": "biases"}
        shapes = {
            f"{variable}/{names[role]}": shape
            for layer, (variable, _) in zip(layers, _LAYERS, strict=True)
            for role, shape in layer_spec(None, layer).roles
        }
        read = read_npz if kind == "npz" else read_tf_checkpoint
        arrays = read(self.weights, shapes)
        for layer, (variable, _) in zip(layers, _LAYERS, strict=True):
            assign(layer, {r: arrays.pop(f"{variable}/{n}") for r, n in names.items()})


def _kind_of(path: Path) -> str:
    """Tell which of the three formats a weight file has, by its bytes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "npz" if any(n.endswith(".npy") for n in archive.namelist()) else "torch"
    with path.open("rb") as file:
        if file.read(1) == b"\x80":
            return "torch"
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - len(TABLE_MAGIC)))
        if file.read() == TABLE_MAGIC:
            return "checkpoint"
    raise WeightFileError(
        f"{path.name} is neither a TensorFlow V1 checkpoint nor a torch or .npz file: it is cut "
        "short or not a VGGish weight file"
    )
