"""The command line: ``skxmodal`` or ``python -m skxmodal``."""

from __future__ import annotations

import argparse
import sys

from . import __version__
from ._commands import _embed, _encoders, _fetch, _reproduce


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
    for command in (_reproduce, _embed, _fetch, _encoders):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
