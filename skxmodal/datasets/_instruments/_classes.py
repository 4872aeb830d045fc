"""The eighteen instrument classes, with their AudioSet labels, ranges and real frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Instrument:
    """One class of the instrument data set.

    Parameters
    ----------
    name : str
        The class name of the paper, e.g. ``"violin"``.
    audioset_name : str
        Display name of the AudioSet label, e.g. ``"Violin, fiddle"``.
    audioset_id : str
        Identifier of that label in the AudioSet ontology, e.g. ``"/m/07y_7"``.
    low_midi, high_midi : float
        The instrument's range in MIDI note numbers (69 is 440 Hz). For cymbals and drums it is
        the range of the lowest mode of the biggest to the smallest piece.
    family : str
        ``"plucked"``, ``"bowed"``, ``"woodwind"``, ``"brass"``, ``"keys"``, ``"percussion"`` or
        ``"voice"``.
    """

    name: str
    audioset_name: str
    audioset_id: str
    low_midi: float
    high_midi: float
    family: str

    def frequency(self, pitch: float) -> float:
        """Fundamental in Hz of the position ``pitch`` in [0, 1] of the (logarithmic) range."""
        midi = self.low_midi + pitch * (self.high_midi - self.low_midi)
        return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


# "drums": the paper merges AudioSet's "Drum" and "Drum kit". "Drum" is taken as the label of the
# synthesised sounds because it holds for a single drum and for a kit alike (386 of the 396 merged
# clips carry it), and its children (snare drum, bass drum) are the pieces that are synthesised.
# "voice": the paper's "voice" is AudioSet's "Choir", so the range is that of a mixed choir.
INSTRUMENTS: Final[tuple[Instrument, ...]] = (
    Instrument("accordion", "Accordion", "/m/0mkg", 53, 89, "keys"),
    Instrument("banjo", "Banjo", "/m/018j2", 48, 84, "plucked"),
    Instrument("cello", "Cello", "/m/01xqw", 36, 76, "bowed"),
    Instrument("clarinet", "Clarinet", "/m/01wy6", 50, 91, "woodwind"),
    Instrument("cymbals", "Cymbal", "/m/01qbl", 55, 75, "percussion"),
    Instrument("drums", "Drum", "/m/026t6", 31, 57, "percussion"),
    Instrument("flute", "Flute", "/m/0l14j_", 60, 96, "woodwind"),
    Instrument("guitar", "Guitar", "/m/0342h", 40, 83, "plucked"),
    Instrument("mandolin", "Mandolin", "/m/04rzd", 55, 88, "plucked"),
    Instrument("organ", "Organ", "/m/013y1f", 36, 91, "keys"),
    Instrument("piano", "Piano", "/m/05r5c", 21, 108, "keys"),
    Instrument("saxophone", "Saxophone", "/m/06ncr", 44, 87, "woodwind"),
    Instrument("synthesizer", "Synthesizer", "/m/0l14qv", 33, 93, "keys"),
    Instrument("trombone", "Trombone", "/m/07c6l", 40, 77, "brass"),
    Instrument("trumpet", "Trumpet", "/m/07gql", 54, 86, "brass"),
    Instrument("ukulele", "Ukulele", "/m/07xzm", 60, 81, "plucked"),
    Instrument("violin", "Violin, fiddle", "/m/07y_7", 55, 100, "bowed"),
    Instrument("voice", "Choir", "/m/0l14jd", 40, 84, "voice"),
)

#: Number of clips of AudioSet's balanced_train and eval segment lists (42,531 clips) that are
#: labelled with each class; "drums" counts a clip with "Drum", "Drum kit" or both once.
AUDIOSET_COUNTS: Final[dict[str, int]] = {
    "accordion": 122,
    "banjo": 120,
    "cello": 134,
    "clarinet": 123,
    "cymbals": 134,
    "drums": 396,
    "flute": 122,
    "guitar": 656,
    "mandolin": 123,
    "organ": 242,
    "piano": 178,
    "saxophone": 125,
    "synthesizer": 120,
    "trombone": 129,
    "trumpet": 127,
    "ukulele": 120,
    "violin": 124,
    "voice": 160,
}

_BY_NAME: Final[dict[str, Instrument]] = {item.name: item for item in INSTRUMENTS}


def get_instrument(name: str | Instrument) -> Instrument:
    """Return the instrument called ``name`` (an :class:`Instrument` is returned as it is).

    Raises
    ------
    ValueError
        If there is no class of that name.
    """
    if isinstance(name, Instrument):
        return name
    if name not in _BY_NAME:
        raise ValueError(f"unknown instrument {name!r}: choose one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
