"""The generators every instrument is built from: wavetables, modes, string loops and noise.

All of them are vectorised over the samples and band-limited below the Nyquist frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...utils._threads import one_numpy_thread

Array = NDArray[Any]
#: ``spectrum(frequencies, brightness)``: amplitudes of harmonics at the given frequencies (Hz),
#: ``brightness`` a column of levels in [0, 1]; the result is (n_levels, n_harmonics).
Spectrum = Callable[[Array, Array], Array]

SAMPLE_RATE: Final = 16000
N_SAMPLES: Final = 16000
#: The highest frequency that is synthesised: Nyquist less a margin for vibrato.
TOP_FREQUENCY: Final = 7800.0

_TABLE_SIZE: Final = 2048
_MAX_HARMONICS: Final = 250
_BLOCK: Final = 128
# The wrapped-around tail of a string loop is weaker by this factor than the string itself.
_WRAP: Final = 1e-5
_LOOP_SIZE: Final = 20000


def powers(log_ratio: complex | Array, count: int) -> Array:
    """Return ``exp(log_ratio * n)`` for n = 0 .. count - 1 with about 2 sqrt(count) exponentials.

    The index is split into a row and a column of a table, so that the sequence is an outer product.
    """
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    coarse = np.exp(log_ratio * (columns * np.arange(rows)))
    fine = np.exp(log_ratio * np.arange(columns))
    return np.multiply.outer(coarse, fine).reshape(-1)[:count]


def harmonic_tone(
    frequency: Array,
    spectrum: Spectrum,
    brightness: Array | float = 0.5,
    *,
    levels: int = 4,
    start_phase: float = 0.0,
) -> Array:
    """Additive synthesis of a harmonic tone by wavetables [1]_.

    One period is summed by an inverse FFT for each of ``levels`` steps of brightness; the tables
    are then read at the instantaneous phase and cross-faded along the brightness curve.

    Parameters
    ----------
    frequency : ndarray of shape (n,)
        Instantaneous fundamental in Hz.
    spectrum : callable
        Amplitudes of the harmonics, see :data:`Spectrum`.
    brightness : ndarray of shape (n,) or float
        Position between the dullest (0) and the brightest (1) spectrum.
    levels : int
        Number of tables; with one table a curve has no effect.
    start_phase : float
        Phase at the first sample, in periods.

    References
    ----------
    .. [1] Horner, Beauchamp, Haken (1993). Methods for multiple wavetable synthesis of musical
       instrument tones. J. Audio Eng. Soc. 41(5).
    """
    count = max(1, min(_MAX_HARMONICS, int(TOP_FREQUENCY / float(frequency.max()))))
    centre = float(frequency.mean())
    steps = np.linspace(0.0, 1.0, levels) if levels > 1 else np.array([np.mean(brightness)])
    partials = np.zeros((levels, _TABLE_SIZE // 2 + 1), dtype=np.complex64)
    amplitudes = spectrum(centre * np.arange(1, count + 1), steps[:, None])
    partials[:, 1 : count + 1] = amplitudes * (-0.5j * _TABLE_SIZE)
    tables = np.fft.irfft(partials, axis=1)
    table = np.concatenate([tables, tables[:, :1]], axis=1).astype(np.float32).reshape(-1)

    position = np.cumsum(frequency, dtype=np.float64)
    position *= _TABLE_SIZE / SAMPLE_RATE
    position += start_phase * _TABLE_SIZE
    index = position.astype(np.int64)
    fraction = (position - index).astype(np.float32)
    index &= _TABLE_SIZE - 1
    if levels == 1:
        return _read(table, index, fraction)
    level = np.clip(np.asarray(brightness, dtype=np.float32), 0.0, 0.9999) * (levels - 1)
    lower = level.astype(np.int64)
    index = index + lower * (_TABLE_SIZE + 1)
    dull = _read(table, index, fraction)
    bright = _read(table, index + (_TABLE_SIZE + 1), fraction)
    return dull + (level - lower).astype(np.float32) * (bright - dull)


def _read(tables: Array, index: Array, fraction: Array) -> Array:
    """Read flat wavetables at ``index + fraction`` with linear interpolation."""
    left = tables.take(index)
    return left + fraction * (tables.take(index + 1) - left)


def decaying_modes(
    frequencies: Array, decay_rates: Array, amplitudes: Array, phases: Array, n_samples: int
) -> Array:
    """Modal synthesis: the sum of exponentially decaying sinusoids [1]_.

    The time axis is split into blocks, which turns the whole bank into one matrix product.

    Parameters
    ----------
    frequencies, decay_rates, amplitudes, phases : ndarray of shape (n_modes,)
        In Hz, 1/s, linear and radians; modes above the Nyquist margin are dropped.
    n_samples : int
        Length of the result.

    References
    ----------
    .. [1] Adrien (1991). The missing link: modal synthesis. In: Representations of Musical
       Signals, MIT Press.
    """
    keep = frequencies < TOP_FREQUENCY
    exponents = (-decay_rates[keep] + 2j * np.pi * frequencies[keep]) / SAMPLE_RATE
    blocks = -(-n_samples // _BLOCK)
    start = amplitudes[keep] * np.exp(1j * phases[keep])
    coarse = np.exp(np.multiply.outer(_BLOCK * np.arange(blocks), exponents)) * start
    fine = np.exp(np.multiply.outer(exponents, np.arange(_BLOCK)))
    left = np.concatenate([coarse.real, -coarse.imag], axis=1).astype(np.float32)
    right = np.concatenate([fine.real, fine.imag], axis=0).astype(np.float32)
    # Some kernels add up in another order with two threads than with one.
    with one_numpy_thread():
        return (left @ right).reshape(-1)[:n_samples]


# The points of the z plane where string loops are evaluated: a circle a little outside the unit
# circle, so that a finite FFT holds strings that ring on for longer than the FFT lasts.
_LOG_RADIUS: Final = -math.log(_WRAP) / _LOOP_SIZE
_Z_STEP: Final = 2j * np.pi / _LOOP_SIZE
_Z_COUNT: Final = _LOOP_SIZE // 2 + 1
_Z_INVERSE: Final = np.exp(-_LOG_RADIUS - _Z_STEP * np.arange(_Z_COUNT))
_GROWTH: Final = np.exp(_LOG_RADIUS * np.arange(_LOOP_SIZE))
#: Seconds that a plucked note may begin before the window.
LOOP_LEAD: Final = (_LOOP_SIZE - N_SAMPLES) / SAMPLE_RATE


def delay(samples: int) -> Array:
    """The z transform of a whole number of samples' delay, on the circle of :func:`string_loop`."""
    return powers(-_Z_STEP * samples, _Z_COUNT) * math.exp(-_LOG_RADIUS * samples)


