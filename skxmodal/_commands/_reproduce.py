"""``skxmodal reproduce``: the paper's experiment on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    run = commands.add_parser(
        "reproduce",
        help="run the paper's experiment on a data set",
        description="Run the paper's experiment on a data set (1-3 minutes on two cores).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.add_argument(
        "--dataset",
        default="instruments",
        choices=("instruments", "digits"),
        help="synthesised instruments, or real spoken and written digits (16 MB)",
    )
    run.add_argument("--pair-noise", type=float, default=0.0, help="share of mispaired rows")
    run.add_argument("--skew", type=float, default=1.0, help="ratio of successive frequencies")
    run.add_argument("--out", type=Path, help="folder for results.json; None: reports/DATASET")
    run.add_argument("--random-state", type=int, default=0, help="seed")
    run.add_argument("--n-jobs", type=int, default=-1, help="threads and processes; -1: all cores")
    run.add_argument("--quiet", action="store_true", help="no progress display")
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ..experiments import reproduce
    from ..experiments._reproduce import format_results

    out = options.out or Path("reports") / options.dataset
    results = reproduce(
        options.dataset,
        pair_noise=options.pair_noise,
        skew=options.skew,
        out=out,
        random_state=options.random_state,
        n_jobs=options.n_jobs,
        verbose=0 if options.quiet else 1,
    )
    print(format_results(results))
    print(f"\nEvery number is in {out / 'results.json'} ({results['seconds']:.0f} s).")
    return 0
