"""Saved indexes: one NumPy file of plain arrays, complete or not there."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..utils._whole_file import whole_file

_FORMAT = "skxmodal-retriever/1"


def write_index(path: Path, about: dict[str, Any], galleries: list[dict[str, np.ndarray]]) -> None:
    """Write a description and the arrays of galleries.

    Parameters
    ----------
    path : Path
        The file.
    about : dict
        What JSON can hold.
    galleries : list of dict of str to ndarray
        Arrays of numbers.
    """
    text = json.dumps({"format": _FORMAT, **about})
    arrays = {"about": np.frombuffer(text.encode(), dtype=np.uint8)}
    for i, gallery in enumerate(galleries):
        arrays |= {f"{i}/{name}": array for name, array in gallery.items()}
    with whole_file(path) as partial, partial.open("xb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_index(path: Path) -> tuple[dict[str, Any], list[dict[str, np.ndarray]]]:
    """Read what :func:`write_index` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    about : dict
        The description.
    galleries : list of dict of str to ndarray
        The arrays.
    """
    opened = path.open("rb")
    try:
        with np.load(opened, allow_pickle=False) as file:
            # What is not compressed cannot be larger in memory than it is on disk.
            if any(item.compress_type != zipfile.ZIP_STORED for item in file.zip.infolist()):
                raise ValueError("its arrays are compressed")
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop("about").tobytes())
        found = about.pop("format")
        galleries: list[dict[str, np.ndarray]] = [{} for _ in about["modalities"]]
        for key, array in arrays.items():
            number, _, name = key.partition("/")
            galleries[int(number)][name] = array
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        RuntimeError,
        ArithmeticError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{str(path)!r} is not the index of a retriever ({error}).") from error
    finally:
        opened.close()
    if found != _FORMAT:
        raise ValueError(f"{str(path)!r} has the format {found!r}, expected {_FORMAT!r}.")
    return about, galleries
