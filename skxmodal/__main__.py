"""The command line: ``skxmodal`` or ``python -m skxmodal``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str or None, default=None
        ``None`` takes the process's own.

    Returns
    -------
    status : int
        0 success, 1 the work could not be done, 2 wrong use.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError, ImportError) as error:
        print(f"skxmodal: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skxmodal", description="Train on sounds, predict on pictures."
    )
    parser.add_argument("--version", action="version", version=f"skxmodal {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

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
    run.set_defaults(run=_reproduce)

    fetch = commands.add_parser("fetch", help="download ahead of time, for a machine offline")
    what = fetch.add_subparsers(required=True, metavar="WHAT")
    weights = what.add_parser("weights", help="weight files of pretrained encoders")
    weights.add_argument("encoder", nargs="+", help="name of an encoder, e.g. yamnet")
    weights.set_defaults(run=_fetch_weights)
    what.add_parser("digits", help="spoken digits").set_defaults(run=_fetch_digits)
    what.add_parser("ontology", help="AudioSet's ontology").set_defaults(run=_fetch_ontology)

    encoders = commands.add_parser("encoders", help="list the encoders")
    encoders.add_argument("--modality", choices=("audio", "image"))
    encoders.set_defaults(run=_encoders)
    return parser


def _reproduce(options: argparse.Namespace) -> int:
    from .experiments import reproduce
    from .experiments._reproduce import format_results

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


def _fetch_weights(options: argparse.Namespace) -> int:
    from .encoders import fetch_weights

    for name in options.encoder:
        for path in fetch_weights(name, verbose=1).values():
            print(path)
    return 0


def _fetch_digits(options: argparse.Namespace) -> int:
    from .datasets import fetch_spoken_digits

    print(f"{len(fetch_spoken_digits('all', verbose=1).frame)} recordings are there")
    return 0


def _fetch_ontology(options: argparse.Namespace) -> int:
    from .datasets import fetch_audioset_ontology

    print(f"{len(fetch_audioset_ontology())} labels are there")
    return 0


def _encoders(options: argparse.Namespace) -> int:
    from .embedders import list_encoders

    print(list_encoders(options.modality).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
