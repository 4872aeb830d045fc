"""Retrieval NDCG@30 against scikit-learn's: seconds and peak memory, each in its own process.

Run ``python benchmarks/bench_ndcg.py``; ``--quick`` takes a tenth of the queries and gallery.
The reference builds the relevance of all pairs of samples and calls
``sklearn.metrics.ndcg_score``; both look up the same table of relevance between label sets.
Where the mirror of AudioSet's lists lies beside the repository, the random NDCG of its real
label sets is printed too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import _measure
import numpy as np

N_SETS, N_LABELS, N_FEATURES, K = 400, 60, 128, 30
MIRROR = Path(__file__).resolve().parents[2] / "shared" / "mirror"


def make_problem(n_queries: int, n_gallery: int):
    """Return embeddings, label sets and the relevance between labels."""
    rng = np.random.default_rng(0)
    known = [tuple(rng.choice(N_LABELS, rng.integers(1, 4), replace=False)) for _ in range(N_SETS)]
    place = rng.random((N_LABELS, 2))
    distance = np.abs(place[:, None] - place[None]).sum(axis=2)
    table = 21 - np.round(distance * 5.5)
    codes = [rng.integers(0, N_SETS, n) for n in (n_queries, n_gallery)]
    Z = [rng.standard_normal((n, N_FEATURES), dtype=np.float32) for n in (n_queries, n_gallery)]
    return Z, [[known[i] for i in c] for c in codes], table


def peak_megabytes() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_one(method: str, n_queries: int, n_gallery: int, n_timed: int = 1) -> dict:
    """Score one problem; called in a process of its own."""
    from sklearn.metrics import ndcg_score

    from skxmodal.metrics import PrecomputedRelevance, retrieval_ndcg_score

    (Q, G), (y_query, y_gallery), table = make_problem(n_queries, n_gallery)
    relevance = PrecomputedRelevance(table)
    # Imports and start-up of thread pools are nobody's running time.
    retrieval_ndcg_score(Q[:64], G[:4096], y_query[:64], y_gallery[:4096], relevance=relevance)
    before, seconds = peak_megabytes(), []
    for _ in range(n_timed):
        start = time.perf_counter()
        if method == "skxmodal":
            score = retrieval_ndcg_score(Q, G, y_query, y_gallery, relevance=relevance, k=K)
        else:
            distinct = sorted(set(y_query) | set(y_gallery))
            code = {labels: i for i, labels in enumerate(distinct)}
            gains = 2 ** relevance(distinct, distinct) - 1
            rows, columns = ([code[labels] for labels in y] for y in (y_query, y_gallery))
            unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (Q, G)]
            score = ndcg_score(gains[np.ix_(rows, columns)], unit[0] @ unit[1].T, k=K)
        seconds.append(time.perf_counter() - start)
    return {"score": score, "seconds": min(seconds), "megabytes": peak_megabytes() - before}


def run_apart(*arguments: object) -> dict:
    """Call :func:`run_one` in a new process."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    # One thread each: scikit-learn's score has no more, and the load matters less.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def print_random_ndcg() -> None:
    """Print the random NDCG of AudioSet's label sets, as the documentation states them."""
    from skxmodal.datasets._ontology import Ontology
    from skxmodal.metrics import TaxonomyRelevance, random_ndcg

    (path,) = MIRROR.glob("raw.githubusercontent.com/audioset/ontology/*/ontology.json")
    ontology = Ontology.from_json(path)
    tops = ("Musical instrument", "Singing", "Tools")
    wanted = {label for top in tops for label in ontology.descendants(top)}
    sets = []
    folder = MIRROR / "storage.googleapis.com/us_audioset/youtube_corpus/v1/csv"
    for name in ("balanced_train_segments.csv", "eval_segments.csv"):
        lines = (folder / name).read_text().splitlines()
        labels = [line.split('"')[1].split(",") for line in lines if not line.startswith("#")]
        sets += [row for row in labels if wanted.intersection(row)]
    print(f"\nRandom NDCG@{K}, {len(sets)} clips of AudioSet's balanced and evaluation lists")
    for gain in ("linear", "exponential"):
        for exclude in (TaxonomyRelevance(ontology).exclude, ()):
            relevance = TaxonomyRelevance(ontology, exclude=exclude)
            value = random_ndcg(sets, sets, relevance=relevance, k=K, gain=gain)
            print(
                f"  {gain:11s} gain, top labels {'dropped' if exclude else 'kept':7s} {value:.4f}"
            )


def main() -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=Path("reports/bench/ndcg.json"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one[0], *map(int, options.one[1:]))))
        return
    small, large = (1_000, 20_000) if options.quick else (10_000, 200_000)
    ours = run_apart("skxmodal", small, small, 3)
    wide = run_apart("skxmodal", small, large)
    reference = run_apart("sklearn", small, small)
    size = f"{small:,} x {small:,}"
    lines = [
        _measure.row(
            f"retrieval_ndcg_score {size} against scikit-learn",
            reference["seconds"] / ours["seconds"],
            25,
            50,
            unit="x",
            form=".0f",
            note=f"{ours['seconds']:.2f} s for {reference['seconds']:.1f} s, one thread",
        ),
        # The reference orders by float32 products, where neighbours may be out of order.
        _measure.row(
            "the same, difference of the scores",
            abs(reference["score"] - ours["score"]),
            1e-6,
            1e-6,
            smaller=True,
            form=".0e",
        ),
        _measure.row(
            "the same, of the reference's memory",
            100 * ours["megabytes"] / reference["megabytes"],
            unit="%",
            form=".1f",
            note=f"{ours['megabytes']:.0f} MB for {reference['megabytes']:.0f} MB; "
            f"{wide['megabytes']:.0f} MB for a gallery of {large:,}",
        ),
    ]
    for line in lines:
        _measure.show(line)
    _measure.write(options.json, lines)
    if MIRROR.is_dir():
        print_random_ndcg()


if __name__ == "__main__":
    main()
