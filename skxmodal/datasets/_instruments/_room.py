"""From the instrument to the recording: room, microphone, background and level."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ._oscillators import N_SAMPLES, SAMPLE_RATE

Array = NDArray[Any]

_SIZE: Final = 22500
_MAX_TAIL: Final = _SIZE - N_SAMPLES
_FREQUENCIES: Final = np.fft.rfftfreq(_SIZE, 1.0 / SAMPLE_RATE)
_OCTAVES: Final = np.log2(np.maximum(_FREQUENCIES, 20.0) / 20.0).astype(np.float32)
_FADE: Final = np.sin(np.linspace(0.0, 0.5 * np.pi, 48)) ** 2


def record(rng: np.random.Generator, dry: Array, loudness: float, difficulty: float) -> Array:
    """Put a dry sound in a room and record it: reverberation, colour, background noise, level.

    Parameters
    ----------
    rng : Generator
    dry : ndarray of shape (16000,)
    loudness, difficulty : float in [0, 1]
        The peak level rises by 20 dB with the loudness; reverberation, coloration, noise and
        the spread of levels grow with the difficulty.

    Returns
    -------
    ndarray of float32, shape (16000,), in [-1, 1]
    """
    signal = dry.astype(np.float32)
    signal /= np.abs(signal).max() + np.float32(1e-12)
    wet = fft.rfft(signal, _SIZE)
    wet *= _room(rng, difficulty)
    wet *= _colour(rng, difficulty)
    energy = _energy(wet)
    noise = _background(rng, difficulty)
    decibels = 54.0 - 32.0 * difficulty + 6.0 * loudness + (2 + 6 * difficulty) * rng.normal()
    noise *= np.sqrt(energy / _energy(noise)) * 10.0 ** (-max(decibels, -2.0) / 20.0)
    sound = fft.irfft(wet + noise, _SIZE)[:N_SAMPLES]
    sound -= sound.mean()
    sound[: _FADE.size] *= _FADE
    sound[-_FADE.size :] *= _FADE[::-1]
    level = -22.0 + 20.0 * loudness + (0.5 + 3.0 * difficulty) * float(rng.normal())
    sound *= 10.0 ** (min(level, -0.5) / 20.0) / (np.abs(sound).max() + 1e-12)
    return np.asarray(sound, dtype=np.float32)


def _energy(spectrum: Array) -> float:
    """Energy of a half spectrum, up to a constant."""
    return float(np.vdot(spectrum, spectrum).real) + 1e-20


def _room(rng: np.random.Generator, difficulty: float) -> Array:
    """Transfer function of a room: the direct sound, then exponentially decaying noise [1]_.

    References
    ----------
    .. [1] Moorer (1979). About this reverberation business. Computer Music Journal 3(2).
    """
    t60 = float(rng.uniform(0.15, 0.3 + 0.4 * difficulty + 0.6 * difficulty**2))
    wet = float(rng.uniform(0.02, 0.08 + 0.2 * difficulty + 0.4 * difficulty**2))
    length = min(_MAX_TAIL, int(t60 * SAMPLE_RATE))
    tail = rng.standard_normal(length, dtype=np.float32)
    tail *= np.exp(np.arange(length, dtype=np.float32) * np.float32(-6.9 / (t60 * SAMPLE_RATE)))
    gap = int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)
    tail[:gap] = 0.0
    response = fft.rfft(tail, _SIZE)
    response *= np.float32(wet / (np.linalg.norm(tail) + 1e-9))
    # Air and walls take the high frequencies of the reverberation.
    response /= 1.0 + np.square(_FREQUENCIES / float(rng.uniform(2500, 6000)), dtype=np.float32)
    response += np.float32(1.0 - 0.5 * wet)
    return response


def _colour(rng: np.random.Generator, difficulty: float) -> Array:
    """Gain of the microphone and its channel: a smooth random equaliser, at times a narrow band."""
    bands = 9
    gains = (0.5 + 0.2 * difficulty + 2.0 * difficulty**2) * rng.standard_normal(bands)
    if rng.random() < 0.35 * difficulty**2:
        edge = float(rng.uniform(5.5, 8.0))
        gains -= 14.0 * np.maximum(np.linspace(0.0, 8.7, bands) - edge, 0.0)
    if rng.random() < 0.3 * difficulty**2:
        edge = float(rng.uniform(2.0, 4.5))
        gains -= 10.0 * np.maximum(edge - np.linspace(0.0, 8.7, bands), 0.0)
    curve = np.interp(_OCTAVES, np.linspace(0.0, 8.7, bands), gains).astype(np.float32)
    return np.exp(curve * np.float32(np.log(10.0) / 20.0))


def _background(rng: np.random.Generator, difficulty: float) -> Array:
    """Spectrum of a background: hiss of a random slope, a hum of the mains, a distant rumble."""
    slope = float(rng.uniform(0.0, 1.1))
    white = rng.standard_normal(2 * _FREQUENCIES.size, dtype=np.float32).view(np.complex64)
    white *= np.exp2(np.float32(-slope) * _OCTAVES)
    white[: int(25 * _SIZE / SAMPLE_RATE)] = 0.0
    if rng.random() < 0.4 * difficulty:
        mains = float(rng.choice([50.0, 60.0])) * _SIZE / SAMPLE_RATE
        lines = np.round(mains * np.arange(1, 8)).astype(int)
        strength = float(rng.uniform(2, 20)) / np.arange(1, 8)
        white[lines] *= strength.astype(np.float32)
    return white
