"""Videos that cannot be had, written down so that nobody is asked for them again."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path


class Ledger:
    """A file of JSON lines: name of the clip, reason, message and date.

    A line is appended by one write, so that a process killed at any instant leaves whole lines,
    or one torn at the end, which counts for nothing. To ask for a clip once more, delete its line.

    Parameters
    ----------
    path : pathlib.Path
        The file; it need not exist.

    Attributes
    ----------
    entries : dict of str to (str, str)
        Reason and message of each clip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b""
        self._is_torn = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            try:
                entry = json.loads(line)
                self.entries[entry["clip"]] = (entry["reason"], entry["message"])
            except (ValueError, KeyError, TypeError):
                continue

    def add(self, clip: str, reason: str, message: str) -> None:
        """Write down why a clip cannot be had."""
        entry = {
            "clip": clip,
            "reason": reason,
            "message": message,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._lock:
            line = "\n" * self._is_torn + json.dumps(entry) + "\n"
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
            self._is_torn = False
            self.entries[clip] = (reason, message)
