"""What an encoder is: the few names that an embedder asks for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Encoder(Protocol):
    """A fixed function from one decoded cell to vectors.

    Any object with these attributes and methods is an encoder; nothing needs to be inherited.
    An audio encoder also has ``sample_rate``, the rate in Hz at which it wants its samples. An
    encoder that gains by it may have ``concurrent = True``: then several threads call ``encode``
    at the same time, each with a part of PyTorch's threads on the CPU.

    Attributes
    ----------
    name : str
        The string by which it is asked for.
    modality : str
        ``"audio"``, ``"image"`` or ``"text"``.
    n_features : int
        Length of a vector.
    fingerprint : str
        Name, version, preprocessing and weights: equal fingerprints give equal vectors.

    Examples
    --------
    An encoder of pictures in ten lines, their mean colour:

    >>> import numpy as np
    >>> from skxmodal.embedders import ImageEmbedder
    >>> class MeanColour:
    ...     name, modality, n_features, fingerprint = "mean-colour", "image", 3, "mean-colour/1"
    ...     def windows(self, pixels):
    ...         return pixels.mean(axis=(0, 1))[np.newaxis]
    ...     def encode(self, windows):
    ...         return windows.astype(np.float32) / 255
    >>> red = np.zeros((8, 8, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    >>> ImageEmbedder(MeanColour()).fit_transform([red])
    array([[1., 0., 0.]], dtype=float32)
    """

    name: str
    modality: str
    n_features: int
    fingerprint: str

    def windows(self, media: np.ndarray, /) -> np.ndarray:
        """Cut one cell into the pieces that are encoded.

        Parameters
        ----------
        media : ndarray
            Audio: float32 ``(n,)``, mono at ``sample_rate``, ``n >= 1``.
            Image: uint8 ``(h, w, 3)``, RGB. Text: not an array, but the ``str`` itself.

        Returns
        -------
        windows : ndarray of shape (n_windows, ...), n_windows >= 1
            Every window has the same shape; a short sound is padded by the encoder's own rule.
            Called in decoding threads, so it should be cheap and must not change the encoder.
        """
        ...

    def encode(self, windows: np.ndarray, /) -> np.ndarray:
        """Encode a batch of windows, of one cell or of many.

        Parameters
        ----------
        windows : ndarray of shape (n, ...)

        Returns
        -------
        vectors : float32 array of shape (n, n_features)
            Deterministic, and the same for a window whatever else is in the batch.
        """
        ...
