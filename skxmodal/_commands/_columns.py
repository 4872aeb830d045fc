"""The option ``--column``: what a manifest calls its columns."""

from __future__ import annotations

import argparse


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--column`` to a command that reads manifests."""
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        type=_column,
        metavar="NAME=COLUMN",
        help="what the manifest calls a column: audio=wav; once for each of audio, image, label, "
        "label_ids and subset that it calls otherwise",
    )


def columns_of(given: list[tuple[str, str]]) -> dict[str, str]:
    """Refuse a name that is given twice."""
    columns = dict(given)
    for name, column in given:
        if columns[name] != column:
            raise ValueError(
                f"--column says {name}={column} and {name}={columns[name]}: choose one"
            )
    return columns


def _column(text: str) -> tuple[str, str]:
    """Read ``name=column``."""
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COLUMN, as in audio=wav")
    return name, column
