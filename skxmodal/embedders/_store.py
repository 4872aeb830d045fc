"""Embeddings on disk: each computed once, whoever needs it, whatever is killed meanwhile.

One SQLite database per folder. Entries are found by content (see ``_content.py``), so nothing in
them can become stale, and carry a checksum, so damage is seen and mended by computing again.
Before computing, a process claims keys; another process that needs the same ones waits for them
instead. A claim names its owner, so that the claims of a killed process are taken over.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ._content import hash_file, media_key, path_key, split_fragment
from ._store_claims import claim, release
from ._store_database import open_database, portions, set_aside, transaction

_FILE_NAME = "embeddings.sqlite3"
_POLL_SECONDS = (0.02, 0.5)
# A file changed within this time before it was hashed may change again with the same time stamp.
_SETTLED_NS = 2_000_000_000

logger = logging.getLogger(__name__)

# What computes embeddings: given positions, yields batches of positions with their vectors.
Compute = Callable[[list[int]], Iterable[tuple[Sequence[int], np.ndarray]]]


class EmbeddingStore:
    """Embeddings by key in one folder, shared by any number of threads and processes.

    The object itself holds no open file: it may be copied, pickled and carried through a fork.

    Parameters
    ----------
    directory : path
        Created if need be.

    Raises
    ------
    OSError
        If the folder cannot be used, or holds a database that is not a store.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        """Tell the folder."""
        return f"EmbeddingStore({str(self.directory)!r})"

    def __len__(self) -> int:
        """Count the entries."""
        query = "SELECT COUNT(*) FROM entries"
        return self._run(lambda connection: int(connection.execute(query).fetchone()[0]))

    def check_writable(self) -> None:
        """Raise ``OSError`` unless entries can be written."""
        self._run(lambda connection: _write(connection, {}))

    def get_many(self, keys: Iterable[str], n_features: int | None = None) -> dict[str, np.ndarray]:
        """Read embeddings.

        Parameters
        ----------
        keys : iterable of str
            What is wanted.
        n_features : int, default=None
            The length they must have.

        Returns
        -------
        dict of str to float32 ndarray of shape (n_features,)
            What is there and sound; damaged entries are removed.
        """
        wanted = list(keys)
        found = self._run(lambda connection: _read(connection, wanted, n_features))
        return {key: _numbers(data) for key, data in found.items()}

    def put_many(self, entries: Mapping[str, np.ndarray]) -> None:
        """Write embeddings, all or none of them.

        Parameters
        ----------
        entries : mapping of str to ndarray of shape (n_features,)
            Converted to float32.
        """
        self._run(lambda connection: _write(connection, entries))

    def media_keys(self, cells: Iterable[Any], *, sample_rate: float | None = None) -> list:
        """Return the content keys of cells; files hashed before are not read again.

        A file counts as unchanged if its size, inode, and times of modification and of status
        change are what they were, and had been for two seconds when it was hashed.

        Parameters
        ----------
        cells : iterable
            Cells of a media table.
        sample_rate : float, default=None
            The rate of arrays that come without one.

        Returns
        -------
        list of str or None
            As from ``media_key``.
        """
        wanted = list(cells)
        return self._run(lambda connection: _media_keys(connection, wanted, sample_rate))

    def _run(self, work: Callable[[sqlite3.Connection], Any], *, again: bool = True) -> Any:
        """Open the database and do one piece of work, on a new one if this one is damaged."""
        path = self.directory / _FILE_NAME
        inode = None
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with closing(open_database(path)) as connection:
                inode = path.stat().st_ino
                return work(connection)
        except sqlite3.OperationalError as error:
            advice = ""
            if "full" in str(error) or "I/O" in str(error):
                advice = (
                    "; what it holds is kept: free some space there, or name another folder by "
                    "cache="
                )
            raise OSError(f"The cache {str(path)!r} cannot be used: {error}{advice}.") from error
        except sqlite3.DatabaseError as error:
            # This very class, not one below it, tells of a malformed file.
            if not again or type(error) is not sqlite3.DatabaseError:
                raise
            set_aside(path, inode, error)
        return self._run(work, again=False)


