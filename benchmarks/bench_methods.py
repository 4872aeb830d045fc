"""Every joint space on noisy, skewed pairs: macro F1 of a classifier, zero-shot and with all data.

Run ``python benchmarks/bench_methods.py --quick`` for the hardest cell of the digits (pair noise
0.6, skew 1.5; 10,000 pairs; five seeds), without it for the whole grid. ``--methods``,
``--seeds``, ``--noise``, ``--skew`` and ``--dataset`` choose a part; results are added to those in
``--out``, and ``--table`` writes them as a table for the documentation, of which nothing is
computed anew.

The joint space is fitted on the unlabelled pairs and the unlabelled training samples; then a
classifier is trained on labelled samples of one modality (zero-shot: not the one it is tested
on) or of both. Nothing is tuned on the test samples.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import fetch_audiovisual_digits, fetch_spoken_digits, make_instruments
from skxmodal.datasets._pairing import draw_pairs
from skxmodal.embedders import AudioEmbedder, ImageEmbedder
from skxmodal.modalities import concat_modalities, present_rows
from skxmodal.translation import (
    CCAProjector,
    ContrastiveTranslator,
    PCAProjector,
    make_recommended_joint,
)

COLUMNS = ("zero-shot image", "zero-shot audio", "all data image", "all data audio")
SINGLE = "single modality + PCA"
PASSTHROUGH = " + passthrough"
LOSSES = ("infonce", "clip", "sigmoid", "spectral", "triplet", "vicreg", "robust")
SAMPLERS = ("balanced", "dpp", "agreement", "rematched")


def _network(seed: int, **options: Any) -> ContrastiveTranslator:
    return ContrastiveTranslator(random_state=seed, **options)


METHODS: dict[str, Callable[[int], Any]] = {
    SINGLE: lambda seed: PCAProjector(random_state=seed),
    "PCA": lambda seed: PCAProjector(random_state=seed),
    "CCA": lambda seed: CCAProjector(),
    "kernel CCA": lambda seed: CCAProjector(kernel="rbf", random_state=seed),
    "margin (paper)": partial(_network),
    "symmetric_margin": partial(_network, loss="symmetric_margin"),
    **{loss: partial(_network, loss=loss) for loss in LOSSES},
    **{
        f"symmetric_margin, {sampler}": partial(_network, loss="symmetric_margin", sampler=sampler)
        for sampler in SAMPLERS
    },
    "recommended": lambda seed: make_recommended_joint(random_state=seed),
    "recommended" + PASSTHROUGH: lambda seed: make_recommended_joint(random_state=seed),
}
QUICK = (SINGLE, "kernel CCA", "margin (paper)", "recommended", "recommended" + PASSTHROUGH)

CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "forest": lambda seed: None,
    # It takes no NaN: the blocks of passthrough that a sample lacks are 0, which is their mean.
    "logistic": lambda seed: make_pipeline(
        SimpleImputer(strategy="constant", fill_value=0.0),
        LogisticRegression(max_iter=2000, C=10.0),
    ),
    "hist": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}


def _instruments(subset: str, **options: Any) -> Any:
    rows = {"translation": 4500, "train": 1800, "test": 900}
    return make_instruments(rows[subset], subset=subset, difficulty=0.3, **options)


def _strangers(subset: str, *, random_state: int, **options: Any) -> Any:
    """Return digits of which two of the six speakers, and the last pictures, are tested alone."""
    spoken, written = fetch_spoken_digits("all"), load_digits()
    names = np.unique(spoken.speaker)
    tested = names[[random_state % 6, (random_state + 1) % 6]]
    is_tested, early = np.isin(spoken.speaker, tested), spoken.take < 25
    heard = {
        "translation": ~is_tested & early,
        "train": ~is_tested & ~early,
        "test": is_tested & (spoken.take < 15),
    }
    seen = {"translation": slice(850), "train": slice(850, 1350), "test": slice(1350, None)}
    sounds = spoken.frame["audio"].to_numpy()[heard[subset]]
    digits = spoken.target[heard[subset]]
    pictures = list(np.round(written.images[seen[subset]] * (255 / 16)).astype(np.uint8))
    shown = written.target[seen[subset]]
    if subset == "translation":
        rows, columns = draw_pairs(
            digits,
            shown,
            n_pairs=10_000,
            random_state=np.random.RandomState(random_state),
            **options,
        )
        frame = {"audio": sounds[rows], "image": [pictures[column] for column in columns]}
        return Bunch(frame=frame, target=np.full(len(rows), -1))
    frame = {
        "audio": [*sounds, *[None] * len(pictures)],
        "image": [*[None] * len(sounds), *pictures],
    }
    return Bunch(frame=frame, target=np.concatenate([digits, shown]))


DATASETS: dict[str, Callable[..., Any]] = {
    "digits": fetch_audiovisual_digits,
    "instruments": _instruments,
    "strangers": _strangers,
}


class Data:
    """The embedded subsets of a data set; equal cells are embedded once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._load = DATASETS[name]
        self._embedders = {"audio": AudioEmbedder(), "image": ImageEmbedder()}
        self._known: dict[str, dict[Any, np.ndarray]] = {"audio": {}, "image": {}}
        self._widths: dict[str, int] = {}
        self._labelled: dict[tuple[str, int], tuple[Any, np.ndarray]] = {}

    def pairs(self, noise: float, skew: float, seed: int) -> Any:
        """Return the embedded pairs of a cell of the grid."""
        load = self._load("translation", pair_noise=noise, skew=skew, random_state=seed)
        return self._embed(load.frame)

    def labelled(self, subset: str, seed: int) -> tuple[Any, np.ndarray]:
        """Return the embedded samples to train on or to test, and their labels."""
        # Who is tested depends on the seed among strangers only.
        key = subset, seed if self.name == "strangers" else 0
        if key not in self._labelled:
            data = self._load(subset, random_state=key[1])
            self._labelled[key] = self._embed(data.frame), np.asarray(data.target)
        return self._labelled[key]

    def _embed(self, frame: Any) -> Any:
        blocks = {}
        for name, embedder in self._embedders.items():
            cells = list(frame[name])
            keys = [None if cell is None else _content(cell) for cell in cells]
            known = {} if self.name == "instruments" else self._known[name]
            fresh = {
                key: cell for key, cell in zip(keys, cells) if key is not None and key not in known
            }
            if fresh:
                rows = embedder.fit_transform(list(fresh.values()))
                known.update(zip(fresh, rows))
                self._widths[name] = rows.shape[1]
            nothing = np.full(self._widths[name], np.nan, dtype=np.float32)
            blocks[name] = np.stack([nothing if key is None else known[key] for key in keys])
        return concat_modalities(**blocks)


