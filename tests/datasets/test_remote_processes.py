"""Downloads in several processes: killed anywhere and continued, or all at once."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skxmodal.datasets._remote import RemoteFile, fetch_file

from .http_server import stall

BODY = np.random.default_rng(0).bytes(400_000)
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
BLOCK = 10_000

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the helpers fork, so that each starts at once"
)

ONE = """
import sys
from skxmodal.datasets._remote import RemoteFile, fetch_file

fetch_file(RemoteFile(sys.argv[1], sys.argv[2], "CC0"), data_home=sys.argv[3])
"""

# Children are forked by a process without threads that has imported everything.
MANY = """
import multiprocessing, sys
import pooch, requests
from skxmodal.datasets._remote import RemoteFile, fetch_file

def one(barrier):
    barrier.wait()
    fetch_file(RemoteFile(sys.argv[1], sys.argv[2], "CC0"), data_home=sys.argv[3])

context = multiprocessing.get_context("fork")
barrier = context.Barrier(4)
children = [context.Process(target=one, args=(barrier,)) for _ in range(4)]
for child in children:
    child.start()
for child in children:
    child.join()
sys.exit(any(child.exitcode for child in children))
"""

# Thirty children, each killed at a random instant; what one has finished, the next begins anew.
# Every other one is killed only once it receives something, however slow the machine.
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import pooch, requests
from skxmodal.datasets._digests import matches
from skxmodal.datasets._remote import RemoteFile, fetch_file

remote = RemoteFile(sys.argv[1], sys.argv[2], "CC0")
goal = remote.place(Path(sys.argv[3]))
part = goal.with_name(goal.name + ".part")
random.seed(0)

def received():
    return part.stat().st_size if part.exists() else 0

for number in range(30):
    before = received()
    child = os.fork()
    if not child:
        fetch_file(remote, data_home=sys.argv[3])
        os._exit(0)
    while number % 2 and not goal.exists() and received() == before:
        time.sleep(0.001)
    time.sleep(random.uniform(0.01, 0.1 if number % 2 else 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if goal.exists():
        assert matches(goal, remote.digest)
        goal.unlink()
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def remote(file_server):
    file_server.files["/file.bin"] = BODY
    return RemoteFile(file_server.url + "/file.bin", DIGEST, "CC0")


def command(script, remote, home):
    return [sys.executable, "-c", script, remote.url, remote.digest, str(home)]


def left(home):
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_a_killed_download_is_continued_by_the_next_process(remote, file_server, home):
    file_server.mishaps["/file.bin"] = [stall(CUT := 1_000)]
    part = remote.place(home).with_name("file.bin.part")
    process = subprocess.Popen(command(ONE, remote, home))
    try:
        # Before the stalled transfer is given up, which would write what is still buffered.
        deadline = time.monotonic() + 40
        while not (part.is_file() and part.stat().st_size == CUT):
            assert process.poll() is None, "the download ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not remote.place(home).exists()
    assert fetch_file(remote, data_home=home).read_bytes() == BODY
    assert file_server.headers[1]["Range"] == f"bytes={CUT}-"
    assert file_server.sent == [CUT, len(BODY) - CUT]
    assert left(home) == ["file.bin"]


def test_four_processes_at_once_download_once(remote, file_server, home):
    subprocess.run(command(MANY, remote, home), check=True, timeout=120)
    assert file_server.sent == [len(BODY)]
    assert remote.place(home).read_bytes() == BODY
    assert left(home) == ["file.bin"]


@pytest.mark.slow
def test_thirty_kills_at_random_leave_the_same_file(remote, file_server, home):
    def slowly(handler, content):
        """Send the file or its rest in blocks with pauses."""
        write = handler.wfile.write

        def in_blocks(body):
            for start in range(0, len(body), BLOCK):
                write(body[start : start + BLOCK])
                file_server.closing.wait(0.005)

        handler.wfile.write = in_blocks
        handler.send_file(content)

    file_server.mishaps["/file.bin"] = [slowly] * 100
    subprocess.run(command(KILLED, remote, home), check=True, timeout=120)
    assert fetch_file(remote, data_home=home).read_bytes() == BODY
    assert left(home) == ["file.bin"]
    continued = [headers for headers in file_server.headers if "Range" in headers]
    assert len(continued) >= 3
