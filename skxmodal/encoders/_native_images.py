"""Image inputs: resizing with Pillow, and the preprocessing of Keras' ImageNet networks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from ._native_base import NativeEncoder

# Means of ImageNet's training images, in the networks' channel order (blue, green, red).
_MEAN_BGR = (103.939, 116.779, 123.68)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a uint8 RGB image with Pillow's bilinear filter, antialiased when it shrinks."""
    if image.shape[:2] == (height, width):
        return image
    from PIL import Image

    shrunk = Image.fromarray(np.ascontiguousarray(image)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(shrunk)


class KerasImageEncoder(NativeEncoder):
    """A network of ``keras.applications`` without its classifier, averaged over the image.

    Images are resized to 224 x 224 without keeping the aspect ratio (what
    ``keras.utils.load_img`` does), then become BGR less the mean of ImageNet ("caffe" mode).
    """

    modality = "image"
    size = 224
    round_size: ClassVar[dict[str, int]] = {"torch": 4, "onnx": 8, "ncnn": 32, "cuda": 64}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Size, filter and mode."""
        return {"size": self.size, "resize": "pillow-bilinear", "mode": "caffe"}

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return uint8 ``(1, 224, 224, 3)`` of a uint8 RGB image."""
        return resize(media, self.size, self.size)[np.newaxis]

    def example_input(self) -> torch.Tensor:
        """Return a batch of images of random pixels."""
        rng = np.random.default_rng(0)
        return self._inputs(rng.integers(0, 256, (2, self.size, self.size, 3), dtype=np.uint8))

    def _inputs(self, windows: np.ndarray) -> torch.Tensor:
        # Bytes travel to the device, copied because torch takes no read-only or reversed array;
        # NHWC bytes become channels-last floats as they are.
        pixels = torch.from_numpy(windows.copy()).to(self.device)
        mean = torch.tensor(_MEAN_BGR, device=self.device)
        return (pixels.flip(-1).float() - mean).permute(0, 3, 1, 2)
