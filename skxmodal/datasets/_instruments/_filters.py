"""Second-order filters, and the soft spectral shapes that harmonic spectra are made of."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

Array = NDArray[Any]
Section = list[float]

_RATE: Final = 16000.0


def band_pass(frequency: float, q: float) -> Section:
    """Band-pass of unit peak gain (R. Bristow-Johnson's audio equaliser cookbook)."""
    angle, alpha = _angle(frequency, q)
    return _section(alpha, 0.0, -alpha, 1.0 + alpha, -2.0 * math.cos(angle), 1.0 - alpha)


def low_pass(frequency: float, q: float = 0.707) -> Section:
    """Second-order low-pass (same source)."""
    angle, alpha = _angle(frequency, q)
    c = math.cos(angle)
    return _section((1 - c) / 2, 1 - c, (1 - c) / 2, 1 + alpha, -2 * c, 1 - alpha)


def high_pass(frequency: float, q: float = 0.707) -> Section:
    """Second-order high-pass (same source)."""
    angle, alpha = _angle(frequency, q)
    c = math.cos(angle)
    return _section((1 + c) / 2, -1 - c, (1 + c) / 2, 1 + alpha, -2 * c, 1 - alpha)


def peak(frequency: float, q: float, gain_db: float) -> Section:
    """Resonance (or notch) of ``gain_db`` in an otherwise flat response (same source)."""
    angle, alpha = _angle(frequency, q)
    c, a = math.cos(angle), 10.0 ** (gain_db / 40.0)
    return _section(1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c, 1 - alpha / a)


def run(signal: Array, sections: list[Section]) -> Array:
    """Filter ``signal`` by the sections, one after the other."""
    return np.asarray(sosfilt(np.array(sections), signal))


def _angle(frequency: float, q: float) -> tuple[float, float]:
    """Angle and bandwidth term; frequencies are kept clear of zero and Nyquist."""
    angle = 2.0 * math.pi * min(max(frequency, 15.0), 0.47 * _RATE) / _RATE
    return angle, math.sin(angle) / (2.0 * q)


def _section(b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> Section:
    """A row of second-order sections in scipy's order, normalised."""
    return [b0 / a0, b1 / a0, b2 / a0, 1.0, a1 / a0, a2 / a0]


def rolloff(frequency: Array, cutoff: Array | float, order: float) -> Array:
    """Amplitude that is flat to ``cutoff`` and falls by ``6 * order`` dB per octave above it."""
    return 1.0 / (1.0 + (frequency / cutoff) ** (2.0 * order)) ** 0.5


def formant(frequency: Array, centre: float, bandwidth: float) -> Array:
    """Amplitude of a resonance, 1 at its centre."""
    return 1.0 / (1.0 + ((frequency - centre) / (0.5 * bandwidth)) ** 2) ** 0.5
