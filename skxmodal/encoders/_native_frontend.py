"""Batched spectrogram front-ends of numpy arrays: raw-sample windows in, log-mel out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch

from ..utils._threads import one_numpy_thread

_BANDS_OF_A_GROUP = 16
# At most so many windows, and so many bytes of frames, are transformed at once.
_MOST_WINDOWS, _MOST_BYTES = 4, 2 * 2**20
MelScale = Literal["tf-htk", "htk", "slaney"]


@dataclass(frozen=True)
class Spectrogram:
    """How a window of samples becomes ``n_frames`` log-spectra.

    Attributes
    ----------
    sample_rate, frame, n_fft, hop, n_frames : int
        Hz; samples in a frame; samples after zero padding on the right; samples between
        frames; frames in a window.
    pad_left : int, default=0
        Zeros in front of the window (zeros behind it fill up the last frame).
    n_mels : int or None
        Mel bands; ``None`` keeps the linear frequencies.
    mel_scale : {"tf-htk", "htk", "slaney"}
        ``"tf-htk"``: triangles linear in mel, no area norm, no weight at 0 Hz (TensorFlow);
        ``"htk"`` and ``"slaney"``: triangles linear in Hz with Slaney's area norm (librosa).
    power : bool, default=False
        Apply the mel matrix to the power spectrum.
    root : bool, default=False
        Take the square root behind the mel matrix.
    log_offset : float or None
        ``log(mel + log_offset)``; ``None``: decibels below the maximum of the window.
    periodic_window : bool, default=True
        Periodic (not symmetric) Hann window.
    double : bool, default=False
        Compute the spectra in float64.
    """

    sample_rate: int
    frame: int
    n_fft: int
    hop: int
    n_frames: int
    pad_left: int = 0
    n_mels: int | None = 64
    mel_scale: MelScale = "tf-htk"
    f_min: float = 125.0
    f_max: float = 7500.0
    power: bool = False
    root: bool = False
    log_offset: float | None = 0.001
    periodic_window: bool = True
    double: bool = False

    @property
    def n_samples(self) -> int:
        """Samples that the frames of a window cover, padding included."""
        return (self.n_frames - 1) * self.hop + self.frame

    @property
    def n_bands(self) -> int:
        """Rows of the spectrogram."""
        return self.n_fft // 2 + 1 if self.n_mels is None else self.n_mels

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n_windows, n_frames, n_bands)`` of ``(n_windows, n_samples)``.

        A few windows are transformed at a time: their frames stay in the caches, and PyTorch's
        threads, which share the transforms, meet less often. NumPy's own threads, beside those of
        PyTorch, made a window of OpenL3 take fourteen times as long.
        """
        out = np.empty((len(windows), self.n_frames, self.n_bands), np.float32)
        dtype = torch.float64 if self.double else torch.float32
        n_bytes = self.n_frames * self.n_fft * dtype.itemsize
        few = max(1, min(_MOST_WINDOWS, _MOST_BYTES // n_bytes, len(windows)))
        # Zeros around the samples, and behind each frame, put there once.
        padded = torch.zeros((few, self.n_samples), dtype=dtype)
        cut = padded.unfold(1, self.frame, self.hop)
        samples = padded.numpy()[:, self.pad_left :][:, : windows.shape[1]]
        # Rows that are a power of two apart would share the same few places of the first cache;
        # long frames were measured to lose by the gap.
        gap = 8 if self.frame < self.n_fft else 0
        rows = torch.zeros((few * self.n_frames, self.n_fft + gap), dtype=dtype)[:, : self.n_fft]
        frames = rows.unflatten(0, (few, self.n_frames))
        hann = _hann(self)
        with one_numpy_thread():
            for start in range(0, len(windows), few):
                some = windows[start : start + few, : samples.shape[1]]
                n = len(some)
                samples[:n] = some
                torch.mul(cut[:n], hann, out=frames[:n, :, : self.frame])
                spectra = torch.fft.rfft(rows[: n * self.n_frames])
                self._log_spectra(spectra.numpy(), out[start : start + few])
        return out

    def _log_spectra(self, spectra: np.ndarray, out: np.ndarray) -> None:
        """Write the log-spectra of some windows, whose frames follow each other, to ``out``."""
        bands = _bands(self)
        # A magnitude is cut to float32 in the end: its root need not be taken in float64.
        values = spectra.astype(np.complex64, copy=False)
        if self.power:
            spectrum = np.square(values.real) + np.square(values.imag)
        else:
            spectrum = np.abs(values)
        rows = out.reshape(-1, self.n_bands)
        if bands:
            # A band is made of few neighbouring bins: a product per group of bands does a
            # fraction of the work of the whole matrix, nearly all zeros.
            for first, last, place, weights in bands:
                np.matmul(spectrum[:, first:last], weights, out=rows[:, place])
        else:
            rows[...] = spectrum
        if self.root:
            np.sqrt(out, out=out)
        if self.log_offset is not None:
            out += np.float32(self.log_offset)
            np.log(out, out=out)
            return
        np.maximum(out, np.float32(1e-10), out=out)
        np.log10(out, out=out)
        out *= 10
        out -= out.max(axis=(1, 2), keepdims=True)
        np.maximum(out, np.float32(-80), out=out)


@cache
def _hann(spec: Spectrogram) -> torch.Tensor:
    n = spec.frame if spec.periodic_window else spec.frame - 1
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.frame) / n)
    return torch.from_numpy(hann.astype(np.float64 if spec.double else np.float32))


