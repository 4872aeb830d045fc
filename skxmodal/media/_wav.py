"""The commonest sound file, 16-bit WAV with nothing but its samples, read without libsndfile."""

from __future__ import annotations

import os
import struct
import threading
from typing import BinaryIO

import numpy as np

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_INT16_STEP = np.float32(2**-15)


class _Scratch(threading.local):
    """Memory of a thread for samples on their way.

    New memory comes from the system page by page, which takes longer than to read the samples.
    """

    def __init__(self) -> None:
        self._arrays: dict[type, np.ndarray] = {}

    def array(self, n: int, dtype: type) -> np.ndarray:
        """Return ``n`` numbers, whatever they are, that live until the next call."""
        if len(self._arrays.get(dtype, ())) < n:
            self._arrays[dtype] = np.empty(n, dtype)
        return self._arrays[dtype][:n]


_SCRATCH = _Scratch()


def read_plain_wav(
    file: BinaryIO, head: bytes, *, most: int, sample_rate: float
) -> tuple[np.ndarray, int] | None:
    """Return the samples of a file, float32 ``(n, channels)``, and its rate.

    ``None`` for all but files that leave no question open: a header of 44 bytes, then as many
    16-bit samples as it says, up to the end of the file. These are the numbers that libsndfile
    gives.

    Parameters
    ----------
    file : binary file
        Read from anywhere.
    head : bytes
        What it starts with, 44 bytes or more.
    most : int
        Files of more samples, of all channels together, are left to libsndfile.
    sample_rate : float
        Where it is not the file's own, the samples last only until the next call in this thread:
        they are to be resampled.
    """
    if len(head) < _HEADER.size:
        return None
    (riff, _, wave, fmt, fmt_size, kind, channels, rate, _, frame, bits, data, size) = (
        _HEADER.unpack_from(head)
    )
    if (riff, wave, fmt, data) != (b"RIFF", b"WAVE", b"fmt ", b"data"):
        return None
    if (fmt_size, kind, bits, frame) != (16, 1, 16, 2 * channels):
        return None
    # The limits of libsndfile.
    if not (1 <= channels <= 1024 and 1 <= rate < 2**31):
        return None
    if not 0 < size <= 2 * most or size % frame:
        return None
    if file.seek(0, os.SEEK_END) != _HEADER.size + size:
        return None
    file.seek(_HEADER.size)
    samples = _SCRATCH.array(size // 2, np.int16)
    if file.readinto(samples) != size:  # type: ignore[attr-defined]
        return None
    scaled = None if rate == sample_rate else _SCRATCH.array(size // 2, np.float32)
    return np.multiply(samples, _INT16_STEP, out=scaled).reshape(-1, channels), rate
