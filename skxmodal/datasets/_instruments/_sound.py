"""One second of one instrument: the entry to the synthesis models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._classes import INSTRUMENTS, Instrument, get_instrument
from ._keys import accordion, organ, piano, synthesizer
from ._notes import Part
from ._oscillators import SAMPLE_RATE as SAMPLE_RATE
from ._percussion import cymbals, drums
from ._room import record
from ._strings import banjo, cello, guitar, mandolin, ukulele, violin
from ._voice import voice
from ._winds import clarinet, flute, saxophone, trombone, trumpet

Array = NDArray[Any]

_MODELS: Final[dict[str, Callable[[np.random.Generator, Part], Array]]] = {
    "accordion": accordion,
    "banjo": banjo,
    "cello": cello,
    "clarinet": clarinet,
    "cymbals": cymbals,
    "drums": drums,
    "flute": flute,
    "guitar": guitar,
    "mandolin": mandolin,
    "organ": organ,
    "piano": piano,
    "saxophone": saxophone,
    "synthesizer": synthesizer,
    "trombone": trombone,
    "trumpet": trumpet,
    "ukulele": ukulele,
    "violin": violin,
    "voice": voice,
}


def render_sound(
    instrument: Instrument | str,
    *,
    pitch: float,
    loudness: float,
    difficulty: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Synthesise one second of an instrument.

    Parameters
    ----------
    instrument : Instrument or str
        One of the eighteen classes, or its name.
    pitch : float in [0, 1]
        Position inside the instrument's range on a logarithmic frequency axis; for cymbals and
        drums from the biggest to the smallest piece.
    loudness : float in [0, 1]
        Dynamics: level and timbre.
    difficulty : float in [0, 1]
        How strong the nuisances are: other bodies and players, chords, figures, late and cut
        notes, detuning, reverberation, coloration, noise, another instrument in the background.
        At 0 a single clean note is heard.
    rng : Generator
        Everything that is not given is drawn from it; the same state gives the same bytes.

    Returns
    -------
    ndarray of float32, shape (16000,)
        Samples in [-1, 1] at :data:`SAMPLE_RATE`.

    Raises
    ------
    ValueError
        If the instrument is unknown, or a parameter lies outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.datasets._instruments._sound import render_sound
    >>> sound = render_sound(
    ...     "flute", pitch=0.4, loudness=0.5, difficulty=0.0, rng=np.random.default_rng(0)
    ... )
    >>> sound.shape, sound.dtype
    ((16000,), dtype('float32'))
    """
    settings = {"pitch": pitch, "loudness": loudness, "difficulty": difficulty}
    for parameter, value in settings.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{parameter}={value!r} must lie between 0 and 1")
    chosen = get_instrument(instrument)
    dry = _play(rng, chosen, pitch, loudness, difficulty)
    if rng.random() < 0.6 * max(0.0, difficulty - 0.3):
        other = INSTRUMENTS[int(rng.integers(len(INSTRUMENTS)))]
        level = -40.0 + 28.0 * difficulty * float(rng.random())
        bleed = _play(rng, other, float(rng.random()), float(rng.random()), difficulty)
        dry = dry + 10.0 ** (level / 20.0) * bleed
    return record(rng, dry, loudness, difficulty)


def _play(
    rng: np.random.Generator, instrument: Instrument, pitch: float, loudness: float, hard: float
) -> Array:
    """The dry sound of an instrument, at peak 1."""
    # No two instruments are tuned alike: a quarter of a semitone either way at difficulty 1.
    cents = 25.0 * hard * float(rng.uniform(-1.0, 1.0))
    frequency = instrument.frequency(pitch) * 2.0 ** (cents / 1200.0)
    dry = _MODELS[instrument.name](rng, Part(instrument, frequency, loudness, hard))
    return dry / (float(np.abs(dry).max()) + 1e-12)
