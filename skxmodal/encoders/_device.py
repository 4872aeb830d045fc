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
    found = parse_device(device, caller=caller)
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'{caller}: PyTorch finds no GPU for device={device!r}; use "cpu"')
    return found


def parse_device(device: Any, *, caller: str) -> Any:
    """Return the ``torch.device`` of a name, whether this machine has it or not.

    Parameters
    ----------
    device : str or torch.device
        The wish, other than ``"auto"``.
    caller : str
        Named in errors.

    Raises
    ------
    ValueError
        When PyTorch knows no such name.
    """
    import torch

    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'{caller}: device must be "auto", "cpu", "cuda" or another name that PyTorch knows, '
            f"not {device!r}"
        ) from error
