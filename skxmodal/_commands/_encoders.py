"""``skxmodal encoders``: list the encoders."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    encoders = commands.add_parser("encoders", help="list the encoders")
    encoders.add_argument("--modality", help="only these: audio, image, text; without it all")
    encoders.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ..embedders import list_encoders

    table = list_encoders(options.modality)
    if table.empty:
        # Not argparse's choices: packages may bring encoders of other modalities.
        known = ", ".join(sorted(set(list_encoders().modality)))
        raise ValueError(
            f"there is no encoder of the modality {options.modality!r}: --modality takes {known}"
        )
    print(table.to_string(index=False))
    return 0
