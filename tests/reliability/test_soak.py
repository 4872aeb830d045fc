"""The soak runs, and it sees what leaks; ``python tests/reliability/soak.py`` goes on for long."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from . import soak

_LEAK = 1 << 20

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory and descriptors are read from /proc"
)


def samples_of(megabytes, n_files=10, n_threads=4, minutes=30):
    """Samples at equal intervals."""
    n = len(megabytes)
    files, threads = np.broadcast_to(n_files, n), np.broadcast_to(n_threads, n)
    return [
        soak.Sample(60 * minutes * (i + 1) / n, *row)
        for i, row in enumerate(zip(megabytes.tolist(), files.tolist(), threads.tolist()))
    ]


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0, 2, 400)


def test_noise_is_no_leak(noise):
    verdict = soak.judge(samples_of(500 + noise))
    assert verdict.leaks == []
    assert abs(verdict.slope) < 3 * verdict.error
    assert "no leak" in str(verdict)


def test_what_fills_up_at_first_is_no_leak(noise):
    warm_up = np.minimum(np.arange(400), 60)
    assert soak.judge(samples_of(500 + warm_up + noise)).leaks == []


def test_memory_that_grows_is_a_leak(noise):
    verdict = soak.judge(samples_of(500 + np.linspace(0, 10, 400) + noise))
    assert verdict.slope == pytest.approx(20, abs=3 * verdict.error)
    assert verdict.leaks[0].startswith("memory leaks: ")


@pytest.mark.parametrize("name", ["n_files", "n_threads"])
def test_what_comes_and_goes_is_no_leak_and_what_stays_is(name, noise):
    pool = np.arange(400) % 5
    assert soak.judge(samples_of(500 + noise, **{name: 10 + pool})).leaks == []
    found = soak.judge(samples_of(500 + noise, **{name: 10 + np.arange(400) // 50}))
    assert len(found.leaks) == 1
    assert " leak: 1" in found.leaks[0]


@pytest.mark.slow
def test_leaking_operations_are_found():
    kept, files = [], []

    def leak_memory():
        # Not from the heap, which may have room from earlier tests.
        block = mmap.mmap(-1, _LEAK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.write(bytes([1]) * _LEAK)
        kept.append(block)
        return ()

    def leak_files():
        files.append(open(os.devnull))  # noqa: SIM115
        return ()

    try:
        samples, counts = soak.soak({"memory": leak_memory, "files": leak_files}, 0.03)
    finally:
        for opened in (*files, *kept):
            opened.close()
    assert sum(counts.values()) > 20
    assert [leak.split()[0] for leak in soak.judge(samples).leaks] == ["memory", "descriptors"]


def test_an_answer_that_changes_is_an_error():
    numbers = iter(range(100))
    with pytest.raises(AssertionError, match="count changed its answer"):
        soak.soak({"count": lambda: (np.array(next(numbers)),)}, 0.01)


@pytest.mark.slow
def test_the_library_does_not_leak_within_seconds():
    done = subprocess.run(
        [sys.executable, soak.__file__, "--minutes", "0.3", "--tolerance", "30"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("no leak\n")
