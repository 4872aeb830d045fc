"""Do everything over and over in one process, and see whether memory, files or threads grow.

    python tests/reliability/soak.py --minutes 30

Embeds, searches (a grid), predicts, retrieves, trains, saves and loads in random order. Every
answer must be that of the first round, byte for byte. One line a minute tells memory
(``RssAnon``: what the process itself has allocated), open descriptors and threads; the last lines
tell how memory grows and a verdict. The exit status is 1 where something leaks.
"""

import argparse
import gc
import math
import os
import pickle
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t as student
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_instruments
from skxmodal.embedders import AudioEmbedder, ImageEmbedder, embed_to_file, make_embedder
from skxmodal.metrics import make_retrieval_scorer
from skxmodal.modalities import select_modality
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import CCAProjector, ContrastiveTranslator

_CLASSES = ["drums", "flute", "organ"]
_N_ROWS = 60
#: Shares of a run: what comes before is not judged, as caches and pools fill up.
_WARM_UP = 1 / 6
_LEAST_SAMPLES = 40


@dataclass(frozen=True)
class Sample:
    """What the process has, so many seconds after the start."""

    seconds: float
    megabytes: float
    n_files: int
    n_threads: int


@dataclass(frozen=True)
class Verdict:
    """How memory grew over a run, and what is wrong."""

    slope: float  # MB an hour
    error: float  # standard error of the slope
    hours: float  # what was judged
    leaks: list[str]

    def __str__(self) -> str:
        """Tell the slope and the findings."""
        found = "; ".join(self.leaks) or "no leak"
        return (
            f"memory: {self.slope:+.2f} ± {self.error:.2f} MB/h (standard error) over "
            f"{60 * self.hours:.1f} minutes\n{found}"
        )


def take_sample(started):
    """Measure this process, after a collection."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return Sample(
        time.monotonic() - started,
        int(fields["RssAnon"].split()[0]) / 1024,
        # The folder itself is open while it is read.
        len(os.listdir("/proc/self/fd")) - 1,
        int(fields["Threads"]),
    )


def judge(samples, *, tolerance=1.0, n_points=30):
    """Find out what grows, from samples in order.

    A line is fitted to the medians of equal spans of time: single samples are not independent.
    Memory leaks if it gained more than ``tolerance`` MB even by the lower end of the slope's
    95 % interval. Descriptors and threads leak if their least number in the last quarter is more
    than their greatest in the first.
    """
    length = samples[-1].seconds
    judged = [sample for sample in samples if sample.seconds >= _WARM_UP * length]
    start = judged[0].seconds
    span = (length - start) / n_points
    bins = {}
    for sample in judged:
        number = min(n_points - 1, int((sample.seconds - start) / span))
        bins.setdefault(number, []).append(sample)
    if len(bins) < 4:
        raise ValueError(f"{len(judged)} samples are too few to judge: run for longer")
    hours = [statistics.mean(s.seconds for s in part) / 3600 for part in bins.values()]
    values = [statistics.median(s.megabytes for s in part) for part in bins.values()]
    slope, error = fit_line(np.array(hours), np.array(values))
    low = slope - student.ppf(0.975, len(bins) - 2) * error
    leaks = []
    gained = low * (hours[-1] - hours[0])
    if gained > tolerance:
        leaks.append(f"memory leaks: {gained:.1f} MB or more were gained")
    quarter = max(1, len(judged) // 4)
    for name, of in (("descriptors", "n_files"), ("threads", "n_threads")):
        before = max(getattr(sample, of) for sample in judged[:quarter])
        after = min(getattr(sample, of) for sample in judged[-quarter:])
        if after > before:
            leaks.append(f"{name} leak: {before} at first, {after} at last")
    return Verdict(slope, error, (length - start) / 3600, leaks)


def fit_line(x, y):
    """Return the slope of a line through points, and its standard error."""
    x = x - x.mean()
    y = y - y.mean()
    slope = float(x @ y / (x @ x))
    rest = y - slope * x
    return slope, math.sqrt(float(rest @ rest) / (len(x) - 2) / float(x @ x))


class Work:
    """The operations, all on one small data set in a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        data = make_instruments(_N_ROWS, classes=_CLASSES, difficulty=0.1, out=self.folder)
        self.frame, self.target = data.frame, data.target
        self.broken = self.folder / "broken.wav"
        self.broken.write_bytes(b"RIFF and nothing more")
        self.joint = make_pipeline(make_embedder(), CCAProjector(8)).fit(self.frame)
        self.table = make_embedder().fit_transform(self.frame)
        self.model = ModalityAgnosticClassifier(FrozenEstimator(self.joint), random_state=0)
        self.model.fit(self.frame, self.target)
        self.retriever = CrossModalRetriever(FrozenEstimator(self.joint), 5).fit(self.frame)

    def operations(self):
        """Return what there is to do, by name."""
        names = [name for name in dir(self) if name.startswith("do_")]
        return {name.removeprefix("do_"): getattr(self, name) for name in names}

    def do_embed(self):
        """Embed files with threads; one of them is broken."""
        cells = [*self.frame["audio"][:20], str(self.broken), None]
        sounds = AudioEmbedder(n_jobs=2, on_error="ignore").fit_transform(cells)
        pictures = ImageEmbedder(n_jobs=2).fit_transform(self.frame["image"][:20])
        return sounds, pictures

    def do_embed_cached(self):
        """Fill a cache and read it, which is new every time."""
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            embedder = make_embedder(cache=cache, n_jobs=2)
            first = embedder.fit_transform(self.frame[:20])
            again = embedder.fit_transform(self.frame[:20])
        np.testing.assert_array_equal(first, again)
        return (again.to_numpy(),)

    def do_embed_to_file(self):
        """Embed into a file."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            cells = list(self.frame["image"][:20])
            rows = embed_to_file(ImageEmbedder(), cells, Path(folder) / "image.npy", chunk_size=8)
            return (np.array(rows),)

    def do_predict(self):
        """Predict from media of one modality."""
        return tuple(
            self.model.predict_proba(select_modality(self.frame[:20], name))
            for name in ("audio", "image")
        )

    def do_predict_in_threads(self):
        """Four threads ask one model."""
        with ThreadPoolExecutor(4) as pool:
            return tuple(pool.map(self.model.predict_proba, [self.frame[:8]] * 4))

    def do_retrieve(self):
        """Find pictures by sounds."""
        return self.retriever.kneighbors(select_modality(self.frame[:20], "audio"), target="image")

    def do_save_and_load(self):
        """Write and read an index and a model."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = self.retriever.save(Path(folder) / "index.npz")
            retriever = CrossModalRetriever.load(path, self.joint)
            model = pickle.loads(pickle.dumps(self.model))
            found = retriever.kneighbors(self.frame[:5], 3)
        return (*found, model.predict(self.frame[:5]))

    def do_search(self):
        """Search a grid of encoders and sizes through a cache that stays."""
        search = GridSearchCV(
            Pipeline(
                [
                    ("embedder", make_embedder(cache=self.folder / "cache")),
                    ("joint", CCAProjector(4)),
                ]
            ),
            {"embedder__audio__encoder": ["logmel", "mfcc"], "joint__n_components": [4, 8]},
            scoring=make_retrieval_scorer("audio", "image", k=10),
            cv=KFold(2),
            error_score="raise",
        ).fit(self.frame, self.target)
        return (search.cv_results_["mean_test_score"],)

    def do_train(self):
        """Train a network for a moment."""
        translator = ContrastiveTranslator(8, hidden_dim=32, max_epochs=2, random_state=0)
        return (translator.fit_transform(self.table),)


