"""Many clips from YouTube: what is there, what is gone for good, and the rest in threads."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from joblib import effective_n_jobs

from ..utils import import_optional, progress_bar
from ..utils._file_lock import file_lock
from ._audioset_ledger import Ledger
from ._audioset_sampling import seconds_text
from ._audioset_youtube import (
    CALLER,
    SectionDownloader,
    SetbackError,
    UnavailableError,
    YouTubeClips,
)
from ._data_home import get_data_home
from ._remote import RemoteFileError

_FOLDER, _PARTS, _LEDGER, _LOCK = "audioset-clips", "parts", "unavailable.jsonl", "lock"
# After so many failures in a row it is not the videos: the line is down, or we are refused.
_PATIENCE = 10


def clips_folder(data_home: str | os.PathLike | None) -> Path:
    """Return the folder of downloaded clips, which exists."""
    folder = get_data_home(data_home) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def download_clips(
    ytids: Sequence[str],
    starts: Sequence[float],
    ends: Sequence[float],
    source: YouTubeClips,
    *,
    data_home: str | os.PathLike | None,
    download_if_missing: bool,
    n_jobs: int | None,
    strict: bool,
    verbose: int,
) -> tuple[Path, list[tuple[str, str] | None]]:
    """Download the clips that are not there, ``<ytid>_<start>.mp4`` each.

    A clip gets its name when it is whole. What cannot be had is written to ``unavailable.jsonl``
    and not asked for again; failures that may pass are.

    Returns
    -------
    folder : pathlib.Path
        Where the clips are.
    problems : list of (str, str) or None
        For each clip that is not there, the reason and what is to say of it.
    """
    folder = clips_folder(data_home)
    names = [f"{ytid}_{seconds_text(start)}" for ytid, start in zip(ytids, starts)]
    problems: list[tuple[str, str] | None] = [None] * len(names)
    if not download_if_missing:
        entries = Ledger(folder / _LEDGER).entries
        return folder, [entries.get(name) for name in names]
    import_optional("yt_dlp", caller=CALLER, extra="youtube")
    import_optional("av", caller=CALLER, extra="youtube")
    with file_lock(folder / _LOCK, on_wait=_say_that_another_runs):
        ledger = Ledger(folder / _LEDGER)
        parts = folder / _PARTS
        parts.mkdir(exist_ok=True)
        # Holding the lock, nobody else is writing these.
        for stale in parts.glob("tmp*"):
            stale.unlink()
        wanted: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            if name in ledger.entries:
                problems[row] = ledger.entries[name]
            elif not (folder / f"{name}.mp4").is_file():
                wanted.setdefault(name, []).append(row)
        jobs = [
            (name, f"{source.url.format(ytid=ytids[rows[0]])}{_section(starts, ends, rows[0])}")
            for name, rows in wanted.items()
        ]
        with SectionDownloader(source, parts) as downloader:
            run = _Run(folder, ledger, downloader, strict=strict)
            for name, problem in run(jobs, n_jobs, verbose=verbose):
                for row in wanted[name]:
                    problems[row] = problem
        with contextlib.suppress(OSError):
            parts.rmdir()
    return folder, problems


def _say_that_another_runs() -> None:
    warnings.warn(
        "another process is downloading clips; this one waits until it has finished",
        UserWarning,
        stacklevel=7,
    )


def _section(starts: Sequence[float], ends: Sequence[float], row: int) -> str:
    return f"#t={seconds_text(starts[row])},{seconds_text(ends[row])}"


class _Run:
    """Downloads in threads, until all are done or it is plain that nothing more will come."""

    def __init__(
        self, folder: Path, ledger: Ledger, downloader: SectionDownloader, *, strict: bool
    ) -> None:
        self.folder = folder
        self.ledger = ledger
        self.downloader = downloader
        self.strict = strict
        self._failures = 0
        self._hopeless = ""
        self._lock = threading.Lock()

    def __call__(
        self, jobs: Sequence[tuple[str, str]], n_jobs: int | None, *, verbose: int
    ) -> list[tuple[str, tuple[str, str] | None]]:
        """Return the name of each clip, and what is wrong with it."""
        if not jobs:
            return []
        done = []
        bar = progress_bar(verbose=verbose, description="downloading clips", total=len(jobs))
        with bar, _quiet_pooch(), ThreadPoolExecutor(effective_n_jobs(n_jobs)) as executor:
            try:
                for result in executor.map(lambda job: self._one(*job), jobs):
                    done.append(result)
                    bar.update()
            except BaseException:
                self._hopeless = "the run was broken off"
                executor.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def _one(self, name: str, url: str) -> tuple[str, tuple[str, str] | None]:
        if self._hopeless:
            return name, ("not asked for", self._hopeless)
        import pooch

        try:
            # In a folder of its own: a process that is killed leaves its temporary file there.
            whole = pooch.retrieve(
                url,
                known_hash=None,
                fname=f"{name}.mp4",
                path=self.downloader.parts,
                downloader=self.downloader,
            )
            os.replace(whole, self.folder / f"{name}.mp4")
            problem = None
        except UnavailableError as error:
            self.ledger.add(name, error.reason, str(error))
            problem = (error.reason, str(error))
        except SetbackError as error:
            problem = ("not downloaded", str(error))
        self._count(problem)
        if problem is not None and self.strict:
            raise RemoteFileError(f"the clip {name} cannot be had: {problem[1]}")
        return name, problem

    def _count(self, problem: tuple[str, str] | None) -> None:
        with self._lock:
            failed = problem is not None and problem[0] == "not downloaded"
            self._failures = self._failures + 1 if failed else 0
            if problem is not None and self._failures >= _PATIENCE:
                self._hopeless = f"{_PATIENCE} downloads in a row had failed: {problem[1]}"


@contextlib.contextmanager
def _quiet_pooch() -> Any:
    """Keep pooch from a line of log for every clip."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
