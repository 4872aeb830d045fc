"""One process at a time: an advisory lock that dies with its holder."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def file_lock(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock that a file stands for, among the processes and threads of this machine.

    The operating system frees it when its holder dies, however it dies. The file is removed at
    the end; one that a killed process has left is taken over.

    Parameters
    ----------
    path : pathlib.Path
        The file, in a folder that exists.
    on_wait : callable or None, default=None
        Called once when another holds the lock.
    """
    while True:
        file = path.open("ab")
        try:
            _lock(file, on_wait)
            # Who held it before has removed the file: this lock is on a file without a name.
            if not _is_at(file, path):
                continue
            try:
                yield
            finally:
                if sys.platform != "win32":
                    path.unlink(missing_ok=True)
            break
        finally:
            file.close()
    if sys.platform == "win32":
        # An open file cannot be removed there; where another has opened it, it is that one's.
        with contextlib.suppress(OSError):
            path.unlink()


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes], on_wait: Callable[[], None] | None) -> None:
    """Lock an open file, waiting as long as it takes; warn where locks are unknown."""
    try:
        if _try_lock(file):
            return
        if on_wait is not None:
            on_wait()
        _wait_for_lock(file)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        # Common on clusters: to refuse would be to refuse all work there.
        warnings.warn(
            f"the file system of {file.name!r} has no locks: let only one process at a time write "
            "there, or choose a local disk (SKXMODAL_DATA for downloads)",
            UserWarning,
            stacklevel=6,
        )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _wait_for_lock(file: IO[bytes]) -> None:
        import time

        while not _try_lock(file):
            time.sleep(0.1)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait_for_lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
