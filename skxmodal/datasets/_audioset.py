"""AudioSet: labels of two million ten-second clips, and the media where they can be had."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from ..utils import check_choice
from ._audioset_cache import load_segments
from ._audioset_lists import ClassLabels, Segments, read_class_labels
from ._audioset_selection import choose_label_sets
from ._data_home import get_data_home
from ._fetch_ontology import fetch_audioset_ontology
from ._remote import AUDIOSET_CLASS_LABELS, AUDIOSET_SEGMENTS, fetch_file

if TYPE_CHECKING:
    from ._audioset_youtube import YouTubeClips

_CACHE_FOLDER = "audioset-lists"
_ON_ERROR = ("raise", "warn", "ignore")

_DESCR = """\
AudioSet
--------
Ten-second clips of videos on YouTube with the labels that people gave to their sound: 527 classes
of sound from an ontology of 632. Three lists: eval (20 thousand clips) and balanced_train (22
thousand), both with at least some 60 clips a class, and unbalanced_train (2 million).

Labels are weak: they say that a sound occurs somewhere in the ten seconds, not when, and nothing
of what is seen. A clip usually carries several, often a class together with the one above it.

Licences: the lists of segments and classes are by Google LLC, CC BY 4.0; the ontology is CC BY-SA
4.0 (https://research.google.com/audioset/). The videos belong to their owners and are not
redistributed: what you may do with a video is between you, its owner and YouTube. Videos are
deleted, made private or blocked all the time; some 15-20 % of the clips can no longer be had.

J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events",
ICASSP 2017.
"""


def fetch_audioset(
    subset: str | Sequence[str] = "balanced_train",
    *,
    labels: str | Sequence[str] | Callable[[tuple[str, ...]], bool] | None = "instruments",
    clips: str | os.PathLike | YouTubeClips | None = None,
    indicator: bool = False,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    n_jobs: int | None = None,
    on_error: str = "warn",
    random_state: Any = None,
    verbose: int = 1,
) -> Bunch:
    """Load the clips of AudioSet with their labels, and with their media if asked.

    The lists (1 MB each, ``unbalanced_train`` 100 MB) are downloaded on first use, parsed
    strictly and kept in parsed form below the data home.

    Parameters
    ----------
    subset : {"balanced_train", "eval", "unbalanced_train"} or a list of these, \
            default="balanced_train"
        The official list, or several one after the other.
    labels : {"instruments", "all"}, list of str, callable or None, default="instruments"
        Which clips. ``"instruments"``: those with a label below "Musical instrument", "Singing"
        or "Tools" in the ontology (paper, section 3.1 [1]_). ``"all"`` or ``None``: every clip.
        A list of names and ids: the clips with at least one of these labels (of the very label,
        not of one below it). A function: called with the tuple of ids of a clip, once for each
        distinct tuple, it says whether to take the clip. A clip that is taken keeps all its labels.
    clips : path, "youtube", YouTubeClips or None, default=None
        ``None``: labels only. A folder: clips that were downloaded before, in any of the layouts
        that the user guide lists ("AudioSet"). ``"youtube"``: download what is not there yet into
        the data home; :class:`YouTubeClips` says how.
    indicator : bool, default=False
        ``True``: ``target`` is a multilabel indicator matrix instead of tuples.
    data_home : path, default=None
        As in :func:`get_data_home`.
    download_if_missing : bool, default=True
        ``False``: raise instead of downloading a list; ask for no clip that is not there.
    n_jobs : int, default=None
        How many clips are looked at or downloaded at a time.
    on_error : {"warn", "raise", "ignore"}, default="warn"
        What to do when clips cannot be had; their cells are missing then.
    random_state : int, RandomState instance or None, default=None
        ``None``: the middle second of each clip. Else: one drawn at random.
    verbose : int, default=1
        Positive: progress bars.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            DataFrame, one row a clip: ``ytid`` (id of the video), ``start`` and ``end`` (seconds),
            ``subset`` if several were asked for, ``label_ids`` (categorical; ids separated by
            spaces, as in a manifest) and ``label_names`` (categorical; names separated by
            ``"; "``); with ``clips`` also the media columns ``audio`` and ``image``: one second
            of sound and the frame in its middle, ``None`` where there is none,
        ``target``
            object array ``(n_clips,)`` of tuples of label ids; with ``indicator=True`` a sparse
            matrix ``(n_clips, 527)`` of uint8 (:class:`scipy.sparse.csr_array`), 1 where a clip
            carries a label; its columns are all classes, in the order of ``class_ids``,
        ``target_names``, ``class_ids``
            lists of names and ids of all 527 classes, in the official order,
        ``label_ids``
            the tuples, in either case,
        ``coverage``
            only with ``clips``: what is there, what is not and why (printed, it is a table),
        ``DESCR``
            description and licences.

    Raises
    ------
    ValueError, TypeError
        When a parameter is not one of its choices, no clip is selected, or a list is malformed
        (the error names file and line).
    RemoteFileError
        When a list cannot be obtained or is not what was expected.

    See Also
    --------
    make_clips : A manifest of the clips.
    classes18 : The clips that carry exactly one of the paper's 18 classes.
    audioset_subsets : The paper's four subsets (Table 2).

    References
    ----------
    .. [1] H.-H. Wu et al., "Exploring modality-agnostic representations for music
       classification", 2021. https://arxiv.org/abs/2106.01149
    .. [2] J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio
       events", ICASSP 2017.

    Examples
    --------
    >>> from skxmodal.datasets import fetch_audioset
    >>> data = fetch_audioset(["balanced_train", "eval"])  # doctest: +SKIP
    >>> data.frame[["ytid", "start", "label_names"]].head(2)  # doctest: +SKIP
    >>> flutes = fetch_audioset("eval", labels=["Flute", "/m/06ncr"])  # doctest: +SKIP
    """
    subsets = _check_subsets(subset)
    check_choice("on_error", on_error, _ON_ERROR)
    fetch = partial(
        fetch_file, data_home=data_home, download_if_missing=download_if_missing, verbose=verbose
    )
    classes = read_class_labels(fetch(AUDIOSET_CLASS_LABELS))
    cache = get_data_home(data_home) / _CACHE_FOLDER
    parts = [load_segments(fetch(AUDIOSET_SEGMENTS[name]), classes, cache) for name in subsets]
    segments = _concatenate(parts)
    label_sets = [tuple(ids.split(" ")) for ids in segments.label_sets]
    taken = choose_label_sets(
        label_sets,
        labels,
        classes,
        partial(
            fetch_audioset_ontology, data_home=data_home, download_if_missing=download_if_missing
        ),
    )
    rows = np.flatnonzero(taken[segments.code])
    if not len(rows):
        raise ValueError(f"labels={labels!r} selects none of the clips of {', '.join(subsets)}")
    codes = segments.code[rows]
    frame = _make_frame(segments, rows, classes)
    if not isinstance(subset, str):
        names = np.repeat(np.arange(len(parts)), [len(part.code) for part in parts])
        frame.insert(3, "subset", _categorical(names[rows], subsets))
    label_ids = np.empty(len(label_sets), dtype=object)
    label_ids[:] = label_sets
    label_ids = label_ids[codes]
    data = Bunch(
        frame=frame,
        target=_indicator(codes, label_sets, classes) if indicator else label_ids,
        target_names=list(classes.names),
        class_ids=list(classes.ids),
        label_ids=label_ids,
        DESCR=_DESCR,
    )
    if clips is not None:
        import pandas as pd

        from ._audioset_clips import attach_media

        audio, image, data.coverage = attach_media(
            frame,
            clips,
            data_home=data_home,
            download_if_missing=download_if_missing,
            n_jobs=n_jobs,
            on_error=on_error,
            verbose=verbose,
            random_state=random_state,
        )
        # As objects: a column of strings would turn None into NaN.
        frame["audio"] = pd.Series(audio, index=frame.index, dtype=object)
        frame["image"] = pd.Series(image, index=frame.index, dtype=object)
    return data


def _check_subsets(subset: str | Sequence[str]) -> list[str]:
    """Return the names of the lists."""
    subsets = [subset] if isinstance(subset, str) else list(subset)
    if not subsets:
        raise ValueError("subset is an empty list: name one of " + ", ".join(AUDIOSET_SEGMENTS))
    for name in subsets:
        check_choice("subset", name, AUDIOSET_SEGMENTS)
    if len(set(subsets)) < len(subsets):
        raise ValueError(f"subset names a list twice: {subsets}")
    return subsets


def _concatenate(parts: list[Segments]) -> Segments:
    """Join lists, and renumber their sets of labels."""
    if len(parts) == 1:
        return parts[0]
    numbers: dict[str, int] = {}
    codes = []
    for part in parts:
        renumbered = [numbers.setdefault(ids, len(numbers)) for ids in part.label_sets]
        codes.append(np.array(renumbered, dtype=np.int32)[part.code])
    return Segments(
        np.concatenate([part.ytid for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate(codes),
        list(numbers),
    )


def _make_frame(segments: Segments, rows: np.ndarray, classes: ClassLabels) -> Any:
    """Make the table of the rows."""
    import pandas as pd

    used, codes = np.unique(segments.code[rows], return_inverse=True)
    sets = [segments.label_sets[i] for i in used]
    name_of = dict(zip(classes.ids, classes.names, strict=True))
    names = ["; ".join([name_of[label] for label in ids.split(" ")]) for ids in sets]
    return pd.DataFrame(
        {
            "ytid": segments.ytid[rows].astype("U11").astype(object),
            "start": segments.start[rows],
            "end": segments.end[rows],
            "label_ids": _categorical(codes, sets),
            "label_names": _categorical(codes, names),
        }
    )


def _categorical(codes: Any, categories: list[str]) -> Any:
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(categories))


def _indicator(codes: np.ndarray, label_sets: list[tuple[str, ...]], classes: ClassLabels) -> Any:
    """Return the sparse matrix of clips and classes."""
    from scipy.sparse import csr_array

    column_of = {label: column for column, label in enumerate(classes.ids)}
    columns = [sorted(column_of[label] for label in ids) for ids in label_sets]
    indptr = np.cumsum([0, *map(len, columns)])
    indices = np.concatenate([np.array(row, dtype=np.int32) for row in columns])
    matrix = csr_array(
        (np.ones(len(indices), dtype=np.uint8), indices, indptr),
        shape=(len(label_sets), len(classes.ids)),
    )
    return matrix[codes]
