"""Stages of a long run: what is finished is kept, and a killed run continues from there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

#: Another version of one of these may give other numbers: its stages are not reused.
_PACKAGES = ("skxmodal", "scikit-learn", "torch", "skorch", "numpy", "scipy")


class Stages:
    """Run named stages; keep their results in a folder, found by what they depend on.

    Parameters
    ----------
    folder : path-like or None
        Where results are kept; ``None`` keeps none.
    say : callable
        Called with one line for every stage.

    Attributes
    ----------
    log : list of dict
        ``name``, ``seconds`` and ``reused`` of every stage, in order.
    """

    def __init__(
        self, folder: str | os.PathLike | None, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.say = say
        self.log: list[dict[str, Any]] = []

    def arrays(
        self, name: str, depends_on: Mapping[str, Any], compute: Callable[[Path | None], Any]
    ) -> dict[str, np.ndarray]:
        """Return named arrays; from disk they are memory maps.

        ``compute`` is given a folder in which it may keep what helps it to continue (``None``:
        there is none), and returns a mapping of names to arrays.
        """

        def write(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
            for key, array in arrays.items():
                np.save(folder / f"{key}.npy", array)

        def read(folder: Path) -> dict[str, np.ndarray]:
            return {
                path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))
            }

        return self._run(name, depends_on, compute, write, read)

    def record(
        self, name: str, depends_on: Mapping[str, Any], compute: Callable[[Path | None], Any]
    ) -> Any:
        """Return what JSON can hold."""

        def write(folder: Path, value: Any) -> None:
            (folder / "value.json").write_text(json.dumps(value, default=plain), "utf-8")

        def read(folder: Path) -> Any:
            return json.loads((folder / "value.json").read_text("utf-8"))

        return self._run(name, depends_on, compute, write, read)

    def _run(
        self,
        name: str,
        depends_on: Mapping[str, Any],
        compute: Callable[[Path | None], Any],
        write: Callable[[Path, Any], None],
        read: Callable[[Path], Any],
    ) -> Any:
        started = time.perf_counter()
        if self.folder is None:
            self.say(name)
            value = compute(None)
            self._note(name, started, reused=False)
            return value
        place = self.folder / f"{_slug(name)}-{_digest(name, depends_on)}"
        work = place.with_name(f"{place.name}.work")
        if place.is_dir():
            self.say(f"{name} (kept from an earlier run)")
            _clear_away(place, work)
            value = read(place)
            self._note(name, started, reused=True)
            return value
        self.say(name)
        make_folder(work)
        value = compute(work)
        whole = place.with_name(f"{place.name}.{os.getpid()}.part")
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir()
        try:
            write(whole, value)
            whole.replace(place)
        except OSError:
            # Another run with the same folder was faster: the same result is there.
            if not place.is_dir():
                raise
        del value
        _clear_away(place, work)
        self._note(name, started, reused=False)
        # As a later run will see it: both get the same bytes.
        return read(place)

    def _note(self, name: str, started: float, *, reused: bool) -> None:
        seconds = round(time.perf_counter() - started, 2)
        self.log.append({"name": name, "seconds": seconds, "reused": reused})


def _clear_away(place: Path, work: Path) -> None:
    """Delete what served to make a stage, and what killed runs left of it."""
    for leftover in (work, *place.parent.glob(f"{place.name}.*.part")):
        shutil.rmtree(leftover, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make a folder for results, or say in one sentence why that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"the folder {str(folder)!r} cannot be made ({error.strerror}): choose another out="
        ) from None


def package_versions() -> dict[str, str]:
    """Return the versions that numbers depend on."""
    return {package: version(package) for package in _PACKAGES}


def write_json(path: Path, content: Any) -> None:
    """Write beside the goal, then rename: the file is whole or not there."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=2, default=plain) + "\n", "utf-8")
    partial.replace(path)


def plain(value: Any) -> Any:
    """Turn NumPy's numbers and arrays into Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())[:60]


def _digest(name: str, depends_on: Mapping[str, Any]) -> str:
    text = json.dumps([name, depends_on, package_versions()], sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
