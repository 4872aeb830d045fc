"""``skxmodal fetch``: download ahead of time, for a machine offline."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    fetch = commands.add_parser("fetch", help="download ahead of time, for a machine offline")
    what = fetch.add_subparsers(required=True, metavar="WHAT")
    weights = what.add_parser("weights", help="weight files of pretrained encoders")
    weights.add_argument("encoder", nargs="+", help="name of an encoder, e.g. yamnet")
    weights.set_defaults(run=_weights)
    what.add_parser("digits", help="spoken digits").set_defaults(run=_digits)
    what.add_parser("ontology", help="AudioSet's ontology").set_defaults(run=_ontology)


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
