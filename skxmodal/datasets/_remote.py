"""Every file that skxmodal can download, and the one way it is obtained.

A file lands in ``<data home>/<host>/<path of its URL>``. The mirror named by the environment
variable ``SKXMODAL_MIRROR`` (a folder or a base URL with that same layout) is asked first.
Nothing is used before its digest was checked; a file whose owner publishes no digest is pinned
on first use (the digest is recorded beside it and checked ever after). What has arrived when a
download is interrupted is kept beside the goal as ``<name>.part`` and continued the next time.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..utils._file_lock import file_lock
from ._data_home import get_data_home
from ._digests import digest_of, matches
from ._http import TransferError, download, shown
from ._partial_file import PartialFile

_PIN_SUFFIX = ".sha256"
_MAX_BYTES = 16 << 30  # of a file whose size is not known beforehand
_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class RemoteFileError(OSError):
    """A remote file could not be obtained, or is not the file that was asked for."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the internet: where it is, how it is recognised, who allows its use."""

    url: str
    digest: str | None  # "<kind>:<hexadecimal>"; None: pinned on first use
    licence: str
    size: int | None = None  # bytes
    title: str = ""  # what it is, where its name does not say so

    @property
    def name(self) -> str:
        """What an error calls it: its title, or the last part of the URL's path."""
        return self.title or self.url.rpartition("/")[2]

    def place(self, root: Path) -> Path:
        """Where the file lies below a data home or a mirror folder."""
        parts = urlsplit(self.url)
        names = [parts.netloc, *parts.path.lstrip("/").split("/")]
        # By name, not by where links lead: a data home may hold links to another disk.
        if any(name in ("", ".", "..") or "\\" in name for name in names):
            raise RemoteFileError(f"the URL {self.url!r} leads out of the folder {str(root)!r}")
        return root.joinpath(*names)


SPOKEN_DIGITS = RemoteFile(
    "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/zip/"
    "26eb9aaf76e81b692f806f9140c2d2777410d7a1",
    # The host packs the archive anew at will: its contents are checked instead (_archives.py).
    digest=None,
    licence="CC BY-SA 4.0",
    title="the Free Spoken Digit Dataset",
)

_AUDIOSET_LISTS = "https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/"

AUDIOSET_CLASS_LABELS = RemoteFile(
    _AUDIOSET_LISTS + "class_labels_indices.csv",
    digest=None,
    licence="CC BY 4.0",
    title="AudioSet's list of classes",
)
AUDIOSET_SEGMENTS = {
    subset: RemoteFile(
        f"{_AUDIOSET_LISTS}{subset}_segments.csv",
        digest=None,
        licence="CC BY 4.0",
        title=f"AudioSet's list of {subset} segments",
    )
    for subset in ("balanced_train", "eval", "unbalanced_train")
}


def fetch_file(
    remote: RemoteFile,
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
    pin: bool = True,
) -> Path:
    """Return the local path of a remote file, downloaded and checked if need be.

    A download that was interrupted is continued; where several processes want the same file,
    one fetches it and the others wait.

    Parameters
    ----------
    remote : RemoteFile
        What to fetch.
    data_home : str, path-like or None, default=None
        As in :func:`~skxmodal.datasets.get_data_home`.
    download_if_missing : bool, default=True
        ``False``: a file that is not there is an error.
    verbose : int, default=0
        Positive: a progress bar.
    pin : bool, default=True
        Whether a file without a known digest is pinned on first use; ``False`` where the
        caller checks the file's contents itself.

    Raises
    ------
    RemoteFileError
        When the file is missing, cannot be downloaded or kept, or has the wrong digest.
    """
    path = remote.place(get_data_home(data_home))

    def say_who() -> None:
        if verbose:
            print(f"waiting for another process that fetches {remote.name}", file=sys.stderr)

    with _named_disk_errors(path, remote):
        if _is_there(path, remote) and (_expected(path, remote) or not pin):
            return path
        if not download_if_missing and not path.is_file():
            raise _missing(path, remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.with_name(path.name + ".lock"), on_wait=say_who):
            # Another process may have fetched it in the meantime.
            if not _is_there(path, remote):
                # A damaged copy is worth nothing: it is fetched anew, or reported as missing.
                path.unlink(missing_ok=True)
                if not download_if_missing:
                    raise _missing(path, remote)
                _retrieve(remote, path, verbose=verbose)
            if pin and not _expected(path, remote):
                _pin(path, remote)
    return path


def _missing(path: Path, remote: RemoteFile) -> RemoteFileError:
    return RemoteFileError(
        f"{remote.name} is not in {str(path.parent)!r} and download_if_missing=False: "
        f"allow the download of {shown(remote.url)}"
    )


def _expected(path: Path, remote: RemoteFile) -> str:
    """Return the published digest, or the one recorded on first use, or ``""``."""
    if remote.digest is not None:
        return remote.digest
    pin_file = path.with_name(path.name + _PIN_SUFFIX)
    try:
        digest = pin_file.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    if not digest.startswith("sha256:"):
        raise RemoteFileError(
            f"{str(pin_file)!r} holds no digest: delete it to record that of {remote.name} anew"
        )
    return digest


def _is_there(path: Path, remote: RemoteFile) -> bool:
    """Tell whether the file is there and undamaged."""
    expected = _expected(path, remote)
    try:
        return matches(path, expected) if expected else path.is_file()
    except (FileNotFoundError, NotADirectoryError):
        return False