def embed_through_store(
    store: EmbeddingStore, keys: Sequence[str | None], compute_missing: Compute, n_features: int
) -> np.ndarray:
    """Return the embeddings of cells, each read from the store or computed by one process only.

    Work is claimed in portions, so that several processes with the same cells share it. A batch
    is in the store as soon as it is computed: what a kill destroys is the batch at hand.

    Parameters
    ----------
    store : EmbeddingStore
        Where embeddings are kept.
    keys : sequence of str or None
        Key of each cell; equal keys are computed once, ``None`` is computed and not kept.
    compute_missing : callable
        Given positions in ``keys``, yields batches: some of these positions, and an array with
        one vector for each. A position that is never yielded failed, and is not kept.
    n_features : int
        Length of the vectors.

    Returns
    -------
    ndarray of shape (len(keys), n_features), float32
        NaN in the rows of positions that failed.
    """
    result = np.full((len(keys), n_features), np.nan, dtype=np.float32)
    # These first: what cannot be hashed can mostly not be decoded, and better fails early.
    unkeyed = [i for i, key in enumerate(keys) if key is None]
    if unkeyed:
        for rows, vectors in compute_missing(unkeyed):
            result[list(rows)] = vectors
    positions: dict[str, int] = {}  # where each key is first
    for i, key in enumerate(keys):
        if key is not None:
            positions.setdefault(key, i)
    if positions:
        store._run(lambda connection: _share(connection, result, positions, compute_missing))
    for i, key in enumerate(keys):
        if key is not None and positions[key] != i:
            result[i] = result[positions[key]]
    return result


def _share(
    connection: sqlite3.Connection,
    result: np.ndarray,
    positions: dict[str, int],
    compute_missing: Compute,
) -> None:
    """Read, compute, or wait for others, until every key is settled."""
    missing = _fill(connection, result, positions, list(positions))
    wait, longest = _POLL_SECONDS
    while missing:
        token = uuid.uuid4().hex
        try:
            claimed = claim(connection, missing, token)
            if claimed:
                _compute(connection, result, positions, claimed, compute_missing, token)
        finally:
            release(connection, token)
        if claimed:
            # What is still absent after its computation failed: it is not tried again.
            done = set(claimed)
            missing = [key for key in missing if key not in done]
            wait = _POLL_SECONDS[0]
            continue
        missing = _fill(connection, result, positions, missing)
        if missing:
            time.sleep(wait)
            wait = min(longest, 1.5 * wait)


def _compute(
    connection: sqlite3.Connection,
    result: np.ndarray,
    positions: dict[str, int],
    claimed: list[str],
    compute_missing: Compute,
    token: str,
) -> None:
    """Compute claimed keys, and store each batch at once."""
    key_of = {positions[key]: key for key in claimed}
    for rows, vectors in compute_missing(sorted(key_of)):
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (len(rows), result.shape[1]):
            raise ValueError(
                f"Embeddings of {len(rows)} cells have shape {vectors.shape}, expected "
                f"{(len(rows), result.shape[1])}."
            )
        batch = {key_of[row]: vector for row, vector in zip(rows, vectors, strict=True)}
        _write(connection, batch, token)
        for key, vector in batch.items():
            result[positions[key]] = vector


def _fill(
    connection: sqlite3.Connection,
    result: np.ndarray,
    positions: dict[str, int],
    keys: list[str],
) -> list[str]:
    """Fill in the rows whose embeddings are stored; return the keys of the others."""
    missing = []
    for part in portions(keys):
        found = _read(connection, part, result.shape[1])
        # All at once: a vector by itself takes longer to make than to copy.
        vectors = _numbers(b"".join(found.values())).reshape(len(found), result.shape[1])
        result[[positions[key] for key in found]] = vectors
        missing += [key for key in part if key not in found]
    return missing


def _read(
    connection: sqlite3.Connection, keys: Iterable[str], n_features: int | None
) -> dict[str, bytes]:
    """Read sound entries, and remove others."""
    found: dict[str, bytes] = {}
    damaged: list[tuple[str, Any]] = []
    for part in portions(list(keys)):
        marks = ",".join("?" * len(part))
        query = f"SELECT key, data, checksum FROM entries WHERE key IN ({marks})"
        for key, data, checksum in connection.execute(query, part):
            sound = isinstance(data, bytes) and checksum == _checksum(key, data)
            if not sound or (n_features is not None and len(data) != 4 * n_features):
                damaged.append((key, data))
                continue
            found[key] = data
    if damaged:
        logger.warning("%d damaged embeddings are removed and computed again", len(damaged))
        with transaction(connection):
            # The same data only: another process may have mended the entry meanwhile.
            connection.executemany("DELETE FROM entries WHERE key = ? AND data IS ?", damaged)
    return found


