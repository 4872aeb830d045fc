import tracemalloc

import numpy as np
import pytest

from skxmodal.translation._distinct_rows import distinct_rows


def test_equal_rows_are_one_item():
    index, inverse = distinct_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    assert len(index) == 2
    assert inverse[0] == inverse[2] != inverse[1]


@pytest.mark.parametrize("width", [1, 8, 21])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_contents_are_numbered_in_the_order_of_their_bytes(width, dtype):
    rng = np.random.default_rng(0)
    # Few values, most of them zero: many rows differ in their last columns only.
    block = (rng.integers(-1, 2, size=(9000, width)) * (rng.random(width) < 0.4)).astype(dtype)
    content = block.view(f"V{block.dtype.itemsize * width}").ravel()
    _, index, inverse = np.unique(content, return_index=True, return_inverse=True)
    found = distinct_rows(block)
    np.testing.assert_array_equal(found[0], index)
    np.testing.assert_array_equal(found[1], inverse)


def test_some_rows_are_looked_at_as_if_they_were_all():
    block = np.random.default_rng(0).integers(3, size=(200, 3)).astype(np.float32)
    rows = np.arange(5, 150, 2)
    for found, expected in zip(distinct_rows(block, rows), distinct_rows(block[rows])):
        np.testing.assert_array_equal(found, expected)


def test_no_copy_of_the_block_is_held():
    block = np.random.default_rng(0).random((40_000, 256), dtype=np.float32)
    tracemalloc.start()
    distinct_rows(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < block.nbytes / 2
