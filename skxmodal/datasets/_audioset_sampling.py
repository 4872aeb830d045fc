"""The paper's sample of a clip: one second of its sound, and one frame of the same second."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

_SAMPLE_S = 1.0
# Files are cut at packets and frames: a cut of ten seconds is seldom of exactly ten.
_SLACK_S = 1.0


def draw_positions(n_clips: int, random_state: Any) -> np.ndarray:
    """Return where in each clip its second lies: 0 at the start, 1 at the end.

    One number is drawn for every clip, there or not, so that a clip keeps its second when
    others appear or vanish. Without a ``random_state`` it is the middle.
    """
    if random_state is None:
        return np.full(n_clips, 0.5)
    return check_random_state(random_state).uniform(size=n_clips)


def place_clip(
    start: float, end: float, seconds: float, *, is_cut: bool
) -> tuple[float, float] | None:
    """Return where in a file its clip lies, in seconds.

    Parameters
    ----------
    start, end : float
        The clip, in seconds of the whole video.
    seconds : float
        Length of the file; 0 when it is not known.
    is_cut : bool
        Whether the file's name says that it holds this clip only. Otherwise its length tells: a
        file no longer than the clip (and one second) holds the clip only, one that reaches to
        the clip's end (less one second) is the whole video.

    Returns
    -------
    span : (float, float) or None
        ``None`` when the length fits neither.
    """
    length = end - start
    if is_cut:
        return 0.0, min(length, seconds) if seconds > 0 else length
    if seconds <= 0:
        return None
    if seconds <= length + _SLACK_S:
        return 0.0, min(length, seconds)
    if seconds >= end - _SLACK_S:
        return start, min(end, seconds)
    return None


def second_within(span: tuple[float, float], position: float) -> tuple[float, float]:
    """Return the second at a position of a span, or the whole of a shorter span."""
    start, end = span
    room = end - start - _SAMPLE_S
    if room <= 0:
        return span
    first = start + round(room * position, 3)
    return first, first + _SAMPLE_S


def seconds_text(seconds: float) -> str:
    """Write seconds as in AudioSet's lists, to the millisecond, without idle zeros."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def time_fragment(path: str, span: tuple[float, float]) -> str:
    """Return the cell that stands for a part of a file."""
    return f"{path}#t={seconds_text(span[0])},{seconds_text(span[1])}"
