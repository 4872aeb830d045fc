"""The paper's eighteen classes of instruments, in the labels of AudioSet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from sklearn.utils import Bunch

from ._instruments._classes import INSTRUMENTS

# The paper (section 3.1) names the classes and five labels: "Violin, fiddle" -> violin, "Choir" ->
# voice, "Drum" and "Drum kit" -> drums. The other fifteen classes are the labels of their own
# names ("cymbals" is the label "Cymbal"). What lies below these labels in the ontology does not
# count, because it is not always an instrument of the class, and where it is, the raters nearly
# always gave the class as well (numbers: clips of the balanced and eval lists with the lower
# label, and how many of them lack the upper one):
# - below Drum: Timpani (120, 117 without Drum) and Tabla (126, 26) would be drums, though they
#   look and sound otherwise; Snare drum (175, 1) and Bass drum (176, 2) carry Drum anyway;
# - below Drum kit: Drum machine (129, 129) is electronic;
# - below Violin, fiddle: Pizzicato (266, 243) is a technique, plucked cellos and basses too;
# - below Synthesizer: Sampler (121, 99) and, without clips, Mellotron play recordings;
# - below Guitar: Bass guitar (120, 40), Steel guitar (124, 80) and the techniques Strum (123, 37)
#   and Tapping (122, 41); Electric guitar (190, 56) and Acoustic guitar (152, 35) are the one
#   case where clips of the class are lost;
# - below Piano: Electric piano (123, 6); below Organ: Electronic organ (124, 1) and Hammond organ
#   (131, 0); below Cymbal: Hi-hat (120, 0), Crash cymbal (no clips); below Saxophone: Alto and
#   Soprano saxophone (no clips): nothing is lost;
# - "voice" is Choir alone, as the paper says, not Singing, which goes with every instrument.
_DRUM_KIT = ("Drum kit", "/m/02hnl")

#: Names of the eighteen classes; the position is the number of the class.
CLASS_NAMES: Final[tuple[str, ...]] = tuple(item.name for item in INSTRUMENTS)

_NUMBER_OF: Final[dict[str, int]] = {
    label: number
    for number, item in enumerate(INSTRUMENTS)
    for label in (
        item.audioset_name,
        item.audioset_id,
        *(_DRUM_KIT if item.name == "drums" else ()),
    )
}


def classes18(data: Any) -> Bunch:
    """Keep the clips that carry exactly one of the paper's eighteen classes.

    The classes are accordion, banjo, cello, clarinet, cymbals, drums, flute, guitar, mandolin,
    organ, piano, saxophone, synthesizer, trombone, trumpet, ukulele, violin and voice. Each
    is the AudioSet label of its name, but "voice" is "Choir", "violin" is "Violin, fiddle",
    "cymbals" is "Cymbal", and "drums" is "Drum" or "Drum kit" or both. Labels below these in the
    ontology (such as "Timpani" below "Drum") do not count, nor do any others: a clip of "Flute",
    "Singing" and "Music" is a flute.

    Parameters
    ----------
    data : Bunch, DataFrame or sequence of tuples
        What :func:`fetch_audioset` returns; its frame (or another with a column ``label_ids``);
        or one tuple of labels for each clip, ids or names.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``indices``
            int array ``(n_kept,)``, the rows that were kept, in ascending order,
        ``target``
            int array ``(n_kept,)``, the class,
        ``target_names``
            the eighteen names,
        ``label_ids``
            object array ``(n_kept,)``, the tuples of labels,
        ``frame``
            the kept rows, with a fresh index; only where ``data`` has a frame or is one.

    Raises
    ------
    TypeError
        When ``data`` is none of these.

    See Also
    --------
    audioset_subsets : Balanced subsets for training and testing.

    References
    ----------
    .. [1] H.-H. Wu et al., "Exploring modality-agnostic representations for music
       classification", 2021, section 3.1. https://arxiv.org/abs/2106.01149

    Examples
    --------
    >>> from skxmodal.datasets import classes18
    >>> kept = classes18([
    ...     ("Flute", "Music"), ("Drum", "Drum kit"), ("Flute", "Piano"), ("Speech",)])
    >>> kept.indices.tolist()
    [0, 1]
    >>> [kept.target_names[number] for number in kept.target]
    ['flute', 'drums']
    """
    frame, codes, label_sets = label_codes(data)
    numbers = np.array([class_number(labels) for labels in label_sets] or [-1])[codes]
    indices = np.flatnonzero(numbers >= 0)
    kept = Bunch(
        indices=indices,
        target=numbers[indices],
        target_names=list(CLASS_NAMES),
        label_ids=spread_tuples(label_sets, codes[indices]),
    )
    if frame is not None:
        kept.frame = frame.iloc[indices].reset_index(drop=True)
    return kept


def class_number(labels: Iterable[str]) -> int:
    """Return the one class among the labels; -1 if there is none, or several."""
    found = {_NUMBER_OF[label] for label in labels if label in _NUMBER_OF}
    return found.pop() if len(found) == 1 else -1


def label_codes(data: Any) -> tuple[Any, np.ndarray, list[tuple[str, ...]]]:
    """Return the frame (or ``None``), the number of each row's set of labels, and the sets."""
    import pandas as pd

    frame = data.get("frame") if isinstance(data, Bunch) else data
    if isinstance(frame, pd.DataFrame) and "label_ids" in frame:
        column = frame["label_ids"]
        if isinstance(column.dtype, pd.CategoricalDtype) and not column.isna().any():
            codes = column.cat.codes.to_numpy().astype(int)
            return frame, codes, [_as_tuple(ids) for ids in column.cat.categories]
        rows = list(column)
    elif isinstance(data, Bunch) and "label_ids" in data:
        rows = list(data["label_ids"])
    elif isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"the table has no column 'label_ids' (its columns are {list(frame.columns)}): pass "
            "what fetch_audioset returns, or one tuple of labels for each clip"
        )
    elif isinstance(data, (Sequence, np.ndarray, pd.Series)) and not isinstance(data, str):
        frame, rows = None, list(data)
    else:
        raise TypeError(
            "expected what fetch_audioset returns, its frame, or one tuple of labels for each "
            f"clip, got {type(data).__name__}"
        )
    numbers: dict[tuple[str, ...], int] = {}
    codes = np.array(
        [numbers.setdefault(_as_tuple(labels), len(numbers)) for labels in rows], dtype=int
    )
    return frame, codes, list(numbers)


def spread_tuples(label_sets: list[tuple[str, ...]], codes: np.ndarray) -> np.ndarray:
    """Return an object array with the set of each row."""
    sets = np.empty(len(label_sets), dtype=object)
    sets[:] = label_sets
    return sets[codes]


def _as_tuple(labels: Any) -> tuple[str, ...]:
    """Split a cell of a table; keep a tuple; a missing cell has no label."""
    if isinstance(labels, str):
        return tuple(labels.split())
    if labels is None or (isinstance(labels, float) and np.isnan(labels)):
        return ()
    if not isinstance(labels, Iterable):
        raise TypeError(f"the labels of a clip must be a tuple of ids or names, got {labels!r}")
    return tuple(labels)
