"""Two processes on this machine, as a cluster."""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from skxmodal.modalities import concat_modalities

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def jobs():
    """The module that workers import, under the same name here."""
    path = _HERE / "cluster_jobs.py"
    spec = importlib.util.spec_from_file_location("cluster_jobs", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["cluster_jobs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def client(jobs, tmp_path_factory):
    """A client of two worker processes."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    folder = tmp_path_factory.mktemp("dask")
    settings = {
        "distributed.worker.daemon": False,
        "distributed.comm.timeouts.connect": "60s",
        "distributed.admin.tick.limit": "60s",
    }
    with dask.config.set(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(folder),
            memory_limit=0,
        )
        client = distributed.Client(cluster)
        client.wait_for_workers(2)
        client.upload_file(str(_HERE / "cluster_jobs.py"))
        yield client
        client.close()
        cluster.close()


@pytest.fixture(scope="session")
def labelled():
    """90 labelled rows of two modalities that share a cause."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=90)
    cause = 2 * y[:, np.newaxis] + rng.normal(size=(90, 2))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(2, 5)), image=cause @ rng.normal(size=(2, 4))
    )
    return X.astype(np.float32), y
