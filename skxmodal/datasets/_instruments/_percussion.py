"""Struck metal and skins: cymbals and drums."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._filters import band_pass, high_pass, low_pass, run
from ._notes import Part, strokes
from ._oscillators import N_SAMPLES, SAMPLE_RATE, decaying_modes, white_noise

Array = NDArray[Any]

# The highest cymbal mode that is synthesised, in Hz.
_TOP: Final = 7600.0
# Zeros of Bessel functions over the first one: the modes of an ideal circular membrane
# (Fletcher & Rossing 1998, table 3.1).
_MEMBRANE: Final = np.array(
    [1.0, 1.593, 2.135, 2.295, 2.653, 2.917, 3.155, 3.5, 3.598, 3.652, 4.06, 4.153]
)


def cymbals(rng: np.random.Generator, part: Part) -> Array:
    """Cymbals: hundreds of inharmonic plate modes and the noise of their coupling [1]_.

    Ride, crash and hi-hat differ in decay and in how much of the stick is heard. The energy climbs
    to the high modes in the first tens of milliseconds, the more so the louder the stroke.

    References
    ----------
    .. [1] Rossing, Fletcher (1983). Nonlinear vibrations in plates and gongs. J. Acoust. Soc. Am.
       73(1).
    """
    kind = ("crash", "ride", "hat")[int(rng.choice(3, p=[0.4, 0.3, 0.3]))]
    onsets = strokes(rng, part, 2 if kind == "crash" else 4)
    out = np.zeros(N_SAMPLES)
    for number, onset in enumerate(onsets):
        level = part.loudness if not number else float(np.clip(part.loudness * 0.8, 0.1, 1.0))
        _place(out, onset, _cymbal(rng, part, kind, level, seconds=1.0 - onset), 0.15 + level)
    if part.chance(rng, 0.3):
        # A cymbal is seldom alone: a drum under the stroke.
        _place(out, max(onsets[0], 0.0), _skin(rng, part, 90.0 * float(rng.uniform(0.7, 2))), 0.5)
    return out


def _cymbal(rng: np.random.Generator, part: Part, kind: str, level: float, seconds: float) -> Array:
    """One stroke on one cymbal."""
    n_samples = max(64, min(int(seconds * SAMPLE_RATE), N_SAMPLES + 4000))
    decay = {"crash": 0.7, "ride": 0.9, "hat": 0.09}[kind]
    if kind == "hat" and rng.random() < 0.3:
        decay = 0.35
    decay = part.vary(rng, decay, 0.4)
    count = 70
    low = part.vary(rng, part.frequency, 0.15)
    frequencies = low + (_TOP - low) * np.sort(rng.random(count)) ** 1.3
    rates = (1.0 + frequencies / 5000.0) / decay
    bell = 1.0 if kind != "ride" else 2.2
    amplitudes = rng.exponential(1.0, count) * (frequencies / 3000.0) ** 0.35
    modes = decaying_modes(
        frequencies, rates, bell * amplitudes, rng.uniform(0, 2 * np.pi, count), n_samples
    )
    times = np.arange(n_samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    bright = (2600.0 if kind == "hat" else 1500.0) * (0.7 + 0.8 * level)
    rise = 1.0 - (0.5 * level) * np.exp(-times / np.float32(0.03))
    hiss = run(white_noise(rng, n_samples), [high_pass(part.vary(rng, bright, 0.25), 0.6)])
    hiss *= 6.0 * rise * np.exp(-times / np.float32(0.75 * decay))
    tick = np.exp(-times / np.float32(0.004)) * white_noise(rng, n_samples)
    stroke = modes + hiss + (9.0 if kind == "ride" else 4.0) * tick
    return 0.12 * stroke * np.minimum(times / np.float32(0.0008), 1.0)


def drums(rng: np.random.Generator, part: Part) -> Array:
    """Drums: membrane modes, a falling pitch, and the rattle of the snares [1]_ [2]_.

    Nuisances: several strokes, other drums of the kit, cymbals above.

    References
    ----------
    .. [1] Fletcher, Rossing (1998). The physics of musical instruments, chapter 18. Springer.
    .. [2] Cook (1997). Physically informed sonic modeling (PhISM). Computer Music Journal 21(3).
    """
    kit = ("kick", "snare", "tom")
    kind = kit[int(rng.choice(3, p=[0.3, 0.35, 0.35]))]
    out = np.zeros(N_SAMPLES)
    for number, onset in enumerate(strokes(rng, part, 5)):
        if number and rng.random() < 0.6:
            kind = kit[int(rng.integers(3))]
        level = float(np.clip(part.loudness + 0.1 * number * rng.standard_normal(), 0.1, 1.0))
        _place(out, onset, _drum(rng, part, kind, level), 1.0)
    if part.chance(rng, 0.45):
        quiet = float(rng.uniform(0.1, 0.5))
        for onset in strokes(rng, part, 3):
            _place(out, onset, _cymbal(rng, part, "hat", 0.5, seconds=0.5), quiet)
    return out


def _drum(rng: np.random.Generator, part: Part, kind: str, level: float) -> Array:
    """One stroke on one drum of the kit."""
    f0 = part.frequency
    if kind == "kick":
        return _skin(rng, part, 0.8 * f0, glide=1.6, ring=0.16, click=0.25 + 0.5 * level)
    if kind == "tom":
        return _skin(rng, part, 1.5 * f0, glide=0.25, ring=0.28, click=0.1 + 0.3 * level)
    skin = _skin(rng, part, max(130.0, 1.9 * f0), glide=0.15, ring=0.1, click=0.3)
    noise = white_noise(rng, 9600)
    fade = np.arange(9600, dtype=np.float32) / np.float32(SAMPLE_RATE)
    noise = noise * np.exp(-fade / np.float32(part.vary(rng, 0.075, 0.4)))
    rattle = run(noise, [band_pass(part.vary(rng, 2600.0, 0.3), 0.45), high_pass(500.0)])
    skin[:9600] += (0.45 + 1.1 * level) * rattle
    return skin


def _skin(
    rng: np.random.Generator,
    part: Part,
    frequency: float,
    *,
    glide: float = 0.3,
    ring: float = 0.2,
    click: float = 0.2,
) -> Array:
    """A struck membrane: a gliding fundamental, decaying upper modes and the beater's click."""
    n_samples = N_SAMPLES
    times = np.arange(n_samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    ring = part.vary(rng, ring, 0.45)
    # Tension, and so pitch, is raised while the skin is far from rest.
    settle = np.float32(0.035)
    swing = times - np.float32(glide) * settle * np.expm1(-times / settle)
    phase = np.float32(2.0 * np.pi * frequency) * swing
    out = np.sin(phase) * np.exp(-times / np.float32(ring))
    ratios = _MEMBRANE[1:] * 2.0 ** (0.03 * rng.standard_normal(_MEMBRANE.size - 1))
    rates = (1.0 + 0.55 * ratios) / ring
    amplitudes = 0.5 * rng.random(ratios.size) / ratios**0.8
    phases = np.zeros(ratios.size) - 0.5 * np.pi
    out += decaying_modes(frequency * ratios, rates, amplitudes, phases, n_samples)
    burst = white_noise(rng, 800) * np.exp(-times[:800] / np.float32(0.006))
    out[:800] += click * run(burst, [low_pass(part.vary(rng, 3500.0, 0.4))])
    out *= np.minimum(times / np.float32(0.0015), 1.0)
    return out


def _place(out: Array, onset: float, stroke: Array, gain: float) -> None:
    """Add a stroke that begins at ``onset``; what lies outside the window is cut."""
    start = round(onset * SAMPLE_RATE)
    skip = max(0, -start)
    start = max(0, start)
    piece = stroke[skip : skip + N_SAMPLES - start]
    out[start : start + len(piece)] += gain * piece
