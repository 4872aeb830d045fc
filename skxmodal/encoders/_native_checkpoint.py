"""A reader of TensorFlow's V1 checkpoints (one file), in plain Python.

The file is a LevelDB table: blocks of prefix-compressed entries, an index block, and a footer
that says where the index is. The entry with the empty key describes the variables; each other
entry is a protocol buffer ``SavedTensorSlices`` with one variable's numbers. Only whole, float32
variables in uncompressed blocks are read, which is all that TensorFlow's saver writes for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ._native_files import WeightFileError, checked

TABLE_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_SIZE = 48
_BLOCK_TRAILER_SIZE = 5
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT_VALUES = 5  # of a TensorProto; other types have other fields


def read_tf_checkpoint(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read named float32 variables of a V1 checkpoint.

    Raises
    ------
    WeightFileError
        When the file is no such checkpoint, is damaged, or lacks a variable.
    """
    if path.stat().st_size < _FOOTER_SIZE:
        raise WeightFileError(f"{path.name} is too short for a TensorFlow checkpoint")
    arrays: dict[str, np.ndarray] = {}
    try:
        for value in _entries(np.memmap(path, np.uint8, mode="r").data):
            arrays.update(_variable(value, shapes))
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise WeightFileError(f"{path.name} is a damaged checkpoint") from error
    except _TableError as error:
        raise WeightFileError(f"{path.name}: {error}") from error
    return checked(arrays, shapes, path)


class _TableError(ValueError):
    """The table breaks its own format."""


def _entries(data: memoryview) -> Iterator[memoryview]:
    """Yield the values of a table, block by block."""
    footer = data[-_FOOTER_SIZE:]
    if footer[-8:] != TABLE_MAGIC:
        raise _TableError("it is not a TensorFlow V1 checkpoint")
    _, at = _handle(footer, 0)
    (offset, size), _ = _handle(footer, at)
    for handle in _block(data, offset, size):
        (offset, size), _ = _handle(handle, 0)
        yield from _block(data, offset, size)


def _handle(data: memoryview, at: int) -> tuple[tuple[int, int], int]:
    """Read where a block lies: ``((offset, size), next position)``."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(data: memoryview, offset: int, size: int) -> Iterator[memoryview]:
    """Yield the values of one block; the keys repeat what the values say."""
    if offset + size + _BLOCK_TRAILER_SIZE > len(data) - _FOOTER_SIZE or size < 4:
        raise _TableError("a block lies outside the file: it is cut short or damaged")
    if data[offset + size] != 0:
        raise _TableError("its blocks are compressed, which TensorFlow's saver never does")
    (n_restarts,) = struct.unpack_from("<I", data, offset + size - 4)
    end = size - 4 - 4 * n_restarts
    if end < 0:
        raise _TableError("a block's index is damaged")
    block, at = data[offset : offset + end], 0
    while at < end:
        _, at = _varint(block, at)
        key_size, at = _varint(block, at)
        value_size, at = _varint(block, at)
        at += key_size
        if at + value_size > end:
            raise _TableError("an entry is longer than its block")
        yield block[at : at + value_size]
        at += value_size


def _variable(entry: memoryview, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return ``{name: array}`` of an entry that holds a wanted variable, else ``{}``."""
    saved = dict(_fields(entry)).get(2)  # field 1 is the description of all variables
    if not isinstance(saved, memoryview):
        return {}
    parts = dict(_fields(saved))
    name = bytes(_bytes(parts.get(1, b""))).decode()
    if name not in shapes:
        return {}
    for number, extent in _fields(_bytes(parts.get(2, b""))):
        if number == 1 and any(field == 2 for field, _ in _fields(_bytes(extent))):
            raise _TableError(f"the variable {name!r} is stored in slices")
    numbers = [
        np.frombuffer(_whole(_bytes(value)), "<f4")
        for number, value in _fields(_bytes(parts.get(3, b"")))
        if number == _FLOAT_VALUES
    ]
    if not numbers:
        raise _TableError(f"the variable {name!r} is not float32")
    array, shape = np.concatenate(numbers), shapes[name]
    if array.size != np.prod(shape):
        raise _TableError(f"the variable {name!r} has {array.size} numbers, not shape {shape}")
    return {name: array.reshape(shape).astype(np.float32, copy=False)}


def _whole(numbers: memoryview) -> memoryview:
    """Return a run of float32 numbers, whose length must be a multiple of four bytes."""
    if len(numbers) % 4:
        raise _TableError("a variable ends inside a number")
    return numbers


def _bytes(value: object) -> memoryview:
    """Return a field that must be a string of bytes."""
    if isinstance(value, bytes):
        return memoryview(value)
    if not isinstance(value, memoryview):
        raise _TableError("a field has the wrong type")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield ``(number, value)`` of a protocol buffer message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(message, at)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise _TableError("a field has an unknown type")
        if at + size > len(message):
            raise _TableError("a field is longer than its message")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a variable-length integer: ``(value, next position)``."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise _TableError("a number is too long")
