"""The command line: ``skxmodal`` or ``python -m skxmodal``."""

from __future__ import annotations

import argparse
import os
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
        0 success, 1 the work could not be done, 2 wrong use, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        options.keeps = False  # nothing is left to be done
        print(end="", flush=True)
        return status
    except KeyboardInterrupt:
        goes_on = "; the same command goes on from what is kept" if options.keeps else ""
        print(f"skxmodal: interrupted{goes_on}", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 1 if options.keeps else 0  # 1: its work was not done yet
        print(f"skxmodal: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1


def _nobody_reads() -> bool:
    """Tell whether the reader of the output, such as ``head``, has seen enough and ended."""
    try:
        print(flush=True)
    except BrokenPipeError:
        # Python's own flush at the end of the process would fail like this one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skxmodal", description="Train on sounds, predict on pictures."
    )
    parser.add_argument("--version", action="version", version=f"skxmodal {__version__}")
    parser.set_defaults(keeps=False)  # whether a command that is ended can be taken up
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (_reproduce, _embed, _fetch, _encoders):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