def _content(cell: Any) -> Any:
    if isinstance(cell, tuple):
        return cell[1].tobytes()
    return cell.tobytes() if isinstance(cell, np.ndarray) else cell


def score(
    data: Data, joint: Any, method: str, classifier: str, seed: int
) -> dict[str, float | None]:
    """Train and test the classifier of one fitted joint space in all four settings."""
    (X, y), (X_test, y_test) = data.labelled("train", seed), data.labelled("test", seed)
    has, tested = present_rows(X), present_rows(X_test)
    scores: dict[str, float | None] = {}
    for target in ("image", "audio"):
        other = "audio" if target == "image" else "image"
        T, t = _rows(X_test, y_test, tested[target], target)
        for setting, sources in (("zero-shot", (other,)), ("all data", ("audio", "image"))):
            if method == SINGLE:
                if setting == "zero-shot":
                    scores[f"{setting} {target}"] = None
                    continue
                sources = (target,)
            parts = [_rows(X, y, has[source], source) for source in sources]
            model = ModalityAgnosticClassifier(
                FrozenEstimator(joint),
                CLASSIFIERS[classifier](seed),
                passthrough=method.endswith(PASSTHROUGH),
                random_state=seed,
            )
            table = concat_modalities(
                **{
                    name: np.concatenate([_block(part, name) for part, _ in parts])
                    for name in ("audio", "image")
                }
            )
            # Scored as in the paper: macro F1 on samples of the one modality.
            model.fit(table, np.concatenate([labels for _, labels in parts]))
            scores[f"{setting} {target}"] = float(f1_score(t, model.predict(T), average="macro"))
    return scores


def _block(table: Any, name: str) -> np.ndarray:
    columns = [column for column in table.columns if column.startswith(name + "__")]
    return table[columns].to_numpy(np.float32)


def _rows(X: Any, y: np.ndarray, present: np.ndarray, name: str) -> tuple[Any, np.ndarray]:
    """Keep the rows that have the modality, and nothing of the others."""
    rows = np.flatnonzero(present)
    blocks = {other: _block(X, other)[rows] for other in ("audio", "image")}
    for other in blocks:
        if other != name:
            blocks[other] = np.full_like(blocks[other], np.nan)
    return concat_modalities(**blocks), y[rows]


