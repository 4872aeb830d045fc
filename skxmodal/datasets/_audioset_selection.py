"""Which of AudioSet's clips: by the labels that they carry."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ._audioset_lists import ClassLabels
from ._ontology import Ontology

#: The labels whose descendants are the paper's subset of AudioSet (section 3.1).
INSTRUMENT_ROOTS = ("Musical instrument", "Singing", "Tools")


def choose_label_sets(
    label_sets: Sequence[tuple[str, ...]],
    labels: Any,
    classes: ClassLabels,
    load_ontology: Callable[[], Ontology],
) -> np.ndarray:
    """Tell for each set of labels whether a selection takes it.

    Parameters
    ----------
    label_sets : sequence of tuples of ids
        The distinct sets.
    labels : {"instruments", "all"}, None, list of names or ids, or callable
        As in :func:`~skxmodal.datasets.fetch_audioset`.
    classes : ClassLabels
        The classes that there are.
    load_ontology : callable
        Called only where the ontology is needed.

    Returns
    -------
    ndarray of shape (len(label_sets),), dtype bool
    """
    if labels is None or (isinstance(labels, str) and labels == "all"):
        return np.ones(len(label_sets), dtype=bool)
    if callable(labels):
        return np.array([bool(labels(ids)) for ids in label_sets], dtype=bool)
    if isinstance(labels, str):
        if labels != "instruments":
            raise ValueError(
                f"labels must be 'instruments', 'all', a list of names or ids, or a function, got "
                f"{labels!r}: for one class pass labels=[{labels!r}]"
            )
        wanted = instrument_ids(load_ontology())
    else:
        wanted = resolve_labels(labels, classes)
    return np.array([not wanted.isdisjoint(ids) for ids in label_sets], dtype=bool)


def instrument_ids(ontology: Ontology) -> set[str]:
    """Return the ids of all descendants of the three roots."""
    return {label for root in INSTRUMENT_ROOTS for label in ontology.descendants(root)}


def resolve_labels(labels: Any, classes: ClassLabels) -> set[str]:
    """Turn names and ids, mixed, into ids."""
    if not isinstance(labels, Iterable):
        raise TypeError(
            "labels must be 'instruments', 'all', a list of names or ids, or a function, got "
            f"{labels!r}"
        )
    given = list(labels)
    if not given:
        raise ValueError("labels is an empty list: name a class, or pass labels='all'")
    by_name = dict(zip(classes.names, classes.ids, strict=True))
    known = set(classes.ids)
    found = set()
    for label in given:
        if label in known:
            found.add(label)
        elif label in by_name:
            found.add(by_name[label])
        else:
            raise ValueError(_unknown(label, classes))
    return found


def _unknown(label: Any, classes: ClassLabels) -> str:
    """Say that there is no such class, and which names are near."""
    text = str(label).lower()
    lowered = {name.lower(): name for name in classes.names}
    # "Fiddle" is a part of "Violin, fiddle", but not near to it letter by letter.
    near = [name for name in classes.names if text and text in name.lower()]
    near += [lowered[name] for name in difflib.get_close_matches(text, lowered, n=3)]
    near = list(dict.fromkeys(near))[:3]
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"labels names {label!r}, which is neither an id nor a name of AudioSet's classes{hint}"
