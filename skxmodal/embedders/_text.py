"""TextEmbedder: a column of texts becomes embeddings."""

from __future__ import annotations

import os
from typing import Any

from ..encoders import Encoder
from ..media import MediaError, as_cells
from ._embedders import _MediaEmbedder

_LONGEST_SHOWN = 40


class TextEmbedder(_MediaEmbedder):
    """Turn a column of texts into embeddings.

    A cell is the text itself, never the path of a file that holds it.

    Parameters
    ----------
    encoder : str or Encoder, default="hashing"
        Name of an encoder (``list_encoders("text")``), ``"transformers:<id or folder>"``, or
        any object with the :class:`~skxmodal.encoders.Encoder` protocol, such as a
        :class:`~skxmodal.encoders.FunctionEncoder`. The default needs no download and knows
        words, not what they mean.
    pooling : {"mean", "max", "first"}, default="mean"
        How the windows of an encoder that cuts texts become one row.
    batch_size, device, backend, weights, n_jobs, cache, verbose
        As in :class:`AudioEmbedder`.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What becomes of a cell that is no text, or an empty one: an error that names its row, or
        a missing row (``NaN``), all of them reported in one warning or not at all.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.

    See Also
    --------
    AudioEmbedder : The same for sounds.
    make_embedder : All modalities side by side.

    Examples
    --------
    >>> from skxmodal.embedders import TextEmbedder
    >>> TextEmbedder().fit_transform(["a loud drum", None, "a flute"]).shape
    (3, 512)
    """

    _modality = "text"

    def __init__(
        self,
        encoder: str | Encoder = "hashing",
        *,
        pooling: str = "mean",
        batch_size: int = 32,
        device: Any = "auto",
        backend: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        on_error: str = "raise",
        verbose: int = 0,
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.backend = backend
        self.weights = weights
        self.n_jobs = n_jobs
        self.cache = cache
        self.on_error = on_error
        self.verbose = verbose

    def _cells(self, X: Any) -> list:
        """Return the texts encoded, one object for equal ones: a ``str`` would be a path."""
        known: dict[str, _EncodedText] = {}
        return [
            known.setdefault(cell, _EncodedText(cell, "utf-8", "surrogatepass"))
            if isinstance(cell, str)
            else cell
            for cell in as_cells(X)
        ]

    def _read(self, cell: Any, encoder: Encoder) -> Any:
        if not isinstance(cell, _EncodedText):
            raise MediaError(
                "a cell of text must be a str, or None where it is missing",
                cell=f"object of type {type(cell).__name__}",
            )
        text = cell.decode("utf-8", "surrogatepass")
        try:
            cell.decode("utf-8")
        except UnicodeDecodeError:
            raise MediaError(
                "the text holds half a surrogate pair, which no encoder can read: decode its "
                'source with errors="replace"',
                cell=repr(text[:_LONGEST_SHOWN]),
            ) from None
        if not text.strip():
            raise MediaError(
                "the text is empty: a missing text is None", cell=repr(text[:_LONGEST_SHOWN])
            )
        return text


class _EncodedText(bytes):
    """The bytes of a text that was a cell."""