def interval(values: list[float]) -> tuple[float, float]:
    """Return the mean and half the 95 % interval (Student's t)."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return mean, float(half)


def format_table(results: list[dict]) -> str:
    """Lay the results out as reStructuredText, one table a cell of the grid."""
    lines = []
    keys = ("dataset", "classifier", "noise", "skew")
    for cell in dict.fromkeys(tuple(row[key] for key in keys) for row in results):
        dataset, classifier, noise, skew = cell
        lines += [
            f".. list-table:: {dataset}, pair noise {noise:g}, skew {skew:g}, {classifier}",
            "   :header-rows: 1",
            "",
            "   * - method",
            *(f"     - {column}" for column in COLUMNS),
            "     - seconds",
            "     - seeds",
        ]
        rows = [row for row in results if tuple(row[key] for key in keys) == cell]
        for method in METHODS:
            mine = [row for row in rows if row["method"] == method]
            if not mine:
                continue
            lines.append(f"   * - {method}")
            for column in COLUMNS:
                values = [row["scores"][column] for row in mine]
                if values[0] is None:
                    lines.append("     - \\-")
                    continue
                mean, half = interval(values)
                spread = "" if np.isnan(half) else f" ± {half:.3f}"
                lines.append(f"     - {mean:.3f}{spread}")
            lines.append(f"     - {np.median([row['seconds'] for row in mine]):.0f}")
            lines.append(f"     - {len(mine)}")
        lines.append("")
    return "\n".join(lines)


def run(options: argparse.Namespace) -> list[dict]:
    """Score every method that was asked for and is not in the file yet."""
    results = json.loads(options.out.read_text("utf-8")) if options.out.exists() else []
    keys = ("dataset", "classifier", "noise", "skew", "seed", "method")
    done = {tuple(row[key] for key in keys) for row in results}
    for name in options.dataset:
        data = None
        for noise in options.noise:
            for skew in options.skew:
                for seed in range(options.seeds):
                    cell = (name, options.classifier, noise, skew, seed)
                    missing = [m for m in options.methods if (*cell, m) not in done]
                    if not missing:
                        continue
                    data = data or Data(name)
                    for row in run_cell(data, cell, missing):
                        results.append(row)
                        options.out.parent.mkdir(parents=True, exist_ok=True)
                        options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
                        shown = " ".join(
                            "    -" if v is None else f"{v:.3f}" for v in row["scores"].values()
                        )
                        print(
                            f"{name} {noise:g} {skew:g} {seed} {row['method']:<30} {shown} "
                            f"{row['seconds']:6.1f} s",
                            flush=True,
                        )
    return results


def run_cell(data: Data, cell: tuple, methods: list[str]) -> Any:
    """Yield the scores of each method on one set of pairs."""
    import pandas as pd

    name, classifier, noise, skew, seed = cell
    pairs = data.pairs(noise, skew, seed)
    unlabelled = pd.concat([pairs, data.labelled("train", seed)[0]], ignore_index=True)
    fitted: dict[str, tuple[Any, float]] = {}
    for method in methods:
        space = "PCA" if method == SINGLE else method.removesuffix(PASSTHROUGH)
        if space not in fitted:
            start = time.perf_counter()
            joint = METHODS[space](seed).fit(unlabelled)
            fitted[space] = joint, time.perf_counter() - start
        joint, seconds = fitted[space]
        yield {
            "dataset": name,
            "classifier": classifier,
            "noise": noise,
            "skew": skew,
            "seed": seed,
            "method": method,
            "n_pairs": len(pairs),
            "scores": score(data, joint, method, classifier, seed),
            "seconds": round(seconds, 2),
        }


def main() -> None:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the required row alone")
    parser.add_argument("--dataset", nargs="+", choices=list(DATASETS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS))
    parser.add_argument("--noise", nargs="+", type=float)
    parser.add_argument("--skew", nargs="+", type=float)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--classifier", choices=list(CLASSIFIERS), default="forest")
    parser.add_argument("--out", type=Path, default=Path("methods.json"))
    parser.add_argument("--table", type=Path, help="write the table of all results here")
    options = parser.parse_args()
    options.dataset = options.dataset or (["digits"] if options.quick else list(DATASETS))
    options.methods = options.methods or list(QUICK if options.quick else METHODS)
    options.noise = options.noise or ([0.6] if options.quick else [0.0, 0.3, 0.6])
    options.skew = options.skew or ([1.5] if options.quick else [1.0, 1.5])
    table = format_table(run(options))
    print(table)
    if options.table is not None:
        options.table.write_text(table, "utf-8")


if __name__ == "__main__":
    main()
