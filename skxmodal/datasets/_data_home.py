"""Where downloaded files live."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def get_data_home(data_home: str | os.PathLike | None = None) -> Path:
    """Return the folder of downloaded files, created if need be.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        The folder. ``None`` means the environment variable ``SKXMODAL_DATA`` or, without
        it, the platform's cache folder (``~/.cache/skxmodal`` on Linux).

    Returns
    -------
    data_home : pathlib.Path
        The folder, which exists.

    Raises
    ------
    NotADirectoryError
        When the path exists and is not a folder.

    Examples
    --------
    >>> import tempfile
    >>> from skxmodal.datasets import get_data_home
    >>> get_data_home(tempfile.mkdtemp()).is_dir()
    True
    """
    import pooch

    if data_home is None:
        data_home = os.environ.get("SKXMODAL_DATA") or pooch.os_cache("skxmodal")
    path = Path(data_home).expanduser()
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"the data home {str(path)!r} is not a folder: set SKXMODAL_DATA or data_home= to one"
        )
    path.mkdir(parents=True, exist_ok=True)
    return path


def clear_data_home(data_home: str | os.PathLike | None = None) -> None:
    """Delete everything that was downloaded.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        As in :func:`get_data_home`.

    Examples
    --------
    >>> import tempfile
    >>> from skxmodal.datasets import clear_data_home
    >>> clear_data_home(tempfile.mkdtemp())
    """
    shutil.rmtree(get_data_home(data_home))
