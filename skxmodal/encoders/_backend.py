"""The back end that a user's wish means."""

from __future__ import annotations

import importlib
from typing import Any

from ..utils import check_choice, import_optional

# What each needs; extras of the same names install it.
_PACKAGES = {"torch": (), "onnx": ("onnxruntime", "onnx"), "ncnn": ("ncnn",)}
BACKENDS = ("auto", *_PACKAGES)


def resolve_backend(
    backend: str, device: Any, *, cpu_backends: tuple[str, ...], half: bool = False, caller: str
) -> str:
    """Return ``"torch"``, ``"onnx"`` or ``"ncnn"`` for a wish.

    Parameters
    ----------
    backend : {"auto", "torch", "onnx", "ncnn"}
        The wish.
    device : torch.device
        Where the network runs.
    cpu_backends : tuple of str
        What can run the network on a CPU, the fastest first.
    half : bool, default=False
        Whether the network runs in half precision.
    caller : str
        Named in errors.

    Raises
    ------
    ImportError
        When a back end is asked for and its packages are missing.
    ValueError
        When the wish is not for this network or this device.
    """
    check_choice(f"{caller}: backend", backend, ("auto", *cpu_backends))
    on_cpu = device.type == "cpu"
    if backend == "auto":
        there = (name for name in cpu_backends if on_cpu and not half and _is_there(name))
        return next(there, "torch")
    if backend != "torch" and not on_cpu:
        raise ValueError(f'{caller}: backend="{backend}" runs on the CPU, not on {str(device)!r}')
    for package in _PACKAGES[backend]:
        import_optional(package, caller=f'{caller} with backend="{backend}"', extra=backend)
    return backend


def _is_there(backend: str) -> bool:
    """Tell whether a back end can be used, PyTorch only with the layers that make it fast."""
    if backend == "torch":
        from ._native_fused import can_fuse

        return can_fuse()
    try:
        for package in _PACKAGES[backend]:
            importlib.import_module(package)
    except ImportError:
        return False
    return True
