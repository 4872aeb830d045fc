"""The database file of the embedding store: opened, made, checked, replaced when damaged."""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_APPLICATION_ID = 0x736B786D  # "skxm": tells this database from any other application's
_FORMAT = 1
_BUSY_SECONDS = 60
_KEYS_PER_QUERY = 500
_POLL_SECONDS = 0.02

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, data BLOB NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, machine TEXT NOT NULL, pid INTEGER NOT NULL,
    started TEXT NOT NULL, renewed REAL NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, state TEXT NOT NULL, content TEXT NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT};
"""

logger = logging.getLogger(__name__)


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database, made if it is not there, and check that it is a store."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        if _identity(connection) != (_APPLICATION_ID, _FORMAT):
            with transaction(connection):
                _create(connection, path)
        _set_write_ahead(connection)
        # A power cut may take the last batches, never the order of what is there.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return whose database this is, and its format."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of an empty database; leave any other database alone."""
    application, version = _identity(connection)
    if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        if application != _APPLICATION_ID:
            raise OSError(f"{str(path)!r} is a database of another application: not touched.")
        if version != _FORMAT:
            raise OSError(
                f"The cache {str(path)!r} has format {version}, this version of skxmodal reads "
                f"format {_FORMAT}: use another folder."
            )
        return
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)


def _set_write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, where readers and a writer do not block one another."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def set_aside(path: Path, inode: int | None, error: sqlite3.DatabaseError) -> None:
    """Rename a damaged file, so that a new one can take its place."""
    try:
        if inode is not None and path.stat().st_ino != inode:
            return  # Another process was here first.
        aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:8]}")
        path.replace(aside)
    except FileNotFoundError:
        return
    logger.warning("%s is damaged (%s): renamed to %s", path, error, aside.name)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing; the write lock is taken first, so that no read is overtaken."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors, such as that of a full disk, have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def portions(keys: list[str]) -> Iterator[list[str]]:
    """Cut keys to what one query may hold."""
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]
