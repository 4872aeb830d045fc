"""A function or a PyTorch module as an encoder."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils import check_choice, check_number

if TYPE_CHECKING:
    from ._provider_base import TorchNetwork

_MODALITIES = ("audio", "image", "text")


class FunctionEncoder:
    """Make an encoder of any function, or of any ``torch.nn.Module``.

    Parameters
    ----------
    function : callable or torch.nn.Module
        Takes a batch and returns ``(n, n_features)``. A function gets a NumPy array: sounds
        float32 ``(n, window)``, pictures uint8 ``(n, height, width, 3)``, texts ``str`` objects
        ``(n,)``. A module gets a float32
        tensor on its device: sounds ``(n, window)``, pictures ``(n, 3, height, width)`` in
        [0, 1]; it is put into evaluation mode. What a sample becomes must not depend on the
        others of its batch.
    modality : {"audio", "image", "text"}
        What it encodes.
    sample_rate : int, default=16000
        Rate in Hz of the sounds it gets.
    window : float, default=1.0
        Seconds of sound it gets at once. A longer sound is cut into windows, the last of which
        is padded with silence, as a shorter one is.
    size : tuple of int, default=(224, 224)
        Height and width to which pictures are resized (bilinear, antialiased).
    device : str or torch.device, default="auto"
        Where a module runs; ``"auto"`` is the GPU where there is one.
    name : str or None, default=None
        For messages; ``None`` takes the function's own.
    fingerprint : str or None, default=None
        What an embedding cache knows the function by: to be changed whenever the function
        returns something else. ``None``: the digest of a module's weights and its text; a
        function is then a new one in every session, for its code cannot be compared.

    Attributes
    ----------
    n_features : int
        Length of a vector, found by encoding one window of silence or black, or a text.

    Raises
    ------
    TypeError
        When ``function`` cannot be called.
    ValueError
        When a parameter is out of its range, or the function does not return one row per sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.embedders import AudioEmbedder
    >>> from skxmodal.encoders import FunctionEncoder
    >>> def loudness(sounds):
    ...     return np.sqrt(np.mean(sounds**2, axis=1, keepdims=True))
    >>> encoder = FunctionEncoder(loudness, "audio", fingerprint="loudness/1")
    >>> AudioEmbedder(encoder).fit_transform([(16000, np.full(16000, 0.5))])
    array([[0.5]], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        modality: str,
        *,
        sample_rate: int = 16_000,
        window: float = 1.0,
        size: tuple[int, int] = (224, 224),
        device: Any = "auto",
        name: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, got {type(function).__name__}")
        check_choice("modality", modality, _MODALITIES)
        check_number("sample_rate", sample_rate, integer=True, low=1)
        check_number("window", window, above=0)
        height, width = size
        check_number("height in size", height, integer=True, low=1)
        check_number("width in size", width, integer=True, low=1)
        self.function = function
        self.modality = modality
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self.size = (height, width)
        self._network: TorchNetwork | None = None
        if modality == "audio":
            self.sample_rate = sample_rate
            self.n_samples = max(1, round(window * sample_rate))
        if _is_module(function):
            if modality == "text":
                raise TypeError(
                    f"encoder {self.name!r}: a PyTorch module takes tensors, not texts: pass a "
                    "function that cuts texts into tokens and calls it"
                )
            from ._provider_base import TorchNetwork

            self._network = TorchNetwork(function, device, caller=f"encoder {self.name!r}")
        inputs = {"audio": [sample_rate, window], "image": list(self.size), "text": []}
        self._input = inputs[modality]
        if fingerprint is None and self._network is None:
            fingerprint = f"{self.name}/{uuid.uuid4().hex}"  # a token for this very function
        self._given = fingerprint
        self.n_features = self._call(self.windows(self._blank())).shape[1]

    @property
    def fingerprint(self) -> str:
        """What the cache knows the encoder by; that of a module follows its present weights."""
        function = self._given
        if function is None:
            assert self._network is not None
            function = f"{self.function!r}/{self._network.digest}"
        return json.dumps({"function": function, "input": self._input})

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Cut a sound ``(n,)`` into windows, or make one of a picture (resized) or a text.

        Parameters
        ----------
        media : ndarray
            As in :class:`Encoder`.

        Returns
        -------
        windows : ndarray
            float32 ``(n_windows, window)``, uint8 ``(1, height, width, 3)`` or object ``(1,)``.
        """
        if self.modality == "audio":
            n_windows = max(1, -(-len(media) // self.n_samples))
            padded = np.pad(media, (0, n_windows * self.n_samples - len(media)))
            return padded.reshape(n_windows, self.n_samples).astype(np.float32, copy=False)
        if self.modality == "text":
            return np.array([media], dtype=object)
        if media.shape[:2] == self.size:
            return media[np.newaxis]
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(media))
        return np.asarray(picture.resize(self.size[::-1], Image.Resampling.BILINEAR))[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Call the function on a batch.

        Parameters
        ----------
        windows : ndarray of shape (n, ...)

        Returns
        -------
        vectors : float32 array of shape (n, n_features)
        """
        return self._call(windows) if len(windows) else np.empty((0, self.n_features), np.float32)

    def _call(self, windows: np.ndarray) -> np.ndarray:
        """Run the function and check the shape of what it returns."""
        if self._network is not None:
            vectors = self._network(self._run_module, windows)
        else:
            returned = self.function(windows)
            if hasattr(returned, "detach"):
                returned = returned.detach().cpu()
            vectors = np.asarray(returned, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(windows):
            raise ValueError(
                f"encoder {self.name!r} must return one row per sample: it made an array of shape "
                f"{vectors.shape} of {len(windows)} samples"
            )
        return vectors

    def _run_module(self, batch: Any) -> Any:
        """Call the module on a tensor, pictures with their channels first."""
        if self.modality == "image":
            batch = batch.permute(0, 3, 1, 2).float() / 255
        out = self.function(batch)
        if not hasattr(out, "detach"):
            raise ValueError(
                f"encoder {self.name!r} must return a tensor, got {type(out).__name__}: wrap the "
                "module in a function that picks one"
            )
        return out

    def _blank(self) -> np.ndarray:
        if self.modality == "audio":
            return np.zeros(self.n_samples, np.float32)
        if self.modality == "text":
            return np.array("a text", dtype=object)[()]
        return np.zeros((*self.size, 3), np.uint8)

    def __deepcopy__(self, memo: dict) -> FunctionEncoder:
        # A clone of an embedder need not have its own copy of the weights.
        return self


def _is_module(function: Any) -> bool:
    """Tell a PyTorch module from other callables, without importing PyTorch for those."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(function, torch.nn.Module)
