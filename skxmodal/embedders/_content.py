"""Hashes of what a cell of media holds, not of where it lies or what it is called."""

from __future__ import annotations

import hashlib
import os
import struct
from numbers import Real
from typing import Any

import numpy as np

_DIGEST_BYTES = 20
_READ_BYTES = 1 << 20
_FRAGMENT = "#t="


def hash_parts(*parts: str | bytes) -> str:
    """Hash a sequence of texts or bytes, told apart by their lengths."""
    told_apart: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        told_apart += (len(data).to_bytes(8, "little"), data)
    return hashlib.blake2b(b"".join(told_apart), digest_size=_DIGEST_BYTES).hexdigest()


def entry_key(media: str, *recipe: object) -> str:
    """Return the key of an embedding.

    Parameters
    ----------
    media : str
        Key of the cell's content, from :func:`media_key`.
    *recipe : object
        Everything else that the embedding depends on, such as the fingerprint of the encoder
        and the pooling.

    Returns
    -------
    str
        Hexadecimal digest.
    """
    return hash_parts("embedding", media, *(repr(part) for part in recipe))


def media_key(cell: Any, *, sample_rate: float | None = None) -> str | None:
    """Return the key of a cell's content.

    Equal content has equal keys, wherever it lies: a file and a copy of it under another name
    (with the same suffix, from which decoders guess what a file does not say), but not a file
    and the array decoded from it.

    Parameters
    ----------
    cell : object
        A cell of a media table: path with or without a time fragment, bytes, array, pair of
        sample rate and array, or ``PIL.Image``.
    sample_rate : float, default=None
        The rate of arrays that come without one.

    Returns
    -------
    str or None
        Hexadecimal digest; ``None`` for what has no content to hash: a missing cell, a file
        that cannot be read, an unknown type.
    """
    if isinstance(cell, str | os.PathLike):
        path, fragment = split_fragment(cell)
        try:
            return path_key(hash_file(path), os.path.splitext(path)[1], fragment)
        except (OSError, ValueError):
            return None
    if isinstance(cell, bytes | bytearray | memoryview):
        return hash_parts("bytes", bytes(cell))
    if isinstance(cell, np.ndarray):
        return _array_key(cell, sample_rate)
    if isinstance(cell, tuple) and len(cell) == 2 and isinstance(cell[0], Real | np.number):
        try:
            return _array_key(np.asarray(cell[1]), float(cell[0]))
        except (TypeError, ValueError):
            return None
    if hasattr(cell, "tobytes") and hasattr(cell, "getexif"):
        return _picture_key(cell)
    return None


def path_key(content: str, suffix: str, fragment: str) -> str:
    """Return the key of a file's content, or of a part of it."""
    return hash_parts("file", content, suffix.lower(), fragment)


def file_state(cell: str | os.PathLike[str]) -> str | None:
    """Return size and time of the file that a cell names; ``None`` where there is none."""
    try:
        told = os.stat(split_fragment(cell)[0])
    except (OSError, ValueError):
        return None
    return f"{told.st_size} {told.st_mtime_ns}"


def split_fragment(cell: str | os.PathLike[str]) -> tuple[str, str]:
    """Cut ``clip.mp4#t=3.0,4.0`` in two; a file that is really named so is left whole."""
    text = os.fsdecode(cell)
    name, mark, fragment = text.rpartition(_FRAGMENT)
    if mark and not os.path.lexists(text):
        return name, fragment
    return text, ""


def hash_file(path: str) -> str:
    """Hash the bytes of a regular file."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    if not os.path.isfile(path):
        # Reading a pipe or a device may never end.
        raise FileNotFoundError(f"{path} is no regular file")
    with open(path, "rb") as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
    return digest.hexdigest()


def _array_key(array: np.ndarray, sample_rate: float | None) -> str | None:
    """Hash an array with its rate."""
    if array.dtype.hasobject:
        return None
    rate = None if sample_rate is None else float(sample_rate)
    # A row of pictures in one array is not contiguous when it is a view.
    data = np.ascontiguousarray(array).tobytes()
    return hash_parts("array", array.dtype.str, repr(array.shape), repr(rate), data)


def _picture_key(picture: Any) -> str | None:
    """Hash a PIL image: pixels, and what changes how they are read."""
    try:
        palette = picture.getpalette(None)  # with its alpha, if it has that
        looks = (picture.mode, picture.size, palette, picture.info.get("transparency"))
        return hash_parts("image", repr(looks), picture.getexif().tobytes(), picture.tobytes())
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        SyntaxError,
        RuntimeError,
        struct.error,
    ):
        # A damaged picture shows when it is decoded, where the error is told with its row.
        return None
