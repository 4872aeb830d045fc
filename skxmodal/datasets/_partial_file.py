"""The part of a file that has arrived, and the note that says whose part it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any


class PartialFile:
    """``<goal>.part`` with the bytes and ``<goal>.part.json`` with the address they are from.

    The note names the address, the validator (ETag or date) of the version and its length. Bytes
    without a note of their address and version are never continued.

    Parameters
    ----------
    goal : pathlib.Path
        The file that it will become.
    """

    def __init__(self, goal: Path) -> None:
        self.path = goal.with_name(goal.name + ".part")
        self._note_path = self.path.with_name(self.path.name + ".json")
        self._new_note_path = self._note_path.with_name(self._note_path.name + ".new")

    @property
    def size(self) -> int:
        """How many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def note_for(self, url: str) -> tuple[str, int | None] | None:
        """Return validator and total length, if the bytes there are of this address."""
        note = self._note()
        if note.get("url") != url:
            return None
        validator, total = note.get("validator"), note.get("total")
        if not isinstance(validator, str) or not validator:
            return None
        return validator, total if isinstance(total, int) else None

    def _note(self) -> dict[str, Any]:
        try:
            note = json.loads(self._note_path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def begin(self, url: str = "", validator: str = "", total: int | None = None) -> IO[bytes]:
        """Open it empty; with a validator, what arrives can be continued later."""
        file = self.path.open("wb")
        # Emptied before the note changes: killed in between, no old bytes pass for new ones.
        try:
            if validator:
                note = {"url": url, "validator": validator, "total": total}
                self._new_note_path.write_text(json.dumps(note), "utf-8")
                self._new_note_path.replace(self._note_path)
            else:
                self._delete_note()
        except BaseException:
            file.close()
            raise
        return file

    def resume(self) -> IO[bytes]:
        """Open it at its end."""
        return self.path.open("ab")

    @property
    def is_continuable(self) -> bool:
        """Whether there are bytes and a note of whose they are."""
        return self.size > 0 and bool(self._note())

    def keep_if_continuable(self) -> None:
        """Delete bytes that nobody can continue."""
        if not self.is_continuable:
            self.discard()

    def discard(self) -> None:
        """Delete the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self._delete_note()

    def move_to(self, target: str | os.PathLike[str]) -> None:
        """Give the bytes, which are whole and checked, their name."""
        self._delete_note()
        self.path.replace(target)

    def _delete_note(self) -> None:
        for path in (self._note_path, self._new_note_path):
            path.unlink(missing_ok=True)
