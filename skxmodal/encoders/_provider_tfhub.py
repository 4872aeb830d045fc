"""``tfhub:<handle, URL or local folder>``: modules of TensorFlow Hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..utils import import_optional
from ._hub_modules import digest_of_folder, hub_folder
from ._provider_base import ProvidedEncoder
from ._providers import caller_of

_SAMPLE_RATE = 16_000  # that of the hub's common interface for audio embeddings
_SHORTEST = 15_600  # samples of one patch of YAMNet and VGGish, which pads nothing itself
_SIZE = 224
_SIGNATURES = ("serving_default", "default", "image_feature_vector")
_EMBEDDINGS = ("embedding", "embeddings", "default", "output_1", "output_0")


def load(model: str, modality: str, *, name: str) -> ProvidedEncoder:
    """Load a module.

    Parameters
    ----------
    model : str
        Handle (``"google/yamnet/1"``), URL, or local folder with a saved model.
    modality : {"audio", "image"}
        What it encodes.
    name : str
        The whole string.

    Raises
    ------
    ImportError
        When ``tensorflow_hub`` is not installed.
    RemoteFileError
        When it cannot be downloaded.
    ValueError
        When it does not return embeddings.
    """
    caller = caller_of(name, modality)
    hub = import_optional("tensorflow_hub", caller=caller, extra="tfhub")
    folder = hub_folder(model, name=name)
    try:
        module = hub.load(str(folder))
    except (OSError, ValueError) as error:
        raise ValueError(f"encoder {name!r} is no module that loads: {error}") from error
    encoder_class = HubAudioEncoder if modality == "audio" else HubImageEncoder
    return encoder_class(name, module, digest_of_folder(folder))


class _HubEncoder(ProvidedEncoder, ABC):
    """A module and the function in it that is called."""

    def __init__(self, name: str, module: Any, digest: str) -> None:
        self.name = name
        self.module = module  # which owns the variables of the function
        self.identity = {"weights": digest}
        self._call = module if callable(module) else self._signature()
        self._prepare()
        probe = self._run(self._probe())
        self.n_features = int(probe.shape[1])

    def _prepare(self) -> None:
        """Find out what the module takes."""

    @abstractmethod
    def _probe(self) -> np.ndarray:
        """Return an input, for the dimension."""

    def _signature(self) -> Any:
        """Return the signature of a module that is not itself a function."""
        import tensorflow as tf

        for key in _SIGNATURES:
            if key in self.module.signatures:
                function = self.module.signatures[key]
                return lambda x: function(tf.constant(x))
        raise ValueError(
            f"encoder {self.name!r}: the module is not callable and has none of the signatures "
            f"{', '.join(_SIGNATURES)}"
        )

    def _run(self, inputs: np.ndarray) -> np.ndarray:
        """Call the module and pick the embeddings from what it returns."""
        out = self._call(inputs)
        if isinstance(out, dict):
            found = [out[key] for key in _EMBEDDINGS if key in out]
            out = found[0] if found else next(iter(out.values()))
        elif isinstance(out, (tuple, list)):
            # (scores, embeddings, spectrogram), as YAMNet returns.
            out = out[1] if len(out) > 1 else out[0]
        vectors = np.asarray(out, dtype=np.float32)
        if vectors.ndim != 2:
            raise ValueError(
                f"encoder {self.name!r} must return embeddings (n, dimension), got an array of "
                f"shape {vectors.shape}"
            )
        return vectors


class HubAudioEncoder(_HubEncoder):
    """A module for one waveform at 16 kHz, such as YAMNet's or VGGish's.

    It frames a whole waveform by itself, so ``windows`` runs it and returns its embeddings, which
    ``encode`` hands through: every pooling then works on the module's own frames.
    """

    modality = "audio"
    sample_rate = _SAMPLE_RATE

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return the embeddings ``(n_frames, n_features)``; a short sound is padded to a patch."""
        if len(media) < _SHORTEST:
            media = np.pad(media, (0, _SHORTEST - len(media)))
        return self._run(np.asarray(media, dtype=np.float32))

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return the embeddings as they are."""
        return np.asarray(windows, dtype=np.float32)

    def _probe(self) -> np.ndarray:
        return np.zeros(_SHORTEST, np.float32)


class HubImageEncoder(_HubEncoder):
    """A module for images in [0, 1], ``(n, height, width, 3)``: the hub's feature vectors."""

    modality = "image"

    def _prepare(self) -> None:
        self.size = self._find_size()
        self.identity["size"] = list(self.size)

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return uint8 ``(1, height, width, 3)``."""
        from ._native_images import resize

        return resize(media, *self.size)[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``."""
        if not len(windows):
            return np.empty((0, self.n_features), np.float32)
        return self._run(windows.astype(np.float32) / 255)

    def _probe(self) -> np.ndarray:
        return np.zeros((1, *self.size, 3), np.float32)

    def _find_size(self) -> tuple[int, int]:
        """Return height and width of a signature that fixes them, else 224."""
        functions = [
            self.module.signatures[key] for key in _SIGNATURES if key in self.module.signatures
        ]
        if callable(self.module):
            functions += getattr(self.module.__call__, "concrete_functions", [])
        for function in functions:
            positional, named = function.structured_input_signature
            for spec in (*positional, *named.values()):
                shape = getattr(spec, "shape", None)
                if shape is not None and shape.rank == 4 and None not in shape.as_list()[1:3]:
                    height, width = shape.as_list()[1:3]
                    return height, width
        return _SIZE, _SIZE
