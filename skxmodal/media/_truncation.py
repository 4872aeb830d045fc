"""Truncated sound files that libsndfile reads without a complaint."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_MAX_CHUNKS = 1000
_TAIL_BYTES = 1 << 16
# Sizes that a writer puts in a header when it cannot go back to correct it (streams).
_UNKNOWN_SIZE = 0x7FFFF000


def truncated_sound(source: os.PathLike | BinaryIO) -> str | None:
    """Say what is missing at the end of a WAV or OGG file; ``None`` when nothing is known to be.

    libsndfile shortens a WAV whose data chunk ends early to what is there, and takes an OGG
    stream without its last page for a shorter one; FLAC and others fail while being decoded.
    """
    if isinstance(source, os.PathLike):
        try:
            with open(source, "rb") as file:
                return _examine(file)
        except OSError as error:
            return f"unreadable: {error}"
    verdict = _examine(source)
    source.seek(0)
    return verdict


def _examine(file: BinaryIO) -> str | None:
    magic = file.read(12)
    if magic[:4] == b"RIFF" and magic[8:12] == b"WAVE":
        return _examine_wav(file)
    if magic[:4] == b"OggS":
        return _examine_ogg(file)
    return None


def _examine_wav(file: BinaryIO) -> str | None:
    size = file.seek(0, os.SEEK_END)
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return "the WAV header has no data chunk"
        name, length = struct.unpack("<4sI", header)
        if name == b"data":
            present = size - position - 8
            if _UNKNOWN_SIZE <= length or length <= present:
                return None
            return f"{present} of {length} data bytes are there"
        position += 8 + length + length % 2
    return "the WAV header has no data chunk"


def _examine_ogg(file: BinaryIO) -> str | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    last_page = tail.rfind(b"OggS")
    if last_page >= 0 and len(tail) >= last_page + 27:
        end_of_stream = tail[last_page + 5] & 4
        segments = tail[last_page + 26]
        table = tail[last_page + 27 : last_page + 27 + segments]
        if end_of_stream and len(tail) >= last_page + 27 + segments + sum(table):
            return None
    return "the last OGG page is missing"
