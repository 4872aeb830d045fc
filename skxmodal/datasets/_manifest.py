"""Manifests: a CSV or Parquet file that lists the media of a data set and their labels."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..utils import import_optional

_LABEL, _LABEL_IDS, _SUBSET = "label", "label_ids", "subset"
_TEXT = "text"  # the one modality whose cells are the media themselves
_ID_SEPARATOR = " "
#: What programs write for a missing label, and classifiers refuse as the name of a class.
_MISSING_AS_TEXT = {"-1", "nan", "None", "<NA>"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_PARQUET = ".parquet"


def write_manifest(
    path: str | os.PathLike,
    frame: Any,
    labels: Sequence[str | None],
    label_ids: Iterable[tuple[str, ...]],
) -> None:
    """Write paths (relative to the manifest where they lie below it), labels and label ids.

    A name that ends in ``.parquet`` makes it a Parquet file, any other CSV.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    if path.suffix.lower() == _PARQUET:
        import_optional("pyarrow", caller=f"the manifest {str(path)!r}", extra="polars")
        table = _manifest_table(path.parent, frame, labels, label_ids)
        table.to_parquet(partial, engine="pyarrow", index=False)
    else:
        partial.write_text(manifest_text(path.parent, frame, labels, label_ids), "utf-8")
    partial.replace(path)


def manifest_text(
    folder: Path, frame: Any, labels: Sequence[str | None], label_ids: Iterable[tuple[str, ...]]
) -> str:
    """Return what :func:`write_manifest` writes as CSV."""
    table = _manifest_table(folder, frame, labels, label_ids)
    return table.to_csv(index=False, lineterminator="\n")


def _manifest_table(
    folder: Path, frame: Any, labels: Sequence[str | None], label_ids: Iterable[tuple[str, ...]]
) -> Any:
    """Return the table that a manifest is."""
    import pandas as pd

    table = pd.DataFrame(
        {
            name: [None if cell is None else _relative(cell, folder) for cell in frame[name]]
            for name in frame.columns
        }
    )
    table[_LABEL] = list(labels)
    table[_LABEL_IDS] = [_ID_SEPARATOR.join(ids) for ids in label_ids]
    return table


