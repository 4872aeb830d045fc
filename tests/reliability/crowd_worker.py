"""Four processes write to one cache at once; run by test_crowded_cache.py.

``crowd_worker.py FOLDER SECONDS N_PROCESSES``. Each process asks for ever new and for known
embeddings, in random order, straight from the store and through an embedder, checks every answer,
and notes what it has computed in ``FOLDER/computed-N``, after that is stored.
"""

import os
import random
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from skxmodal.embedders import ImageEmbedder
from skxmodal.embedders._content import entry_key, hash_parts
from skxmodal.embedders._store import EmbeddingStore, embed_through_store

N_FEATURES = 64
_PORTION = 40


def vector_of(number):
    """The embedding of a number."""
    return np.random.default_rng(number).standard_normal(N_FEATURES).astype(np.float32)


def key_of(number):
    """The key of a number."""
    return entry_key(hash_parts(str(number)), "crowd")


def picture_of(number):
    """A small picture, each number its own."""
    return np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def work(folder, me, deadline):
    """Ask for embeddings until the time is over."""
    store = EmbeddingStore(folder / "cache")
    order = random.Random(me)
    embedder = ImageEmbedder("thumbnail", cache=folder / "cache", batch_size=8).fit([picture_of(0)])
    plain = ImageEmbedder("thumbnail").fit([picture_of(0)])
    newest = 0
    with open(folder / f"computed-{me}", "w") as log:

        def compute(positions):
            for start in range(0, len(positions), 8):
                rows = positions[start : start + 8]
                yield rows, np.stack([vector_of(asked[row]) for row in rows])
                # The store has written a batch by the time that it asks for the next.
                log.writelines(f"{asked[row]}\n" for row in rows)
                log.flush()

        while time.time() < deadline:
            newest += _PORTION // 2
            # Half of it what all want by now, half of it anything so far.
            asked = [*range(newest - _PORTION // 2, newest)]
            asked += [order.randrange(newest) for _ in range(_PORTION // 2)]
            order.shuffle(asked)
            keys = [key_of(number) for number in asked]
            found = embed_through_store(store, keys, compute, N_FEATURES)
            np.testing.assert_array_equal(found, np.stack([vector_of(number) for number in asked]))
            pictures = [picture_of(number) for number in asked[:8]]
            np.testing.assert_array_equal(
                embedder.transform(pictures), plain.transform(pictures), strict=True
            )


def main(folder, seconds, n_processes):
    """Start all, wait for all, and say how many failed."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking, from Python 3.12 on
    folder = Path(folder)
    deadline = time.time() + float(seconds)
    children = []
    for me in range(int(n_processes)):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(folder, me, deadline)
                status = 0
            finally:
                if status:
                    sys.excepthook(*sys.exc_info())
                os._exit(status)
        children.append(child)
    sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))


if __name__ == "__main__":
    main(*sys.argv[1:])
