"""Two processes that train one translator learn what one process learns."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skxmodal.translation import ContrastiveTranslator

from .translator_worker import CASES, fit, table

_WORKER = Path(__file__).with_name("translator_worker.py")
_N_PROCESSES = 2


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What each of two processes learned."""
    folder = tmp_path_factory.mktemp("group")
    out = folder / "found"
    command = [sys.executable, str(_WORKER), str(folder / "rendezvous"), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(_N_PROCESSES)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(_N_PROCESSES)
    ]
    try:
        told = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * _N_PROCESSES, "\n".join(told)
    return [
        pickle.loads(out.with_name(f"{out.name}.{rank}").read_bytes())
        for rank in range(_N_PROCESSES)
    ]


@pytest.fixture(scope="module", params=[case for case in CASES if case != "float16"])
def case(request):
    return request.param


@pytest.fixture(scope="module")
def alone(case):
    """What one process learns."""
    return fit(**CASES[case])


@pytest.mark.slow
def test_weights_are_those_of_one_process(together, alone, case):
    for name, expected in alone["weights"].items():
        np.testing.assert_allclose(
            together[0][case]["weights"][name], expected, rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.slow
def test_losses_of_all_epochs_are_those_of_one_process(together, alone, case):
    found = together[0][case]["history"]
    assert len(found) == len(alone["history"])
    for ours, expected in zip(found, alone["history"]):
        assert ours == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.slow
def test_projections_are_those_of_one_process(together, alone, case):
    np.testing.assert_allclose(together[0][case]["joint"], alone["joint"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_processes_end_with_the_same_bytes(together, case):
    first, second = together[0][case], together[1][case]
    assert first["history"] == second["history"]
    for name, expected in first["weights"].items():
        np.testing.assert_array_equal(second["weights"][name], expected, err_msg=name)


@pytest.mark.slow
def test_mixed_precision_lowers_the_loss_together(together):
    history = together[0]["float16"]["history"]
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]


@pytest.mark.slow
def test_processes_with_different_seeds_are_refused(together):
    for found in together:
        assert "different tables, parameters or seeds" in found["other seeds"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_knows_missing_rows(precision):
    assert np.isfinite(fit("infonce", True, precision=precision)["joint"]).all()


def test_without_a_process_group_the_way_to_one_is_told():
    X, _ = table(holes=False)
    with pytest.raises(ValueError, match="distributed=True needs a process group: start"):
        ContrastiveTranslator(2, distributed=True).fit(X)