def load_manifest(
    path: str | os.PathLike,
    *,
    modalities: Sequence[str] = ("audio", "image"),
    columns: Mapping[str, str] | None = None,
) -> Bunch:
    """Read a table of media files and labels.

    Parameters
    ----------
    path : str or path-like
        CSV file (UTF-8, commas, a header line), or a Parquet file (``.parquet``; it needs
        pyarrow) with the same columns of text. The columns named by ``modalities`` hold paths
        (relative ones start at the manifest's folder, ``~`` is the home folder, an empty cell is
        missing), but ``text`` holds texts, which are kept as they are; ``label``, if it is there,
        a class name (empty: unlabelled; so is -1 where all labels are numbers); ``label_ids``
        ids of a taxonomy, separated by spaces; ``subset`` the name of the part a row belongs to.
        Other columns are ignored.
    modalities : sequence of str, default=("audio", "image")
        Names of the columns of media. Those that are there are read; at least one must be.
    columns : mapping of str to str or None, default=None
        What the file calls these columns, where it has names of its own:
        ``{"audio": "wav", "label": "species"}``. One column may serve as two: the ``audio`` and
        the ``image`` of the same videos.

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
        ``subset``
            object array ``(n_samples,)`` of text, empty where there is none,
        ``DESCR``
            where it came from.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a CSV (or Parquet) table, a line has another number of fields than
        the header, no column of media is there, ``columns`` names one that is not, a column's
        name has capitals that make it another (``"Audio"``), a cell is a web address, or a label
        is ``"nan"``, ``"None"``, ``"<NA>"`` or, among names that are no numbers, ``"-1"``.

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
    called = dict(columns or {})
    known = [*modalities, _LABEL, _LABEL_IDS, _SUBSET]
    found, n_rows = _read_columns(path, called.get(_TEXT, _TEXT))
    found = _rename(path, found, called, known)
    _refuse_other_case(path, found, [name for name in known if name not in called])
    names = [name for name in modalities if name in found]
    if not names:
        raise ValueError(
            f"the manifest {str(path)!r} has no column of media: its columns are "
            f"{', '.join(map(repr, found))}, not {' or '.join(map(repr, modalities))}; say which "
            f"is which: columns={{{modalities[0]!r}: ...}} of load_manifest, --column "
            f"{modalities[0]}=... of the command line"
        )
    frame = pd.DataFrame(
        {name: pd.Series(_media_cells(path, name, found[name]), dtype=object) for name in names}
    )
    labels = _without_missing(path, found.get(_LABEL, [""] * n_rows))
    classes = sorted(set(labels) - {""})
    code = {name: number for number, name in enumerate(classes)}
    label_ids = np.empty(n_rows, dtype=object)
    label_ids[:] = [
        tuple(ids.split(_ID_SEPARATOR)) if ids else ()
        for ids in found.get(_LABEL_IDS, [""] * n_rows)
    ]
    return Bunch(
        frame=frame,
        target=np.array([code.get(label, -1) for label in labels], dtype=int),
        target_names=classes,
        label_ids=label_ids,
        subset=np.array(found.get(_SUBSET, [""] * n_rows), dtype=object),
        DESCR=f"Media listed in {path.name}.",
    )


def _rename(
    path: Path, columns: dict[str, list[str]], called: Mapping[str, str], known: Sequence[str]
) -> dict[str, list[str]]:
    """Give columns the names they have here."""
    for name, theirs in called.items():
        if name not in known:
            raise ValueError(
                f"columns has {name!r}, which is none of {', '.join(map(repr, known))}"
            )
        if theirs not in columns:
            raise ValueError(
                f"the manifest {str(path)!r} has no column {theirs!r}, which is to be {name!r}: "
                f"its columns are {', '.join(map(repr, columns))}"
            )
    given = {name: columns[theirs] for name, theirs in called.items()}
    return {name: cells for name, cells in columns.items() if name not in called.values()} | given


def _read_columns(path: Path, text: str) -> tuple[dict[str, list[str]], int]:
    """Read a CSV file strictly: every line has as many fields as the header."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no manifest {str(path)!r}")
    if path.suffix.lower() == _PARQUET:
        return _read_parquet(path, text)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for separator, name in _OTHER_SEPARATORS.items():
                if len(header) == 1 and separator in header[0]:
                    raise ValueError(
                        f"the manifest {str(path)!r} is separated by {name} ({separator!r}), not "
                        "by commas: save it with commas"
                    )
            rows = []
            for row in reader:
                if row and len(row) != len(header):
                    raise ValueError(
                        f"line {reader.line_num} of the manifest {str(path)!r} has {len(row)} "
                        f"fields, its header {len(header)}"
                    )
                if row:
                    rows.append(row)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the manifest {str(path)!r} is not a CSV table in UTF-8 (it has the byte "
            f"{error.object[error.start]:#04x}): save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise ValueError(f"the manifest {str(path)!r} is not a CSV table: {error}") from None
    if not header:
        raise ValueError(f"the manifest {str(path)!r} is not a CSV table: it is empty")
    columns = {
        name: [_field(row[number], keep=name == text) for row in rows]
        for number, name in enumerate(header)
    }
    return columns, len(rows)


def _read_parquet(path: Path, text: str) -> tuple[dict[str, list[str]], int]:
    """Read a Parquet file; what is missing is an empty text, as in CSV."""
    pyarrow = import_optional("pyarrow", caller=f"the manifest {str(path)!r}", extra="polars")
    parquet = import_optional(
        "pyarrow.parquet", caller=f"the manifest {str(path)!r}", extra="polars"
    )
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"the manifest {str(path)!r} is not a Parquet table: {reason}") from None
    columns = {
        name.strip(): [_field(cell, keep=name.strip() == text) for cell in column.to_pylist()]
        for name, column in zip(table.column_names, table.columns)
    }
    return columns, table.num_rows


def _field(cell: Any, *, keep: bool) -> str:
    """What a field says: spaces around it do not count, unless they are to be kept."""
    if cell is None or cell != cell:
        return ""
    return str(cell) if keep else str(cell).strip()


def _refuse_other_case(path: Path, columns: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a column that would be ignored for its capitals."""
    for column in columns:
        for name in known:
            if column not in known and column.casefold() == name.casefold():
                raise ValueError(
                    f"the manifest {str(path)!r} has a column {column!r}: rename it to {name!r}, "
                    "or remove it"
                )


def _without_missing(path: Path, labels: list[str]) -> list[str]:
    """Empty the labels that are -1 among numbers; refuse other words for none."""
    if all(_NUMBER.fullmatch(label) for label in labels if label):
        # Programs that know no missing integer write -1.0.
        return ["" if label and float(label) == -1 else label for label in labels]
    for row, label in enumerate(labels):
        if label in _MISSING_AS_TEXT:
            raise ValueError(
                f"row {row} of the manifest {str(path)!r} has the label {label!r}: leave the cell "
                "empty where there is no label, or choose another name for the class"
            )
    return labels


def _media_cells(path: Path, column: str, cells: list[str]) -> list[str | None]:
    """Resolve paths, and refuse what is none; a text stays as it is."""
    if column == _TEXT:
        return [cell if cell.strip() else None for cell in cells]
    for row, cell in enumerate(cells):
        if "://" in cell:
            raise ValueError(
                f"row {row}, column {column!r} of the manifest {str(path)!r} is the web address "
                f"{cell!r}: download it first"
            )
        if "\0" in cell:
            raise ValueError(
                f"row {row}, column {column!r} of the manifest {str(path)!r} is no path: it has "
                "a null character"
            )
    # Unlike pathlib's, this leaves "~x" alone where there is no user "x".
    return [str(path.parent / os.path.expanduser(cell)) if cell else None for cell in cells]


def _relative(cell: str | os.PathLike, folder: Path) -> str:
    cell = Path(cell)
    return str(cell.relative_to(folder)) if cell.is_relative_to(folder) else str(cell.absolute())
