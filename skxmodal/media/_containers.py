"""Files that need PyAV, told by their first bytes; and those whose end is missing."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 400
_MAX_BOXES = 100_000
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_EBML = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MOV_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
# Still pictures in the same boxes as MP4, which Pillow reads.
_STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}


def container_format(source: os.PathLike | BinaryIO) -> str | None:
    """Return FFmpeg's name of a container that neither libsndfile nor Pillow reads.

    The content decides, whatever the file is called; ``None`` for everything else.
    """
    with opened(source) as file:
        return format_of(file.read(HEAD_BYTES))


@contextmanager
def opened(source: os.PathLike | BinaryIO) -> Iterator[BinaryIO]:
    """Open a path; rewind what is open already, before and after."""
    if isinstance(source, os.PathLike):
        path = source if isinstance(source, Path) else Path(source)  # which parses it
        with path.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source
        source.seek(0)


def format_of(head: bytes) -> str | None:
    """Tell a container by the first ``HEAD_BYTES`` of a file."""
    if head[4:8] in _MOV_BOXES:
        still = head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS
        return None if still else "mov"
    for magic, name in ((_EBML, "matroska"), (_ASF, "asf"), (b"FLV\x01", "flv")):
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"OggS" and head[28:35] == b"\x80theora":
        return "ogg"
    # Packets of 188 bytes, in Blu-ray files with 4 bytes before each.
    if head[0:377:188] == b"GGG" or head[4:389:192] == b"GGG":
        return "mpegts"
    # An ADTS header: twelve set bits and layer 0, which MPEG audio does not have.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def truncated_container(file: BinaryIO, container: str) -> str | None:
    """Say what is missing at the end of a file; ``None`` when nothing is known to be."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    announced = {"mov": _mov_end, "matroska": _matroska_end, "avi": _avi_end}.get(container)
    end = announced(file, size) if announced else None
    file.seek(0)
    if end is None or end <= size:
        return None
    return f"{size} of {end} bytes are there"


def _mov_end(file: BinaryIO, size: int) -> int | None:
    """Where the last of a chain of boxes ends."""
    position = 0
    for _ in range(_MAX_BOXES):
        file.seek(position)
        header = file.read(16)
        if not header:
            return None
        if len(header) < 8:
            return position + 8
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length < 8:
            return None  # 0: the box reaches to the end of the file; others are padding
        position += length
        if position > size:
            return position
    return None


def _matroska_end(file: BinaryIO, size: int) -> int | None:
    """Where the segment ends, unless it was written without knowing."""
    position = 0
    for _ in range(3):
        file.seek(position)
        element = file.read(12)
        if len(element) < 5:
            return None
        width = 9 - element[4].bit_length()
        field = element[4 : 4 + width]
        if width > 8 or len(field) < width:
            return None
        length = int.from_bytes(field, "big") & ((1 << 7 * width) - 1)
        if element[:4] == _MATROSKA_SEGMENT:
            unknown = length == (1 << 7 * width) - 1
            return None if unknown else position + 4 + width + length
        position += 4 + width + length
    return None


def _avi_end(file: BinaryIO, size: int) -> int | None:
    """Where the first RIFF chunk ends (longer files have several)."""
    head = file.read(8)
    return 8 + struct.unpack("<4xI", head)[0] if len(head) == 8 else None