def _pin(path: Path, remote: RemoteFile) -> None:
    """Record the digest of a file that has none."""
    pin_file = path.with_name(path.name + _PIN_SUFFIX)
    digest = "sha256:" + digest_of(path, "sha256")
    partial = pin_file.with_name(pin_file.name + ".part")
    partial.write_text(digest + "\n", "utf-8")
    partial.replace(pin_file)
    warnings.warn(
        f"{remote.name} has no published digest; pinned on first use as {digest}",
        UserWarning,
        stacklevel=4,
    )


@contextlib.contextmanager
def _named_disk_errors(path: Path, remote: RemoteFile) -> Iterator[None]:
    """Say which file could not be kept where, and what to do."""
    try:
        yield
    except RemoteFileError:
        raise
    except OSError as error:
        if error.errno in _DISK_FULL:
            reason, remedy = "the disk is full", "make room"
        else:
            reason, remedy = error.strerror or str(error), "make the folder writable"
        raise RemoteFileError(
            f"{remote.name} cannot be kept in {str(path.parent)!r} ({reason}): {remedy} or set "
            "SKXMODAL_DATA to another folder" + _to_be_continued(PartialFile(path))
        ) from error


def _to_be_continued(partial: PartialFile) -> str:
    if not partial.is_continuable:
        return ""
    return f" (the {partial.size} bytes that have arrived are kept and continued)"


def _retrieve(remote: RemoteFile, path: Path, *, verbose: int) -> None:
    """Let pooch fetch the file, which hands on what the downloader found whole."""
    import pooch

    # A kill leaves pooch's temporary file under a name that nobody knows: it gets its own folder.
    folder = path.with_name(path.name + ".new")
    shutil.rmtree(folder, ignore_errors=True)
    fetch = _MirrorFirstDownloader(remote, path, verbose=verbose)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        whole = pooch.retrieve(
            remote.url, known_hash=None, fname=path.name, path=folder, downloader=fetch
        )
        os.replace(whole, path)
    finally:
        logger.setLevel(level)
        shutil.rmtree(folder, ignore_errors=True)


class _MirrorFirstDownloader:
    """A pooch downloader: the mirror, then the owner's address; the digest before the move."""

    def __init__(self, remote: RemoteFile, path: Path, *, verbose: int) -> None:
        self.remote = remote
        self.partial = PartialFile(path)
        self.expected = _expected(path, remote)
        self.pin_file = path.with_name(path.name + _PIN_SUFFIX)
        self.verbose = verbose

    def __call__(self, url: str, output_file: Any, pooch_: Any) -> None:
        try:
            self._obtain(url)
        except OSError:
            # What is of no use later goes; where nothing can be written, nothing can be deleted.
            with contextlib.suppress(OSError):
                self.partial.keep_if_continuable()
            raise
        self.partial.move_to(output_file)

    def _obtain(self, url: str) -> None:
        """Bring the partial file to its full length from the first address that has the file."""
        failures: list[str] = []
        if not (self._from_mirror(url, failures) or self._from(url, failures)):
            raise RemoteFileError(
                f"{self.remote.name} could not be fetched ({'; '.join(failures)}): set "
                "SKXMODAL_MIRROR to a folder or base URL that holds it as <host>/<path>"
                + _to_be_continued(self.partial)
            )

    def _from_mirror(self, url: str, failures: list[str]) -> bool:
        """Try the mirror, if there is one; tell whether it had the file."""
        mirror = os.environ.get("SKXMODAL_MIRROR", "")
        if not mirror:
            return False
        if mirror.startswith(("http://", "https://")):
            parts = urlsplit(url)
            return self._from(f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}", failures)
        mirror = mirror.removeprefix("file://")
        place = self.remote.place(Path(mirror).expanduser())
        if not place.is_file():
            failures.append(f"it is not in the mirror {mirror!r}")
            return False
        try:
            source = place.open("rb")
        except OSError as error:
            failures.append(f"{str(place)!r} cannot be read ({error.strerror})")
            return False
        with source, self.partial.begin() as target:
            shutil.copyfileobj(source, target, 1 << 20)
        self._verify(str(place))
        return True

    def _from(self, url: str, failures: list[str]) -> bool:
        """Try one address; tell whether it had the file, or note why not."""
        try:
            continued = self._transfer(url)
            # The fault may lie in what was continued: then the whole file is asked for.
            if continued and self._flaw():
                self.partial.discard()
                self._transfer(url)
        except TransferError as error:
            failures.append(str(error))
            return False
        self._verify(shown(url))
        return True

    def _transfer(self, url: str) -> bool:
        size, digest = self.remote.size, self.remote.digest
        limit = _MAX_BYTES if size is None else size
        if digest is not None and size is not None:
            # The digest tells what is wrong better; this bounds what finding it out may cost.
            limit = 2 * size
        return download(
            url,
            self.partial,
            limit=limit,
            description=f"fetching {self.remote.name}",
            verbose=self.verbose,
        )

    def _flaw(self) -> str:
        """Return what is wrong with the bytes that have arrived, if anything."""
        path, size = self.partial.path, self.remote.size
        if self.expected and not matches(path, self.expected):
            kind = self.expected.partition(":")[0]
            return f"its digest is {kind}:{digest_of(path, kind)}, not {self.expected}"
        # Where there is a digest, it decides alone.
        if not self.expected and size is not None and self.partial.size != size:
            return f"it has {self.partial.size} bytes, not {size}"
        return ""

    def _verify(self, origin: str) -> None:
        """Delete the bytes and raise unless they are the file that was asked for."""
        flaw = self._flaw()
        if not flaw:
            return
        self.partial.discard()
        if self.expected and self.remote.digest is None:
            raise RemoteFileError(
                f"{origin} is no longer the file that was first fetched ({flaw}): delete "
                f"{str(self.pin_file)!r} to accept the new one"
            )
        raise RemoteFileError(f"{origin} is not the expected file: {flaw}")
