"""Manifests: a CSV file that lists the media of a data set and their labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

_LABEL, _LABEL_IDS = "label", "label_ids"
_ID_SEPARATOR = " "


def write_manifest(
    path: str | os.PathLike,
    frame: Any,
    labels: Sequence[str | None],
    label_ids: Iterable[tuple[str, ...]],
) -> None:
    """Write paths (relative to the manifest where they lie below it), labels and label ids."""
    import pandas as pd

    path = Path(path)
    table = pd.DataFrame(
        {
            name: [None if cell is None else _relative(cell, path.parent) for cell in frame[name]]
            for name in frame.columns
        }
    )
    table[_LABEL] = list(labels)
    table[_LABEL_IDS] = [_ID_SEPARATOR.join(ids) for ids in label_ids]
    partial = path.with_name(path.name + ".part")
    table.to_csv(partial, index=False)
    partial.replace(path)


def load_manifest(path: str | os.PathLike) -> Bunch:
    """Read a table of media files and labels.

    Parameters
    ----------
    path : str or path-like
        CSV file with one column of paths per modality (``audio``, ``image``, ...; relative ones
        start at the manifest's folder, an empty cell is missing), and optionally ``label`` (a
        class name; empty: unlabelled) and ``label_ids`` (ids of a taxonomy, separated by
        spaces).

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            media table of paths,
        ``target``
            int array ``(n_samples,)``: number of the class, -1 without a label,
        ``target_names``
            the classes' names, sorted,
        ``label_ids``
            object array ``(n_samples,)`` of tuples,
        ``DESCR``
            where it came from.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a CSV table, or has no column of media.

    Examples
    --------
    >>> import tempfile
    >>> from skxmodal.datasets import load_manifest, make_instruments
    >>> folder = tempfile.mkdtemp()
    >>> made = make_instruments(2, classes=["flute", "voice"], out=folder)
    >>> load_manifest(folder + "/manifest.csv").target_names
    ['flute', 'voice']
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no manifest {str(path)!r}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"the manifest {str(path)!r} is not a CSV table: {error}") from None
    modalities = [name for name in table.columns if name not in (_LABEL, _LABEL_IDS)]
    if not modalities:
        raise ValueError(
            f"the manifest {str(path)!r} has no column of media, only {list(table.columns)}: "
            "name one 'audio' or 'image'"
        )
    frame = pd.DataFrame(
        {
            name: pd.Series(
                [str(path.parent / cell) if cell else None for cell in table[name]], dtype=object
            )
            for name in modalities
        }
    )
    labels = table[_LABEL] if _LABEL in table else pd.Series([""] * len(table))
    names = sorted(set(labels) - {""})
    code = {name: number for number, name in enumerate(names)}
    label_ids = np.empty(len(table), dtype=object)
    label_ids[:] = [
        tuple(ids.split(_ID_SEPARATOR)) if ids else ()
        for ids in (table[_LABEL_IDS] if _LABEL_IDS in table else [""] * len(table))
    ]
    return Bunch(
        frame=frame,
        target=np.array([code.get(label, -1) for label in labels], dtype=int),
        target_names=names,
        label_ids=label_ids,
        DESCR=f"Media listed in {path.name}.",
    )


def _relative(cell: str | os.PathLike, folder: Path) -> str:
    cell = Path(cell)
    return str(cell.relative_to(folder)) if cell.is_relative_to(folder) else str(cell.absolute())
