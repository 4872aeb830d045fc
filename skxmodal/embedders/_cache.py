"""The parameter ``cache=`` of the embedders: which store, which keys, what may be kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..encoders import Encoder
from ..media import MediaError
from ._content import entry_key, hash_parts
from ._store import EmbeddingStore, embed_through_store

# Part of every key: to be raised whenever skxmodal.media makes other samples or pixels of a file.
_DECODING_VERSION = "1"


class Stream(Protocol):
    """What computes embeddings, as ``CellStream`` does."""

    def __call__(self, positions: Sequence[int], /) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield batches of positions with their embeddings."""

    def cell(self, position: int, /) -> Any:
        """Return the cell at a position."""

    def reject(self, position: int, error: MediaError, /) -> None:
        """Note that a cell is bad, or raise."""


@dataclass(frozen=True)
class DistinctContents:
    """Cells told apart by what they hold.

    Attributes
    ----------
    first : list of int
        The first cell of each content.
    source : int array of shape (n_cells,)
        The content of each cell, as an index into ``first``.
    keys : list of str or None
        Where the embedding of each content is stored, if it can be.
    """

    first: list[int]
    source: np.ndarray
    keys: list[str | None]


def open_store(cache: Any) -> EmbeddingStore | None:
    """Return the store that the parameter ``cache`` means, found to be usable.

    Parameters
    ----------
    cache : None, True, str or path-like
        No store, the one below the data home, or the one in a folder.

    Raises
    ------
    TypeError
        When it is something else.
    OSError
        When the folder cannot be written, or a file is in its place.
    """
    if cache is None:
        return None
    if cache is True:
        from ..datasets import get_data_home

        folder = get_data_home() / "embeddings"
    elif isinstance(cache, (str, os.PathLike)) and os.fspath(cache):
        folder = Path(cache).expanduser()
    else:
        raise TypeError(f"cache must be None, True or a folder, got {cache!r}")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"cache={cache!r} is a file: name a folder for the embeddings, or None for no cache"
        )
    store = EmbeddingStore(folder)
    try:
        store.check_writable()
    except OSError as error:
        reason = error.strerror or error.__cause__ or error
        raise type(error)(
            f"cache={cache!r} cannot be used ({reason}): name a folder that can be written, or "
            "None for no cache"
        ) from error
    return store


class EmbeddingCache:
    """The embeddings that one encoder makes of cells, kept in a store.

    Parameters
    ----------
    store : EmbeddingStore
        Where they are kept.
    encoder : Encoder
        Asked for its fingerprint only, so that one that loads its weights at the first use need
        not do so where everything is stored.
    pooling : str
        How windows become a row.
    sample_rate : float or None
        Rate of cells that are bare arrays.
    """

    def __init__(
        self, store: EmbeddingStore, encoder: Encoder, pooling: str, sample_rate: float | None
    ) -> None:
        self.store = store
        self.n_features = encoder.n_features
        self.sample_rate = sample_rate
        # The rate and the length should be in a fingerprint; an encoder of a user's own may
        # have been changed without thinking of it.
        parts = (
            encoder.modality,
            _DECODING_VERSION,
            encoder.fingerprint,
            getattr(encoder, "sample_rate", None),
            encoder.n_features,
            pooling,
        )
        self._recipe = hash_parts(*map(repr, parts))

    def identify(self, cells: list) -> DistinctContents:
        """Tell cells apart by what they hold; cells that cannot be read are all different."""
        position_of: dict[Any, int] = {}
        first: list[int] = []
        keys: list[str | None] = []
        source = np.empty(len(cells), dtype=int)
        for index, content in enumerate(self._contents(cells)):
            name = index if content is None else content
            if name not in position_of:
                position_of[name] = len(first)
                first.append(index)
                keys.append(self._key(content))
            source[index] = position_of[name]
        return DistinctContents(first, source, keys)

    def embed(self, keys: list[str | None], stream: Stream) -> np.ndarray:
        """Return the embedding of each key, ``NaN`` for those that failed."""
        return embed_through_store(
            self.store, keys, self._only_unchanged(keys, stream), self.n_features
        )

    def _only_unchanged(
        self, keys: list[str | None], stream: Stream
    ) -> Callable[[list[int]], Iterator[tuple[list[int], np.ndarray]]]:
        """Reject files that changed behind their hashing: the key would be of other content."""

        def compute(positions: list[int]) -> Iterator[tuple[list[int], np.ndarray]]:
            for batch, vectors in stream(positions):
                files = {
                    position: os.fsdecode(cell)
                    for position, cell in ((p, stream.cell(p)) for p in batch)
                    if keys[position] is not None and isinstance(cell, (str, os.PathLike))
                }
                contents = self._contents(list(files.values())) if files else []
                changed = set()
                for (position, path), content in zip(files.items(), contents):
                    if self._key(content) != keys[position]:
                        reason = "the file changed while it was being embedded"
                        stream.reject(position, MediaError(reason, cell=repr(path)))
                        changed.add(position)
                same = [index for index, position in enumerate(batch) if position not in changed]
                yield [batch[index] for index in same], vectors[same]

        return compute

    def _contents(self, cells: list) -> list[str | None]:
        return self.store.media_keys(cells, sample_rate=self.sample_rate)

    def _key(self, content: str | None) -> str | None:
        return content and entry_key(content, self._recipe)
