"""Kill work at random instants, start it again, and compare its result with an undisturbed one.

``kill_worker.py TASK FOLDER N_KILLS [SEED]`` prints one line of JSON: how many kills and finished
runs there were, and where results differ from those of an undisturbed run. It forks, so that every
start costs nothing but the work itself, and kills by the processor time that the child has used:
the instants are the same whatever else the machine does. A run that ends before it is killed is
compared, and begun anew.

The task ``fits`` is ``reproduce``, killed once in each stage that fits a joint space.
"""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import time
import traceback
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from skxmodal.__main__ import main as skxmodal
from skxmodal.datasets import load_manifest, make_instruments, make_paired_embeddings
from skxmodal.embedders import AudioEmbedder, ImageEmbedder, _column, embed_to_file
from skxmodal.experiments import _presets, embed_manifest
from skxmodal.translation import ContrastiveTranslator, _checkpoint

_SHORT = {"n_sizes": 2, "n_draws": 1, "pair_epochs": 8, "max_epochs": 8}
_ENTRIES = "SELECT key, data, checksum FROM entries ORDER BY key"


class EmbedToFile:
    """``embed_to_file``: pictures into one file, some rows at a time."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.cells = [rng.integers(0, 256, (160, 160, 3), dtype=np.uint8) for _ in range(600)]
        self.cells[7] = None

    def work(self, out):
        _column._KEEP_S = 0.005  # rows are kept after some batches, and at the end of a chunk
        embed_to_file(ImageEmbedder(), self.cells, out / "image.npy", chunk_size=240)

    def result(self, out):
        return digests(out)


class EmbedThroughCache:
    """``AudioEmbedder(cache=...)``: sounds into a store; what is compared is also the store."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.cells = [(16000, rng.uniform(-0.5, 0.5, 24000).astype(np.float32)) for _ in range(160)]
        self.cells[3] = None

    def work(self, out):
        embedder = AudioEmbedder(cache=out / "cache", batch_size=4, n_jobs=2)
        np.save(out / "rows.npy", embedder.fit_transform(self.cells))

    def result(self, out):
        with closing(sqlite3.connect(out / "cache" / "embeddings.sqlite3")) as database:
            entries = hashlib.sha256(repr(database.execute(_ENTRIES).fetchall()).encode())
            return {
                "rows": file_digest(out / "rows.npy"),
                "entries": entries.hexdigest(),
                "claims": database.execute("SELECT COUNT(*) FROM claims").fetchall(),
                "sound": database.execute("PRAGMA integrity_check").fetchall(),
            }


class Reproduce:
    """``skxmodal reproduce`` on a folder of embeddings, translators with few epochs."""

    def __init__(self, folder):
        make_instruments(90, classes=["drums", "flute", "organ"], difficulty=0.1, out=folder)
        self.embedded = folder / "embedded"
        encoders = {"audio": ["logmel"], "image": ["thumbnail"]}
        embed_manifest(load_manifest(folder / "manifest.csv"), self.embedded, encoders=encoders)
        _presets.PRESETS["quick"] = replace(_presets.PRESETS["quick"], **_SHORT)

    def work(self, out):
        arguments = ["reproduce", "--dataset", self.embedded, "--out", out, "--n-jobs", 1]
        status = skxmodal([*map(str, arguments), "--quiet", "--systems", "MMT", "MMP"])
        if status:
            raise RuntimeError(f"reproduce ended with {status}")

    def result(self, out):
        """Compare everything but how long it took, and which stages were kept."""
        found = digests(out)
        for path in (out / "results.json", *out.glob("stages/*/value.json")):
            content = json.dumps(without_times(json.loads(path.read_text())))
            found[str(path.relative_to(out))] = hashlib.sha256(content.encode()).hexdigest()
        page = (out / "report.html").read_text()
        page = re.sub(r" in \d+ s on ", " ", page)
        page = re.sub(r" \(\d+ of \d+ stages kept from earlier runs\)", "", page)
        page = re.sub(r"<summary>Stages and their seconds.*?</details>", "", page, flags=re.DOTALL)
        found["report.html"] = hashlib.sha256(page.encode()).hexdigest()
        return found


class Fit:
    """``ContrastiveTranslator(checkpoint=...)``: weights, losses and joint vectors."""

    pause = _checkpoint._PAUSE

    def __init__(self, folder):
        _checkpoint._PAUSE = self.pause
        names = {"audio": 96, "image": 64}
        self.table = make_paired_embeddings(8000, n_features=names, random_state=0).frame
        # What PyTorch imports on first use would be most of each start.
        self.fit(self.table[:100], folder / "warm")

    def fit(self, table, kept):
        return ContrastiveTranslator(
            32,
            hidden_dim=128,
            loss="clip",
            batch_size=128,
            max_epochs=40,
            patience=3,
            random_state=0,
            checkpoint=kept,
        ).fit(table)

    def work(self, out):
        translator = self.fit(self.table, out / "kept")
        np.save(out / "joint.npy", translator.transform(self.table))
        for part in (translator.net_.module_, translator.net_.criterion_):
            for name, tensor in part.state_dict().items():
                np.save(out / f"{name}.npy", tensor.numpy())
        history = [dict(row) for row in translator.net_.history]
        for row in history:
            del row["dur"]
        (out / "history.txt").write_text(repr(history))

    def result(self, out):
        return digests(out)

    def found(self, out):
        """Tell how many epochs a killed fit has kept, and what it was writing."""
        folder = out / "kept"
        kept = [len(_checkpoint._unpack(p.read_bytes())["history"]) for p in folder.glob("*.ch*")]
        return [*kept, *("half-written" for _ in folder.glob("*.part"))]


