"""An encoder that is loaded when it has something to encode: a warm cache never loads it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ._protocol import Encoder
from ._registry import load_encoder, spec_of
from ._spec import EncoderSpec


class LazyEncoder:
    """An encoder by its string, loaded at the first cell.

    Parameters
    ----------
    spec : EncoderSpec
        With ``n_features`` and ``fingerprint``.
    options : dict
        Options of :func:`load_encoder`.
    """

    def __init__(self, spec: EncoderSpec, options: dict[str, Any]) -> None:
        self.name = spec.name
        self.modality = spec.modality
        self.n_features = spec.n_features
        self.fingerprint = spec.fingerprint
        if spec.sample_rate is not None:
            self.sample_rate = spec.sample_rate
        self.options = options

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Cut one cell, as the loaded encoder does."""
        return self._loaded().windows(media)

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode a batch, as the loaded encoder does."""
        return self._loaded().encode(windows)

    @property
    def concurrent(self) -> bool:
        """What the loaded encoder says."""
        return getattr(self._loaded(), "concurrent", False)

    def _loaded(self) -> Encoder:
        return load_encoder(self.name, self.modality, **self.options)


def lazy_encoder(
    encoder: str | Encoder,
    modality: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: Any = "auto",
    backend: str = "auto",
) -> Encoder:
    """Return an encoder that is loaded at its first cell, where enough is known of it before.

    Of a native encoder everything is. Others are loaded at once, as by :func:`load_encoder`.
    The fingerprint of a native encoder is then that of :func:`spec_of`.

    Parameters
    ----------
    encoder, modality, weights, device, backend
        As in :func:`load_encoder`.
    """
    options = {"weights": weights, "device": device, "backend": backend}
    if isinstance(encoder, str):
        spec = spec_of(encoder, modality, weights=weights)
        known = spec.n_features and spec.fingerprint
        if known and (modality != "audio" or spec.sample_rate is not None):
            return LazyEncoder(spec, options)
    return load_encoder(encoder, modality, **options)
