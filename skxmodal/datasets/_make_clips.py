"""From a list of AudioSet's clips to a manifest of their media."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..utils import check_choice
from ._audioset_clips import attach_media
from ._audioset_youtube import YouTubeClips
from ._manifest import load_manifest, write_manifest

_MEDIA = ["audio", "image"]
_KEEP = {"any": 1, "both": 2, "all": 0}  # how many media a clip must have
_SUFFIXES = (".csv", ".parquet")


def make_clips(
    data: Any,
    out: str | os.PathLike,
    *,
    clips: str | os.PathLike | YouTubeClips | None = None,
    keep: str = "any",
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    n_jobs: int | None = None,
    on_error: str = "warn",
    random_state: Any = None,
    verbose: int = 0,
) -> Bunch:
    """Write a manifest: one second of sound and one frame of the same second for each clip.

    This is the paper's sampling (section 3.1 [1]_). The manifest holds no media, only where they
    are: ``clips/-0a1b2c3d4e_30.mp4#t=4.5,5.5`` stands for a second of a file, in the column
    ``audio`` for its sound and in ``image`` for the frame in its middle. The command line and
    :func:`load_manifest` take it.

    Parameters
    ----------
    data : Bunch or DataFrame
        What :func:`fetch_audioset` or :func:`classes18` returns, or a table with the columns
        ``ytid``, ``start`` and ``end`` (seconds). The label of a clip is its class in a Bunch with
        one class a row (:func:`classes18`), or the column ``label``; else it has none. Its
        ``label_ids`` are taken from the Bunch or the column.
    out : path
        The manifest, ``.csv`` or ``.parquet``; its folder is made if need be. Media below this
        folder are named relative to it.
    clips : path, "youtube", YouTubeClips or None, default=None
        As in :func:`fetch_audioset`; ``None``: ``data`` has the columns ``audio`` and ``image``.
    keep : {"any", "both", "all"}, default="any"
        Which clips: those with a sound or a picture, those with both, all.
    data_home, download_if_missing, n_jobs, on_error, random_state, verbose
        As in :func:`fetch_audioset`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        What :func:`load_manifest` reads from the manifest, and ``path`` (of the manifest) and
        ``coverage`` (what is there, what is not and why; ``None`` with ``clips=None``).

    Raises
    ------
    ValueError
        When a parameter is not one of its choices, ``data`` lacks a column, or nothing is left to
        write.
    ImportError
        When videos are to be read, or clips downloaded, and the package for it is not installed.

    References
    ----------
    .. [1] H.-H. Wu et al., "Exploring modality-agnostic representations for music
       classification", 2021. https://arxiv.org/abs/2106.01149

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, pandas as pd, soundfile
    >>> from skxmodal.datasets import make_clips
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "-0a1b2c3d4e_30.wav", np.zeros(80_000), 8_000)
    >>> table = pd.DataFrame(
    ...     {"ytid": ["-0a1b2c3d4e"], "start": [30.0], "end": [40.0], "label": ["flute"]}
    ... )
    >>> made = make_clips(table, folder / "clips.csv", clips=folder, on_error="ignore")
    >>> print(made.path.read_text())
    audio,image,label,label_ids
    "-0a1b2c3d4e_30.wav#t=4.5,5.5",,flute,
    <BLANKLINE>
    """
    import pandas as pd

    check_choice("keep", keep, _KEEP)
    path = Path(out).expanduser().absolute()
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"out={str(out)!r} must end in {' or '.join(_SUFFIXES)}")
    table: Any = data.get("frame") if isinstance(data, dict) else data
    if not hasattr(table, "columns"):
        raise TypeError("data must be a Bunch with a frame, or a DataFrame")
    coverage = None
    if clips is None:
        if not set(_MEDIA) & set(table.columns):
            raise ValueError("data has no column 'audio' or 'image': pass clips=")
        cells = {name: _cells(table, name) for name in _MEDIA}
    else:
        audio, image, coverage = attach_media(
            table,
            clips,
            data_home=data_home,
            download_if_missing=download_if_missing,
            n_jobs=n_jobs,
            on_error=on_error,
            verbose=verbose,
            random_state=random_state,
        )
        cells = {"audio": audio, "image": image}
    n_there = sum(
        np.array([cell is not None for cell in cells[name]], dtype=int) for name in _MEDIA
    )
    kept = np.flatnonzero(n_there >= _KEEP[keep]).tolist()
    if not len(kept):
        wanted = "both sound and picture" if keep == "both" else "a sound or a picture"
        raise ValueError(f"none of the {len(table)} clips has {wanted}: there is nothing to write")
    labels, label_ids = _labels(data, table), _label_ids(data, table)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(
        path,
        pd.DataFrame(
            {name: pd.Series([cells[name][row] for row in kept], dtype=object) for name in _MEDIA}
        ),
        [labels[row] for row in kept],
        [label_ids[row] for row in kept],
    )
    return Bunch(**load_manifest(path), path=path, coverage=coverage)


def _cells(table: Any, name: str) -> list[str | None]:
    """Return a column of media as absolute paths, or as many missing cells."""
    if name not in table.columns:
        return [None] * len(table)
    return [
        os.path.abspath(os.fspath(cell)) if isinstance(cell, str | os.PathLike) else None
        for cell in table[name]
    ]


def _labels(data: Any, table: Any) -> Sequence[str | None]:
    """Return the one class of each clip, where it has one."""
    if "label" in table.columns:
        return [label if isinstance(label, str) else None for label in table["label"]]
    target: Any = data.get("target") if isinstance(data, dict) else None
    if getattr(target, "ndim", 0) == 1 and getattr(target, "dtype", np.dtype(object)).kind in "iu":
        names = data["target_names"]
        return [names[number] if number >= 0 else None for number in target]
    return [None] * len(table)


def _label_ids(data: Any, table: Any) -> Sequence[tuple[str, ...]]:
    """Return the ids of all labels of each clip."""
    if isinstance(data, dict) and data.get("label_ids") is not None:
        return [tuple(ids) for ids in data["label_ids"]]
    if "label_ids" in table.columns:
        return [tuple(ids.split(" ")) if isinstance(ids, str) else () for ids in table["label_ids"]]
    return [()] * len(table)
