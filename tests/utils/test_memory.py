"""Memory that is kept: how often a process asks the system for pages."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource
from skxmodal.utils._memory import keep_freed_memory

keep_freed_memory()
for number in range(20):
    if number == 10:  # it is settled
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [b"1" * 12_000_000 for _ in range(4)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again():
    # Without the call they are 117,000 in most processes, by where the system puts their heap.
    for _ in range(3):
        found = subprocess.run(
            [sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True
        )
        assert int(found.stdout) < 1000
