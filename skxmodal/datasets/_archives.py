"""Archives: the wanted members, checked by their contents, unpacked all or not at all.

``pooch.Unzip`` is not used here because it neither checks what it unpacks nor survives being
killed half-way: a folder it left incomplete is taken for whole the next time.
"""

from __future__ import annotations

import fnmatch
import lzma
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ._data_home import get_data_home
from ._digests import digest_of_contents
from ._remote import RemoteFile, RemoteFileError, fetch_file

_MAX_BYTES = 1 << 30


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
    try:
        files = _read_members(archive, members)
    except RemoteFileError:
        archive.unlink(missing_ok=True)
        raise
    # A RuntimeError is an encrypted or oddly compressed member; the others are damage.
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        ValueError,
        RuntimeError,
    ) as error:
        archive.unlink(missing_ok=True)
        raise RemoteFileError(f"{remote.url} is not a readable zip file: {error}") from error
    found = digest_of_contents(files.items())
    if found != contents:
        archive.unlink(missing_ok=True)
        raise RemoteFileError(
            f"the files {members!r} of {remote.url} have the digest {found}, not {contents}: "
            "this is not the data set that was asked for"
        )
    _write_folder(folder, files)
    return folder


def _read_members(archive: Path, pattern: str) -> dict[str, bytes]:
    """Read the wanted members; refuse names that lead out, links, and bombs."""
    files: dict[str, bytes] = {}
    total = 0
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            name = info.filename.partition("/")[2]
            if info.is_dir() or not fnmatch.fnmatchcase(name, pattern):
                continue
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                raise RemoteFileError(f"{archive.name} holds a member outside its folder: {name!r}")
            if stat.S_ISLNK(info.external_attr >> 16):
                raise RemoteFileError(f"{archive.name} holds a link: {name!r}")
            total += info.file_size
            if total > _MAX_BYTES:
                raise RemoteFileError(f"{archive.name} unpacks to more than {_MAX_BYTES} bytes")
            files[name] = zipped.read(info)
    return files


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files beside the goal, then rename: the folder appears whole or not at all."""
    partial = Path(tempfile.mkdtemp(prefix=folder.name + ".part-", dir=folder.parent))
    try:
        for name, data in files.items():
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster; what it wrote was checked in the same way.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
