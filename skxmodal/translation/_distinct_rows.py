"""Which rows of an array have the same content, without a second copy of it."""

from __future__ import annotations

import hashlib

import numpy as np

_CHUNK_ROWS = 4096
_CHUNK_COLUMNS = 8


def distinct_rows(
    block: np.ndarray, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each distinct content, and for each row its number among these.

    A sound that stands in many pairs is one item: its copies must not fill the places of its
    partners' other candidates. Contents are numbered in the order of their bytes. No copy of
    the block is held, which may be a memory map.

    Parameters
    ----------
    block : array of shape (n, d)
    rows : int array or None, default=None
        Look at these rows alone; what is returned are places in ``rows``.

    Returns
    -------
    index : int array of shape (n_distinct,)
    inverse : int array of shape (n,) or that of ``rows``
    """
    rows = np.arange(len(block)) if rows is None else rows
    digests = np.empty(len(rows), dtype="V16")
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        content = np.ascontiguousarray(block[rows[chunk]])
        digests[chunk] = [hashlib.blake2b(row, digest_size=16).digest() for row in content]
    _, index, inverse = np.unique(digests, return_index=True, return_inverse=True)
    place = _places_by_content(block, rows[index])
    first = np.empty_like(index)
    first[place] = index
    return first, place[inverse.ravel()]


def _places_by_content(block: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the place of each of these distinct rows when they are sorted by their bytes.

    A few columns are compared at a time; those behind, only of rows that are alike so far.
    """
    n = len(rows)
    # How many contents are smaller, as far as they have been compared.
    place = np.zeros(n, dtype=np.int64)
    for start in range(0, block.shape[1], _CHUNK_COLUMNS):
        alike = np.flatnonzero(np.bincount(place, minlength=n)[place] > 1)
        if not len(alike):
            break
        part = np.ascontiguousarray(block[rows[alike], start : start + _CHUNK_COLUMNS])
        content = part.view(np.dtype((np.void, part.dtype.itemsize * part.shape[1]))).ravel()
        of_part = np.unique(content, return_inverse=True)[1].ravel()
        before = place[alike] * n
        listed = np.sort(before + of_part)
        place[alike] += np.searchsorted(listed, before + of_part)
        place[alike] -= np.searchsorted(listed, before)
    return place
