"""Sounds: files, bytes and arrays become mono float32 samples at one rate."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from numbers import Real
from typing import Any, BinaryIO

import numpy as np

from ._cells import MediaError, check_length, describe
from ._containers import HEAD_BYTES, format_of, opened
from ._fragment import fragment_of
from ._truncation import LenientBytes, truncated_sound
from ._video import read_sound
from ._wav import read_plain_wav

_READ_FRAMES = 1 << 20
_INT16_STEP = np.float32(2**-15)
# Some write 32-bit integers as floats. What is louder is damaged, and its power overflows.
_LOUDEST = 2.0**32


class _Resamplers(threading.local):
    """The resamplers of a thread, kept: to make one takes a tenth of the time of a second."""

    def __init__(self) -> None:
        self._stream_of = lru_cache(maxsize=8)(self._make)

    def resample(self, mono: np.ndarray, rate: float, sample_rate: float) -> np.ndarray:
        """Return what ``soxr.resample`` does of a whole sound, bit for bit."""
        stream = self._stream_of(rate, sample_rate)
        stream.clear()
        return stream.resample_chunk(mono, last=True)

    @staticmethod
    def _make(rate: float, sample_rate: float) -> Any:
        import soxr

        return soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")


_RESAMPLERS = _Resamplers()


def read_audio(
    cell: Any, sample_rate: float, *, array_sample_rate: float | None = None
) -> np.ndarray:
    """Decode one cell to mono samples.

    Parameters
    ----------
    cell : str, path-like, bytes, ndarray or (sample_rate, ndarray)
        A file that libsndfile reads (WAV, FLAC, OGG, MP3, ...) or, with the extra ``video``,
        that PyAV reads (the sound of MP4, MKV, WebM, MOV, AVI, ...; M4A, AAC), optionally with
        a W3C time fragment (``"talk.flac#t=3.0,4.0"``, seconds): then only that part is
        decoded, or what there is of it; its content as bytes; an array ``(n,)``
        or ``(channels, n)``; or a pair of a rate in Hz and such an array. Integer samples of 8, 16
        or 32 bits are scaled by their full range, channels are averaged.
    sample_rate : float
        Rate of the result, in Hz (resampled by soxr, quality HQ).
    array_sample_rate : float or None, default=None
        Rate of cells that are bare arrays, in Hz.

    Returns
    -------
    samples : float32 array of shape (n,), n >= 1
        Full scale is [-1, 1].

    Raises
    ------
    MediaError
        When the cell is not a sound: missing file, folder, damaged or truncated file, a video
        without sound, no samples, NaN or infinite samples, an array without its rate, another
        type.
    ImportError
        When the file needs PyAV, which is not installed.

    References
    ----------
    .. [1] W3C, "Media Fragments URI 1.0", 2012, section 4.2.1 (temporal dimension).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.media import read_audio
    >>> stereo = np.array([[0, 16384], [0, 0]], dtype=np.int16)
    >>> read_audio((8000, stereo), 8000)
    array([0.  , 0.25], dtype=float32)
    """
    if isinstance(cell, (str, os.PathLike)):
        mono, rate = _read_path(os.fspath(cell), sample_rate)
    elif isinstance(cell, (bytes, bytearray, memoryview)):
        if len(cell) == 0:
            raise MediaError("there are no bytes to decode", cell=describe(cell))
        mono, rate = _decode(LenientBytes(cell), describe(cell), sample_rate)
    else:
        mono, rate = _from_array(cell, array_sample_rate)
    if mono.size == 0:
        raise MediaError("the sound has no samples", cell=describe(cell))
    highest, lowest = float(mono.max()), float(mono.min())  # both NaN if any sample is
    if not (np.isfinite(highest) and np.isfinite(lowest)):
        raise MediaError("the sound has NaN or infinite samples", cell=describe(cell))
    loudest = max(highest, -lowest)
    if loudest > _LOUDEST:
        raise MediaError(
            f"the sound has samples of {loudest:.3g}, where full scale is 1: it is damaged",
            cell=describe(cell),
        )
    return _resample(mono, rate, sample_rate, describe(cell))


def _read_path(name: str | bytes, sample_rate: float) -> tuple[np.ndarray, float]:
    path, start, end = fragment_of(name)
    return _decode(path, repr(name), sample_rate, start=start, end=end)


def _decode(
    source: os.PathLike | BinaryIO,
    cell: str,
    sample_rate: float,
    *,
    start: float | None = None,
    end: float | None = None,
) -> tuple[np.ndarray, float]:
    """Return samples and their rate; at another than ``sample_rate`` they are soon overwritten."""
    try:
        with opened(source) as file:
            head = file.read(HEAD_BYTES)
            is_container = format_of(head) is not None
            if start is None and end is None:
                plain = read_plain_wav(file, head, most=_READ_FRAMES, sample_rate=sample_rate)
                if plain is not None:
                    samples, rate = plain
                    check_length(len(samples), cell)
                    return _mean_of_channels(samples, axis=1), rate
            missing = None if is_container else truncated_sound(file)
        if is_container:
            return read_sound(source, cell, start=start, end=end)
    except OSError as error:
        raise MediaError(f"the file cannot be opened ({error})", cell=cell) from None
    if missing is not None:
        raise MediaError(f"the file is truncated ({missing})", cell=cell)
    return _decode_with_libsndfile(source, cell, start=start, end=end)


def _decode_with_libsndfile(
    source: os.PathLike | BinaryIO, cell: str, *, start: float | None, end: float | None
) -> tuple[np.ndarray, float]:
    """Read block by block: a header that lies cannot exhaust the memory."""
    import soundfile

    try:
        with soundfile.SoundFile(_name_for_libsndfile(source)) as file:
            rate = file.samplerate
            first = 0 if start is None else round(start * rate)
            last = file.frames if end is None else min(file.frames, round(end * rate))
            if first >= last and file.frames:
                raise MediaError(
                    f"the time fragment lies outside the sound of {file.frames / rate:.3f} s",
                    cell=cell,
                )
            check_length(last - first, cell)
            block_frames = max(1, _READ_FRAMES // file.channels)
            # The same numbers, sooner: libsndfile divides 16-bit samples one by one.
            dtype = "int16" if file.subtype == "PCM_16" else "float32"
            if first:
                file.seek(first)
            blocks = []
            wanted = last - first
            while wanted > 0:
                block = file.read(min(wanted, block_frames), dtype=dtype, always_2d=True)
                if len(block) == 0:
                    raise MediaError(
                        f"the file is truncated ({last - first - wanted} of {last - first} "
                        "frames could be read)",
                        cell=cell,
                    )
                wanted -= len(block)
                if dtype == "int16":
                    block = block * _INT16_STEP
                blocks.append(_mean_of_channels(block, axis=1))
    # A TypeError asks for the layout of a headerless ".raw" file, which no cell can tell.
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise MediaError(f"the file cannot be read as audio ({reason})", cell=cell) from None
    if not blocks:
        return np.empty(0, np.float32), rate
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks)), rate


def _name_for_libsndfile(source: os.PathLike | BinaryIO) -> Any:
    """Return a path as bytes where paths are bytes: it need not be text."""
    if isinstance(source, os.PathLike) and os.name == "posix":
        return os.fsencode(source)
    return source


def _from_array(cell: Any, array_sample_rate: float | None) -> tuple[np.ndarray, float]:
    if isinstance(cell, tuple):
        if len(cell) != 2 or not isinstance(cell[0], (Real, np.number)):
            raise MediaError(
                "a tuple must be (sample_rate, array), in this order", cell=describe(cell)
            )
        try:
            rate, array = float(cell[0]), np.asarray(cell[1])
        except ValueError:
            raise MediaError("the samples are not an array", cell=describe(cell)) from None
    elif isinstance(cell, np.ndarray):
        if array_sample_rate is None:
            raise MediaError(
                "an array does not know its sample rate: give sample_rate= to the embedder, "
                "or cells (sample_rate, array)",
                cell=describe(cell),
            )
        rate, array = float(array_sample_rate), cell
    else:
        raise MediaError(
            "a sound must be a path, bytes, an array or (sample_rate, array)", cell=describe(cell)
        )
    if not (np.isfinite(rate) and rate > 0):
        raise MediaError(f"the sample rate must be positive, got {rate}", cell=describe(cell))
    if array.ndim not in (1, 2):
        raise MediaError("a sound must have the shape (n,) or (channels, n)", cell=describe(cell))
    if array.ndim == 2 and array.shape[0] > array.shape[1] and array.shape[1] > 0:
        raise MediaError(
            f"{array.shape[0]} channels of {array.shape[1]} samples: sounds have the shape "
            "(channels, n), pass the transpose",
            cell=describe(cell),
        )
    mono = _full_scale(array, describe(cell))
    return (_mean_of_channels(mono, axis=0) if mono.ndim == 2 else mono), rate


def _mean_of_channels(samples: np.ndarray, *, axis: int) -> np.ndarray:
    if samples.size == 0:
        return np.empty(0, np.float32)
    if samples.shape[axis] == 1:
        return samples.squeeze(axis)
    # Infinite samples of opposite sign make NaN; the caller reports both.
    with np.errstate(invalid="ignore", over="ignore"):
        return samples.mean(axis=axis)


def _full_scale(array: np.ndarray, cell: str) -> np.ndarray:
    """Samples as float32 with full scale [-1, 1]."""
    if array.dtype.kind == "f":
        # What is too large for float32 becomes infinite, which the caller reports.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype.kind == "i" and array.dtype.itemsize == 8:
        # Nobody records in 64 bits: it is NumPy's default, and the full scale that was meant is
        # unknown. At that of the type every sound would be silence.
        raise MediaError(
            "samples are 64-bit integers, whose full scale nobody can tell: convert them to int16 "
            "or int32, or divide them by it",
            cell=cell,
        )
    if array.dtype.kind == "i":
        return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    if array.dtype == np.uint8:
        return ((array.astype(np.float32) - 128) / 128).astype(np.float32)
    raise MediaError("samples must be float, signed integers or uint8", cell=cell)


def _resample(mono: np.ndarray, rate: float, sample_rate: float, cell: str) -> np.ndarray:
    if rate == sample_rate:
        return np.ascontiguousarray(mono)
    check_length(len(mono) / rate * sample_rate, cell)
    if len(mono) > _READ_FRAMES:
        import soxr

        resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")
    else:
        resampled = _RESAMPLERS.resample(mono, rate, sample_rate)
    # A sound shorter than one new sample still is a sound.
    return resampled if resampled.size else mono[:1].copy()
