"""The device that a user's wish means."""

from __future__ import annotations

from typing import Any


def resolve_device(device: Any, *, caller: str) -> Any:
    """Return a ``torch.device``: ``"auto"`` is the GPU where there is one, else the CPU.

    Parameters
    ----------
    device : str or torch.device
        The wish.
    caller : str
        Named in errors.

    Raises
    ------
    ValueError
        When there is no such device.
    """
    import torch

    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'{caller}: device must be "auto", "cpu", "cuda" or another name that PyTorch knows, '
            f"not {device!r}"
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'{caller}: PyTorch finds no GPU for device={device!r}; use "cpu"')
    return found
