"""Digests of remote files, in whatever kind their owners publish."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20


def digest_of(path: Path, kind: str) -> str:
    """Return the digest of a file, in lower-case hexadecimal.

    ``kind`` is a name that :mod:`hashlib` knows, ``"git-blob"`` (git's own SHA-1 of a blob,
    ``sha1("blob <size>\\0" + bytes)``, what GitHub lists for a file) or ``"sha256-prefix"``
    (the whole SHA-256; a named file of torch-hub carries its first 8 digits).
    """
    if kind == "git-blob":
        hasher = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    elif kind == "sha256-prefix":
        hasher = hashlib.sha256()
    else:
        hasher = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def matches(path: Path, digest: str) -> bool:
    """Tell whether the file has the digest, written ``"<kind>:<hexadecimal>"``."""
    kind, _, expected = digest.partition(":")
    actual = digest_of(path, kind)
    if kind == "sha256-prefix":
        return actual.startswith(expected.lower())
    return actual == expected.lower()


def digest_of_contents(files: Iterable[tuple[str, bytes]]) -> str:
    """Return one SHA-256 for a set of named contents, whatever archive carried them.

    The digest is over the lines ``<name> NUL <SHA-256 of the content> LF``, sorted by name:
    a host may compress the same files to other bytes tomorrow and this stays the same.
    """
    return digest_of_digests((name, hashlib.sha256(data).hexdigest()) for name, data in files)


def digest_of_digests(digests: Iterable[tuple[str, str]]) -> str:
    """Return :func:`digest_of_contents` from the names and the SHA-256 of each content."""
    lines = sorted(f"{name}\0{digest}\n" for name, digest in digests)
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
