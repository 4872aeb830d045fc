"""AudioSet's lists once parsed: kept, so that two million lines are parsed but once."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from ._audioset_lists import ClassLabels, Segments, read_segments
from ._digests import digest_of, matches

_VERSION = "1"  # part of the name: a changed layout is another file


def load_segments(path: Path, classes: ClassLabels, folder: Path) -> Segments:
    """Return a list of segments, from the cache if it was parsed before.

    The cache is a Parquet file where pyarrow is installed, else a NumPy archive (``.npz``). Its
    name holds the digests of list and classes, so a changed list is parsed anew; so is one whose
    cache is damaged, which its own digest, recorded beside it, tells.

    Parameters
    ----------
    path : Path
        The list.
    classes : ClassLabels
        The classes that its labels may name.
    folder : Path
        The folder of the cache, created if need be.
    """
    key = hashlib.sha256(
        "\n".join([_VERSION, digest_of(path, "sha256"), *classes.ids]).encode()
    ).hexdigest()
    suffix = ".parquet" if importlib.util.find_spec("pyarrow") else ".npz"
    read, write = _FORMATS[suffix]
    goal = folder / f"{path.stem}-{key[:16]}{suffix}"
    segments = _read_whole(goal, read)
    if segments is None:
        segments = read_segments(path, classes)
        _write_whole(goal, write, segments)
    return segments


def _read_whole(path: Path, read: Any) -> Segments | None:
    """Read a cache; ``None`` if there is none, or not the one that was written."""
    try:
        digest = _digest_file(path).read_text("ascii").strip()
        return read(path) if matches(path, digest) else None
    # ValueError: a digest that is none, or a file that another version of pyarrow wrote.
    except (FileNotFoundError, ValueError):
        return None


def _write_whole(goal: Path, write: Any, segments: Segments) -> None:
    """Write beside the goal and move into place; the digest last, without which nothing counts."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    partial = goal.with_name(f"{goal.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        write(partial, segments)
        digest = "sha256:" + digest_of(partial, "sha256")
        partial.replace(goal)
        partial.write_text(digest + "\n", "ascii")
        partial.replace(_digest_file(goal))
    finally:
        partial.unlink(missing_ok=True)


def _digest_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _read_parquet(path: Path) -> Segments:
    import pyarrow.parquet as pq

    table = pq.read_table(path).combine_chunks()
    labels, ytid = table["labels"].combine_chunks(), table["ytid"].combine_chunks()
    return Segments(
        np.frombuffer(ytid.buffers()[1], dtype="S11", count=len(ytid), offset=11 * ytid.offset),
        table["start"].to_numpy(),
        table["end"].to_numpy(),
        labels.indices.to_numpy(),
        labels.dictionary.to_pylist(),
    )


def _write_parquet(path: Path, segments: Segments) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ytid = np.ascontiguousarray(segments.ytid)
    columns = {
        "ytid": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(11), len(ytid), [None, pa.py_buffer(ytid)]
        ),
        "start": pa.array(segments.start),
        "end": pa.array(segments.end),
        "labels": pa.DictionaryArray.from_arrays(
            pa.array(segments.code, pa.int32()), pa.array(segments.label_sets, pa.string())
        ),
    }
    pq.write_table(pa.table(columns), path)


def _read_npz(path: Path) -> Segments:
    with np.load(path, allow_pickle=False) as arrays:
        text = arrays["label_sets"].tobytes().decode("ascii")
        return Segments(
            arrays["ytid"],
            arrays["start"],
            arrays["end"],
            arrays["code"],
            text.split("\n") if text else [],
        )


def _write_npz(path: Path, segments: Segments) -> None:
    text = "\n".join(segments.label_sets).encode("ascii")
    with path.open("wb") as file:  # by its name, numpy would add a suffix
        np.savez(
            file,
            ytid=segments.ytid,
            start=segments.start,
            end=segments.end,
            code=segments.code,
            label_sets=np.frombuffer(text, np.uint8),
        )


_FORMATS = {".parquet": (_read_parquet, _write_parquet), ".npz": (_read_npz, _write_npz)}
