"""Fixtures for all tests: no test reaches the internet or the user's own data."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[1]
_MIRROR = Path(os.environ.get("SKXMODAL_MIRROR") or _REPOSITORY.parent / "shared" / "mirror")


@pytest.fixture(autouse=True)
def _loopback_only(request, monkeypatch):
    """Refuse every connection beyond this machine, unless the test is marked ``network``."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def shared_data_home(tmp_path_factory):
    """A data home for the whole run, so that an archive is unpacked once."""
    return tmp_path_factory.mktemp("data-home")


@pytest.fixture(autouse=True)
def _data_home(shared_data_home, monkeypatch):
    """Keep downloads out of the user's cache, and ask no mirror unless a test wants one."""
    monkeypatch.setenv("SKXMODAL_DATA", str(shared_data_home))
    monkeypatch.delenv("SKXMODAL_MIRROR", raising=False)


@pytest.fixture(scope="session")
def mirror_folder():
    """The folder of real data."""
    if not _MIRROR.is_dir():
        pytest.skip("the real data need a mirror: set SKXMODAL_MIRROR to a folder that holds them")
    return _MIRROR


@pytest.fixture
def mirror(mirror_folder, monkeypatch):
    """The folder of real data, as ``SKXMODAL_MIRROR``."""
    monkeypatch.setenv("SKXMODAL_MIRROR", str(mirror_folder))
    return mirror_folder


@pytest.fixture
def file_server(monkeypatch):
    """A server of files on this machine, reached without a proxy."""
    from .datasets.http_server import FileServer

    monkeypatch.setenv("NO_PROXY", "*")
    server = FileServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Try a failed transfer again at once."""
    monkeypatch.setattr("skxmodal.datasets._http._BACKOFF_S", 0.0)


@pytest.fixture
def torch_threads():
    """What sets the number of PyTorch's threads until the end of the test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
