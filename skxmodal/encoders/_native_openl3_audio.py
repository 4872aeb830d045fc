"""OpenL3's audio network on the spectrogram of one second."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from math import ceil
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from ._native_base import NativeEncoder
from ._native_frontend import Spectrogram, cut_windows
from ._native_openl3 import CONTENT_TYPES, INPUT_REPRESENTATIONS, choice, convolutions

_SECOND = 48_000
_MEL = Spectrogram(
    sample_rate=_SECOND,
    frame=2048,
    n_fft=2048,
    hop=242,
    n_frames=199,
    n_mels=256,
    mel_scale="slaney",
    f_min=0.0,
    f_max=24_000.0,
    log_offset=None,
)
# openl3 0.4 with kapre (its default) and with librosa; openl3 <= 0.3, whose front-end the
# published weights were trained with.
FRONT_ENDS = {
    "kapre": _MEL,
    "librosa": replace(_MEL, pad_left=1024),
    "v03": replace(_MEL, pad_left=982, mel_scale="htk", power=True, root=True),
}
_LINEAR = replace(_MEL, frame=512, n_fft=512, n_frames=197, n_mels=None)
_POOLING = {
    6144: {"linear": (8, 8), "mel128": (4, 8), "mel256": (8, 8)},
    512: {"linear": (32, 24), "mel128": (16, 24), "mel256": (32, 24)},
}


class OpenL3AudioEncoder(NativeEncoder):
    """OpenL3's audio embedding, one row per window of one second.

    Audio is padded with silence at its end so that every sample lies in a window; with the
    default parameters one second is exactly one window.

    Parameters
    ----------
    weights : path-like or None, default=None
        ``openl3_audio_<input_repr>_<content_type>.h5`` or the ``.h5.gz`` that is downloaded.
    input_repr : {"mel256", "mel128", "linear"}, default="mel256"
        The spectrogram the network was trained on.
    content_type : {"music", "env"}, default="music"
        The part of AudioSet it was trained on; the paper used music.
    embedding_size : {6144, 512}, default=6144
        Only the last pooling differs.
    front_end : {"kapre", "librosa", "v03"}, default="kapre"
        ``"kapre"`` and ``"librosa"``: those of openl3 0.4, the first its default. ``"v03"``: that
        of openl3 0.3 and before. They are the same for ``input_repr="linear"``.
    hop_size : float, default=0.5
        Seconds between windows.
    center : bool, default=False
        Put half a second of silence in front. The package's own defaults are ``center=True,
        hop_size=0.1``: six windows for one second, five of them partly silent.
    **runtime : device, backend, half, onnx_dir
        As in the other encoders.

    References
    ----------
    .. [1] J. Cramer et al., "Look, listen, and learn more: design choices for deep audio
       embeddings", ICASSP 2019.
    .. [2] The paper, section 2.1 and table 1.
    """

    modality = "audio"
    sample_rate = _SECOND
    round_size: ClassVar[dict[str, int]] = {"torch": 2, "onnx": 4, "ncnn": 32, "cuda": 32}
    cpu_backends = ("ncnn", "torch", "onnx")

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        *,
        input_repr: str = "mel256",
        content_type: str = "music",
        embedding_size: int = 6144,
        front_end: str = "kapre",
        hop_size: float = 0.5,
        center: bool = False,
        **runtime: Any,
    ) -> None:
        choice(input_repr, INPUT_REPRESENTATIONS, "input_repr")
        choice(content_type, CONTENT_TYPES, "content_type")
        choice(embedding_size, tuple(_POOLING), "embedding_size of audio")
        choice(front_end, tuple(FRONT_ENDS), "front_end")
        self.window_hop = int(hop_size * _SECOND)
        if not 1 <= self.window_hop <= _SECOND:
            raise ValueError(f"openl3: hop_size must be in (0, 1] seconds, not {hop_size!r}")
        self.input_repr, self.content_type = input_repr, content_type
        self.n_features, self.center = embedding_size, center
        if input_repr == "linear":
            self.spectrogram = _LINEAR
        else:
            self.spectrogram = replace(FRONT_ENDS[front_end], n_mels=int(input_repr[3:]))
        suffix = "" if front_end == "kapre" else f"-{front_end}"
        self.name = f"openl3-{input_repr}-{content_type}-{embedding_size}{suffix}"
        super().__init__(weights, **runtime)

    @property
    def weights_key(self) -> str:
        """Key of the official file in the table of weights."""
        return f"openl3-audio-{self.input_repr}-{self.content_type}"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The parameters of the front-end and of the windows."""
        return {**asdict(self.spectrogram), "window_hop": self.window_hop, "center": self.center}

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return ``(n_windows, 48000)`` samples of a mono waveform at 48 kHz."""
        if self.center:
            media = np.pad(media, (_SECOND // 2, 0))
        extra = max(0, len(media) - _SECOND)
        return cut_windows(media, _SECOND, self.window_hop, 1 + ceil(extra / self.window_hop))

    def network(self) -> nn.Module:
        """Return the network from the first normalisation to the flattened embedding."""
        return convolutions(1, _POOLING[self.n_features][self.input_repr], swap_second=False)

    def example_input(self) -> torch.Tensor:
        """Return a batch of random spectrograms in decibels."""
        shape = (2, 1, self.spectrogram.n_bands, self.spectrogram.n_frames)
        return -80 * torch.rand(shape, generator=torch.Generator().manual_seed(0))

    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        decibels = self.spectrogram(windows)
        return torch.from_numpy(decibels).transpose(1, 2).unsqueeze(1)
