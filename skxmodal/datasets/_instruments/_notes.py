"""What is played in the second: notes, lines, chords and strokes, and their envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._classes import Instrument
from ._oscillators import LOOP_LEAD, N_SAMPLES, SAMPLE_RATE

Array = NDArray[Any]

_CHORDS: Final = ((4, 7, 12, 16), (3, 7, 12, 15), (5, 9, 12, 17), (4, 7, 10, 12), (7, 12, 16, 19))
_STEPS: Final = np.array([-7, -5, -4, -3, -2, -2, -1, 1, 2, 2, 3, 4, 5, 7])


@dataclass(frozen=True)
class Part:
    """What one rendering is asked for: the instrument, where in its range, how loud, how hard."""

    instrument: Instrument
    frequency: float
    loudness: float
    difficulty: float

    def vary(self, rng: np.random.Generator, value: float, octaves: float) -> float:
        """``value`` times a log-normal factor whose spread grows with the difficulty."""
        spread = octaves * (0.12 + 0.2 * self.difficulty + 0.35 * self.difficulty**2)
        return float(value * 2.0 ** (spread * np.clip(rng.standard_normal(), -2.5, 2.5)))

    def chance(self, rng: np.random.Generator, probability: float) -> bool:
        """A nuisance event: never at difficulty 0, with three quarters of ``probability`` at 1."""
        return bool(rng.random() < 0.75 * probability * self.difficulty**2)


@dataclass(frozen=True)
class Note:
    """A note: frequency in Hz, onset and duration in seconds, level in [0, 1]."""

    frequency: float
    onset: float
    duration: float
    level: float

    @property
    def span(self) -> tuple[int, int]:
        """First and last sample of the part of the note that is inside the window."""
        start = min(max(0, int(self.onset * SAMPLE_RATE)), N_SAMPLES - 1)
        stop = min(N_SAMPLES, int((self.onset + self.duration) * SAMPLE_RATE))
        return start, max(stop, start + 1)

    def times(self) -> Array:
        """Seconds since the onset of the samples in :attr:`span`."""
        start, stop = self.span
        offset = np.float32(self.onset)
        return np.arange(start, stop, dtype=np.float32) / np.float32(SAMPLE_RATE) - offset

    def envelope(self, times: Array, attack: float, release: float) -> Array:
        """A smooth rise over ``attack`` and fall over the last ``release`` seconds."""
        rise = np.clip(times / np.float32(attack), 0.0, 1.0)
        fall = np.clip((np.float32(self.duration) - times) / np.float32(release), 0.0, 1.0)
        gate = rise * fall
        return gate * gate * (3.0 - 2.0 * gate)


def first_onset(rng: np.random.Generator, part: Part) -> float:
    """When the first note begins: at once, late, or (negative) before the window."""
    if part.chance(rng, 0.4):
        return float(-rng.uniform(0.02, LOOP_LEAD - 0.01))
    return float(rng.uniform(0.004, 0.02 + 0.25 * part.difficulty**2))


def _inside(part: Part, frequency: float) -> float:
    """``frequency`` moved by octaves into the instrument's range."""
    low, high = part.instrument.frequency(0.0), part.instrument.frequency(1.0)
    while frequency > high * 1.01:
        frequency /= 2.0
    while frequency < low * 0.99:
        frequency *= 2.0
    return frequency


def line(rng: np.random.Generator, part: Part, overlap: float = 0.0) -> list[Note]:
    """One to three notes one after the other; the first has the part's own pitch."""
    count = 1 + part.chance(rng, 0.8) + part.chance(rng, 0.6)
    start, stop = first_onset(rng, part), float(rng.uniform(0.9, 1.15))
    if part.chance(rng, 0.3):
        stop = float(rng.uniform(max(start, 0.0) + 0.25, 0.9))
    if count > 1:
        cuts = np.sort(rng.uniform(0.25, 0.75, count - 1))
    else:
        cuts = np.empty(0)
    # The first note is always heard for a while, however early it began.
    first = max(start, 0.0)
    edges = [start, *(first + cuts * (stop - first)), stop]
    notes, frequency, level = [], part.frequency, part.loudness
    for begin, end in pairwise(edges):
        notes.append(Note(frequency, float(begin), float(end - begin) + overlap, level))
        frequency = _inside(part, frequency * 2.0 ** (float(rng.choice(_STEPS)) / 12.0))
        level = float(np.clip(part.loudness + 0.25 * rng.standard_normal(), 0.05, 1.0))
    return notes


def chord(
    rng: np.random.Generator, part: Part, sizes: Sequence[int], spread: float = 0.0
) -> list[Note]:
    """Notes sounding together over the part's pitch, ``spread`` seconds apart as in a strum."""
    size = 1
    if part.chance(rng, 1.2):
        size = int(rng.choice(np.asarray(sizes)))
    start, stop = first_onset(rng, part), float(rng.uniform(0.85, 1.15))
    if part.chance(rng, 0.3):
        stop = float(rng.uniform(max(start, 0.0) + 0.25, 0.9))
    shape = (0, *_CHORDS[int(rng.integers(len(_CHORDS)))])[:size]
    notes = []
    for order, step in enumerate(shape):
        frequency = part.frequency * 2.0 ** (step / 12.0)
        if step:
            frequency = _inside(part, frequency)
        onset = start + order * spread
        level = float(np.clip(part.loudness + 0.1 * rng.standard_normal(), 0.05, 1.0))
        notes.append(Note(frequency, onset, stop - onset, level))
    return notes


def strokes(rng: np.random.Generator, part: Part, most: int) -> list[float]:
    """Onsets in seconds of one to ``most`` strokes at a steady pace."""
    # A stroke is soon gone: what began long before the window would leave silence.
    start = max(first_onset(rng, part), -0.04)
    if not part.chance(rng, 1.2) or most == 1:
        return [start]
    count = int(rng.integers(2, most + 1))
    pace = float(rng.uniform(0.09, 0.4))
    onsets = start + pace * np.arange(count) + 0.008 * rng.standard_normal(count)
    return [start, *(float(onset) for onset in onsets[1:] if onset < 0.92)]


def add(out: Array, note: Note, segment: Array, gain: float = 1.0) -> None:
    """Add a note's samples to the window at the note's place."""
    start, _ = note.span
    out[start : start + len(segment)] += gain * segment
