"""One thread for NumPy's products, where more of them harm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


class _NumpyThreads:
    """Limits NumPy's threads from the first that asks for it to the last, and then no more.

    The limit is one of the whole process: callers in several Python threads that each put back
    what they found would leave the limit behind.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_users = 0
        self._limit: Any = None
        self._controller: Any = None
        self._n_modules = 0

    def enter(self) -> None:
        with self._lock:
            if not self._n_users:
                self._limit = self._libraries().limit(limits=1, user_api="blas")
            self._n_users += 1

    def leave(self) -> None:
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._limit.restore_original_limits()

    def _libraries(self) -> ThreadpoolController:
        """Return the libraries that are loaded.

        Finding them takes milliseconds, so they are looked for when modules were imported since.
        """
        if self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller


_NUMPY_THREADS = _NumpyThreads()


@contextmanager
def one_numpy_thread() -> Iterator[None]:
    """Run NumPy's matrix products on one thread.

    PyTorch and ONNX Runtime have threads of their own, which are left alone.
    """
    _NUMPY_THREADS.enter()
    try:
        yield
    finally:
        _NUMPY_THREADS.leave()