def _numbers(data: bytes) -> np.ndarray:
    """Return what is stored as an array of this machine."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32)


def _write(
    connection: sqlite3.Connection, entries: Mapping[str, np.ndarray], token: str | None = None
) -> None:
    """Write entries, and end the claims on them, in one transaction."""
    rows = []
    for key, vector in entries.items():
        data = np.ascontiguousarray(vector, dtype="<f4").tobytes()
        rows.append((key, data, _checksum(key, data)))
    with transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
        if token is not None:
            connection.executemany(
                "DELETE FROM claims WHERE key = ? AND token = ?", [(key, token) for key in entries]
            )
            connection.execute(
                "UPDATE claims SET renewed = ? WHERE token = ?", (time.time(), token)
            )


def _checksum(key: str, data: bytes) -> bytes:
    """Return the checksum of an entry: it belongs to this key and these bytes."""
    return hashlib.blake2b(data, digest_size=16, salt=_salt(key)).digest()


def _salt(key: str) -> bytes:
    """Return 16 bytes that depend on a key."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def _media_keys(
    connection: sqlite3.Connection, cells: list[Any], sample_rate: float | None
) -> list[str | None]:
    """Hash cells, and remember the files among them."""
    keys: list[str | None] = [None] * len(cells)
    # Of files; lists, for a tuple for each would call the garbage collector.
    indices: list[int] = []
    names: list[str] = []
    fragments: list[str] = []
    states: list[str] = []
    for index, cell in enumerate(cells):
        if not isinstance(cell, str | os.PathLike):
            keys[index] = media_key(cell, sample_rate=sample_rate)
            continue
        try:
            path, fragment = split_fragment(cell)
            # Not "normalised": behind a link to a folder ".." is not what the text says.
            name = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
            state = _file_state(os.stat(name))
        except (OSError, ValueError):
            continue
        indices.append(index)
        names.append(name)
        fragments.append(fragment)
        states.append(state)
    stored_names = [_stored_name(name) for name in names]
    # In the column's order, in which the database read or wrote them before: less to look for.
    known = _known_contents(connection, list(dict.fromkeys(stored_names)))
    learned: dict[str, tuple[str, str]] = {}
    for index, name, stored, fragment, state in zip(
        indices, names, stored_names, fragments, states, strict=True
    ):
        before, content = known.get(stored, ("", ""))
        if before != state:
            try:
                content = _hash_settled(name, state, learned)
            except (OSError, ValueError):
                continue
            known[stored] = (state, content)
        keys[index] = path_key(content, os.path.splitext(name)[1], fragment)
    if learned:
        rows = [(_stored_name(path), *known) for path, known in learned.items()]
        with transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
    return keys


def _stored_name(name: str) -> str:
    """Return a name as SQLite takes it: escaped where it is no UTF-8, as few are."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _file_state(status: os.stat_result) -> str:
    """Return what changes when a file does, whatever links lead to it."""
    return (
        f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} "
        f"{status.st_ctime_ns}"
    )


def _known_contents(connection: sqlite3.Connection, names: list[str]) -> dict[str, tuple[str, str]]:
    """Return the states in which files were seen, and their hashes in these."""
    known: dict[str, tuple[str, str]] = {}
    # Elsewhere the "ctime" is that of creation, and says nothing about changes.
    if os.name != "posix":
        return known
    for part in portions(names):
        marks = ",".join("?" * len(part))
        query = f"SELECT path, state, content FROM files WHERE path IN ({marks})"
        known |= {
            name: (state, content) for name, state, content in connection.execute(query, part)
        }
    return known


def _hash_settled(name: str, state: str, learned: dict[str, tuple[str, str]]) -> str:
    """Hash a file, and note the hash if the file will surely show when it changes."""
    before = time.time_ns()
    status = os.stat(name)
    content = hash_file(name)
    settled = before - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
    if settled and _file_state(status) == state == _file_state(os.stat(name)):
        learned[name] = (state, content)
    return content
