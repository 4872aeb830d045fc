"""Several processes write to one cache at once: nothing is lost, wrong, or computed twice.

``SKXMODAL_SECONDS=60 pytest -m slow tests/reliability/test_crowded_cache.py -s`` takes a minute.
"""

import importlib.util
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from skxmodal.embedders._store import EmbeddingStore

WORKER = Path(__file__).with_name("crowd_worker.py")
spec = importlib.util.spec_from_file_location("crowd_worker", WORKER)
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)

N_PROCESSES = 4
SECONDS = float(os.environ.get("SKXMODAL_SECONDS", "3"))


@pytest.mark.slow
@pytest.mark.timeout(300 + 4 * SECONDS)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked, to start at once")
def test_four_processes_at_once_lose_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, str(WORKER), str(tmp_path), str(SECONDS), str(N_PROCESSES)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    texts = [(tmp_path / f"computed-{n}").read_text() for n in range(N_PROCESSES)]
    logs = [Counter(map(int, text.split())) for text in texts]
    computed = sum(logs, Counter())
    # Claims: what one process computes, the others wait for.
    assert set(computed.values()) == {1}
    assert set(computed) == set(range(max(computed) + 1))
    assert sum(map(bool, logs)) > 1
    found = EmbeddingStore(tmp_path / "cache").get_many(map(worker.key_of, computed))
    assert len(found) == len(computed)
    for number in computed:
        np.testing.assert_array_equal(found[worker.key_of(number)], worker.vector_of(number))
    with closing(sqlite3.connect(tmp_path / "cache" / "embeddings.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT COUNT(*) FROM claims").fetchall() == [(0,)]
        (n_entries,) = database.execute("SELECT COUNT(*) FROM entries").fetchone()
    print(f"{n_entries} entries, {len(computed)} of them numbers, {SECONDS:g} s")
