"""Work that is killed at random instants and started again ends as if nothing had happened.

``SKXMODAL_KILLS=30 pytest -m slow tests/reliability/test_kill_anywhere.py -s`` kills more often.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

N_KILLS = int(os.environ.get("SKXMODAL_KILLS", "4"))
N_KILLED_FITS = max(1, 3 * N_KILLS // 10)  # each of them is a whole run
WORKER = Path(__file__).with_name("kill_worker.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120 + 60 * N_KILLS),
    pytest.mark.skipif(
        sys.platform != "linux", reason="kills are timed by the processor time of another process"
    ),
]


def killed(task, folder, n_kills):
    done = subprocess.run(
        [sys.executable, str(WORKER), task, str(folder), str(n_kills)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return json.loads(done.stdout)


@pytest.mark.parametrize("task", ["file", "cache", "reproduce"])
def test_work_that_is_killed_ends_as_if_nothing_had_happened(task, tmp_path):
    found = killed(task, tmp_path, N_KILLS)
    assert found["differ"] == []
    assert found["kills"] == N_KILLS
    assert found["runs"] >= 1
    assert found["compared"] > 1


@pytest.mark.parametrize("task", ["fit", "fit-slow-disk"])
def test_a_killed_fit_with_a_checkpoint_goes_on(task, tmp_path):
    found = killed(task, tmp_path, N_KILLS)
    assert found["differ"] == []
    assert found["kills"] == N_KILLS
    assert found["compared"] > 1
    # Some kill came after an epoch was kept: there was something to go on from.
    assert any(kept and kept[0] != "half-written" for kept in found["left"])


def test_a_killed_fit_costs_that_fit_only(tmp_path):
    found = killed("fits", tmp_path, N_KILLED_FITS)
    assert found["differ"] == []
    assert found["lost"] == []
    assert found["kills"] == N_KILLED_FITS
