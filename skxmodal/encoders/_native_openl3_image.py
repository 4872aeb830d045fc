"""OpenL3's image network on a 224 x 224 crop."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from ._native_base import NativeEncoder
from ._native_images import resize
from ._native_openl3 import CONTENT_TYPES, INPUT_REPRESENTATIONS, choice, convolutions

_CROP, _SHORT_SIDE = 224, 256
_POOLING = {8192: (7, 7), 512: (28, 28)}


class OpenL3ImageEncoder(NativeEncoder):
    """OpenL3's image embedding.

    Parameters
    ----------
    weights : path-like or None, default=None
        ``openl3_image_<input_repr>_<content_type>.h5`` or the ``.h5.gz`` that is downloaded.
    input_repr : {"mel256", "mel128", "linear"}, default="mel256"
        The spectrogram of the audio network it was trained with.
    content_type : {"music", "env"}, default="music"
        The part of AudioSet it was trained on; the paper used music.
    embedding_size : {8192, 512}, default=8192
        Only the last pooling differs.
    preprocess : {"published", "trained"}, default="published"
        ``"published"``: the numbers of openl3 0.4.2, which maps an image of exactly 224 x 224 to
        [-1, 1] but any other, after the crop, to [0, 1]. ``"trained"``: [-1, 1] for all, the
        range the network was trained on. Smaller images, which the package refuses, are enlarged
        to 224 x 224.
    **runtime : device, backend, half, onnx_dir
        As in the other encoders.

    References
    ----------
    .. [1] J. Cramer et al., "Look, listen, and learn more: design choices for deep audio
       embeddings", ICASSP 2019.
    .. [2] The paper, section 2.1 and table 1.
    """

    modality = "image"
    size = _CROP
    round_size: ClassVar[dict[str, int]] = {"torch": 2, "onnx": 4, "ncnn": 32, "cuda": 32}
    cpu_backends = ("ncnn", "torch", "onnx")

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        *,
        input_repr: str = "mel256",
        content_type: str = "music",
        embedding_size: int = 8192,
        preprocess: str = "published",
        **runtime: Any,
    ) -> None:
        choice(input_repr, INPUT_REPRESENTATIONS, "input_repr")
        choice(content_type, CONTENT_TYPES, "content_type")
        choice(embedding_size, tuple(_POOLING), "embedding_size of images")
        choice(preprocess, ("published", "trained"), "preprocess")
        self.input_repr, self.content_type = input_repr, content_type
        self.n_features, self.preprocess = embedding_size, preprocess
        self.name = f"openl3-{input_repr}-{content_type}-{embedding_size}"
        super().__init__(weights, **runtime)

    @property
    def weights_key(self) -> str:
        """Key of the official file in the table of weights."""
        return f"openl3-image-{self.input_repr}-{self.content_type}"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Size, crop and range."""
        return {"size": _CROP, "short_side": _SHORT_SIDE, "preprocess": self.preprocess}

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return float32 ``(1, 224, 224, 3)`` of a uint8 RGB image."""
        height, width = media.shape[:2]
        if min(height, width) < _CROP:
            media = resize(media, _CROP, _CROP)
        if self.preprocess == "trained":
            pixels = _shrunk_crop(media) * 2 - 1
        elif media.shape[:2] == (_CROP, _CROP):
            pixels = media / 127.5 - 1
        elif min(height, width) > _SHORT_SIDE:
            pixels = _shrunk_crop(media)
        else:
            pixels = _crop(media).astype(np.float64)
            pixels /= max(1.0, pixels.max())
        return pixels[np.newaxis].astype(np.float32)

    def network(self) -> nn.Module:
        """Return the network from the first normalisation to the flattened embedding."""
        return convolutions(3, _POOLING[self.n_features], swap_second=True)

    def example_input(self) -> torch.Tensor:
        """Return a batch of images of random pixels."""
        generator = torch.Generator().manual_seed(0)
        return 2 * torch.rand((2, 3, _CROP, _CROP), generator=generator) - 1

    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(windows.copy()).permute(0, 3, 1, 2)


def _crop(image: np.ndarray) -> np.ndarray:
    """Cut the middle 224 x 224 pixels."""
    top, left = (side // 2 - _CROP // 2 for side in image.shape[:2])
    return image[top : top + _CROP, left : left + _CROP]


def _shrunk_crop(image: np.ndarray) -> np.ndarray:
    """Bring the shorter side to at most 256 pixels and cut the middle, as floats in [0, 1].

    Bilinear between the two nearest pixels and not antialiased, as ``skimage.transform.rescale``
    is called by openl3; pixels that the crop drops are not computed.
    """
    scale = _SHORT_SIDE / min(image.shape[:2])
    if scale >= 1:
        return _crop(image) / 255.0
    places = []
    for axis in (0, 1):
        size = image.shape[axis]
        target = int(np.round(size * scale))
        kept = np.arange(_CROP) + (target // 2 - _CROP // 2)
        at = (kept + 0.5) * (size / target) - 0.5
        below = np.clip(np.floor(at).astype(np.intp), 0, size - 2)
        places.append(
            (below - below[0], (at - below).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)))
        )
        image = image.take(range(below[0], below[-1] + 2), axis)
    pixels = image / 255.0
    for axis, (below, share) in enumerate(places):
        lower, upper = pixels.take(below, axis), pixels.take(below + 1, axis)
        pixels = lower + (upper - lower) * share
    return pixels
