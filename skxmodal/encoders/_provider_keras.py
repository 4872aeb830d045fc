"""``keras:<name>``: the networks of ``keras.applications`` without their classifiers."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import import_optional
from ._provider_base import ProvidedEncoder, digest_of_arrays
from ._providers import caller_of

# Height and width the published weights were trained for; all others: 224.
_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}


def load(
    model: str, modality: str, *, name: str, weights: str | os.PathLike[str] | None = None
) -> ProvidedEncoder:
    """Load a network of ``keras.applications``.

    Parameters
    ----------
    model : str
        Name of the function, e.g. ``"ResNet50"``.
    modality : {"image"}
        Always images.
    name : str
        The whole string.
    weights : path-like, "imagenet" or None, default=None
        A local file without the classifier; ``"imagenet"`` and ``None`` let Keras download its own.

    Raises
    ------
    ImportError
        When ``keras`` is not installed.
    ValueError
        When there is no such network, or the file is not of it.
    """
    # PyTorch is here anyway; Keras would ask for TensorFlow, which need not be.
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = import_optional("keras", caller=caller_of(name, modality), extra="keras")
    function = getattr(keras.applications, model, None)
    if not callable(function):
        known = ", ".join(
            key
            for key in dir(keras.applications)
            if key[0].isupper() and callable(getattr(keras.applications, key))
        )
        raise ValueError(f"encoder {name!r}: keras.applications has no {model!r} (it has: {known})")
    file: str = "imagenet"
    if weights is not None and str(weights) != "imagenet":
        file = os.fspath(Path(weights).expanduser())
        if not Path(file).is_file():
            raise ValueError(f"encoder {name!r}: there is no weight file {file!r}")
    size = _SIZES.get(model, 224)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not have: they would be random.
            warnings.filterwarnings("error", message="Skipping nested container")
            network = function(
                include_top=False, weights=file, pooling="avg", input_shape=(size, size, 3)
            )
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"encoder {name!r} cannot read the weights {file!r} (a file must be of the same "
            f"network, without its classifier): {reason}"
        ) from error
    preprocess = sys.modules[function.__module__].preprocess_input
    return KerasEncoder(name, network, preprocess, size, keras.__version__)


class KerasEncoder(ProvidedEncoder):
    """A network of ``keras.applications``, averaged over the image.

    Pictures are resized as those of the native ``"resnet50"`` and ``"vgg16"``, then preprocessed
    by the network's own ``preprocess_input``.
    """

    modality = "image"

    def __init__(self, name: str, network: Any, preprocess: Any, size: int, version: str) -> None:
        self.name = name
        self.network = network
        self.preprocess = preprocess
        self.size = size
        self.n_features = int(network.output_shape[-1])
        digest = digest_of_arrays((w.path, np.asarray(w.numpy())) for w in network.weights)
        self.identity = {
            "weights": digest,
            "size": size,
            "resize": "pillow-bilinear",
            "keras": version,
        }
        # Keras makes its prediction function at the first call, which is not safe in two threads.
        self._lock = threading.Lock()

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return uint8 ``(1, size, size, 3)`` of a picture."""
        from ._native_images import resize

        return resize(media, self.size, self.size)[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``."""
        if not len(windows):
            return np.empty((0, self.n_features), np.float32)
        # preprocess_input works in place on float arrays.
        pixels = self.preprocess(windows.astype(np.float32))
        with self._lock:
            return np.asarray(self.network.predict_on_batch(pixels), dtype=np.float32)
