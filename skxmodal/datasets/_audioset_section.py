"""Ten seconds of a video that lies elsewhere: read by ranges, cut without being encoded anew."""

from __future__ import annotations

import contextlib
import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, BinaryIO

from ..utils import import_optional
from ..utils._pyav import open_container
from ._audioset_folder import _DEMUXERS

_BLOCK = 1 << 17
_KEPT_BLOCKS = 32
# A decoder needs some packets of sound before the first that is heard.
_PREROLL_S = Fraction(1, 10)
_SHORTFALL_S = 0.5


class SectionError(ValueError):
    """A video does not hold the section that was asked for, now or ever.

    ``reason`` is "damaged" or "too short".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RangeFile(io.RawIOBase):
    """A file of which only the blocks that are read are fetched.

    Parameters
    ----------
    fetch : callable
        ``fetch(first, last)`` returns the bytes ``first`` to ``last`` inclusive, fewer only at
        the end, and the size of the whole.

    Attributes
    ----------
    failure : Exception or None
        What ``fetch`` raised; a demuxer may take it for the end of the file.
    """

    def __init__(self, fetch: Callable[[int, int], tuple[bytes, int]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self.failure: Exception | None = None
        self._size = 0
        first, self._size = fetch(0, _BLOCK - 1)
        self._blocks[0] = first

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move, fetching nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""
        wanted = self._size - self._position
        wanted = wanted if size < 0 else min(size, wanted)
        parts = []
        while wanted > 0:
            number, offset = divmod(self._position, _BLOCK)
            part = self._block(number)[offset : offset + wanted]
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
            self._position += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
        else:
            try:
                self._blocks[number], _ = self._fetch(number * _BLOCK, (number + 1) * _BLOCK - 1)
            except Exception as error:
                self.failure = error
                raise
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]


def cut_section(
    sources: Sequence[BinaryIO | RangeFile], start: float, end: float, target: str
) -> None:
    """Copy the packets between two instants to an MP4 file that begins at the first of them.

    Nothing is decoded or encoded. The pictures begin at the key frame before ``start``; the
    edit list of the new file says that what lies before it is not shown, and every player and
    :func:`~skxmodal.media.read_audio` heed it.

    Parameters
    ----------
    sources : one or two open files
        A video with its sound, or both apart.
    start, end : float
        Seconds.
    target : str
        Path of the new file, which is overwritten.

    Raises
    ------
    SectionError
        When the video has ended before ``start``, lacks what its header announces, or is none.
    """
    av = import_optional("av", caller='fetch_audioset(clips="youtube")', extra="youtube")
    with contextlib.ExitStack() as stack:
        try:
            inputs = [
                stack.enter_context(
                    open_container(av, source, options={"format_whitelist": _DEMUXERS})
                )
                for source in sources
            ]
            chosen = _choose_streams(inputs)
            output = stack.enter_context(av.open(target, "w", format="mp4"))
            copies = {
                kind: output.add_stream_from_template(stream)
                for kind, (_, stream) in chosen.items()
            }
            n_packets = 0
            for container in inputs:
                streams = {
                    stream: copies[kind]
                    for kind, (owner, stream) in chosen.items()
                    if owner is container
                }
                n_packets += _copy(container, streams, output, start, end)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, SectionError):
                raise
            reason = str(getattr(error, "strerror", None) or error).rstrip(".")
            raise SectionError("damaged", f"the video cannot be cut ({reason})") from error
        if not n_packets:
            raise SectionError("too short", f"the video has nothing after {start:g} s")


def _choose_streams(inputs: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
    """Return the first video and the first sound, with their containers."""
    chosen: dict[str, tuple[Any, Any]] = {}
    for container in inputs:
        moving = [s for s in container.streams.video if "attached_pic" not in str(s.disposition)]
        for kind, streams in (("video", moving), ("audio", list(container.streams.audio))):
            if streams and kind not in chosen:
                chosen[kind] = (container, streams[0])
    if not chosen:
        raise SectionError("damaged", "the file has neither pictures nor sound")
    return chosen


def _copy(container: Any, copies: dict[Any, Any], output: Any, start: float, end: float) -> int:
    """Copy the packets of some streams of one container; return how many."""
    if not copies:
        return 0
    origin = max(Fraction(0), Fraction(container.start_time or 0, 1_000_000))
    first, last = origin + Fraction(start), origin + Fraction(end)
    announced = Fraction(container.duration or 0, 1_000_000)
    if announced and announced <= Fraction(start):
        raise SectionError(
            "too short", f"the video of {float(announced):.1f} s ends before {start:g} s"
        )
    leader = next((stream for stream in copies if stream.type == "video"), next(iter(copies)))
    if start > 0:
        container.seek(int((first - _PREROLL_S) / leader.time_base), stream=leader, backward=True)
    shifts = {stream: round(first / stream.time_base) for stream in copies}
    open_streams, reached, n_packets = set(copies), Fraction(0), 0
    for packet in container.demux(*copies):
        stream = packet.stream
        if packet.dts is None or stream not in open_streams:
            continue
        time = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
        if packet.dts * packet.time_base >= last:
            open_streams.discard(stream)
            reached = last
            if not open_streams:
                break
            continue
        if stream.type == "audio" and time < first - _PREROLL_S:
            continue
        reached = max(reached, time + (packet.duration or 0) * packet.time_base)
        packet.dts -= shifts[stream]
        if packet.pts is not None:
            packet.pts -= shifts[stream]
        packet.stream = copies[stream]
        output.mux(packet)
        n_packets += 1
    shortfall = min(float(announced + origin), float(last)) - float(reached)
    if announced and shortfall > _SHORTFALL_S:
        raise SectionError(
            "damaged",
            f"the video is truncated ({float(reached - origin):.1f} of {float(announced):.1f} s "
            "are there)",
        )
    return n_packets if reached > first else 0
