"""``skxmodal reproduce``: the paper's experiment on a data set."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ._columns import add_option, columns_of


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    run = commands.add_parser(
        "reproduce",
        help="run the paper's experiment on a data set",
        description="Run the paper's experiment on a data set: tables here, figures and numbers "
        "in a report. The preset quick takes minutes on two cores, paper about an hour. A run "
        "that was ended continues from its last finished stage.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.add_argument(
        "--dataset",
        default="instruments",
        help="instruments (synthesised), digits (real, 16 MB), audioset (with --clips), "
        "embeddings (made up), a manifest, or a folder written by skxmodal embed",
    )
    add_option(run)
    run.add_argument(
        "--encoders",
        nargs="+",
        metavar="MODALITY:NAME",
        help="encoders whose pairs are compared, e.g. audio:yamnet image:resnet50; None: those "
        "that need no download",
    )
    run.add_argument(
        "--systems",
        nargs="+",
        default=["MMT", "MMP", "MMR"],
        help="MMT (translated), MMP (principal components), MMR (recommended)",
    )
    run.add_argument("--preset", default="quick", help="quick, or paper: the sizes of Table 2")
    run.add_argument(
        "--pair-noise",
        type=float,
        default=0.0,
        help="share of mispaired rows, where pairs are made",
    )
    run.add_argument(
        "--skew", type=float, default=1.0, help="ratio of successive frequencies, likewise"
    )
    run.add_argument("--clips", help="AudioSet's clips: a folder, or youtube")
    run.add_argument("--repeats", type=int, default=1, help="number of seeds")
    run.add_argument("--out", type=Path, help="folder of the report; None: reports/DATASET")
    run.add_argument("--random-state", type=int, default=0, help="first seed")
    run.add_argument("--cache", type=Path, help="folder that keeps embeddings by content")
    run.add_argument("--n-jobs", type=int, default=-1, help="threads and processes; -1: all cores")
    run.add_argument("--quiet", action="store_true", help="no progress display")
    run.set_defaults(run=_run, keeps=True)


def _run(options: argparse.Namespace) -> int:
    from ..experiments import format_results, reproduce

    out = options.out or Path("reports") / Path(os.path.abspath(options.dataset)).stem
    results = reproduce(
        options.dataset,
        preset=options.preset,
        encoders=_encoders(options.encoders),
        systems=options.systems,
        pair_noise=options.pair_noise,
        skew=options.skew,
        clips=options.clips,
        columns=columns_of(options.column),
        repeats=options.repeats,
        out=out,
        random_state=options.random_state,
        cache=options.cache,
        n_jobs=options.n_jobs,
        verbose=0 if options.quiet else 1,
    )
    options.keeps = False  # all is done and written
    print(format_results(results))
    print(f"\nThe report is {out / 'report.html'} ({results['seconds']:.0f} s).")
    return 0


def _encoders(given: list[str] | None) -> dict[str, list[str]] | None:
    """Sort ``modality:name`` by modality; the name may hold colons of its own."""
    if given is None:
        return None
    found: dict[str, list[str]] = {}
    for text in given:
        modality, colon, name = text.partition(":")
        if not colon or modality not in ("audio", "image"):
            raise ValueError(
                f"--encoders takes audio:NAME and image:NAME, got {text!r}, e.g. audio:yamnet"
            )
        found.setdefault(modality, []).append(name)
    return found
