"""A folder of downloaded clips: which file is of which video, by the names that labs give."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ..utils import import_optional
from ..utils._pyav import open_container

_SOUNDS = {
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff"),
    *(".au", ".caf", ".w64", ".rf64", ".mka", ".weba"),
}
_VIDEOS = {
    *(".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".flv", ".ts", ".mts", ".3gp", ".wmv"),
    *(".asf", ".ogv"),
}
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_ID = r"[A-Za-z0-9_-]{11}"
_SECONDS = r"_(\d+(?:\.\d+)?)"
YTID = re.compile(rf"{_ID}\Z")
_STEMS = (
    (re.compile(rf"({_ID})\Z"), "<ytid>"),
    (re.compile(rf"({_ID}){_SECONDS}\Z"), "<ytid>_<start>"),
    (re.compile(rf"({_ID}){_SECONDS}{_SECONDS}\Z"), "<ytid>_<start>_<end>"),
    (re.compile(rf"Y({_ID})\Z"), "Y<ytid>"),
    (re.compile(rf"Y({_ID}){_SECONDS}\Z"), "Y<ytid>_<start>"),
    (re.compile(rf"Y({_ID}){_SECONDS}{_SECONDS}\Z"), "Y<ytid>_<start>_<end>"),
    (re.compile(rf".*\[({_ID})\]\Z"), "<title> [<ytid>]"),
)
# Demuxers that read media; others follow what a file says to other files and addresses.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpegts,aac,ogg,wav,flac,mp3,caf,aiff,au"
)


@dataclass(frozen=True)
class ClipFile:
    """A file that holds a clip, a whole video, or a picture of one."""

    path: str
    kind: str  # "sound", "video" or "picture"
    layout: str
    start: float | None = None  # as its name says, in seconds or milliseconds

    def fits(self, start: float) -> bool | None:
        """Whether it is the clip that starts there; ``None`` when its name does not say."""
        if self.start is None:
            return None
        # Lists give milliseconds, names often whole seconds.
        return abs(self.start - start) < 1 or (
            self.start >= 1000 and abs(self.start / 1000 - start) < 1
        )


@dataclass
class FolderIndex:
    """What a folder holds."""

    files: dict[str, list[ClipFile]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class FileFacts:
    """What the header of a media file says."""

    seconds: float  # 0: it does not say
    has_sound: bool
    has_picture: bool


def parse_stem(stem: str) -> tuple[str, str, float | None] | None:
    """Return id, layout and start of a file's name, or ``None`` when it is another name."""
    for pattern, layout in _STEMS:
        match = pattern.match(stem)
        if match:
            start = float(match[2]) if match.re.groups > 1 else None
            return match[1], layout, start
    return None


def index_folder(root: str | os.PathLike, wanted: Collection[str]) -> FolderIndex:
    """Look once at every file below a folder.

    Links to folders are not followed, links to files only where these lie in the folder too.
    """
    top = Path(root).expanduser()
    if not top.is_dir():
        raise NotADirectoryError(f"clips={str(root)!r} is no folder: pass one, or 'youtube'")
    inside = os.path.realpath(top)
    index = FolderIndex()
    pending = [str(top)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except PermissionError:
            index.counts["folders that may not be read"] += 1
            continue
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                _index_file(entry, inside, wanted, index)
    return index


def _index_file(
    entry: os.DirEntry, inside: str, wanted: Collection[str], index: FolderIndex
) -> None:
    stem, suffix = os.path.splitext(entry.name)
    kind = _kind(suffix.lower())
    parsed = parse_stem(stem) if kind else None
    if parsed is None:
        index.counts["other files"] += 1
        return
    ytid, layout, start = parsed
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if os.path.commonpath([inside, target]) != inside:
            index.counts["links out of the folder"] += 1
            return
    if not entry.is_file():
        index.counts["other files"] += 1
        return
    if ytid not in wanted:
        index.counts["files of other videos"] += 1
        return
    index.files[ytid].append(ClipFile(entry.path, kind, layout, start))


def _kind(suffix: str) -> str:
    if suffix in _VIDEOS:
        return "video"
    if suffix in _SOUNDS:
        return "sound"
    return "picture" if suffix in _PICTURES else ""


def probe_file(path: str) -> FileFacts | str:
    """Read the header of a media file; return why it cannot be read, if so."""
    import soundfile

    try:
        info = soundfile.info(path)
        return FileFacts(info.frames / info.samplerate, True, False)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        pass
    av = import_optional("av", caller=f"fetch_audioset(clips=...) with {path!r}", extra="video")
    try:
        with (
            open(path, "rb") as file,
            open_container(av, file, options={"format_whitelist": _DEMUXERS}) as container,
        ):
            return container_facts(container)
    except (OSError, av.FFmpegError) as error:
        return str(getattr(error, "strerror", None) or error).rstrip(".")


def container_facts(container: object) -> FileFacts:
    """Return the length of an opened container, and what it holds."""
    streams = container.streams  # type: ignore[attr-defined]
    moving = [one for one in streams.video if "attached_pic" not in str(one.disposition)]
    duration = container.duration  # type: ignore[attr-defined]
    return FileFacts((duration or 0) / 1_000_000, bool(streams.audio), bool(moving))