class FitOnSlowDisk(Fit):
    """The same, kept after every epoch, and each write takes long: kills meet writes."""

    pause = 0

    def work(self, out):
        fsync = os.fsync

        def slow(handle):
            until = time.process_time() + 0.05
            while time.process_time() < until:
                pass
            fsync(handle)

        os.fsync = slow
        super().work(out)


TASKS = {
    "file": EmbedToFile,
    "cache": EmbedThroughCache,
    "reproduce": Reproduce,
    "fit": Fit,
    "fit-slow-disk": FitOnSlowDisk,
}


def file_digest(path):
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def without_times(content):
    """Leave out how long things took, and whether a stage was kept, at any depth."""
    if isinstance(content, dict):
        times = ("seconds", "stages", "fit_times", "score_times")
        return {name: without_times(part) for name, part in content.items() if name not in times}
    return [without_times(part) for part in content] if isinstance(content, list) else content


def digests(folder):
    """Hash every file below a folder; leftovers are files like any other."""
    return {
        str(path.relative_to(folder)): file_digest(path) if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def begin(task, out):
    """Do the work in a forked process."""
    out.mkdir(exist_ok=True)
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        # What it prints is no part of the answer.
        os.dup2(2, 1)
        with open(os.devnull, "w") as sys.stdout:
            task.work(out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def seconds_of(child):
    """Return the processor time that a process and its threads have used."""
    # The clock that clock_getcpuclockid(3) names on Linux.
    return time.clock_gettime(~child << 3 | 2)


def finish(child):
    """Wait for a process, and return its processor time."""
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"the work failed: {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def kill_after(child, seconds):
    """Kill a process when it has used so much processor time; tell whether it still ran."""
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            if status:
                raise SystemExit(f"the work failed: {os.waitstatus_to_exitcode(status)}")
            return False
        if seconds_of(child) >= seconds:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            return os.WIFSIGNALED(status)
        time.sleep(0.0005)


def compare(found, expected):
    """Name what differs."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def run(name, folder, n_kills, seed=0):
    """Kill and compare, and return what is to be reported."""
    instants = random.Random(seed)
    task = TASKS[name](folder)
    # The same folder each time, as paths are part of what is written.
    out = folder / "out"
    seconds = finish(begin(task, out))
    expected = task.result(out)
    shutil.rmtree(out)
    killed_at, n_runs, differ, left = [], 0, set(), []
    # A killed run keeps what it has finished: short enough for several kills a run, long enough
    # to come through its longest stage.
    longest = 0.6 * seconds
    while len(killed_at) < n_kills:
        instant = instants.uniform(0, longest)
        if kill_after(begin(task, out), instant):
            killed_at.append(round(instant, 3))
            if hasattr(task, "found"):
                left.append(task.found(out))
            if len(killed_at) < n_kills:
                continue
            finish(begin(task, out))
        n_runs += 1
        differ.update(compare(task.result(out), expected))
        shutil.rmtree(out)
    return {
        "task": name,
        "kills": len(killed_at),
        "runs": n_runs,
        "differ": sorted(differ),
        "compared": len(expected),
        "seconds": round(seconds, 2),
        "killed_at": killed_at,
        "left": left,
    }


def run_fits(folder, n_kills, seed=0):
    """Kill while joint spaces are fitted, and return what is to be reported."""
    instants = random.Random(seed)
    task = Reproduce(folder)
    out = folder / "out"
    used = finish(begin(task, out))
    expected = task.result(out)
    results = json.loads((out / "results.json").read_text())
    share = {
        stage["name"].split()[-1]: used * stage["seconds"] / results["seconds"]
        for stage in results["stages"]
        if stage["name"].startswith(("translating", "joint space"))
    }
    shutil.rmtree(out)
    killed_in, differ, lost = [], set(), []
    while len(killed_in) < n_kills:
        name = list(share)[len(killed_in) % len(share)]
        child = begin(task, out)
        wait_for(out / "stages", f"*{name.lower()}-*.work", child)
        if not kill_after(child, seconds_of(child) + instants.uniform(0, share[name])):
            shutil.rmtree(out)
            continue
        kept = [path for path in (out / "stages").iterdir() if not path.suffix]
        killed_in += [path.stem for path in (out / "stages").glob("*.work")][:1] or ["between"]
        finish(begin(task, out))
        stages = json.loads((out / "results.json").read_text())["stages"]
        if sum(stage["reused"] for stage in stages) != len(kept):
            lost.append(killed_in[-1])
        differ.update(compare(task.result(out), expected))
        shutil.rmtree(out)
    return {
        "task": "fits",
        "kills": len(killed_in),
        "runs": len(killed_in),
        "differ": sorted(differ),
        "lost": lost,
        "compared": len(expected),
        "seconds": round(used, 2),
        "killed_in": killed_in,
    }


def wait_for(folder, pattern, child):
    """Wait until a process has begun a stage."""
    while not any(folder.glob(pattern)):
        if os.waitpid(child, os.WNOHANG)[0]:
            raise SystemExit(f"the work ended without {pattern}")
        time.sleep(0.0005)


def main(name, folder, n_kills, seed=0):
    """Print a line of JSON."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking, from Python 3.12 on
    folder, n_kills, seed = Path(folder).resolve(), int(n_kills), int(seed)
    report = run_fits(folder, n_kills, seed) if name == "fits" else run(name, folder, n_kills, seed)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
