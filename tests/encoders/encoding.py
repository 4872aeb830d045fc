"""Windows for an encoder, and what it makes of them in another process."""

import multiprocessing

import numpy as np
import pytest


def some_windows(encoder):
    """The windows of three pictures or of a sound."""
    rng = np.random.default_rng(0)
    if encoder.modality == "image":
        cells = [rng.integers(0, 256, (240, 300, 3), dtype=np.uint8) for _ in range(3)]
    else:
        cells = [rng.normal(0, 0.1, 90_000).astype(np.float32)]
    return np.concatenate([encoder.windows(cell) for cell in cells])


def _encode_for(queue, encoder, windows):
    queue.put(encoder.encode(windows))


def encode_in_a_child(encoder, windows, method):
    """The vectors that a child process, started by a method, makes of some windows."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_encode_for, args=(queue, encoder, windows))
    child.start()
    try:
        return queue.get(timeout=60)
    finally:
        child.kill()
        child.join()
