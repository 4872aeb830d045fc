"""``openl3:<variant>``: the published ``openl3`` package itself."""

from __future__ import annotations

import importlib.metadata
import threading
from typing import Any

import numpy as np

from ..utils import import_optional
from ._native_specs import native_spec
from ._provider_base import ProvidedEncoder, digest_of_arrays
from ._providers import caller_of

_SAMPLE_RATE = 48_000
_HOP_SIZE = 0.5


def load(model: str, modality: str, *, name: str) -> ProvidedEncoder:
    """Load a model of the ``openl3`` package.

    Parameters
    ----------
    model : str
        The variant as in the native strings, ``"mel128-env-512"``; empty for the default.
    modality : {"audio", "image"}
        Which of the two networks.
    name : str
        The whole string.

    Raises
    ------
    ImportError
        When ``openl3`` is not installed.
    ValueError
        When there is no such variant.
    """
    openl3 = import_optional("openl3", caller=caller_of(name, modality), extra="openl3")
    spec = native_spec(f"openl3-{model}" if model else "openl3", modality)
    if spec is None or "front_end" in spec.options:
        raise ValueError(f"encoder {name!r}: {model!r} is no variant of the openl3 package")
    return OpenL3PackageEncoder(name, modality, openl3, spec.n_features, spec.options)


class OpenL3PackageEncoder(ProvidedEncoder):
    """OpenL3 as the package computes it, with the windows of the native encoder.

    The package frames and preprocesses a whole sound or picture by itself. So ``windows`` runs
    it and returns embeddings, which ``encode`` hands through.
    """

    def __init__(
        self, name: str, modality: str, openl3: Any, n_features: int, options: dict[str, Any]
    ) -> None:
        self.name = name
        self.modality = modality
        self.n_features = n_features
        self.openl3 = openl3
        self.network = getattr(openl3.models, f"load_{modality}_embedding_model")(
            input_repr=options.get("input_repr", "mel256"),
            content_type=options.get("content_type", "music"),
            embedding_size=n_features,
        )
        if modality == "audio":
            self.sample_rate = _SAMPLE_RATE
        # Keras makes its prediction function at the first call, which is not safe in two threads.
        self._lock = threading.Lock()
        self.identity = {
            "weights": digest_of_arrays(enumerate(self.network.get_weights())),
            "openl3": importlib.metadata.version("openl3"),
            "options": options,
            "hop_size": _HOP_SIZE,
        }

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return the embeddings ``(n, n_features)`` of a sound or a picture."""
        with self._lock:
            if self.modality == "audio":
                # A second is one window, as in the native encoder: the package's own default
                # hop of 0.1 s and its centring would make six of it.
                if len(media) < _SAMPLE_RATE:
                    media = np.pad(media, (0, _SAMPLE_RATE - len(media)))
                vectors, _ = self.openl3.get_audio_embedding(
                    media,
                    _SAMPLE_RATE,
                    model=self.network,
                    center=False,
                    hop_size=_HOP_SIZE,
                    verbose=False,
                )
            else:
                vectors = self.openl3.get_image_embedding(media, model=self.network, verbose=False)
        return np.asarray(vectors, dtype=np.float32).reshape(-1, self.n_features)

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return the embeddings as they are."""
        return np.asarray(windows, dtype=np.float32)
