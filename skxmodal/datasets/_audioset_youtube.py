"""One clip from YouTube, through the package yt-dlp: the ten seconds only, asked for politely."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..utils import import_optional
from ._audioset_section import RangeFile, SectionError, cut_section

CALLER = 'fetch_audioset(clips="youtube")'
_FRAGMENT = re.compile(r"(?P<url>.+)#t=(?P<start>[\d.]+),(?P<end>[\d.]+)\Z")

# The smallest of the formats with 240 to 480 lines (encoders look at 224 x 224), sound and
# pictures in one file where there is one, else apart; any other only where there is none.
_FORMAT = (
    "b[height>=?240][height<=?480][vcodec!^=?vp8]"
    "/bv[height>=?240][height<=?480][ext=mp4]+ba[ext=m4a]"
    "/bv[height<=?480]+ba/b/bv+ba/bv/ba"
)
_FORMAT_SORT = ["+res", "+size", "+br"]

# What messages mean; the first that matches decides, and what none matches is tried again later.
_MEANINGS = (
    (None, r"try again|rate.?limit|not a bot|timed? ?out|HTTP Error (403|408|429|5\d\d)"),
    ("private", r"private|members.only|join this channel"),
    ("blocked", r"country|blocked|geo.?restrict|copyright|confirm your age|age.restricted"),
    (
        "gone",
        r"HTTP Error (404|410)|video (is )?(unavailable|not available)|no longer available"
        r"|removed|terminated|deleted|does not exist|has been closed",
    ),
)


class UnavailableError(Exception):
    """A clip that cannot be had, now or later."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SetbackError(Exception):
    """A failure that may be gone at the next try."""


@dataclass(frozen=True)
class YouTubeClips:
    """How clips are downloaded; ``fetch_audioset(clips="youtube")`` means ``YouTubeClips()``.

    Parameters
    ----------
    url : str
        Address of a video, with ``{ytid}`` in place of its id.
    pause : float, default=5.0
        Seconds between the starts of two downloads, of all threads together. The site refuses
        visitors who ask for more than some hundreds of videos an hour.
    bytes_per_second : int or None, default=None
        Limit of each transfer of a whole video (see Notes).
    retries : int, default=3
        How often a failure that may pass is tried again.
    backoff : float, default=2.0
        Seconds before the first retry, doubled at each further one.
    options : dict
        Further options of ``yt_dlp.YoutubeDL``, such as ``{"cookiefile": "cookies.txt"}`` or
        ``{"proxy": "socks5://127.0.0.1:1080"}``.

    Notes
    -----
    Of a video only the parts of the file that hold the section are transferred, where the server
    gives parts; else all of it, which is deleted after the cut. Nothing is encoded anew, and no
    ffmpeg program is needed.

    Examples
    --------
    >>> from skxmodal.datasets import YouTubeClips
    >>> YouTubeClips(pause=12).pause
    12
    """

    url: str = "https://www.youtube.com/watch?v={ytid}"
    pause: float = 5.0
    bytes_per_second: int | None = None
    retries: int = 3
    backoff: float = 2.0
    options: dict[str, Any] = field(default_factory=dict)


