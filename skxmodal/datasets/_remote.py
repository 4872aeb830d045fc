"""Every file that skxmodal can download, and the one way it is obtained.

A file lands in ``<data home>/<host>/<path of its URL>``. The mirror named by the environment
variable ``SKXMODAL_MIRROR`` (a folder or a base URL with that same layout) is asked first.
Nothing is used before its digest was checked; a file whose owner publishes no digest is pinned
on first use (the digest is recorded beside it and checked ever after).
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ._data_home import get_data_home
from ._digests import digest_of, matches

_TIMEOUT_S = 60
_PIN_SUFFIX = ".sha256"


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


def fetch_file(
    remote: RemoteFile,
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
    pin: bool = True,
) -> Path:
    """Return the local path of a remote file, downloaded and checked if need be.

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
        When the file is missing, cannot be downloaded, or has the wrong digest.
    """
    path = remote.place(get_data_home(data_home))
    if path.is_file():
        if _is_genuine(path, remote):
            if remote.digest is None and pin:
                _pin(path, remote)
            return path
        # A damaged copy is worth nothing: it is fetched anew, or reported as missing.
        path.unlink(missing_ok=True)
    if not download_if_missing:
        raise RemoteFileError(
            f"{remote.name} is not in {str(path.parent)!r} and download_if_missing=False: "
            f"allow the download of {remote.url}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _retrieve(remote, path, verbose=verbose)
    if remote.digest is None and pin:
        _pin(path, remote)
    return path


def _is_genuine(path: Path, remote: RemoteFile) -> bool:
    """Check the file against its published digest or the one recorded on first use."""
    if remote.digest is not None:
        return matches(path, remote.digest)
    pin_file = path.with_name(path.name + _PIN_SUFFIX)
    return not pin_file.is_file() or matches(path, pin_file.read_text("utf-8").strip())


def _pin(path: Path, remote: RemoteFile) -> None:
    pin_file = path.with_name(path.name + _PIN_SUFFIX)
    digest = "sha256:" + digest_of(path, "sha256")
    if pin_file.is_file():
        if pin_file.read_text("utf-8").strip() != digest:
            path.unlink()
            raise RemoteFileError(
                f"{remote.url} is no longer the file that was first fetched: delete "
                f"{str(pin_file)!r} to accept the new one"
            )
        return
    partial = pin_file.with_name(pin_file.name + ".part")
    partial.write_text(digest + "\n", "utf-8")
    partial.replace(pin_file)
    warnings.warn(
        f"{remote.name} has no published digest; pinned on first use as {digest}",
        UserWarning,
        stacklevel=4,
    )


def _retrieve(remote: RemoteFile, path: Path, *, verbose: int) -> None:
    """Let pooch fetch the file: it writes beside the goal and moves into place when whole."""
    import pooch

    fetch = _MirrorFirstDownloader(remote, verbose=verbose)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            remote.url, known_hash=None, fname=path.name, path=path.parent, downloader=fetch
        )
    finally:
        logger.setLevel(level)


class _MirrorFirstDownloader:
    """A pooch downloader: the mirror, then the owner's address; the digest before the move."""

    def __init__(self, remote: RemoteFile, *, verbose: int) -> None:
        self.remote = remote
        self.verbose = verbose

    def __call__(self, url: str, output_file: Any, pooch_: Any) -> None:
        failures = []
        mirror = os.environ.get("SKXMODAL_MIRROR", "")
        if mirror and not mirror.startswith(("http://", "https://")):
            mirror = mirror.removeprefix("file://")
            place = self.remote.place(Path(mirror).expanduser())
            if place.is_file():
                shutil.copyfile(place, output_file)
                self._verify(Path(output_file), str(place))
                return
            failures.append(f"it is not in the mirror {mirror!r}")
        elif mirror:
            parts = urlsplit(url)
            mirrored = f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
            failure = self._download(mirrored, output_file, pooch_)
            if failure is None:
                return
            failures.append(failure)
        failure = self._download(url, output_file, pooch_)
        if failure is None:
            return
        failures.append(failure)
        raise RemoteFileError(
            f"{self.remote.name} could not be fetched ({'; '.join(failures)}): set "
            "SKXMODAL_MIRROR to a folder or base URL that holds it as <host>/<path>"
        )

    def _download(self, url: str, output_file: Any, pooch_: Any) -> str | None:
        """Try one address; return why it failed, or ``None``."""
        import pooch
        import requests

        download = pooch.HTTPDownloader(progressbar=bool(self.verbose), timeout=_TIMEOUT_S)
        try:
            download(url, output_file, pooch_)
        except requests.HTTPError as error:
            status = "an error" if error.response is None else error.response.status_code
            return f"{url} answered {status}"
        except requests.RequestException as error:
            return f"{url} could not be reached ({type(error).__name__})"
        self._verify(Path(output_file), url)
        return None

    def _verify(self, path: Path, origin: str) -> None:
        expected = self.remote.digest
        if expected is not None and not matches(path, expected):
            kind = expected.partition(":")[0]
            raise RemoteFileError(
                f"{origin} is not the expected file: its digest is "
                f"{kind}:{digest_of(path, kind)}, not {expected}"
            )
