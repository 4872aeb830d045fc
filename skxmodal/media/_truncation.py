"""Truncated sound files that libsndfile reads without a complaint."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

_MAX_CHUNKS = 1000
_TAIL_BYTES = 1 << 16
# Sizes that a writer puts in a header when it cannot go back to correct it (streams).
_UNKNOWN_SIZE = 0x7FFFF000


@dataclass(frozen=True)
class _Chunks:
    """How a format made of chunks is laid out: each has an identifier, a length, a content."""

    name: str
    first: int  # offset of the first chunk
    header: str  # struct format of identifier and length
    samples: bytes  # identifier of the chunk that holds the samples
    alignment: int = 2
    counts_header: bool = False  # whether the length includes identifier and length


_WAV = _Chunks("WAV", 12, "<4sI", b"data")
_AIFF = _Chunks("AIFF", 12, ">4sI", b"SSND")
_CAF = _Chunks("CAF", 8, ">4sq", b"data", alignment=1)
_W64 = _Chunks(
    "W64",
    40,
    "<16sQ",
    b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a",
    alignment=8,
    counts_header=True,
)


def truncated_sound(file: BinaryIO) -> str | None:
    """Say what is missing at the end of a sound file; ``None`` when nothing is known to be.

    libsndfile shortens a WAV (AIFF, AU, CAF ...) whose samples end early to what is there, and
    takes an OGG stream without its last page for a shorter one; FLAC and MP3 fail while being
    decoded.
    """
    file.seek(0)
    magic = file.read(12)
    if magic[8:12] == b"WAVE" and magic[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _examine_chunks(file, _WAV)
    if magic[8:12] in (b"AIFF", b"AIFC") and magic[:4] == b"FORM":
        return _examine_chunks(file, _AIFF)
    if magic[:4] == b"caff":
        return _examine_chunks(file, _CAF)
    if magic == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb":
        return _examine_chunks(file, _W64)
    if magic[:4] == b".snd" and len(magic) == 12:
        offset, length = struct.unpack(">4xII", magic)
        return _missing_samples(length, file.seek(0, os.SEEK_END) - offset)
    if magic[:4] == b"OggS":
        return _examine_ogg(file)
    return None


def _examine_chunks(file: BinaryIO, layout: _Chunks) -> str | None:
    size = file.seek(0, os.SEEK_END)
    header_size = struct.calcsize(layout.header)
    position = layout.first
    long_length = None
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(header_size)
        if len(header) < header_size:
            break
        name, length = struct.unpack(layout.header, header)
        if name == b"ds64":
            # The 64-bit lengths of an RF64 file, whose data chunk says 0xFFFFFFFF.
            lengths = file.read(16)
            long_length = struct.unpack("<8xQ", lengths)[0] if len(lengths) == 16 else None
        content = length - header_size if layout.counts_header else length
        if name == layout.samples:
            if length == 0xFFFFFFFF and long_length is not None:
                return _missing_samples(long_length, size - position - header_size, known=True)
            return _missing_samples(content, size - position - header_size)
        if content < 0:
            break
        position += header_size + content
        position += -position % layout.alignment
        if position > size:  # perhaps by more than a file can be long
            break
    return f"the {layout.name} header announces no samples"


def _missing_samples(length: int, present: int, *, known: bool = False) -> str | None:
    unknown = length < 0 or (not known and _UNKNOWN_SIZE <= length <= 0xFFFFFFFF)
    if unknown or length <= present:
        return None
    return f"{max(0, present)} of {length} data bytes are there"


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


class LenientBytes(io.BytesIO):
    """Bytes as a file that stays where it is when asked to go before its start.

    libsndfile asks for that in damaged files; an exception in its callback would be printed as
    a traceback and then ignored.
    """

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, unless there is no such place."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()
