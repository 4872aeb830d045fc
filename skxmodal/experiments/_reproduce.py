"""Run the paper's experiment on a data set: tables on the terminal, numbers in a file."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ..embedders import make_embedder
from ..utils import check_choice
from ._data import EXPERIMENT_DATASETS
from ._systems import ALL_DATA, ZERO_SHOT, Score, fit_joint_spaces, score_systems

_PACKAGES = ("skxmodal", "scikit-learn", "torch", "skorch", "numpy")


def reproduce(
    dataset: str = "instruments",
    *,
    pair_noise: float = 0.0,
    skew: float = 1.0,
    out: str | os.PathLike | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, Any]:
    """Train on one modality, test on the other: the paper's systems side by side.

    ``SMA`` and ``SMI`` are single-modality classifiers on 128 principal components, ``MMP``
    shares one classifier among the principal components of all modalities, ``MMT`` among
    translated embeddings. Each is scored on sounds alone and on pictures alone: *zero-shot*,
    with no labelled sample of that modality, and with all data.

    Parameters
    ----------
    dataset : {"instruments", "digits"}, default="instruments"
        What to run on: eighteen synthesised instruments, which need no download, or real spoken
        and written digits.
    pair_noise, skew : float
        How noisy and how skewed the unlabelled pairs are
        (:func:`~skxmodal.datasets.make_instruments`,
        :func:`~skxmodal.datasets.fetch_audiovisual_digits`).
    out : str, path-like or None, default=None
        Folder for ``results.json``; ``None`` writes nothing.
    random_state : int, default=0
        Seed of the pairs, the networks and the forests.
    n_jobs : int or None, default=None
        Number of decoding threads, and of processes that make instruments.
    verbose : int, default=0
        Positive: progress on stderr.

    Returns
    -------
    results : dict
        ``settings``, ``versions``, ``scores`` (one dict a system, target and training set),
        ``zero_shot_share`` (by target: zero-shot macro F1 of MMT over that of the
        single-modality system) and ``seconds``.

    Raises
    ------
    RemoteFileError
        When the data cannot be obtained.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 2.3 and 4.2.
    """
    import pandas as pd

    check_choice("dataset", dataset, EXPERIMENT_DATASETS)
    started = time.perf_counter()
    say = _Narrator(verbose)

    say(f"loading {dataset}")
    load = partial(
        EXPERIMENT_DATASETS[dataset], random_state=random_state, n_jobs=n_jobs, verbose=verbose
    )
    translation = load("translation", pair_noise=pair_noise, skew=skew)
    train, test = load("train"), load("test")

    say("embedding sounds and pictures")
    embedder = make_embedder(n_jobs=n_jobs, verbose=verbose)
    X_translation = embedder.fit_transform(translation.frame)
    X_train, X_test = embedder.transform(train.frame), embedder.transform(test.frame)

    say(f"fitting the joint spaces on {len(X_translation)} unlabelled pairs")
    spaces = fit_joint_spaces(
        pd.concat([X_translation, X_train], ignore_index=True),
        random_state=random_state,
        verbose=verbose,
    )

    say("training and testing the classifiers")
    scores = []
    for score in score_systems(
        spaces, (X_train, train.target), (X_test, test.target), seed=random_state
    ):
        say(
            f"  {score.system:<4} {score.target:<6} {score.training:<10} {score.macro_f1:.3f}",
            heading=False,
        )
        scores.append(score)
    results = {
        "settings": {
            "dataset": dataset,
            "pair_noise": pair_noise,
            "skew": skew,
            "n_pairs": len(X_translation),
            "encoders": {"audio": "logmel", "image": "hog"},
            "random_state": random_state,
        },
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        "scores": [score.as_dict() for score in scores],
        "zero_shot_share": _zero_shot_share(scores),
        "seconds": round(time.perf_counter() - started, 1),
    }
    if out is not None:
        _write_json(Path(out) / "results.json", results)
    return results


def format_results(results: dict[str, Any]) -> str:
    """Lay the scores out as a table for the terminal."""
    scores = {
        (row["system"], row["target"], row["training"]): row["macro_f1"]
        for row in results["scores"]
    }
    targets = list(dict.fromkeys(target for _, target, _ in scores))
    systems = list(dict.fromkeys(system for system, _, _ in scores))
    columns = [(target, training) for target in targets for training in (ZERO_SHOT, ALL_DATA)]
    width = 2 + max(len(f"{target} {training}") for target, training in columns)
    lines = ["Macro F1 on test samples of one modality", ""]
    lines.append(
        f"{'':<8}" + "".join(f"{target + ' ' + training:>{width}}" for target, training in columns)
    )
    for system in systems:
        cells = [scores.get((system, target, training)) for target, training in columns]
        lines.append(
            f"{system:<8}"
            + "".join(f"{'-' if cell is None else f'{cell:.3f}':>{width}}" for cell in cells)
        )
    lines.append("")
    for target, share in results["zero_shot_share"].items():
        lines.append(
            f"Zero-shot MMT keeps {share:.0%} of the single-modality system on {target} "
            f"(no labelled {target} was seen)."
        )
    return "\n".join(lines)


def _zero_shot_share(scores: list[Score]) -> dict[str, float]:
    """How much of the best single-modality system the translated zero-shot one keeps."""
    share = {}
    for target in dict.fromkeys(score.target for score in scores):
        of_target = [score for score in scores if score.target == target]
        single = max(score.macro_f1 for score in of_target if score.system.startswith("SM"))
        (zero_shot,) = (
            score.macro_f1
            for score in of_target
            if score.system == "MMT" and score.training == ZERO_SHOT
        )
        share[target] = zero_shot / single
    return share


def _write_json(path: Path, results: dict[str, Any]) -> None:
    """Write beside the goal, then rename: the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(results, indent=2, default=_plain) + "\n", "utf-8")
    partial.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not belong into results.json")


class _Narrator:
    """Say on stderr what is being done, and how long it has been going on."""

    def __init__(self, verbose: int, stream: TextIO | None = None) -> None:
        self.verbose = verbose
        self.stream = stream
        self.started = time.perf_counter()

    def __call__(self, message: str, *, heading: bool = True) -> None:
        if not self.verbose:
            return
        from tqdm.auto import tqdm

        if heading:
            message = f"[{time.perf_counter() - self.started:5.1f} s] {message}"
        # tqdm's own write keeps an open bar from being torn apart.
        tqdm.write(message, file=self.stream or sys.stderr)