def string_loop(
    frequency: float,
    *,
    t60: float,
    damping: float,
    pluck_position: float,
    softness: float,
    burst: Array,
    onset: float = 0.0,
) -> Array:
    """Extended Karplus-Strong string, as the exact z transform of the whole loop [1]_ [2]_.

    A burst of one period goes through a pick-dynamics low-pass and the comb of the pluck position
    into a loop of delay, two-point average and gain. Solving the loop in the z domain gives
    the same string as running it sample by sample, tuned by the all-pass of [2]_.

    Parameters
    ----------
    frequency : float
        In Hz.
    t60 : float
        Decay time of the fundamental in seconds.
    damping : float
        Weight in [0, 0.5] of the delayed tap of the loop's two-point average: how much faster high
        harmonics die.
    pluck_position : float
        Fraction of the string between bridge and pluck.
    softness : float
        Pole in [0, 1) of the one-pole low-pass on the burst: 0 is a hard pick.
    burst : ndarray
        The excitation, up to one period long.
    onset : float
        In seconds from the window's start; at least ``-LOOP_LEAD``.

    Returns
    -------
    ndarray
        Spectrum on the circle; sum several strings and pass them to :func:`from_loop`.

    References
    ----------
    .. [1] Karplus, Strong (1983). Digital synthesis of plucked-string and drum timbres. Computer
       Music Journal 7(2).
    .. [2] Jaffe, Smith (1983). Extensions of the Karplus-Strong plucked-string algorithm. Computer
       Music Journal 7(2).
    """
    period = SAMPLE_RATE / frequency
    gain = 10.0 ** (-3.0 / (frequency * t60))
    weighted = burst * np.exp(-_LOG_RADIUS * np.arange(len(burst)))
    excitation = np.fft.rfft(weighted, _LOOP_SIZE)
    excitation *= 1.0 - delay(max(1, round(pluck_position * period)))
    excitation *= delay(round((onset + LOOP_LEAD) * SAMPLE_RATE))
    excitation *= (1.0 - softness) / (1.0 - softness * _Z_INVERSE)
    # The loop must last one period: whole samples, the average's own delay, and an all-pass for
    # the fraction that is left. Ideal fractional delays would ring before the onset instead.
    angle = 2.0 * math.pi / period
    average = math.atan2(damping * math.sin(angle), 1.0 - damping + damping * math.cos(angle))
    rest = period - average / angle
    whole = math.floor(rest - 0.3)
    part = rest - whole
    tuning = math.sin(0.5 * (1.0 - part) * angle) / math.sin(0.5 * (1.0 + part) * angle)
    all_pass = (tuning + _Z_INVERSE) / (1.0 + tuning * _Z_INVERSE)
    loop = gain * (1.0 - damping + damping * _Z_INVERSE) * all_pass * delay(whole)
    return excitation / (1.0 - loop)


def from_loop(spectrum: Array) -> Array:
    """The samples of the window from a (sum of) :func:`string_loop` spectra."""
    signal = np.fft.irfft(spectrum, _LOOP_SIZE) * _GROWTH
    return signal[_LOOP_SIZE - N_SAMPLES :]


def white_noise(rng: np.random.Generator, n_samples: int) -> Array:
    """Gaussian noise of unit variance, float32."""
    return rng.standard_normal(n_samples, dtype=np.float32)
