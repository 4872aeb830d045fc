"""Blown instruments: clarinet, flute, saxophone, trumpet and trombone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._filters import band_pass, formant, rolloff, run
from ._notes import Note, Part, add, line
from ._oscillators import N_SAMPLES, Spectrum, harmonic_tone, white_noise

Array = NDArray[Any]


@dataclass(frozen=True)
class Blowing:
    """How a player blows: times in seconds, pitch in cents, rates in Hz.

    ``follow`` says how far brightness follows the envelope within a note, ``shake`` the depth of
    the amplitude vibrato, ``breath`` the level of the breath noise and ``breath_band`` its centre.
    """

    attack: float
    release: float
    vibrato: float
    vibrato_rate: float
    shake: float
    scoop: float
    scoop_time: float
    follow: float
    breath: float
    breath_band: float
    chiff: float = 0.0


def blow(
    rng: np.random.Generator, part: Part, spectrum: Callable[[Note], Spectrum], blowing: Blowing
) -> Array:
    """A line of blown notes: harmonics that follow the breath, and the noise of the breath."""
    out = np.zeros(N_SAMPLES)
    swell = float(rng.uniform(-0.5, 0.5)) * (0.3 + 0.7 * part.difficulty)
    for note in line(rng, part):
        times = note.times()
        gate = note.envelope(times, blowing.attack, blowing.release)
        gate = gate * (1.0 + np.float32(swell) * (times - np.float32(0.5)))
        phase = np.float32(2 * np.pi * blowing.vibrato_rate) * times
        phase += np.float32(rng.uniform(0.0, 6.28))
        wobble = np.sin(phase) * np.clip(times / np.float32(0.3), 0.0, 1.0)
        cents = np.float32(blowing.vibrato) * wobble
        if blowing.scoop:
            cents -= np.float32(blowing.scoop) * np.exp(-times / np.float32(blowing.scoop_time))
        frequency = note.frequency * np.exp2(cents / np.float32(1200.0))
        breath_curve = gate * (1.0 + np.float32(blowing.shake) * wobble)
        brightness = np.float32(note.level) * (
            np.float32(1.0 - blowing.follow) + np.float32(blowing.follow) * breath_curve
        )
        segment = breath_curve * harmonic_tone(frequency, spectrum(note), brightness)
        if blowing.breath:
            hiss = white_noise(rng, len(times))
            hiss *= 1.0 + np.float32(blowing.chiff) * np.exp(-times / np.float32(0.03))
            band = max(blowing.breath_band, 1.5 * note.frequency)
            segment += blowing.breath * gate * run(hiss, [band_pass(band, 0.5)])
        add(out, note, segment, 0.15 + note.level)
    return out


def clarinet(rng: np.random.Generator, part: Part) -> Array:
    """Clarinet: a cylinder closed by a reed, so odd harmonics rule below its cut-off [1]_.

    References
    ----------
    .. [1] Benade, Kouzoupis (1988). The clarinet spectrum: theory and experiment. J. Acoust. Soc.
       Am. 83(1).
    """
    cutoff = part.vary(rng, 1500.0, 0.25)
    evenness = part.vary(rng, 0.05, 0.6)
    turn = part.vary(rng, 2600.0, 0.2)

    def spectrum(note: Note) -> Spectrum:
        def amplitudes(f: Array, b: Array) -> Array:
            order = np.arange(1, f.size + 1)
            rest = np.clip((f - 0.5 * turn) / turn, 0.0, 0.8)
            parity = np.where(order % 2 == 1, 1.0, np.minimum(evenness + rest, 0.9))
            # Soft notes are close to sinusoids: the higher harmonics grow faster with pressure.
            soft = (0.35 + 0.65 * b) ** (0.5 * (order - 1).clip(max=8))
            return parity * soft * rolloff(f, cutoff * (0.7 + b), 2.0) / order**0.35

        return amplitudes

    blowing = Blowing(
        attack=part.vary(rng, 0.035, 0.5),
        release=part.vary(rng, 0.05, 0.4),
        vibrato=part.vary(rng, 3.0, 0.8),
        vibrato_rate=float(rng.uniform(4.5, 6.0)),
        shake=0.02,
        scoop=60.0 if part.chance(rng, 0.2) else 0.0,
        scoop_time=0.06,
        follow=0.4,
        breath=part.vary(rng, 0.012, 0.7),
        breath_band=2200.0,
    )
    return blow(rng, part, spectrum, blowing)


def flute(rng: np.random.Generator, part: Part) -> Array:
    """Flute: few harmonics, breath noise, and vibrato in loudness more than in pitch [1]_.

    References
    ----------
    .. [1] Fletcher (1975). Acoustical correlates of flute performance technique. J. Acoust. Soc.
       Am. 57(1).
    """
    slope = part.vary(rng, 1.0, 0.3)
    second = part.vary(rng, 0.9, 0.5)

    def spectrum(note: Note) -> Spectrum:
        def amplitudes(f: Array, b: Array) -> Array:
            order = np.arange(1, f.size + 1)
            register = np.clip(note.frequency / 600.0, 0.4, 2.5) ** 0.5
            level = np.exp(-slope * register * (1.7 - 0.8 * b) * (order - 1))
            return level * np.where(order == 2, 1.0 + second, 1.0) * rolloff(f, 4500.0, 1.0)

        return amplitudes

    blowing = Blowing(
        attack=part.vary(rng, 0.06, 0.5),
        release=part.vary(rng, 0.07, 0.4),
        vibrato=part.vary(rng, 7.0, 0.6),
        vibrato_rate=float(rng.uniform(4.3, 6.2)),
        shake=min(0.5, part.vary(rng, 0.2, 0.8)),
        scoop=0.0,
        scoop_time=0.05,
        follow=0.6,
        breath=part.vary(rng, 0.13, 0.6),
        breath_band=1800.0,
        chiff=4.0,
    )
    return blow(rng, part, spectrum, blowing)


def saxophone(rng: np.random.Generator, part: Part) -> Array:
    """Saxophone: a conical bore with all harmonics, formants, scooped attacks and breath [1]_.

    References
    ----------
    .. [1] Benade, Lutgen (1988). The saxophone spectrum. J. Acoust. Soc. Am. 83(5).
    """
    # Small horns (high notes) have their formants higher: soprano and baritone in one class.
    size = (part.frequency / 260.0) ** 0.25
    low = part.vary(rng, 620.0 * size, 0.15)
    high = part.vary(rng, 1650.0 * size, 0.15)
    cutoff = part.vary(rng, 1150.0, 0.25)

    def spectrum(note: Note) -> Spectrum:
        def amplitudes(f: Array, b: Array) -> Array:
            order = np.arange(1, f.size + 1)
            shape = 0.12 + formant(f, low, 420.0) ** 2 + 0.8 * formant(f, high, 700.0) ** 2
            tail = rolloff(f, cutoff * (0.7 + 1.5 * b), 1.3)
            return shape * tail * np.where(order == 1, 0.6, 1.0)

        return amplitudes

    blowing = Blowing(
        attack=part.vary(rng, 0.03, 0.5),
        release=part.vary(rng, 0.05, 0.4),
        vibrato=part.vary(rng, 14.0, 0.7),
        vibrato_rate=float(rng.uniform(4.5, 6.0)),
        shake=0.1,
        scoop=part.vary(rng, 45.0, 0.6),
        scoop_time=0.04,
        follow=0.4,
        breath=part.vary(rng, 0.05, 0.6),
        breath_band=4200.0,
        chiff=2.0,
    )
    return blow(rng, part, spectrum, blowing)


def _brass(
    rng: np.random.Generator, part: Part, *, centre: float, open_up: float, blowing: Blowing
) -> Array:
    """Brass: the spectrum opens upwards with loudness, within the note and between notes [1]_ [2]_.

    References
    ----------
    .. [1] Risset, Mathews (1969). Analysis of musical-instrument tones. Physics Today 22(2).
    .. [2] Beauchamp (1975). Analysis and synthesis of cornet tones using nonlinear interharmonic
       relationships. J. Audio Eng. Soc. 23(10).
    """
    own = part.vary(rng, centre, 0.2)
    opening = part.vary(rng, open_up, 0.2)
    # A mute takes the low harmonics away and leaves a nasal resonance.
    mute = float(rng.uniform(1.4, 2.2)) * own if part.chance(rng, 0.25) else 0.0

    def spectrum(note: Note) -> Spectrum:
        def amplitudes(f: Array, b: Array) -> Array:
            rise = (f / own) ** 1.2 / (1.0 + (f / own) ** 1.2)
            tail = rolloff(f, own * (0.6 + opening * b), 3.0)
            nasal = 0.15 + formant(f, mute, 0.6 * mute) if mute else 1.0
            return (0.15 + rise) * tail * nasal

        return amplitudes

    return blow(rng, part, spectrum, blowing)


def trumpet(rng: np.random.Generator, part: Part) -> Array:
    """Trumpet: a quick, bright attack and a formant a little above 1 kHz."""
    blowing = Blowing(
        attack=part.vary(rng, 0.03, 0.5),
        release=part.vary(rng, 0.05, 0.4),
        vibrato=part.vary(rng, 8.0, 0.8),
        vibrato_rate=float(rng.uniform(4.8, 6.5)),
        shake=0.06,
        scoop=part.vary(rng, 20.0, 0.7),
        scoop_time=0.02,
        follow=0.75,
        breath=part.vary(rng, 0.015, 0.6),
        breath_band=3500.0,
        chiff=3.0,
    )
    return _brass(rng, part, centre=1250.0, open_up=2.2, blowing=blowing)


def trombone(rng: np.random.Generator, part: Part) -> Array:
    """Trombone: slower and darker, with a formant near 500 Hz and a slide."""
    slide = part.chance(rng, 0.35)
    blowing = Blowing(
        attack=part.vary(rng, 0.055, 0.5),
        release=part.vary(rng, 0.07, 0.4),
        vibrato=part.vary(rng, 6.0, 0.8),
        vibrato_rate=float(rng.uniform(4.3, 5.8)),
        shake=0.04,
        scoop=float(rng.uniform(100, 300)) if slide else part.vary(rng, 25.0, 0.7),
        scoop_time=0.12 if slide else 0.03,
        follow=0.75,
        breath=part.vary(rng, 0.012, 0.6),
        breath_band=1500.0,
        chiff=3.0,
    )
    return _brass(rng, part, centre=480.0, open_up=2.6, blowing=blowing)
