"""The media of AudioSet's clips: found in a folder or downloaded, one second of each."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from ..utils import check_choice, progress_bar
from ._audioset_coverage import Coverage, summarise
from ._audioset_downloads import download_clips
from ._audioset_folder import YTID, ClipFile, FileFacts, index_folder, probe_file
from ._audioset_sampling import draw_positions, place_clip, second_within, time_fragment
from ._audioset_youtube import YouTubeClips
from ._remote import RemoteFileError

_ON_ERROR = ("raise", "warn", "ignore")
_NOWHERE = ("no file", "")


def attach_media(
    frame: Any,
    clips: str | os.PathLike | YouTubeClips | None,
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    n_jobs: int | None = None,
    on_error: str = "warn",
    verbose: int = 0,
    random_state: Any = None,
) -> tuple[list[str | None], list[str | None], Coverage]:
    """Find one second of sound and one frame of the same second for each clip.

    Parameters
    ----------
    frame : DataFrame
        With the columns ``ytid``, ``start`` and ``end`` (seconds).
    clips : path, "youtube", YouTubeClips or None
        A folder, which is searched with all its folders for files called ``<ytid>``,
        ``<ytid>_<start>``, ``<ytid>_<start>_<end>`` (seconds or milliseconds), each also with a
        ``Y`` before it, or ``<title> [<ytid>]``; ``"youtube"``: clips are downloaded into the
        data home. A file whose name gives the start holds the clip only. Of others the length
        decides: up to a second longer than the clip, it holds the clip only; reaching to the
        clip's end, it is the whole video; anything else is of no use.
    data_home, download_if_missing, n_jobs, on_error, verbose, random_state
        As in :func:`~skxmodal.datasets.fetch_audioset`.

    Returns
    -------
    audio, image : lists of str or None
        Cells of a media table, ``clip.mp4#t=4.5,5.5``, or the path of a picture file where there
        is no video.
    coverage : Coverage
        What is there, what is not and why.
    """
    check_choice("on_error", on_error, _ON_ERROR)
    ytids, starts, ends = _columns(frame)
    positions = draw_positions(len(ytids), random_state)
    problems: list[tuple[str, str] | None] = [None] * len(ytids)
    if clips is None:
        nothing: list[str | None] = [None] * len(ytids)
        return nothing, list(nothing), summarise(frame, nothing, nothing, problems, *_no_counts())
    folder: str | os.PathLike
    if isinstance(clips, YouTubeClips) or (isinstance(clips, str) and clips == "youtube"):
        source = clips if isinstance(clips, YouTubeClips) else YouTubeClips()
        folder, problems = download_clips(
            ytids,
            starts,
            ends,
            source,
            data_home=data_home,
            download_if_missing=download_if_missing,
            n_jobs=n_jobs,
            strict=on_error == "raise",
            verbose=verbose,
        )
    else:
        folder = clips
    index = index_folder(folder, set(ytids))

    def look(row: int) -> tuple[_Choice, tuple[str, str] | None]:
        return _choose(index.files.get(ytids[row], ()), starts[row], ends[row], positions[row])

    audio: list[str | None] = []
    image: list[str | None] = []
    layouts: Counter = Counter()
    for row, (choice, problem) in enumerate(
        _in_threads(look, range(len(ytids)), n_jobs, verbose=verbose)
    ):
        audio.append(choice.audio)
        image.append(choice.image)
        layouts.update(choice.layouts)
        if choice.n_duplicates:
            index.counts["duplicates"] += choice.n_duplicates
        if problem is not None and (problem != _NOWHERE or problems[row] is None):
            problems[row] = problem
    coverage = summarise(frame, audio, image, problems, layouts, index.counts)
    _tell(coverage, on_error)
    return audio, image, coverage


def _no_counts() -> tuple[Counter, Counter]:
    return Counter(), Counter()


def _columns(frame: Any) -> tuple[list[str], list[float], list[float]]:
    """Return ids, starts and ends, which become parts of file names and addresses."""
    missing = [name for name in ("ytid", "start", "end") if name not in frame.columns]
    if missing:
        raise ValueError(f"the table of clips has no column {', '.join(map(repr, missing))}")
    ytids = [str(ytid) for ytid in frame["ytid"]]
    for row, ytid in enumerate(ytids):
        if not YTID.match(ytid):
            raise ValueError(
                f"row {row}: {ytid!r} is no id of a YouTube video (eleven letters, digits, - and _)"
            )
    starts = np.asarray(frame["start"], dtype=float)
    ends = np.asarray(frame["end"], dtype=float)
    wrong = np.flatnonzero(~((starts >= 0) & (ends > starts) & np.isfinite(ends)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"row {row}: a clip cannot last from {starts[row]} to {ends[row]} s")
    return ytids, starts.tolist(), ends.tolist()


class _Choice:
    """The cells of one clip, and which files they are of."""

    def __init__(self) -> None:
        self.audio: str | None = None
        self.image: str | None = None
        self.layouts: list[str] = []
        self.n_duplicates = 0


def _choose(
    files: Iterable[ClipFile], start: float, end: float, position: float
) -> tuple[_Choice, tuple[str, str] | None]:
    """Choose files for one clip: videos before sounds, names that give the start before others."""
    choice = _Choice()
    here = [file for file in files if file.fits(start) is not False]
    media = sorted(
        (file for file in here if file.kind != "picture"),
        key=lambda file: (file.kind != "video", file.start is None, file.path),
    )
    pictures = sorted(
        (file for file in here if file.kind == "picture"),
        key=lambda file: (file.start is None, file.path),
    )
    kinds = Counter(file.kind for file in here)
    choice.n_duplicates = sum(n - 1 for n in kinds.values())
    problem = None
    for file in media:
        if choice.audio is not None and (choice.image is not None or file.kind == "sound"):
            break
        facts = probe_file(file.path)
        span = facts if isinstance(facts, str) else _span(file, facts, start, end)
        if isinstance(facts, str) or isinstance(span, str):
            problem = problem or ("unusable file", f"{file.path}: {span}")
            continue
        cell = time_fragment(file.path, second_within(span, position))
        used = False
        if choice.audio is None and facts.has_sound:
            choice.audio, used = cell, True
        if choice.image is None and facts.has_picture:
            choice.image, used = cell, True
        if used:
            choice.layouts.append(file.layout)
    if choice.image is None and pictures:
        choice.image = pictures[0].path
        choice.layouts.append(pictures[0].layout)
    if problem is None:
        if not here:
            other = f"{len(list(files))} files of other parts of the video" if files else ""
            problem = ("no file", other)
        elif choice.audio is None:
            problem = ("no sound", here[0].path)
        elif choice.image is None:
            problem = ("no picture", here[0].path)
    return choice, problem if choice.audio is None or choice.image is None else None


def _span(file: ClipFile, facts: FileFacts, start: float, end: float) -> tuple[float, float] | str:
    """Return where in a file the clip lies, or why that cannot be said."""
    span = place_clip(start, end, facts.seconds, is_cut=file.start is not None)
    if span is None:
        return (
            f"its {facts.seconds:.1f} s are neither the clip of {end - start:g} s nor a video "
            f"that reaches to {end:g} s"
        )
    return span


def _in_threads(
    function: Callable[[int], Any], rows: range, n_jobs: int | None, *, verbose: int
) -> Iterator[Any]:
    """Map in order; the header of a file is mostly waiting for the disk."""
    bar = progress_bar(verbose=verbose, description="looking at clips", total=len(rows))
    n_workers = effective_n_jobs(n_jobs)
    with bar:
        if n_workers == 1:
            for row in rows:
                yield function(row)
                bar.update()
            return
        with ThreadPoolExecutor(n_workers) as executor:
            for result in executor.map(function, rows):
                yield result
                bar.update()


def _tell(coverage: Coverage, on_error: str) -> None:
    """Raise or warn, once, when clips are not there."""
    n_lacking = len(coverage["rows"])
    if not n_lacking or on_error == "ignore":
        return
    first = coverage["rows"].iloc[0]
    why = f"{first['reason']}{': ' + first['detail'] if first['detail'] else ''}"
    if on_error == "raise":
        raise RemoteFileError(
            f"the clip {first['ytid']} from {first['start']:g} s has no sound or no picture "
            f"({why}); on_error='warn' goes on without it"
        )
    counts = ", ".join(f"{n} {reason}" for reason, n in coverage["reasons"].items())
    warnings.warn(
        f"{n_lacking} of {coverage['n_clips']} clips lack sound, picture or both ({counts}); the "
        f"first: {first['ytid']}, {why}",
        UserWarning,
        stacklevel=4,
    )