def soak(operations, minutes, *, seed=0, say=print):
    """Do operations in random order, and return samples of the process and counts of each.

    Raises
    ------
    AssertionError
        When an operation answers otherwise than the first time.
    """
    order = random.Random(seed)
    answers = {name: operation() for name, operation in operations.items()}
    counts = Counter(list(operations))
    started = time.monotonic()
    samples, next_line = [], 60.0
    while len(samples) < _LEAST_SAMPLES or samples[-1].seconds < 60 * minutes:
        name = order.choice(list(operations))
        answer = operations[name]()
        counts[name] += 1
        for first, now in zip(answers[name], answer, strict=True):
            np.testing.assert_array_equal(first, now, err_msg=f"{name} changed its answer")
        del answer
        samples.append(take_sample(started))
        now = samples[-1]
        if now.seconds >= next_line:
            say(
                f"{now.seconds / 60:5.1f} min  {now.megabytes:7.1f} MB  {now.n_files:4d} files  "
                f"{now.n_threads:3d} threads  {sum(counts.values()):6d} operations"
            )
            next_line = 60 * (now.seconds // 60 + 1)
    return samples, counts


def main(arguments=None):
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the order of operations")
    parser.add_argument("--tolerance", type=float, default=1, help="MB that may be gained for sure")
    options = parser.parse_args(arguments)
    folder = tempfile.mkdtemp(prefix="soak-")
    try:
        samples, counts = soak(
            Work(folder).operations(),
            options.minutes,
            seed=options.seed,
            say=lambda line: print(line, flush=True),
        )
    finally:
        shutil.rmtree(folder)
    verdict = judge(samples, tolerance=options.tolerance)
    print(", ".join(f"{count} x {name}" for name, count in sorted(counts.items())))
    first, last = samples[0], samples[-1]
    print(f"descriptors: {first.n_files} to {last.n_files}, ", end="")
    print(f"threads: {first.n_threads} to {last.n_threads} ({threading.active_count()} of Python)")
    print(verdict)
    return 1 if verdict.leaks else 0


if __name__ == "__main__":
    sys.exit(main())
