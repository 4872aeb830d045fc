"""How many threads libraries may use where workers have the processors already."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


class _Libraries:
    """The libraries with threads that are loaded."""

    def __init__(self) -> None:
        self._controller: Any = None
        self._n_modules = 0

    def __call__(self) -> ThreadpoolController:
        """Find them, which takes milliseconds, when modules were imported since the last time."""
        if self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller


class _NumpyThreads:
    """Limits NumPy's threads from the first that asks for it to the last, and then no more.

    The limit is one of the whole process: callers in several Python threads that each put back
    what they found would leave the limit behind.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_users = 0
        self._limit: Any = None

    def enter(self) -> None:
        with self._lock:
            if not self._n_users:
                self._limit = _LIBRARIES().limit(limits=1, user_api="blas")
            self._n_users += 1

    def leave(self) -> None:
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._limit.restore_original_limits()


_LIBRARIES = _Libraries()
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


def share_torch_threads(n_sharers: int) -> None:
    """Let PyTorch use a part of its threads in this Python thread, for as long as that lives.

    OpenMP, which runs them, keeps the number for each thread, so others are left alone.
    """
    if "torch" in sys.modules:
        import torch

        n_threads = torch.get_num_threads()  # which sets the number in a new thread
        _LIBRARIES().limit(limits=max(1, n_threads // n_sharers), user_api="openmp")
