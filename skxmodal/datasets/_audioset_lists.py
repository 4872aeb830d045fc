"""AudioSet's own lists: its classes, and the ten-second segments with their labels."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

_CLASS_HEADER = ["index", "mid", "display_name"]
_SEGMENT_HEADER = b"# YTID, start_seconds, end_seconds, positive_labels"
_N_COMMENTS = 3
_BLOCK = 1 << 24  # bytes parsed at a time: bounds the memory, whatever the length of the list
_YTID_LENGTH = 11
_YTID = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_LINE = re.compile(r'([^,"]*), ([^,"]*), ([^,"]*), "([^"]*)"')
_IN_YTID = np.isin(np.arange(256), np.frombuffer(b"-_" + bytes(range(48, 58)), np.uint8)) | np.isin(
    np.arange(256) & ~32, np.arange(65, 91)
)


@dataclass(frozen=True)
class ClassLabels:
    """The classes of AudioSet, in the order of its list."""

    ids: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Segments:
    """A list of segments, compact: each distinct set of labels is kept once.

    Parameters
    ----------
    ytid : ndarray of shape (n_segments,), dtype S11
        The ids of the videos.
    start, end : ndarray of shape (n_segments,), dtype float64
        Seconds.
    code : ndarray of shape (n_segments,), dtype int32
        The position of the segment's set of labels in ``label_sets``.
    label_sets : list of str
        The distinct sets of labels: ids, separated by spaces.
    """

    ytid: np.ndarray
    start: np.ndarray
    end: np.ndarray
    code: np.ndarray
    label_sets: list[str]


def read_class_labels(path: str | os.PathLike) -> ClassLabels:
    """Read ``class_labels_indices.csv`` strictly.

    Raises
    ------
    ValueError
        At the first malformed line, with its number.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        names: dict[str, str] = {}
        try:
            for row in reader:
                problem = _class_problem(row, names, reader.line_num)
                if problem:
                    raise ValueError(f"line {reader.line_num} of {str(path)!r} {problem}")
                if reader.line_num > 1:
                    names[row[1]] = row[2]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                f"line {reader.line_num} of {str(path)!r} is not CSV: {error}"
            ) from None
    if not names:
        raise ValueError(f"{str(path)!r} names no class")
    return ClassLabels(tuple(names), tuple(names.values()))


def _class_problem(row: list[str], known: dict[str, str], number: int) -> str | None:
    """Say what is wrong with a line of the list of classes."""
    if number == 1:
        wrong = row != _CLASS_HEADER
        return f"is not the header {','.join(_CLASS_HEADER)!r}" if wrong else None
    if len(row) != len(_CLASS_HEADER):
        return f"has {len(row)} fields, not {len(_CLASS_HEADER)}"
    index, label, name = row
    if index != str(len(known)):
        return f"has the index {index!r}, not {len(known)}"
    if not label or label in known or any(character in label for character in ' ,"'):
        return f"has the id {label!r}, which is {'there already' if label in known else 'none'}"
    if not name:
        return "has no name"
    return f"has the name {name!r} of another class" if name in known.values() else None


def read_segments(path: str | os.PathLike, classes: ClassLabels) -> Segments:
    """Read a list of segments in AudioSet's layout, strictly.

    Three comment lines, the third of which names the columns, then one line a segment::

        --PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"

    Blocks of lines go through pandas' C reader and a few counts of bytes that together leave no
    room for another layout; a block that is not as expected is read again line by line, which
    finds the line at fault.

    Raises
    ------
    ValueError
        At the first malformed line, with its number, and when the list is shorter or longer
        than its own header says.
    """
    path = Path(path)
    values = _Values(classes)
    parts = []
    with path.open("rb") as file:
        announced = _read_comments(file, path)
        number = _N_COMMENTS + 1
        for block in _blocks(file):
            part = _parse_block(block, values)
            if part is None:
                part = _parse_lines(block, values, path, number)
            parts.append(part)
            number += len(part[0])
    ytid, start, end, code = (
        np.concatenate([part[i] for part in parts] or [np.empty(0, kind)])
        for i, kind in enumerate(_DTYPES)
    )
    if announced is not None and announced != len(ytid):
        raise ValueError(
            f"{str(path)!r} has {len(ytid)} segments, but its header says {announced}: delete it "
            "so that it is fetched anew"
        )
    return Segments(ytid, start, end, code, [ids.replace(",", " ") for ids in values.label_codes])