@cache
def _bands(spec: Spectrogram) -> list[tuple[int, int, slice, np.ndarray]]:
    """Return the mel matrix as ``(first bin, last bin, bands, weights)``."""
    groups = []
    if spec.n_mels is not None:
        matrix = mel_matrix(spec)
        for start in range(0, spec.n_mels, _BANDS_OF_A_GROUP):
            place = slice(start, min(start + _BANDS_OF_A_GROUP, spec.n_mels))
            used = np.flatnonzero(matrix[:, place].any(axis=1))
            first, last = int(used[0]), int(used[-1]) + 1
            groups.append((first, last, place, np.ascontiguousarray(matrix[first:last, place])))
    return groups


@cache
def mel_matrix(spec: Spectrogram) -> np.ndarray:
    """Return the ``(n_fft // 2 + 1, n_mels)`` weights of a front-end's mel bands."""
    to_mel, to_hz = _SLANEY if spec.mel_scale == "slaney" else _HTK
    hertz = np.arange(spec.n_fft // 2 + 1) * (spec.sample_rate / spec.n_fft)
    edges = np.linspace(to_mel(spec.f_min), to_mel(spec.f_max), spec.n_bands + 2)
    if spec.mel_scale == "tf-htk":
        weights = _triangles(to_mel(hertz), edges)
        weights[0] = 0
    else:
        edges = to_hz(edges)
        weights = _triangles(hertz, edges) * (2 / (edges[2:] - edges[:-2]))
    return np.ascontiguousarray(weights, dtype=np.float32)


def _triangles(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return triangles over neighbouring triples of edges, one column each."""
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (points[:, None] - lower) / (centre - lower)
    falling = (upper - points[:, None]) / (upper - centre)
    return np.maximum(0, np.minimum(rising, falling))


def _slaney_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Hz to mel: linear below 1 kHz, logarithmic above."""
    above = 15 + np.log(np.maximum(hertz, 1000) / 1000) / (np.log(6.4) / 27)
    return np.where(hertz < 1000, hertz * 3 / 200, above)


def _slaney_hertz(mel: np.ndarray) -> np.ndarray:
    """Mel to Hz, the inverse of :func:`_slaney_mel`."""
    above = 1000 * np.exp((np.maximum(mel, 15) - 15) * (np.log(6.4) / 27))
    return np.where(mel < 15, mel * 200 / 3, above)


_SLANEY = _slaney_mel, _slaney_hertz
_HTK = (
    lambda hertz: 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0),
    lambda mel: 700.0 * np.expm1(mel / 1127.0),
)


def cut_windows(audio: np.ndarray, size: int, hop: int, n_windows: int) -> np.ndarray:
    """Return ``(n_windows, size)`` windows, zeros behind the last sample where needed."""
    needed = size + (n_windows - 1) * hop
    if len(audio) < needed:
        padded = np.zeros(needed, audio.dtype)
        padded[: len(audio)] = audio
        audio = padded
    # Views of every window, as sliding_window_view makes in ten times the time.
    audio = np.ascontiguousarray(audio)
    step = audio.itemsize
    windows = np.ndarray((n_windows, size), audio.dtype, audio, strides=(hop * step, step))
    windows.flags.writeable = False
    return windows
