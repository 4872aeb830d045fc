"""The voice: singers in unison and in chords, as in a choir."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._filters import band_pass, formant, rolloff, run
from ._notes import Part, add, chord
from ._oscillators import N_SAMPLES, harmonic_tone, white_noise

Array = NDArray[Any]

# Formant frequencies (Hz) of sung vowels, bass to tenor voice (Peterson & Barney 1952).
_VOWELS: Final = np.array(
    [
        [730.0, 1090.0, 2440.0, 3300.0],
        [570.0, 840.0, 2410.0, 3200.0],
        [300.0, 870.0, 2240.0, 3100.0],
        [530.0, 1840.0, 2480.0, 3400.0],
        [270.0, 2290.0, 3010.0, 3600.0],
        [490.0, 1350.0, 1690.0, 3100.0],
    ]
)
_BANDWIDTHS: Final = np.array([90.0, 110.0, 150.0, 220.0])
_LEVELS: Final = np.array([1.0, 0.7, 0.5, 0.35])


def voice(rng: np.random.Generator, part: Part) -> Array:
    """Voice: a glottal source through the formants of a vowel, several singers at once [1]_ [2]_.

    Singers differ in tuning, vibrato and entry. The vowel glides to another; soft singing has a
    steeper source spectrum; sopranos tune the first formant up to their fundamental.

    References
    ----------
    .. [1] Klatt (1980). Software for a cascade/parallel formant synthesizer. J. Acoust. Soc. Am.
       67(3).
    .. [2] Sundberg (1987). The science of the singing voice. Northern Illinois University Press.
    """
    singers = int(rng.integers(2, 5))
    tract = part.vary(rng, 1.0 + 0.2 * np.clip(np.log2(part.frequency / 140.0), 0.0, 1.0), 0.08)
    first, second = (tract * _VOWELS[i] for i in rng.integers(len(_VOWELS), size=2))
    tilt = part.vary(rng, 1.7 - 0.6 * part.loudness, 0.2)
    glide, middle = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.2, 0.8))
    attack = part.vary(rng, 0.09, 0.5)
    depth = part.vary(rng, 35.0, 0.6)
    breath = part.vary(rng, 0.02, 0.7)
    spread = 9.0 + 10.0 * part.difficulty

    def spectrum(f: Array, b: Array) -> Array:
        order = np.arange(1, f.size + 1)
        centres = first + (second - first) * b
        lowest = np.maximum(centres[:, :1], f[0])
        total = np.zeros((len(b), f.size))
        for i in range(4):
            centre = lowest if i == 0 else centres[:, i : i + 1]
            total += _LEVELS[i] * formant(f, centre, 1.6 * _BANDWIDTHS[i]) ** 1.8
        return (total + 0.01) * (1.0 + 0.3 * order) / order**tilt * rolloff(f, 4000.0, 3.0)

    out = np.zeros(N_SAMPLES)
    notes = chord(rng, part, (2, 2, 3))
    for number, note in enumerate(notes):
        times = note.times()
        vowel = np.clip((times - np.float32(middle)) / np.float32(glide) + 0.5, 0.0, 1.0)
        gate = note.envelope(times, attack, part.vary(rng, 0.09, 0.4))
        tone: Array | float = 0.0
        for _ in range(max(1, singers // len(notes)) if number else max(2, singers - len(notes))):
            rate, start = float(rng.uniform(4.6, 6.6)), float(rng.uniform(0.0, 6.28))
            cents = depth * np.sin(np.float32(2 * np.pi * rate) * times + np.float32(start))
            # Singers scoop up to the note and settle a little off it.
            cents += spread * float(rng.standard_normal())
            cents -= np.float32(rng.uniform(0, 90)) * np.exp(-times / np.float32(0.05))
            frequency = note.frequency * np.exp2(cents / np.float32(1200.0))
            phase = float(rng.random())
            tone = tone + harmonic_tone(frequency, spectrum, vowel, levels=3, start_phase=phase)
        hiss = run(white_noise(rng, len(times)), [band_pass(3000.0, 0.5)])
        add(out, note, gate * (np.asarray(tone) + breath * hiss), 0.4 + note.level)
    if part.chance(rng, 0.4):
        _consonant(rng, out, notes[0].onset)
    return out


def _consonant(rng: np.random.Generator, out: Array, onset: float) -> None:
    """A fricative just before the vowel."""
    start = max(0, int((onset - 0.02) * 16000))
    length = min(int(rng.uniform(500, 1600)), N_SAMPLES - start)
    shape = np.sin(np.linspace(0.0, np.pi, length)) ** 2
    hiss = run(white_noise(rng, length), [band_pass(float(rng.uniform(2500, 6000)), 1.0)])
    out[start : start + length] += 0.5 * float(np.abs(out).max()) * shape * hiss