def _read_comments(file: IO[bytes], path: Path) -> int | None:
    """Check the three comment lines; return the number of segments that they announce."""
    comments = [file.readline() for _ in range(_N_COMMENTS)]
    for number, line in enumerate(comments, start=1):
        if not line.startswith(b"#"):
            raise ValueError(
                f"line {number} of {str(path)!r} is not a comment: a list of segments begins with "
                f"{_N_COMMENTS} lines that start with '#'"
            )
    if comments[-1].rstrip(b"\r\n") != _SEGMENT_HEADER:
        raise ValueError(
            f"line {_N_COMMENTS} of {str(path)!r} is not the header {_SEGMENT_HEADER.decode()!r}"
        )
    announced = re.search(rb"num_segs=(\d{1,18})\b", comments[1])
    return None if announced is None else int(announced[1])


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of whole lines, each ending in a line feed."""
    while block := file.read(_BLOCK):
        block += file.readline()
        if not block.endswith(b"\n"):
            block += b"\n"
        yield block.replace(b"\r\n", b"\n") if b"\r" in block else block


class _Values:
    """The distinct values met so far: each is checked once, however often it occurs."""

    def __init__(self, classes: ClassLabels) -> None:
        self.known = frozenset(classes.ids)
        self.label_codes: dict[str, int] = {}
        self._seconds: dict[str, float] = {}

    def seconds(self, text: str) -> float:
        """Return a time; raise ``ValueError`` if it is none."""
        if text not in self._seconds:
            value = float(text) if _SECONDS.fullmatch(text) else math.inf
            if not math.isfinite(value):
                raise ValueError(f"has the time {text!r}, which is not a number of seconds")
            self._seconds[text] = value
        return self._seconds[text]

    def code(self, text: str) -> int:
        """Return the number of a set of labels; raise ``ValueError`` if it is none."""
        if text not in self.label_codes:
            labels = text.split(",")
            if text == "":
                raise ValueError("has no label")
            for label in labels:
                if label not in self.known:
                    raise ValueError(
                        f"has the label {label!r}, which is not in the list of classes"
                    )
            if len(set(labels)) < len(labels):
                raise ValueError("has a label twice")
            self.label_codes[text] = len(self.label_codes)
        return self.label_codes[text]


_DTYPES: tuple[Any, ...] = (f"S{_YTID_LENGTH}", np.float64, np.float64, np.int32)
_Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _parse_block(block: bytes, values: _Values) -> _Part | None:
    """Read whole lines at once; ``None`` if any of them may be malformed.

    Every line ends in a quote, and there are two quotes and three times ", " a line: with ids,
    times and labels that are valid each, there is but one way to lay these out.
    """
    import pandas as pd

    n = block.count(b"\n")
    if not (
        block.count(b'"\n') == n
        and block.count(b'"') == 2 * n
        and block.count(b", ") == 3 * n
        and block.count(b" ") == 3 * n
        and b"\r" not in block
        and b"\0" not in block  # to some readers the end of a string
    ):
        return None
    ytid = _parse_ytids(np.frombuffer(block, np.uint8))
    if ytid is None:
        return None
    try:
        table = pd.read_csv(
            io.BytesIO(block),
            header=None,
            names=["ytid", "start", "end", "labels"],
            usecols=[1, 2, 3],
            index_col=False,
            skipinitialspace=True,
            skip_blank_lines=False,
            na_filter=False,
            dtype=object,
            encoding="latin-1",
            engine="c",
            low_memory=False,
        )
        start = _distinct(table["start"], values.seconds, np.float64)
        end = _distinct(table["end"], values.seconds, np.float64)
        code = _distinct(table["labels"], values.code, np.int32)
    except ValueError:
        return None
    if len(table) != n or not (start < end).all():
        return None
    return ytid, start, end, code


def _parse_ytids(data: np.ndarray) -> np.ndarray | None:
    """Return the first eleven characters of every line, if ids of videos and a comma follow."""
    feeds = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], feeds[:-1] + 1])
    if (feeds - starts <= _YTID_LENGTH).any():
        return None
    characters = data[starts[:, None] + np.arange(_YTID_LENGTH)]
    if not _IN_YTID[characters].all() or (data[starts + _YTID_LENGTH] != ord(",")).any():
        return None
    return characters.view(f"S{_YTID_LENGTH}").ravel()


def _distinct(column: Any, parse: Any, dtype: Any) -> np.ndarray:
    """Parse the distinct texts of a column, and spread the values over its rows."""
    import pandas as pd

    codes, texts = pd.factorize(column.to_numpy())
    return np.array([parse(text) for text in texts], dtype=dtype)[codes]


def _parse_lines(block: bytes, values: _Values, path: Path, first_number: int) -> _Part:
    """Read line by line; raise at the first malformed one, with its number."""
    rows = []
    for number, line in enumerate(block.split(b"\n")[:-1], start=first_number):
        try:
            rows.append(_parse_line(line.decode("latin-1"), values))
        except ValueError as error:
            raise ValueError(f"line {number} of {str(path)!r} {error}") from None
    ytid, start, end, code = (
        np.array(column, dtype=kind) for column, kind in zip(zip(*rows), _DTYPES, strict=True)
    )
    return ytid, start, end, code


def _parse_line(line: str, values: _Values) -> tuple[str, float, float, int]:
    """Read one line; the error completes the sentence "line 7 of ...\""""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(_layout_problem(line))
    ytid, *times, labels = match.groups()
    if not _YTID.fullmatch(ytid):
        raise ValueError(
            f"has the video id {ytid!r}, not {_YTID_LENGTH} letters, digits, '-' and '_'"
        )
    start, end = map(values.seconds, times)
    if end <= start:
        raise ValueError(f"ends at {end:g} s, not after its start at {start:g} s")
    return ytid, start, end, values.code(labels)


def _layout_problem(line: str) -> str:
    """Say how the layout of a line differs."""
    try:
        fields = next(csv.reader([line], skipinitialspace=True, strict=True), [])
    except csv.Error:
        fields = [""] * 4
    if len(fields) != 4:
        return f"has {len(fields)} fields, not 4 (video id, start, end, quoted labels)"
    return 'is not laid out as: video id, start, end, "labels" (one space after each of 3 commas)'
