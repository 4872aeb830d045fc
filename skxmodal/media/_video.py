"""Videos, and sounds that libsndfile cannot read: decoded by PyAV, only where asked."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from ..utils import import_optional
from ..utils._pyav import open_container
from ._cells import MediaError, check_length
from ._containers import container_format, opened, truncated_container

# Decoders of MDCT codecs need what came before: 80 ms in Opus, a few frames in AAC and MP3.
_PREROLL_S = 0.5
# A clock that differs from the count of samples by less is only rounded; by more, it jumps.
_JITTER_S = 0.05
_SHORTFALL_S = 0.25
_TAG = re.compile(r"^(\d+):(\d+):(\d+(?:\.\d+)?)")
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


def read_sound(
    source: os.PathLike | BinaryIO,
    cell: str,
    *,
    start: float | None = None,
    end: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decode the sound of a container between two instants, to mono float32 at its own rate.

    The decoder starts at the packets before ``start``; its samples are counted, so that the
    result is the part ``[round(start * rate), round(end * rate))`` of the whole, or what there
    is of it.
    """
    # A seek that led too far is known only afterwards: then everything is decoded.
    for seeking in (True, False):
        with _container(source, cell) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise MediaError("the video has no sound", cell=cell)
            # Old versions of PyAV crash when they are to decode with no decoder.
            if stream.codec_context is None:
                raise MediaError("the sound of the video is of an unknown kind", cell=cell)
            sound = _decode_sound(container, stream, cell, start, end, seeking=seeking)
        if sound is not None:
            return sound
    raise MediaError("the sound of the video cannot be found by its time", cell=cell)


def read_frame(
    source: os.PathLike | BinaryIO,
    cell: str,
    *,
    start: float | None = None,
    end: float | None = None,
    max_pixels: int,
) -> np.ndarray:
    """Decode the frame shown in the middle between two instants, to RGB pixels."""
    for seeking in (True, False):
        with _container(source, cell) as container:
            streams = _moving(container)
            if not streams:
                raise MediaError("the file has no video, only sound", cell=cell)
            frame = _decode_frame(container, streams[0], cell, start, end, max_pixels, seeking)
            if frame is not None:
                return _upright(frame)
    raise MediaError("the video has no frames", cell=cell)


