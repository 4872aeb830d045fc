"""Instruments with keys: accordion, organ, piano and synthesizer."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._filters import band_pass, formant, low_pass, peak, rolloff, run
from ._notes import Part, add, chord, line
from ._oscillators import (
    N_SAMPLES,
    SAMPLE_RATE,
    TOP_FREQUENCY,
    decaying_modes,
    harmonic_tone,
    white_noise,
)

Array = NDArray[Any]


def accordion(rng: np.random.Generator, part: Part) -> Array:
    """Accordion: free reeds, two or three to a note and out of tune on purpose [1]_.

    A free reed chops the air into pulses, hence many harmonics of both parities; the detuned
    ranks (musette) beat; the bellows swell and shake the whole chord.

    References
    ----------
    .. [1] Cottingham (2011). Acoustics of free-reed instruments. Physics Today 64(3).
    """
    musette = part.vary(rng, 11.0, 0.5)
    ranks = [0.0, musette] if rng.random() < 0.6 else [0.0, musette, -musette]
    low_reed = rng.random() < 0.3
    duty = part.vary(rng, 0.36, 0.2)
    cutoff = part.vary(rng, 4600.0, 0.25)
    case = part.vary(rng, 2300.0, 0.15)

    def spectrum(f: Array, b: Array) -> Array:
        order = np.arange(1, f.size + 1)
        pulses = (0.15 + np.abs(np.sin(np.pi * duty * order))) / order**0.75
        return pulses * (0.35 + formant(f, case, 1300.0)) * rolloff(f, cutoff * (0.6 + b), 1.2)

    out = np.zeros(N_SAMPLES)
    shake_rate, shake = float(rng.uniform(4, 7)), 0.25 if part.chance(rng, 0.3) else 0.0
    swell = float(rng.uniform(-0.6, 0.6))
    attack = part.vary(rng, 0.05, 0.5)
    for note in chord(rng, part, (2, 2, 3)):
        times = note.times()
        gate = note.envelope(times, attack, 0.05) * (1.0 + swell * (times - np.float32(0.5)))
        if shake:
            gate = gate * (1.0 + shake * np.sin(np.float32(2 * np.pi * shake_rate) * times))
        tone: Array | float = 0.0
        for cents in [*ranks, -1200.0] if low_reed else ranks:
            # Reeds speak a little flat until the bellows' pressure has built up.
            frequency = note.frequency * 2.0 ** (cents / 1200.0) * (0.997 + 0.003 * gate)
            tone = tone + harmonic_tone(
                frequency, spectrum, part.loudness, levels=1, start_phase=float(rng.random())
            )
        add(out, note, gate * np.asarray(tone), 0.3 + note.level)
    return out


_RANKS: Final = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])


def organ(rng: np.random.Generator, part: Part) -> Array:
    """Organ: several ranks of flue (and reed) pipes to a key, steady as only pipes are [1]_.

    Each stop is a spectrum of its own at 16', 8', 4', 2 2/3', 2' and above. Attacks carry the chiff
    of the pipe's mouth. At times it is a drawbar organ through a rotating loudspeaker instead.

    References
    ----------
    .. [1] Fletcher, Rossing (1998). The physics of musical instruments, chapter 17. Springer.
    """
    electric = rng.random() < 0.08 + 0.35 * part.difficulty
    levels = np.array([0.25, 1.0, 0.7, 0.25, 0.45, 0.2, 0.2]) * 2.0 ** (
        (0.5 + 0.6 * part.difficulty) * rng.standard_normal(7)
    )
    levels *= rng.random(7) < np.array([0.3, 1.0, 0.85, 0.4, 0.6, 0.3, 0.3])
    # Louder is registered with more and brighter stops.
    levels[2:] *= 0.3 + part.loudness
    slope = part.vary(rng, 3.0 if electric else 1.1, 0.3)
    stopped = 0.1 if rng.random() < 0.3 else 1.0
    reed = 0.5 * part.loudness if part.chance(rng, 0.5) else 0.0

    def spectrum(f: Array, b: Array) -> Array:
        # Harmonics are counted from the 16' rank, an octave below the key.
        order = np.arange(1, f.size + 1)
        total = np.zeros(f.size)
        for rank, level in zip(_RANKS, levels, strict=True):
            own = order / (2.0 * rank)
            speaks = own == np.floor(own)
            pipe = np.exp(-slope * (own - 1.0)) * np.where(own % 2 == 0, stopped, 1.0)
            total += np.where(speaks, level * pipe, 0.0)
        whole = order % 2 == 0
        total += np.where(whole, reed * 0.3 * rolloff(f, 2500.0, 1.2), 0.0)
        return total * rolloff(f, 5000.0, 1.0)

    out = np.zeros(N_SAMPLES)
    spin, depth = float(rng.uniform(5.5, 7.0)), 0.3 if electric else 0.0
    chiff = 0.0 if electric else part.vary(rng, 0.12, 0.6)
    attack, release = part.vary(rng, 0.018, 0.5), part.vary(rng, 0.045, 0.4)
    celeste = float(rng.uniform(4, 9)) if part.chance(rng, 0.5) else 0.0
    for note in chord(rng, part, (2, 3, 3, 4)):
        times = note.times()
        gate = note.envelope(times, attack, release)
        half = np.full(len(times), 0.5 * note.frequency)
        if depth:
            turn = np.sin(np.float32(2 * np.pi * spin) * times)
            gate = gate * (1.0 + np.float32(depth) * turn)
            half = half * (1.0 + np.float32(0.004) * turn)
        tone = harmonic_tone(half, spectrum, levels=1, start_phase=float(rng.random()))
        if celeste:
            tone = tone + harmonic_tone(half * 2.0 ** (celeste / 1200.0), spectrum, levels=1)
        if chiff:
            burst = white_noise(rng, min(1600, len(times)))
            burst *= np.exp(-np.arange(len(burst), dtype=np.float32) / np.float32(350.0))
            tone[: len(burst)] += chiff * run(burst, [band_pass(3.0 * note.frequency, 1.0)])
        add(out, note, gate * tone)
    return out


def piano(rng: np.random.Generator, part: Part) -> Array:
    """Piano: stiff strings struck by a felt hammer [1]_ [2]_.

    Partials are stretched by stiffness, combed by the hammer's place and duller the softer the
    blow; each is a pair of detuned modes that gives the two-stage decay; the soundboard knocks.

    References
    ----------
    .. [1] Fletcher, Blackham, Stratton (1962). Quality of piano tones. J. Acoust. Soc. Am. 34(6).
    .. [2] Weinreich (1977). Coupled piano strings. J. Acoust. Soc. Am. 62(6).
    """
    stiffness = part.vary(rng, 1.0, 0.5)
    hardness = part.vary(rng, 1.0, 0.3)
    strike = float(np.clip(part.vary(rng, 0.12, 0.2), 0.06, 0.2))
    sustain = part.vary(rng, 1.0, 0.4) * (0.12 if part.chance(rng, 0.2) else 1.0)
    mistune = 0.4 + 0.6 * float(rng.random()) + (3.0 if part.chance(rng, 0.2) else 0.0)
    notes = line(rng, part, overlap=0.3) if part.chance(rng, 0.3) else chord(rng, part, (2, 3, 4))

    out = np.zeros(N_SAMPLES)
    for note in notes:
        f0 = note.frequency
        b = stiffness * 2.5e-4 * (f0 / 130.0) ** (1.5 if f0 > 130.0 else -0.3)
        count = min(80, max(1, int(TOP_FREQUENCY / f0)))
        order = np.arange(1, count + 1)
        partials = f0 * order * np.sqrt((1.0 + b * order**2) / (1.0 + b))
        cutoff = hardness * (350.0 + 2300.0 * note.level**1.5 + 0.8 * f0)
        strength = (0.1 + np.abs(np.sin(np.pi * strike * order))) * rolloff(partials, cutoff, 1.5)
        # Bass strings are too thin for their own fundamental: the soundboard barely radiates it.
        strength = strength / (1.0 + (70.0 / partials) ** 2)
        rate = (0.7 + 2.2 * (f0 / 440.0) + 0.0011 * partials * (f0 / 220.0) ** 0.3) / sustain
        start, stop = note.span
        # A damped note that began long before the window would be gone.
        late = min(max(0.0, -note.onset), 2.0 / float(rate[0]))
        phases = rng.uniform(0.0, 2.0 * np.pi, 2 * count)
        beat = 2.0 ** (mistune * rng.standard_normal(count) / 1200.0)
        rates = np.concatenate([1.8 * rate, 0.4 * rate])
        tone = decaying_modes(
            np.concatenate([partials, partials * beat]),
            rates,
            np.concatenate([strength, 0.35 * strength]) * np.exp(-late * rates),
            phases,
            stop - start,
        )
        # Random phases start with a step, and a hammer stays on the string for a while.
        ramp = min(len(tone), int(SAMPLE_RATE * (0.004 - 0.0025 * note.level)))
        if not late:
            tone[:ramp] *= np.linspace(0.0, 1.0, ramp, dtype=np.float32)
            knock = white_noise(rng, min(800, len(tone)))
            knock *= np.exp(-np.arange(len(knock), dtype=np.float32) / np.float32(160.0))
            felt = run(knock, [low_pass(500.0 + 900.0 * note.level), peak(180.0, 2.0, 8.0)])
            tone[: len(knock)] += (0.12 + 0.3 * note.level) * felt * math.sqrt(f0 / 1500.0)
        release = note.envelope(note.times(), 1e-4, 0.09)
        add(out, note, tone[: len(release)] * release, 0.2 + note.level)
    return out


def synthesizer(rng: np.random.Generator, part: Part) -> Array:
    """Synthesizer: detuned sawtooth or pulse oscillators into a resonant, swept low-pass [1]_.

    References
    ----------
    .. [1] Moog (1965). Voltage-controlled electronic music modules. J. Audio Eng. Soc. 13(3).
    """
    pulse_width = float(rng.uniform(0.1, 0.5)) if rng.random() < 0.45 else 0.0
    detune = part.vary(rng, 9.0, 0.7)
    voices = int(rng.integers(2, 4))
    sweep = float(rng.uniform(0.35, 1.0)) * (1.0 if rng.random() < 0.75 else -1.0)
    sweep_time = part.vary(rng, 0.22, 0.8)
    resonance = part.vary(rng, 8.0, 0.4)
    floor, top = part.vary(rng, 300.0, 0.4), part.vary(rng, 5000.0, 0.4)
    lfo_rate = float(rng.uniform(1.0, 8.0))
    lfo = 0.25 if rng.random() < 0.25 + 0.3 * part.difficulty else 0.0
    attack = part.vary(rng, 0.4 if part.chance(rng, 0.3) else 0.008, 0.5)
    sustained = rng.random() < 0.7

    def spectrum(f: Array, b: Array) -> Array:
        order = np.arange(1, f.size + 1)
        wave = 1.0 / order
        if pulse_width:
            wave = 1.4 * wave * np.abs(np.sin(np.pi * pulse_width * order))
        # Magnitude of a four-pole low-pass with feedback, at each step of the sweep.
        ratio = f / (floor * (top / floor) ** b)
        return wave * (rolloff(ratio, 1.0, 4.0) + _ring(ratio, resonance))

    notes = line(rng, part) if part.chance(rng, 0.5) else chord(rng, part, (2, 3, 3))
    out = np.zeros(N_SAMPLES)
    for note in notes:
        times = note.times()
        gate = note.envelope(times, attack, 0.05)
        if not sustained:
            gate = gate * np.exp(-times / np.float32(1.2 * sweep_time))
        fall = np.exp(-times / np.float32(sweep_time))
        curve = fall if sweep > 0 else 1.0 - fall
        brightness = 0.15 + 0.3 * note.level + 0.6 * abs(sweep) * curve
        if lfo:
            brightness = brightness + lfo * np.sin(np.float32(2 * np.pi * lfo_rate) * times)
        tone: Array | float = 0.0
        for cents in np.linspace(-detune, detune, voices):
            frequency = np.full(len(times), note.frequency * 2.0 ** (cents / 1200.0))
            phase = float(rng.random())
            tone = tone + harmonic_tone(
                frequency, spectrum, brightness, levels=6, start_phase=phase
            )
        add(out, note, gate * np.asarray(tone), 0.4 + note.level)
    return out


def _ring(ratio: Array, resonance: float) -> Array:
    """The resonant peak at the filter's cut-off; ``ratio`` is frequency over cut-off."""
    return 0.5 * resonance / (1.0 + (resonance * 2.0 * (ratio - 1.0)) ** 2)
