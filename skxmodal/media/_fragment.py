"""Cells that name a part of a file: ``clip.mp4#t=3.0,4.0``, a W3C media fragment."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ._cells import MediaError, checked_path

_FRAGMENT = re.compile(r"^(?P<path>.+)#t=(?:npt:)?(?P<start>\d*\.?\d*)(?:,(?P<end>\d*\.?\d*))?$")


def fragment_of(name: str | bytes) -> tuple[Path, float | None, float | None]:
    """Return the file that a cell names, and the seconds at which its part starts and ends.

    ``None`` stands for what the cell does not say. The file is there, readable and not empty.
    """
    fragment = _FRAGMENT.match(name) if isinstance(name, str) else None
    # A file may really be called "take#t=1": what is there wins over what it could mean.
    if fragment is None or os.path.lexists(name):
        return checked_path(os.fsdecode(name)), None, None
    path = checked_path(fragment["path"])
    try:
        start = float(fragment["start"] or 0)
        end = float(fragment["end"]) if fragment["end"] else None
    except ValueError:
        raise MediaError(
            "the time fragment is not #t=start,end in seconds", cell=repr(name)
        ) from None
    return path, start, end
