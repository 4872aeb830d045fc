"""What tells one training from another: a digest of all that its result depends on."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
from typing import Any

import numpy as np
import torch

from .. import __version__
from ._distributed import n_processes

_CHUNK_ROWS = 8192
#: What does not change the result, or does so by what is drawn with it: the rows that are trained
#: on and the first weights are part of the fingerprint themselves.
_NOT_PART = (
    *("verbose", "callbacks", "checkpoint", "device", "modalities"),
    *("random_state", "sampler"),
)


def training_fingerprint(
    parameters: dict[str, Any],
    settings: dict[str, Any],
    net: Any,
    datasets: tuple[Any, ...],
) -> str:
    """Return what names a training.

    Parameters
    ----------
    parameters : dict
        Of the translator.
    settings : dict
        Of the network, where they differ from a translator's own; the seed of the batches.
    net : skorch.NeuralNet
        Initialised, not trained yet.
    datasets : tuple of PairDataset or None
        To train on, and held out.

    Returns
    -------
    fingerprint : str
        64 hexadecimal digits.
    """
    digest = _Digest()
    digest.add([__version__, torch.__version__, np.__version__, torch.device(net.device).type])
    digest.add([n_processes(), type(net), settings])
    digest.add({name: v for name, v in parameters.items() if name not in _NOT_PART})
    digest.add([dict(module.state_dict()) for module in (net.module_, net.criterion_)])
    for dataset in datasets:
        if dataset is None:
            digest.add(None)
            continue
        digest.add([dataset.labels, dataset.rows])
        for block, rows in zip(dataset.blocks, dataset.rows):
            digest.add_rows(block, np.unique(rows))
    return digest.value()


class _Digest:
    """A digest of objects by content, the same in every process that has the same ones.

    Not of their pickles: those of tensors hold addresses, and a class that is defined in a function
    has none.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._inside: list[int] = []

    def value(self) -> str:
        """Return the digest of all that was added."""
        return self._hash.hexdigest()

    def add_rows(self, block: np.ndarray, rows: np.ndarray) -> None:
        """Add rows of a block, which may be a memory map, some at a time."""
        self._tell("rows", block.dtype.str, block.shape[1], len(rows))
        for start in range(0, len(rows), _CHUNK_ROWS):
            self._bytes(block[rows[start : start + _CHUNK_ROWS]])

    def add(self, value: Any) -> None:
        """Add a value of any kind; raise when nothing is known of its content."""
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().contiguous()
            self._tell("tensor", value.dtype, tuple(value.shape))
            self._bytes(value.flatten().view(torch.uint8).numpy())
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self._tell("array", value.dtype.str, value.shape)
            self._bytes(value)
        elif value is None or isinstance(
            value, (bool, int, float, complex, str, bytes, np.generic)
        ):
            self._tell(type(value).__name__, value)
        elif isinstance(value, (torch.dtype, torch.device, os.PathLike)):
            self._tell(value)
        elif isinstance(value, type) or hasattr(value, "__qualname__"):
            self._tell("named", value.__module__, value.__qualname__)
        else:
            self._add_parts(value)

    def _add_parts(self, value: Any) -> None:
        """Add what an object is made of."""
        if id(value) in self._inside:
            self._tell("again", len(self._inside) - self._inside.index(id(value)))
            return
        self._inside.append(id(value))
        if isinstance(value, dict):
            self._tell("dict", len(value))
            for key in sorted(value, key=repr):
                self.add(key)
                self.add(value[key])
        elif isinstance(value, (list, tuple)):
            self._tell("list", len(value))
            for part in value:
                self.add(part)
        elif isinstance(value, (set, frozenset)):
            self._tell("set", sorted(map(repr, value)))
        elif isinstance(value, np.ndarray):
            self.add(value.tolist())
        elif isinstance(value, functools.partial):
            self.add([value.func, value.args, value.keywords])
        else:
            self._add_object(value)
        self._inside.pop()

    def _add_object(self, value: Any) -> None:
        """Add an object by its class and by what pickle would keep of it."""
        try:
            made_of = value.__reduce_ex__(4)
        except (TypeError, RuntimeError, pickle.PicklingError) as error:
            raise ValueError(
                f"checkpoint needs a loss that can be recognised again, and nothing is known of "
                f"{value!r} ({error}): use another, or checkpoint=None"
            ) from error
        if isinstance(made_of, str):
            self._tell("named", made_of)
            return
        self._tell("object", len(made_of))
        for part in made_of[:3]:
            self.add(part)
        for parts in made_of[3:5]:
            self.add(None if parts is None else list(parts))

    def _bytes(self, array: np.ndarray) -> None:
        """Add the content of an array whose type and shape are told."""
        self._hash.update(array.tobytes())

    def _tell(self, *parts: Any) -> None:
        """Add a short description, with its length: no two sequences of them are alike."""
        text = repr(parts).encode()
        self._hash.update(f"{len(text)} ".encode() + text)
