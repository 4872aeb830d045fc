"""``skxmodal embed``: the media of a manifest to files of embeddings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._columns import add_option, columns_of


def add_to(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    embed = commands.add_parser(
        "embed",
        help="embed the media of a manifest",
        description="Write OUT/<modality>-<encoder>.npy (float32, one row per line of the "
        "manifest, NaN where media are missing) and OUT/index.json. A run that was ended takes up "
        "where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    embed.add_argument("manifest", type=Path, help="CSV or parquet table of paths and labels")
    embed.add_argument("--out", type=Path, required=True, help="folder of the embeddings")
    add_option(embed)
    embed.add_argument("--audio", nargs="*", default=["logmel"], help="encoders of sounds")
    embed.add_argument("--image", nargs="*", default=["hog"], help="encoders of pictures")
    embed.add_argument(
        "--on-error",
        choices=("raise", "warn", "ignore"),
        default="warn",
        help="what becomes of files that cannot be read",
    )
    embed.add_argument("--cache", type=Path, help="folder that keeps embeddings by content")
    embed.add_argument("--batch-size", type=int, default=32, help="windows encoded at once")
    embed.add_argument("--device", default="auto", help="where networks run")
    embed.add_argument("--n-jobs", type=int, default=-1, help="decoding threads; -1: all cores")
    embed.add_argument("--quiet", action="store_true", help="no progress display")
    embed.set_defaults(run=_run, keeps=True)


def _run(options: argparse.Namespace) -> int:
    from ..datasets import load_manifest
    from ..experiments import embed_manifest

    written = embed_manifest(
        load_manifest(options.manifest, columns=columns_of(options.column)),
        options.out,
        encoders={"audio": options.audio, "image": options.image},
        on_error=options.on_error,
        cache=options.cache,
        batch_size=options.batch_size,
        device=options.device,
        n_jobs=options.n_jobs,
        verbose=0 if options.quiet else 1,
    )
    options.keeps = False  # all is done and written
    for path, rows in written.items():
        print(f"{path}  {rows.shape[0]} x {rows.shape[1]}")
    return 0
