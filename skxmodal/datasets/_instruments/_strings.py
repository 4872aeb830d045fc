"""Strings plucked (guitar, banjo, mandolin, ukulele) and bowed (violin, cello)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._filters import band_pass, high_pass, low_pass, peak, rolloff, run
from ._notes import Note, Part, add, chord, line
from ._oscillators import (
    LOOP_LEAD,
    N_SAMPLES,
    SAMPLE_RATE,
    from_loop,
    harmonic_tone,
    string_loop,
    white_noise,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Plucked:
    """The build of a plucked instrument; every rendering varies it.

    ``t60`` is the decay at 220 Hz in seconds and shortens by ``decay_slope`` octaves per octave of
    pitch; ``damping`` the loop's high-frequency loss; ``softness`` the pole of the plectrum's (0)
    or fingertip's (1) low-pass; ``pluck`` the plucking position; ``noise`` how much of the burst is
    noise rather than an impulse; ``body`` resonances (Hz, Q, dB); ``courses`` strings per note.
    """

    t60: float
    decay_slope: float
    damping: float
    softness: float
    pluck: float
    noise: float
    body: tuple[tuple[float, float, float], ...]
    low_cut: float
    high_cut: float
    courses: int = 1
    strings: tuple[int, ...] = (2, 3, 4)


GUITAR: Final = Plucked(
    t60=3.2,
    decay_slope=0.6,
    damping=0.16,
    softness=0.45,
    pluck=0.2,
    noise=0.25,
    body=((104, 7, 9), (205, 6, 8), (410, 5, 4), (2600, 1.5, 2)),
    low_cut=75,
    high_cut=6500,
)
UKULELE: Final = Plucked(
    t60=1.0,
    decay_slope=0.7,
    damping=0.3,
    softness=0.68,
    pluck=0.3,
    noise=0.15,
    body=((245, 6, 9), (430, 5, 9), (850, 4, 4)),
    low_cut=190,
    high_cut=5000,
    strings=(2, 3, 4),
)
MANDOLIN: Final = Plucked(
    t60=2.3,
    decay_slope=0.8,
    damping=0.07,
    softness=0.18,
    pluck=0.11,
    noise=0.3,
    body=((210, 6, 6), (420, 5, 7), (1150, 3, 4), (3000, 1.5, 5)),
    low_cut=180,
    high_cut=7000,
    courses=2,
    strings=(2, 3),
)
BANJO: Final = Plucked(
    t60=0.42,
    decay_slope=0.5,
    damping=0.1,
    softness=0.12,
    pluck=0.09,
    noise=0.55,
    body=((310, 2.5, 8), (640, 2.5, 10), (1050, 2.2, 8), (1900, 1.8, 5)),
    low_cut=230,
    high_cut=6200,
    strings=(2, 3, 4),
)


def pluck(rng: np.random.Generator, part: Part, build: Plucked) -> Array:
    """A plucked instrument: Karplus-Strong strings on a resonant body.

    Nuisances: strums, picked figures and tremolo, damped notes, detuned strings, other fingers,
    picks and bodies.
    """
    tremolo = build.courses == 2 and part.chance(rng, 0.7)
    if tremolo:
        notes = _tremolo(rng, part)
    elif part.chance(rng, 0.45):
        notes = line(rng, part)
    else:
        notes = chord(rng, part, build.strings, spread=float(rng.uniform(0.004, 0.05)))
    shorten = part.vary(rng, 1.0, 0.45)
    if part.chance(rng, 0.25):
        shorten *= 0.2
    softness = float(np.clip(part.vary(rng, build.softness, 0.35), 0.02, 0.93))
    damping = float(np.clip(part.vary(rng, build.damping, 0.45), 0.01, 0.5))
    position = float(np.clip(part.vary(rng, build.pluck, 0.5), 0.04, 0.5))
    noise = part.vary(rng, build.noise, 0.5)
    detune = 1.0 + 4.0 * part.difficulty

    total: Array | float = 0.0
    for note in notes:
        # Loud notes are plucked harder: the burst's low-pass opens (Jaffe & Smith's dynamics).
        pole = softness ** (0.45 + 1.1 * note.level)
        t60 = shorten * build.t60 * (220.0 / note.frequency) ** build.decay_slope
        for _ in range(build.courses):
            frequency = note.frequency * 2.0 ** (detune * float(rng.standard_normal()) / 1200.0)
            period = max(4, int(SAMPLE_RATE / frequency))
            burst = noise * white_noise(rng, period) / math.sqrt(period)
            burst[0] += 1.0
            total = total + (0.3 + 0.7 * note.level) * string_loop(
                frequency,
                t60=max(t60, 0.03),
                damping=damping,
                pluck_position=position,
                softness=pole,
                burst=burst,
                # A short note that began long before the window would be gone.
                onset=max(note.onset, -LOOP_LEAD, -0.3 * t60),
            )
    sections = [high_pass(build.low_cut), low_pass(part.vary(rng, build.high_cut, 0.2), 0.6)]
    size = part.vary(rng, 1.0, 0.12)
    for centre, q, gain in build.body:
        own = part.vary(rng, centre * size, 0.08)
        sections.append(peak(own, q, gain * part.vary(rng, 1.0, 0.3)))
    return run(from_loop(np.asarray(total)), sections)


def _tremolo(rng: np.random.Generator, part: Part) -> list[Note]:
    """The quick repeated strokes of a mandolin."""
    rate, start = float(rng.uniform(8.0, 13.0)), float(rng.uniform(0.005, 0.15))
    count = min(5, int((1.0 - start) * rate))
    return [
        Note(
            part.frequency,
            start + (i + 0.08 * float(rng.standard_normal())) / rate if i else start,
            1.0,
            float(np.clip(part.loudness + 0.12 * rng.standard_normal(), 0.05, 1.0)),
        )
        for i in range(count)
    ]


def guitar(rng: np.random.Generator, part: Part) -> Array:
    """Guitar: at times an overdriven electric one."""
    signal = pluck(rng, part, GUITAR)
    if part.chance(rng, 0.2):
        drive = float(rng.uniform(2.0, 12.0)) / (np.abs(signal).max() + 1e-9)
        signal = run(np.tanh(drive * signal), [low_pass(float(rng.uniform(2500, 5500)))])
    return signal


def ukulele(rng: np.random.Generator, part: Part) -> Array:
    """Ukulele: nylon strings, fingertips, a small body and a quick decay."""
    return pluck(rng, part, UKULELE)


def mandolin(rng: np.random.Generator, part: Part) -> Array:
    """Mandolin: paired strings under a hard plectrum, often in tremolo."""
    return pluck(rng, part, MANDOLIN)


def banjo(rng: np.random.Generator, part: Part) -> Array:
    """Banjo: strings over a drum head, loud, bright and quickly gone."""
    return pluck(rng, part, BANJO)


@dataclass(frozen=True)
class Bowed:
    """The build of a bowed instrument: body resonances (Hz, Q, dB), brightness, bow noise band."""

    body: tuple[tuple[float, float, float], ...]
    cutoff: float
    low_cut: float
    noise_band: float
    attack: float
    vibrato: float


VIOLIN: Final = Bowed(
    body=((280, 10, 9), (470, 9, 8), (560, 9, 7), (1250, 2.5, -7), (2700, 1.6, 12)),
    cutoff=3800.0,
    low_cut=190.0,
    noise_band=5200.0,
    attack=0.08,
    vibrato=26.0,
)
CELLO: Final = Bowed(
    body=((102, 9, 8), (175, 9, 8), (225, 8, 7), (420, 3, 4), (700, 3, -4), (1700, 1.6, 9)),
    cutoff=1900.0,
    low_cut=60.0,
    noise_band=1800.0,
    attack=0.1,
    vibrato=20.0,
)


def bow(rng: np.random.Generator, part: Part, build: Bowed) -> Array:
    """A bowed string: Helmholtz motion with vibrato and bow noise on a resonant body [1]_ [2]_.

    The string's sawtooth is combed by the bowing point and bright in proportion to bow pressure.
    Nuisances: plucked notes, tremolo, changes of bow, no vibrato.

    References
    ----------
    .. [1] Mathews, Kohut (1973). Electronic simulation of violin resonances. J. Acoust. Soc. Am.
       53(6).
    .. [2] Fletcher, Rossing (1998). The physics of musical instruments, chapter 10. Springer.
    """
    size = part.vary(rng, 1.0, 0.1)
    body = [high_pass(build.low_cut)]
    for centre, q, gain in build.body:
        own = part.vary(rng, centre * size, 0.08)
        body.append(peak(own, q, gain * part.vary(rng, 1.0, 0.3)))
    if part.chance(rng, 0.12):
        return run(_pizzicato(rng, part), body)

    contact = float(np.clip(part.vary(rng, 0.11, 0.4), 0.04, 0.24))
    cutoff = part.vary(rng, build.cutoff, 0.3)
    depth = part.vary(rng, build.vibrato, 0.5) * (0.05 if part.chance(rng, 0.4) else 1.0)
    rate = float(rng.uniform(4.8, 6.6))
    hiss = part.vary(rng, 0.1, 0.4)
    attack = part.vary(rng, build.attack, 0.5)
    tremolo = float(rng.uniform(7.0, 11.0)) if part.chance(rng, 0.15) else 0.0

    out = np.zeros(N_SAMPLES)
    for note in line(rng, part):
        times = note.times()
        gate = note.envelope(times, attack, part.vary(rng, 0.07, 0.4))
        if tremolo:
            gate = gate * np.abs(np.sin(np.float32(np.pi * tremolo) * times)) ** np.float32(0.6)
        onset = np.clip(times / np.float32(0.25), 0.0, 1.0)
        wobble = np.sin(np.float32(2 * np.pi * rate) * times + np.float32(rng.uniform(0, 6)))
        cents = depth * onset * wobble
        frequency = note.frequency * np.exp2(cents / np.float32(1200.0))

        def spectrum(f: Array, b: Array, f0: float = note.frequency) -> Array:
            order = f / f0
            comb = np.abs(np.sin(np.pi * contact * order)) / math.sin(np.pi * contact)
            return comb / order * rolloff(f, cutoff * (0.5 + b), 1.5)

        pressure = note.level * (0.75 + 0.25 * gate)
        tone = harmonic_tone(frequency, spectrum, pressure, levels=3)
        scrape = white_noise(rng, len(times)) * (1.0 + 2.0 * np.exp(-times / np.float32(0.05)))
        scrape = run(scrape, [band_pass(build.noise_band, 0.6)])
        add(out, note, gate * (tone + hiss * scrape), 0.2 + note.level)
    return run(out, body)


def _pizzicato(rng: np.random.Generator, part: Part) -> Array:
    """Bowed instruments plucked: strings with heavy losses."""
    spectrum: Array | float = 0.0
    for note in line(rng, part):
        burst = 0.2 * white_noise(rng, max(4, int(SAMPLE_RATE / note.frequency)))
        burst[0] += 1.0
        spectrum = spectrum + (0.2 + note.level) * string_loop(
            note.frequency,
            t60=float(rng.uniform(0.15, 0.5)) * (220.0 / note.frequency) ** 0.5,
            damping=0.4,
            pluck_position=0.25,
            softness=0.6,
            burst=burst,
            onset=max(note.onset, 0.0),
        )
    return from_loop(np.asarray(spectrum))


def violin(rng: np.random.Generator, part: Part) -> Array:
    """Violin."""
    return bow(rng, part, VIOLIN)


def cello(rng: np.random.Generator, part: Part) -> Array:
    """Cello."""
    return bow(rng, part, CELLO)