@contextmanager
def _container(source: os.PathLike | BinaryIO, cell: str) -> Iterator[Any]:
    """Open a container with the demuxer of its kind; turn what FFmpeg reports into one error."""
    av = import_optional("av", caller=f"reading the video {cell}", extra="video")
    kind = container_format(source)
    if kind is None:
        raise MediaError("the file is no video of a known kind", cell=cell)
    try:
        with opened(source) as file:
            missing = truncated_container(file, kind)
            if missing is not None:
                raise MediaError(f"the file is truncated ({missing})", cell=cell)
            # An open file, not its name: FFmpeg takes some names for protocols and playlists.
            with open_container(av, file, format=kind) as container:
                yield container
    except MediaError:
        raise
    # PyAV's conversions raise what a damaged header leads them to, besides FFmpeg's own errors.
    except (av.FFmpegError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise MediaError(f"the video cannot be decoded ({reason})", cell=cell) from None


def _moving(container: Any) -> list:
    """Return the video streams that are no cover pictures of a sound."""
    return [
        stream
        for stream in container.streams.video
        if "attached_pic" not in str(stream.disposition) and stream.codec_context is not None
    ]


def _origin(container: Any) -> Fraction:
    """Return the container's time at which a player shows zero."""
    return max(Fraction(0), Fraction(container.start_time or 0, 1_000_000))


def _stream_end(container: Any, stream: Any) -> Fraction | None:
    """Return when a stream ends by its header, in seconds from the container's zero."""
    if stream.duration:
        first = (stream.start_time or 0) * stream.time_base
        return first + stream.duration * stream.time_base - _origin(container)
    tag = _TAG.match(stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = tag.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    return Fraction(container.duration, 1_000_000) if container.duration else None


# --- sound ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """Where a frame of sound starts, in samples from the container's zero."""

    rate: int
    origin: Fraction
    tick: float  # samples per unit of the stream's clock
    grid: tuple[int, int] | None  # a frame's start and the length of all frames after it

    @classmethod
    def of(cls, frames: list, origin: Fraction) -> _Clock:
        """Learn from the first frames."""
        first = frames[0]
        tick = float(first.time_base * first.sample_rate)
        clock = cls(first.sample_rate, origin, tick, None)
        if tick <= 1 or len(frames) < 3 or frames[1].samples != frames[2].samples:
            return clock
        # The start of the second frame is counted, as the first may be shortened.
        step = frames[1].samples
        if step <= 2 * (tick + 1) and step != round(tick):
            return clock
        start = clock(first) + first.samples
        return cls(first.sample_rate, origin, tick, (start, step))

    @property
    def is_exact(self) -> bool:
        """Whether the time of a frame tells its first sample."""
        return self.tick <= 1 or self.grid is not None

    def __call__(self, frame: Any, expected: int | None = None) -> int:
        """Return a frame's position; the expected one, unless the clock clearly differs."""
        ticks = frame.pts if frame.pts is not None else frame.dts
        if ticks is None:
            return expected or 0
        position = round((ticks * frame.time_base - self.origin) * self.rate)
        if expected is not None and abs(position - expected) <= max(
            _JITTER_S * self.rate, self.tick + 1
        ):
            return expected
        if self.grid is not None:
            start, step = self.grid
            snapped = start + round((position - start) / step) * step
            if abs(snapped - position) <= self.tick + 1:
                return snapped
        return position


def _decode_sound(
    container: Any,
    stream: Any,
    cell: str,
    start: float | None,
    end: float | None,
    *,
    seeking: bool,
) -> tuple[np.ndarray, int] | None:
    """Return samples and rate; ``None`` when a seek went past what was asked for."""
    frames = container.decode(stream)
    ahead = list(itertools.islice(frames, 3))
    if not ahead:
        raise MediaError("the sound of the video has no samples", cell=cell)
    origin = _origin(container)
    clock = _Clock.of(ahead, origin)
    first = 0 if start is None else round(start * clock.rate)
    last = math.inf if end is None else round(end * clock.rate)
    beginning = clock(ahead[0])
    target = float(origin) + (start or 0) - _PREROLL_S
    known = float(origin) + (beginning + sum(frame.samples for frame in ahead)) / clock.rate
    sought = seeking and clock.is_exact and target > known
    if sought:
        if not _seek(container, stream, target):
            return None
        frames = container.decode(stream)
    else:
        frames = itertools.chain(ahead, frames)
    blocks, reached = _cut(frames, clock, first, last, cell)
    if sought and (reached is None or reached[0] > first):
        return None
    if reached is None:
        raise MediaError("the sound of the video has no samples", cell=cell)
    stop = reached[1]
    announced = _stream_end(container, stream)
    if announced is not None and stop < last:
        # A sound that starts late lasts no longer than its duration says.
        shortfall = min(float(announced), last / clock.rate) - stop / clock.rate
        if shortfall > _SHORTFALL_S and _ends_with_sound(container, stream):
            raise MediaError(
                f"the file is truncated (the sound ends after {stop / clock.rate:.3f} of "
                f"{float(announced):.3f} s)",
                cell=cell,
            )
    mono = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if stream.duration and "mov" in container.format.name and not stream.start_time:
        # The encoder filled its last frame; the edit list says where the sound ends.
        padding = min(stop, last) - round(stream.duration * stream.time_base * clock.rate)
        if 0 < padding <= 2 * ahead[0].samples:
            mono = mono[: max(0, len(mono) - int(padding))]
    if mono.size == 0 and (start is not None or end is not None):
        raise MediaError(
            f"the time fragment lies outside the sound of {stop / clock.rate:.3f} s", cell=cell
        )
    return mono, clock.rate


def _ends_with_sound(container: Any, stream: Any) -> bool:
    """Tell whether the announced end is written down, and for the sound, not for the pictures."""
    if "mov" in container.format.name:
        return bool(stream.duration)
    return "DURATION" in stream.metadata


def _seek(container: Any, stream: Any, seconds: float) -> bool:
    """Go to the last packet before an instant from which a decoder can start."""
    import av

    try:
        container.seek(int(seconds / stream.time_base), stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def _cut(
    frames: Iterable, clock: _Clock, first: int, last: float, cell: str
) -> tuple[list[np.ndarray], tuple[int, int] | None]:
    """Return the samples in ``[first, last)``, and the range of those that were decoded."""
    blocks: list[np.ndarray] = []
    begin, expected = None, None
    n_samples = 0
    for frame in frames:
        if frame.sample_rate != clock.rate:
            raise MediaError(
                f"the sample rate changes from {clock.rate} to {frame.sample_rate} Hz", cell=cell
            )
        position = clock(frame, expected)
        if begin is None:
            begin = position
        if position >= last:
            break
        expected = position + frame.samples
        inside = slice(max(0, first - position), int(max(0, min(frame.samples, last - position))))
        if inside.start < inside.stop:
            blocks.append(_mono(frame)[inside])
            n_samples += inside.stop - inside.start
            check_length(n_samples, cell)
        if expected >= last:
            break
    if begin is None:
        return blocks, None
    return blocks, (begin, begin if expected is None else expected)


def _mono(frame: Any) -> np.ndarray:
    """Return a frame's samples, the mean of the channels, with full scale [-1, 1]."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(frame.samples, -1).T
    kind = frame.format.packed.name
    if kind in _FULL_SCALE:
        array = array / _FULL_SCALE[kind] - (kind == "u8")
    # Infinite samples of opposite sign make NaN, which the caller reports.
    with np.errstate(invalid="ignore", over="ignore"):
        array = array.astype(np.float32)
        return array[0] if len(array) == 1 else array.mean(axis=0)


# --- picture -------------------------------------------------------------------------------


def _decode_frame(
    container: Any,
    stream: Any,
    cell: str,
    start: float | None,
    end: float | None,
    max_pixels: int,
    seeking: bool,
) -> Any:
    """Return the frame shown in the middle of the fragment; ``None`` when none is found."""
    _check_pixels(stream.codec_context, max_pixels, cell)
    # Cells are decoded in threads already.
    stream.codec_context.thread_count = 1
    origin = _origin(container)
    video_end = _stream_end(container, stream)
    if video_end is None:
        video_end = _last_time(container, stream) - origin
        container.seek(0)
    begin = Fraction(start or 0)
    stop = video_end if end is None else min(Fraction(end), video_end)
    if begin >= stop:
        raise MediaError(
            f"the time fragment lies outside the video of {float(video_end):.3f} s"
            if start is not None or end is not None
            else "the video has no frames",
            cell=cell,
        )
    instant = origin + (begin + stop) / 2
    if seeking and not _seek(container, stream, float(instant)):
        return None
    shown = None
    for frame in container.decode(stream):
        _check_pixels(frame, max_pixels, cell)
        time = _time(frame)
        if time is not None and time > instant:
            if shown is None and seeking:
                return None
            shown = shown or frame
            break
        shown = frame
    if shown is None:
        return None
    time = _time(shown)
    if time is not None and instant - time > 1 and instant - time > (stop - begin) / 2:
        raise MediaError(
            f"the file is truncated (the video ends after {float(time - origin):.3f} of "
            f"{float(video_end):.3f} s)",
            cell=cell,
        )
    if shown.is_corrupt:
        raise MediaError("the frame in the middle is damaged", cell=cell)
    return shown


def _time(frame: Any) -> Fraction | None:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None else ticks * frame.time_base


def _last_time(container: Any, stream: Any) -> Fraction:
    """Find the end of a video whose header does not tell, without decoding it."""
    end = Fraction(0)
    for packet in container.demux(stream):
        if packet.pts is not None:
            end = max(end, (packet.pts + (packet.duration or 1)) * packet.time_base)
    return end


def _check_pixels(sized: Any, max_pixels: int, cell: str) -> None:
    if sized.width * sized.height > max_pixels:
        raise MediaError(
            f"the video claims {sized.width} x {sized.height} pixels, more than the "
            f"{max_pixels} that are decoded: shrink it first",
            cell=cell,
        )


def _upright(frame: Any) -> np.ndarray:
    """Return RGB pixels, turned as the file says it is to be shown."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))
