"""Modules of TensorFlow Hub: from a handle to a verified local folder, without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from skxmodal.datasets._archives import extract_tar, unpack
from skxmodal.datasets._data_home import get_data_home
from skxmodal.datasets._remote import RemoteFile, RemoteFileError, fetch_file

_HUB = "https://tfhub.dev/"
_COMPRESSED = "?tf-hub-format=compressed"  # the hub's protocol: answered with a tar archive
_MAX_BYTES = 8 << 30
_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


def hub_folder(model: str, *, name: str) -> Path:
    """Return the local folder of a module, downloaded, checked and unpacked if need be.

    Parameters
    ----------
    model : str
        Handle (``"google/yamnet/1"``), URL, or local folder.
    name : str
        The whole string, for errors.

    Raises
    ------
    RemoteFileError
        When it cannot be downloaded, is no archive of a saved model, or is no longer the file
        that was first fetched.
    ValueError
        When a local folder holds no saved model.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        if not _holds_model(local):
            raise ValueError(f"encoder {name!r}: the folder has no saved_model.pb")
        return local
    url = model if model.startswith(("https://", "http://")) else _HUB + model
    remote = RemoteFile(
        url.partition("?")[0].rstrip("/") + _COMPRESSED,
        # The hub publishes no digests.
        digest=None,
        licence="the model's own",
    )
    archive = remote.place(get_data_home())
    folder = archive.with_name(archive.name + ".contents")
    # Renamed into place when whole: its being there says that it is.
    if not folder.is_dir():
        _unpack(remote, folder)
    return folder


def _unpack(remote: RemoteFile, folder: Path) -> None:
    """Fetch and unpack an archive; it is pinned only after it has proved to be a saved model."""
    archive = fetch_file(remote, pin=False)

    def fill(partial: Path) -> None:
        extract_tar(archive, partial, max_bytes=_MAX_BYTES)
        if not _holds_model(partial):
            raise RemoteFileError(f"{remote.url} holds no TensorFlow saved model")
        fetch_file(remote)

    unpack(archive, folder, fill, damaged=f"{remote.url} is not a readable tar archive")


def _holds_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _MODEL_FILES)


def digest_of_folder(folder: str | os.PathLike[str]) -> str:
    """Return one SHA-256 for all files of a folder, by name and content."""
    from skxmodal.datasets._digests import digest_of_contents

    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return digest_of_contents(
        (path.relative_to(root).as_posix(), path.read_bytes()) for path in files
    )
