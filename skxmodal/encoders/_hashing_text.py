"""Hashed words and pieces of words: the text encoder that needs no download."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

_N_HASHES = 1 << 12
_N_WORDS = 256
_N_PIECES = 256
_SEED = 0


class HashingTextEncoder:
    """Words and pieces of words of a text, hashed to 512 values.

    The text is put in lower case and cut into words and pairs of neighbouring words, and into
    pieces of three to five characters inside words, so that "drums", "drum" and a misspelt
    "drumm" are near one another. Each kind is hashed to 4096 signed counts of unit length
    (scikit-learn's :class:`~sklearn.feature_extraction.text.HashingVectorizer`) and projected
    by a fixed random matrix of signs to 256 values, which keeps similarities (Johnson and
    Lindenstrauss). It knows nothing of meaning: synonyms are strangers to it, until a joint
    space is learned from pairs.

    References
    ----------
    .. [1] K. Weinberger et al., "Feature hashing for large scale multitask learning",
       ICML 2009.
    .. [2] D. Achlioptas, "Database-friendly random projections: Johnson-Lindenstrauss with
       binary coins", Journal of Computer and System Sciences 66, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.encoders import HashingTextEncoder
    >>> encoder = HashingTextEncoder()
    >>> texts = ["a loud drum", "drums, loud", "the quiet flute"]
    >>> vectors = encoder.encode(np.concatenate([encoder.windows(text) for text in texts]))
    >>> vectors.shape
    (3, 512)
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
    True
    """

    name = "hashing"
    modality = "text"
    n_features = _N_WORDS + _N_PIECES
    fingerprint = "hashing/1"

    def windows(self, media: str) -> np.ndarray:
        """Return the text itself, as an object array ``(1,)``."""
        window = np.empty(1, dtype=object)
        window[0] = str(media)
        return window

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode texts ``(n,)`` to vectors, float32 ``(n, 512)``."""
        texts = list(windows)
        words = _hashed(texts, analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
        pieces = _hashed(texts, analyzer="char_wb", ngram_range=(3, 5))
        of_words, of_pieces = _signs()
        # Sparse rows are multiplied one by one: the result does not depend on the batch.
        return np.hstack(
            [
                words @ of_words / np.float32(_N_WORDS**0.5),
                pieces @ of_pieces / np.float32(_N_PIECES**0.5),
            ]
        )


def _hashed(texts: list[str], **options: Any) -> Any:
    """Return signed counts of unit length, sparse ``(n, 4096)``."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=_N_HASHES, dtype=np.float32, **options).transform(texts)


@cache
def _signs() -> tuple[np.ndarray, np.ndarray]:
    """Draw the matrices that project the hashes of words and of pieces."""
    draw = np.random.RandomState(_SEED).choice
    signs = draw(np.array([-1, 1], np.float32), size=(_N_HASHES, _N_WORDS + _N_PIECES))
    return signs[:, :_N_WORDS].copy(), signs[:, _N_WORDS:].copy()
