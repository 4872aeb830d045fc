"""``skxmodal fetch``: download ahead of time, for a machine offline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    fetch = commands.add_parser("fetch", help="download ahead of time, for a machine offline")
    fetch.set_defaults(keeps=True)
    what = fetch.add_subparsers(required=True, metavar="WHAT")
    weights = what.add_parser("weights", help="weight files of pretrained encoders")
    weights.add_argument("encoder", nargs="+", help="name of an encoder, e.g. yamnet")
    weights.set_defaults(run=_weights)
    what.add_parser("digits", help="spoken digits").set_defaults(run=_digits)
    what.add_parser("ontology", help="AudioSet's ontology").set_defaults(run=_ontology)
    audioset = what.add_parser(
        "audioset",
        help="AudioSet's lists of clips, and the clips where they can be had",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    audioset.add_argument(
        "--subset",
        nargs="+",
        default=["balanced_train"],
        choices=("balanced_train", "eval", "unbalanced_train"),
        help="official lists, one or more",
    )
    audioset.add_argument(
        "--labels",
        default="instruments",
        choices=("instruments", "all"),
        help="which clips: those of instruments, singing and tools, or all",
    )
    audioset.add_argument(
        "--clips", help="folder of clips that are there, or youtube to download; None: labels only"
    )
    audioset.add_argument(
        "--out", type=Path, help="file to write: the list (.csv), with --clips a manifest"
    )
    audioset.add_argument(
        "--random-state", type=int, help="seed; None: the middle second of a clip"
    )
    audioset.add_argument("--n-jobs", type=int, help="clips at a time; None: one")
    audioset.add_argument("--quiet", action="store_true", help="no progress display")
    audioset.set_defaults(run=_audioset)


def _weights(options: argparse.Namespace) -> int:
    from ..encoders import fetch_weights

    for name in options.encoder:
        for path in fetch_weights(name, verbose=1).values():
            print(path)
    return 0


def _digits(options: argparse.Namespace) -> int:
    from ..datasets import fetch_spoken_digits

    print(f"{len(fetch_spoken_digits('all', verbose=1).frame)} recordings are there")
    return 0


def _ontology(options: argparse.Namespace) -> int:
    from ..datasets import fetch_audioset_ontology

    print(f"{len(fetch_audioset_ontology())} labels are there")
    return 0


def _audioset(options: argparse.Namespace) -> int:
    from ..datasets import fetch_audioset, make_clips
    from ..datasets._audioset_classes import CLASS_NAMES, class_number
    from ..utils import check_n_jobs, check_number

    check_n_jobs(options.n_jobs)
    if options.random_state is not None:
        check_number("random_state", options.random_state, integer=True, low=0, high=2**32 - 1)
    if options.out is not None and options.clips is None and options.out.suffix != ".csv":
        raise ValueError(f"--out {str(options.out)!r} must end in .csv where there are no --clips")
    data = fetch_audioset(
        options.subset,
        labels=options.labels,
        clips=options.clips,
        n_jobs=options.n_jobs,
        on_error="ignore",  # what is missing is in the table that is printed
        random_state=options.random_state,
        verbose=0 if options.quiet else 1,
    )
    print(f"{len(data.frame)} clips are listed" if options.clips is None else data.coverage)
    if options.out is None:
        return 0
    numbers = [class_number(ids) for ids in data.label_ids]
    data.frame["label"] = [CLASS_NAMES[number] if number >= 0 else None for number in numbers]
    if options.clips is None:
        n_rows = _write_list(data.frame, options.out)
    else:
        n_rows = len(make_clips(data, options.out).frame)
    print(f"{n_rows} rows are in {options.out}")
    return 0


def _write_list(frame: Any, path: Path) -> int:
    """Write clips with their labels, but without media."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    columns = ["ytid", "start", "end", "label", "label_ids"]
    frame[columns].to_csv(partial, index=False, lineterminator="\n")
    partial.replace(path)
    return len(frame)
