"""A process that embeds through a store with an encoder that counts; run by test_store.py.

``store_worker.py DIRECTORY LOG N_CELLS BATCH SECONDS [STALL]``: every computed cell is a line of
LOG. After STALL batches the process stands still in the middle of the next one.
"""

import os
import sys
import time

import numpy as np

from skxmodal.embedders._content import entry_key, hash_parts
from skxmodal.embedders._store import EmbeddingStore, embed_through_store

N_FEATURES = 8


def vector_of(i):
    return np.random.default_rng(i).standard_normal(N_FEATURES).astype(np.float32)


def keys_of(n):
    return [entry_key(hash_parts(str(i)), "counting") for i in range(n)]


def main(directory, log, n_cells, batch, seconds, stall=-1):
    done = 0

    def compute(positions):
        nonlocal done
        for start in range(0, len(positions), batch):
            rows = positions[start : start + batch]
            if done == stall:
                print("stalled", flush=True)
                time.sleep(600)
            time.sleep(seconds)
            with open(log, "a") as file:
                file.writelines(f"{row} {os.getpid()}\n" for row in rows)
            done += 1
            yield rows, np.stack([vector_of(row) for row in rows])

    result = embed_through_store(EmbeddingStore(directory), keys_of(n_cells), compute, N_FEATURES)
    expected = np.stack([vector_of(i) for i in range(n_cells)])
    np.testing.assert_array_equal(result, expected)
    print("done", flush=True)


if __name__ == "__main__":
    directory, log, *numbers = sys.argv[1:]
    main(
        directory, log, int(numbers[0]), int(numbers[1]), float(numbers[2]), *map(int, numbers[3:])
    )
