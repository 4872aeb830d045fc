"""What encoders of other packages share: identity, pickling, and PyTorch networks in batches."""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from typing import Any

import numpy as np

from ._device import resolve_device
from ._registry import load_encoder

_IMPORTED_BY = os.getpid()  # another one later: a fork


class ProvidedEncoder:
    """An encoder that another package runs.

    Attributes
    ----------
    name, modality, n_features
        As in :class:`Encoder`; ``name`` is the whole string ``provider:model``.
    identity : dict
        What the fingerprint is made of, besides the name.
    reload_with : dict
        Options of :func:`load_encoder` that load the same again.

    Notes
    -----
    A pickle holds the string and the options, not the network. Copies are the same object: an
    encoder does not change.
    """

    name: str
    modality: str
    n_features: int
    identity: dict[str, Any]
    reload_with: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Name, preprocessing and digest of the weights."""
        return json.dumps({"encoder": self.name, **self.identity}, sort_keys=True, default=str)

    def __reduce__(self) -> tuple:
        return partial(load_encoder, self.name, self.modality, **self.reload_with), ()

    def __deepcopy__(self, memo: dict) -> ProvidedEncoder:
        return self


class TorchNetwork:
    """A PyTorch module for inference on a device.

    Parameters
    ----------
    module : torch.nn.Module
        Put into evaluation mode and onto the device.
    device : str or torch.device
        ``"auto"`` is the GPU where there is one.
    caller : str
        Named in errors.
    """

    def __init__(self, module: Any, device: Any, *, caller: str) -> None:
        self.device = resolve_device(device, caller=caller)
        self.module = module.eval().to(self.device)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights as they are now: a module of one's own may be trained on."""
        return digest_of_module(self.module)

    def __call__(self, run: Any, *inputs: np.ndarray | None) -> np.ndarray:
        """Return ``run(*tensors)`` as float32 NumPy array."""
        import torch

        self.module.eval()  # whoever trained it meanwhile may have left it in training mode
        # The threads of OpenMP do not survive a fork: a child that waits for them hangs.
        if os.getpid() != _IMPORTED_BY:
            torch.set_num_threads(1)
        tensors = [
            None if array is None else torch.from_numpy(np.array(array)).to(self.device)
            for array in inputs
        ]
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            return run(*tensors).float().cpu().numpy()


def digest_of_arrays(named: Any) -> str:
    """Return one SHA-256 of named arrays: names, types, shapes and bytes."""
    hasher = hashlib.sha256()
    for name, array in named:
        array = np.ascontiguousarray(array)
        hasher.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        hasher.update(array.view(np.uint8).reshape(-1).data)
    return hasher.hexdigest()


def digest_of_module(module: Any) -> str:
    """Return the SHA-256 of a PyTorch module's state."""
    import torch

    def arrays() -> Any:
        for name, value in module.state_dict().items():
            tensor = value.detach().cpu().contiguous()
            # As bytes: NumPy has no bfloat16.
            yield f"{name}:{tensor.dtype}", tensor.reshape(-1).view(torch.uint8).numpy()
            yield f"{name}:shape", np.array(tensor.shape)

    return digest_of_arrays(arrays())


def equal_pieces(media: np.ndarray, longest: int) -> list[np.ndarray]:
    """Cut a sound into as few pieces as possible of nearly equal length, none above ``longest``."""
    n_pieces = max(1, -(-len(media) // longest))
    return np.array_split(media, n_pieces)
