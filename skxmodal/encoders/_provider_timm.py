"""``timm:<name or local folder>``: the image models of timm, with their own preprocessing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import import_optional
from ._provider_base import ProvidedEncoder, TorchNetwork
from ._providers import caller_of


def load(
    model: str,
    modality: str,
    *,
    name: str,
    weights: str | os.PathLike[str] | None = None,
    device: Any = "auto",
) -> ProvidedEncoder:
    """Load a model of timm without its classifier.

    Parameters
    ----------
    model : str
        Name as timm lists it, or a local folder with ``config.json`` and the weights.
    modality : {"image"}
        Always images.
    name : str
        The whole string.
    weights : path-like or None, default=None
        A local checkpoint; ``None`` lets timm download its own.
    device : str or torch.device, default="auto"
        Where it runs.

    Raises
    ------
    ImportError
        When ``timm`` is not installed or does not import.
    ValueError
        When there is no such model, or the weights are not its own.
    """
    caller = caller_of(name, modality)
    try:
        timm = import_optional("timm", caller=caller, extra="timm")
    # torchvision built for another PyTorch fails with this and takes timm along.
    except RuntimeError as error:
        raise ImportError(
            f"{caller} needs timm, which does not import here because torchvision does not "
            f"({error}); install the torchvision that belongs to your PyTorch"
        ) from error
    options: dict[str, Any] = {}
    if weights is not None:
        file = Path(weights).expanduser()
        if not file.is_file():
            raise ValueError(f"encoder {name!r}: there is no weight file {str(file)!r}")
        options["pretrained_cfg_overlay"] = {"file": os.fspath(file)}
    folder = Path(model).expanduser()
    source = f"local-dir:{folder}" if folder.is_dir() else model
    try:
        network = timm.create_model(source, pretrained=True, num_classes=0, **options)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"encoder {name!r} cannot be loaded: {reason}") from error
    return TimmEncoder(name, network, timm, device)


class TimmEncoder(ProvidedEncoder):
    """A model of timm up to its pooled features."""

    modality = "image"

    def __init__(self, name: str, network: Any, timm: Any, device: Any) -> None:
        self.name = name
        settings = timm.data.resolve_data_config(model=network)
        self.transform = timm.data.create_transform(**settings, is_training=False)
        self.network = TorchNetwork(network, device, caller=f"encoder {name!r}")
        self.identity = {
            "weights": self.network.digest,
            "preprocessing": settings,
            "timm": timm.__version__,
        }
        probe = self.windows(np.zeros((64, 64, 3), np.uint8))
        self.n_features = int(self.network(self.network.module, probe).shape[1])

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return float32 ``(1, 3, height, width)``, preprocessed as the model was trained."""
        from PIL import Image

        return self.transform(Image.fromarray(np.ascontiguousarray(media))).numpy()[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``."""
        if not len(windows):
            return np.empty((0, self.n_features), np.float32)
        return self.network(self.network.module, windows)
