"""Claims: which process computes which embedding, and whether it still lives."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from functools import cache
from pathlib import Path

from ._store_database import portions, transaction

_CLAIM_CELLS = 256  # cells claimed at once: what one process may keep others waiting for
# A claim from another machine, whose processes cannot be seen from here, ends without a renewal.
_FOREIGN_CLAIM_SECONDS = 900
# Tokens of this process's claims that could not be ended, as on a full disk: nobody works on them.
_ABANDONED: set[str] = set()


def claim(connection: sqlite3.Connection, keys: list[str], token: str) -> list[str]:
    """Claim keys that are neither stored nor claimed by a living process, up to a portion."""
    machine, pid, started = _owner()
    claimed: list[str] = []
    alive: dict[tuple[str, int, str, float], bool] = {}
    with transaction(connection):
        for part in portions(keys):
            marks = ",".join("?" * len(part))
            query = f"SELECT key FROM entries WHERE key IN ({marks})"
            taken = {key for (key,) in connection.execute(query, part)}
            columns = "key, token, machine, pid, started, renewed"
            query = f"SELECT {columns} FROM claims WHERE key IN ({marks})"
            for key, of, *owner in connection.execute(query, part):
                who = (owner[0], owner[1], owner[2], owner[3])
                if who not in alive:
                    alive[who] = _is_alive(*who)
                if alive[who] and of not in _ABANDONED:
                    taken.add(key)
            claimed += [key for key in part if key not in taken]
            if len(claimed) >= _CLAIM_CELLS:
                break
        del claimed[_CLAIM_CELLS:]
        connection.executemany(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)",
            [(key, token, machine, pid, started, time.time()) for key in claimed],
        )
    return claimed


def release(connection: sqlite3.Connection, token: str) -> None:
    """End all claims of a token; where nothing can be written, this process forgets them."""
    try:
        with transaction(connection):
            connection.execute("DELETE FROM claims WHERE token = ?", (token,))
    except sqlite3.OperationalError:
        # Why nothing can be written is told by what was to be stored.
        _ABANDONED.add(token)


def _owner() -> tuple[str, int, str]:
    """Return what names this process among all that ever ran."""
    return _machine(), os.getpid(), _start_time(os.getpid()) or ""


@cache
def _machine() -> str:
    """Name this machine, this boot, and this space of process ids (a container has its own)."""
    parts = [socket.gethostname()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        lambda: os.readlink("/proc/self/ns/pid"),
    ):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return "/".join(parts)


def _start_time(pid: int) -> str | None:
    """Return when a process started, in ticks; ``None`` if it is dead, "" if unknown."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return None
        return "" if _answers(pid) else None
    except OSError:
        return ""
    # The second field is the program's name in brackets, which may hold blanks and brackets.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _answers(pid: int) -> bool:
    """Tell whether a process exists, where there is no table of processes to read."""
    if os.name == "nt":
        # Windows has no signal 0 that does not end the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive(machine: str, pid: int, started: str, renewed: float) -> bool:
    """Tell whether the owner of a claim still works on it."""
    if machine != _machine():
        return time.time() - renewed < _FOREIGN_CLAIM_SECONDS
    now = _start_time(pid)
    if now is None:
        return False
    if not now or not started:
        return time.time() - renewed < _FOREIGN_CLAIM_SECONDS
    return now == started
