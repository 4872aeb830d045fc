"""Archives: the wanted members, checked by their contents, unpacked all or not at all.

``pooch.Unzip`` and ``pooch.Untar`` are not used here because they neither check what they unpack
nor survive being killed half-way: a folder they left incomplete is taken for whole the next time.
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import os
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..utils._file_lock import file_lock
from ._data_home import get_data_home
from ._digests import digest_of_digests
from ._remote import RemoteFile, RemoteFileError, fetch_file

_MAX_BYTES = 1 << 30
_MAX_MEMBERS = 100_000
_MAX_HEADER = 1 << 24  # bytes of a name and its like in a tar archive
_BLOCK = 1 << 16
_GZIP = b"\x1f\x8b"


def fetch_zip(
    remote: RemoteFile,
    *,
    members: str,
    contents: str,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
) -> Path:
    """Return a folder with the members of a remote zip file that match a pattern.

    Parameters
    ----------
    remote : RemoteFile
        The archive; all of its members lie in one top folder, which is dropped.
    members : str
        Shell-style pattern of the wanted members, e.g. ``"recordings/*.wav"``.
    contents : str
        Digest of the wanted members (:func:`digest_of_contents`).

    Raises
    ------
    RemoteFileError
        When the archive is missing, damaged, hostile, or holds other files than expected.
    """
    archive = remote.place(get_data_home(data_home))
    folder = archive.with_name(archive.name + ".contents")
    if folder.is_dir():
        # Renamed into place when whole and checked: its being there says that it is whole.
        return folder
    archive = fetch_file(
        remote,
        data_home=data_home,
        download_if_missing=download_if_missing,
        verbose=verbose,
        pin=False,
    )

    def fill(partial: Path) -> None:
        found = digest_of_digests(extract_zip(archive, partial, members).items())
        if found != contents:
            raise RemoteFileError(
                f"the files {members!r} of {remote.url} have the digest {found}, not {contents}: "
                "this is not the data set that was asked for"
            )

    unpack(archive, folder, fill, damaged=f"{remote.url} is not a readable zip file")
    return folder


def unpack(archive: Path, folder: Path, fill: Callable[[Path], None], *, damaged: str) -> None:
    """Let ``fill`` write into a folder beside the goal, then rename: whole or not at all.

    What another process has unpacked meanwhile is used, what a killed one has left is deleted.

    Parameters
    ----------
    archive : pathlib.Path
        What is unpacked; deleted when it turns out to be damaged or hostile.
    folder : pathlib.Path
        The goal.
    fill : callable
        Unpacks and checks.
    damaged : str
        What to say of a damaged archive, before the reason.

    Raises
    ------
    RemoteFileError
        When the archive is damaged or hostile, or the folder cannot be written.
    """
    try:
        with file_lock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                _fill_and_rename(folder, fill)
    except RemoteFileError:
        archive.unlink(missing_ok=True)
        raise
    # A RuntimeError is an encrypted or oddly compressed member; the others are damage.
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        struct.error,
        EOFError,
        ValueError,
        RuntimeError,
    ) as error:
        archive.unlink(missing_ok=True)
        raise RemoteFileError(f"{damaged}: {error}") from error
    except OSError as error:
        # The decoders of gzip and bzip2 report damage as an OSError, which has no number then.
        if error.errno is None:
            archive.unlink(missing_ok=True)
            raise RemoteFileError(f"{damaged}: {error}") from error
        raise RemoteFileError(
            f"{archive.name} cannot be unpacked in {str(folder.parent)!r} ({error.strerror}): "
            "make room or set SKXMODAL_DATA to another folder"
        ) from error


def _fill_and_rename(folder: Path, fill: Callable[[Path], None]) -> None:
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        fill(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def extract_zip(archive: Path, folder: Path, pattern: str) -> dict[str, str]:
    """Unpack the members that match, without their top folder; return the SHA-256 of each."""
    digests: dict[str, str] = {}
    writer = _MemberWriter(archive, folder)
    with zipfile.ZipFile(archive) as zipped:
        infos = zipped.infolist()
        writer.check_count(len(infos))
        wanted = []
        for info in infos:
            name = info.filename.partition("/")[2]
            if info.is_dir() or not fnmatch.fnmatchcase(name, pattern):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            # Archives made on other systems state no kind.
            if kind not in (0, stat.S_IFREG):
                raise RemoteFileError(f"{archive.name} holds a link or device: {name!r}")
            # The zipfile module lets the other decoders put out whatever they make of one read:
            # 45 bytes of bzip2 are 46 megabytes.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise RemoteFileError(
                    f"{archive.name} holds a member that is neither stored nor deflated: {name!r}"
                )
            wanted.append((name, info))
        # What is declared is refused at once; what is not is found out by counting.
        writer.check_size(sum(info.file_size for _, info in wanted))
        for name, info in wanted:
            with zipped.open(info) as source:
                digests[name] = writer.write(name, source)
    return digests


def extract_tar(archive: Path, folder: Path, *, max_bytes: int = _MAX_BYTES) -> None:
    """Unpack a tar archive, plain or compressed by gzip, of regular files and folders."""
    writer = _MemberWriter(archive, folder, max_bytes=max_bytes)
    with archive.open("rb") as file:
        opener: Any = gzip.open if file.read(len(_GZIP)) == _GZIP else open
    with opener(archive, "rb") as plain:
        bounded: Any = _BoundedReader(plain, archive)
        with tarfile.open(fileobj=bounded, mode="r:") as packed:
            for count, member in enumerate(packed, 1):
                writer.check_count(count)
                # Headers count as well, beyond what a member needs.
                writer.check_size(packed.offset - count * _BLOCK)
                check_name(archive, member.name)
                if member.isdir():
                    continue
                source = packed.extractfile(member) if member.isreg() else None
                if source is None:
                    raise RemoteFileError(f"{archive.name} holds a link or device: {member.name!r}")
                with source:
                    writer.write(member.name, source, declared=member.size)


def check_name(archive: Path, name: str) -> None:
    """Refuse the name of a member that leads, on any system, to a place outside its folder."""
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or re.match(r"[A-Za-z]:", name)
        or re.search(r"[\0-\x1f\x7f]", name)
    ):
        raise RemoteFileError(f"{archive.name} holds a member outside its folder: {name!r}")


class _MemberWriter:
    """Writes the members of one archive, within its limits and never one over another."""

    def __init__(self, archive: Path, folder: Path, *, max_bytes: int | None = None) -> None:
        self.archive = archive
        self.folder = folder
        self.max_bytes = _MAX_BYTES if max_bytes is None else max_bytes
        self.total = 0
        self._files: set[PurePosixPath] = set()
        self._folders: set[PurePosixPath] = set()

    def check_count(self, count: int) -> None:
        """Refuse too many members."""
        if count > _MAX_MEMBERS:
            raise RemoteFileError(f"{self.archive.name} holds more than {_MAX_MEMBERS} members")

    def check_size(self, size: int) -> None:
        """Refuse too many bytes."""
        if size > self.max_bytes:
            raise RemoteFileError(
                f"{self.archive.name} unpacks to more than {self.max_bytes} bytes"
            )

    def write(self, name: str, source: IO[bytes], *, declared: int = 0) -> str:
        """Write a member and return its SHA-256."""
        check_name(self.archive, name)
        self._check_collision(name)
        self.check_size(self.total + declared)
        target = self.folder.joinpath(*PurePosixPath(name).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        hasher = hashlib.sha256()
        with target.open("xb") as file:
            while data := source.read(_BLOCK):
                self.total += len(data)
                self.check_size(self.total)
                hasher.update(data)
                file.write(data)
        return hasher.hexdigest()

    def _check_collision(self, name: str) -> None:
        """Refuse a name that some system takes for another: the later would replace the first."""
        path = PurePosixPath(unicodedata.normalize("NFC", name).casefold())
        parents = set(path.parents)
        if path in self._files | self._folders or parents & self._files:
            raise RemoteFileError(
                f"{self.archive.name} holds two members of the same name, capitals aside: {name!r}"
            )
        self._files.add(path)
        self._folders |= parents


class _BoundedReader:
    """A file that refuses a read of more than any header has: they are read in one piece."""

    def __init__(self, file: Any, archive: Path) -> None:
        self._file = file
        self._archive = archive

    def read(self, size: int = -1) -> bytes:
        """Read like a file."""
        if not 0 <= size <= _MAX_HEADER:
            raise RemoteFileError(
                f"{self._archive.name} holds a header of more than {_MAX_HEADER} bytes"
            )
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek like a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell like a file."""
        return self._file.tell()
