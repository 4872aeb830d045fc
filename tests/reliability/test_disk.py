"""A real disk that is full, then large enough, then read-only, then writable again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("disk_worker.py")
ALONE = ["unshare", "--mount", "--map-root-user"]


def may_mount(folder):
    """Tell whether a disk may be mounted here that nobody else sees."""
    try:
        tried = subprocess.run(
            [*ALONE, "mount", "-t", "tmpfs", "none", str(folder)], capture_output=True
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


@pytest.mark.slow
def test_a_disk_that_is_full_or_read_only_is_named_and_loses_nothing(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("needs to mount a disk in memory (user namespaces)")
    done = subprocess.run(
        [*ALONE, sys.executable, str(WORKER), str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    full, file_full, read_only, file_read_only, end = done.stdout.splitlines()
    assert "what it holds is kept: free some space there" in full
    assert "cannot be written (No space left on device): choose another path" in file_full
    assert f"cache={str(tmp_path / 'cache')!r}" in read_only.replace("PosixPath(", "")
    assert "cannot be used" in read_only
    assert "cannot be written (Read-only file system)" in file_read_only
    assert end == "done"