class SectionDownloader:
    """A downloader for pooch: ``https://...#t=30,40`` becomes an MP4 file of these ten seconds.

    Parameters
    ----------
    source : YouTubeClips
        How to download.
    parts : pathlib.Path
        Folder for whole videos, where a server gives no parts.

    Notes
    -----
    It keeps a client of yt-dlp for each thread, which remembers what it has learnt of the site;
    ``close`` (or the end of a ``with``) closes their connections.
    """

    def __init__(self, source: YouTubeClips, parts: Path) -> None:
        self.source = source
        self.parts = parts
        self._next_start = 0.0
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._clients: list[Any] = []

    def __enter__(self) -> SectionDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            while self._clients:
                self._clients.pop().close()
        self._of_thread = threading.local()

    def __call__(self, url: str, output_file: Any, pooch_: Any) -> None:
        """Download the section of an address into a file."""
        match = _FRAGMENT.match(url)
        if match is None:
            raise ValueError(f"{url!r} names no section: it must end in #t=start,end")
        start, end = float(match["start"]), float(match["end"])
        for attempt in range(self.source.retries + 1):
            self._wait_for_turn()
            try:
                self._download(match["url"], start, end, str(output_file))
                return
            except SetbackError:
                if attempt == self.source.retries:
                    raise
                time.sleep(self.source.backoff * 2**attempt)

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_start)
            self._next_start = turn + self.source.pause
        time.sleep(turn - now)

    def _download(self, url: str, start: float, end: float, target: str) -> None:
        yt_dlp = import_optional("yt_dlp", caller=CALLER, extra="youtube")
        client = self._client(yt_dlp)
        try:
            info = client.extract_info(url, download=False)
            formats = info.get("requested_formats") or [info]
            if not all("url" in one for one in formats):
                raise UnavailableError("gone", "the address leads to no video")
            formats = [{**one, "section_of": url} for one in formats]
            self._cut(client, formats, start, end, target)
        except SectionError as error:
            raise UnavailableError(error.reason, str(error)) from error
        except (yt_dlp.utils.YoutubeDLError, yt_dlp.networking.exceptions.RequestError) as error:
            raise _meaning_of(error) from error

    def _client(self, yt_dlp: Any) -> Any:
        """Return the client of this thread."""
        if not hasattr(self._of_thread, "client"):
            options = {
                "format": _FORMAT,
                "format_sort": _FORMAT_SORT,
                "logger": _Silence(),
                "quiet": True,
                "noprogress": True,
                "noplaylist": True,
                "cachedir": False,
                "socket_timeout": 30,
                "ratelimit": self.source.bytes_per_second,
                # Retries are counted here, with the pause between them.
                "retries": 0,
                "extractor_retries": 0,
                **self.source.options,
            }
            client = yt_dlp.YoutubeDL(options)
            with self._lock:
                self._clients.append(client)
            self._of_thread.client = client
        return self._of_thread.client

    def _cut(
        self, client: Any, formats: Sequence[dict], start: float, end: float, target: str
    ) -> None:
        """Cut the section out of the parts of a video that hold it, or out of the whole."""
        try:
            remote = [_open_by_ranges(client, one) for one in formats]
        except _NoRangesError:
            self._cut_whole(client, formats, start, end, target)
            return
        try:
            cut_section(remote, start, end, target)
        finally:
            # The demuxer may have taken a failed transfer for the end of the file.
            for failure in (file.failure for file in remote):
                if isinstance(failure, _NoRangesError):
                    raise SetbackError("the server sends parts no more") from None
                if failure is not None:
                    raise failure

    def _cut_whole(
        self, client: Any, formats: Sequence[dict], start: float, end: float, target: str
    ) -> None:
        """Download all of a video, continuing what an earlier try has left, and cut it."""
        paths = []
        for number, one in enumerate(formats):
            # The file pooch writes to is another at each try; the section is not. Addresses
            # change, and ids of other sites may hold any character.
            key = f"{one['section_of']} {start} {number} {one.get('format_id')}"
            path = self.parts / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.video"
            done, *_ = client.dl(str(path), {**one, "filename": str(path)})
            if not done or not path.is_file():
                raise SetbackError("the transfer was not completed")
            paths.append(path)
        with contextlib.ExitStack() as stack:
            # Cut or not: what holds no section is of no use to anybody.
            for path in paths:
                stack.callback(path.unlink, missing_ok=True)
            files = [stack.enter_context(path.open("rb")) for path in paths]
            cut_section(files, start, end, target)


class _NoRangesError(Exception):
    """The server sends whole files only."""


class _Silence:
    """A logger for yt-dlp that says nothing: what matters comes as an exception."""

    def debug(self, _message: str) -> None:
        """Say nothing of what goes well."""

    info = warning = error = debug


def _open_by_ranges(client: Any, one: dict) -> RangeFile:
    from yt_dlp.networking import Request

    if one.get("protocol") not in (None, "http", "https"):
        raise _NoRangesError

    def fetch(first: int, last: int) -> tuple[bytes, int]:
        headers = {
            **(one.get("http_headers") or {}),
            "Range": f"bytes={first}-{last}",
            "Accept-Encoding": "identity",
        }
        with contextlib.closing(client.urlopen(Request(one["url"], headers=headers))) as answer:
            total = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
            if answer.status != 206 or not total.isdigit():
                raise _NoRangesError
            content = answer.read()
        expected = min(last + 1, int(total)) - first
        if len(content) != expected:
            raise SetbackError(f"{len(content)} of {expected} bytes arrived")
        return content, int(total)

    return RangeFile(fetch)


def _meaning_of(error: Exception) -> Exception:
    """Tell from an error of yt-dlp whether the video is gone for good."""
    message = re.sub(r"\x1b\[[\d;]*m", "", str(error)).removeprefix("ERROR: ").strip()
    message = message.partition("; please report this issue")[0].partition(" (caused by")[0]
    for reason, pattern in _MEANINGS:
        if re.search(pattern, message, re.IGNORECASE):
            return SetbackError(message) if reason is None else UnavailableError(reason, message)
    return SetbackError(message)
