"""A tiny colour picture: what is where in which colour, without a download."""

from __future__ import annotations

import numpy as np

_SIZE = 8


class ThumbnailEncoder:
    """An 8 x 8 thumbnail in luma and two colour differences, 192 values.

    The picture is squeezed to 8 x 8 (Pillow's box filter: each value is the mean over its area)
    and turned to Y, Cb and Cr (ITU-R 601, full range), each divided by 255 and the colour
    differences centred at 0. The vector has the 64 values of Y row by row, then Cb, then Cr.
    It is the grid on which the colour layout descriptor of MPEG-7 is computed: blind to shape,
    aware of colour, where ``hog`` is the opposite.

    References
    ----------
    .. [1] E. Kasutani and A. Yamada, "The MPEG-7 color layout descriptor", ICIP 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.encoders import ThumbnailEncoder
    >>> encoder = ThumbnailEncoder()
    >>> picture = np.full((120, 80, 3), 255, np.uint8)
    >>> vector = encoder.encode(encoder.windows(picture))[0]
    >>> vector.shape, vector[0].item(), vector[64].item()
    ((192,), 1.0, 0.0)
    """

    name = "thumbnail"
    modality = "image"
    n_features = 3 * _SIZE**2
    fingerprint = "thumbnail/1"

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Shrink pixels ``(h, w, 3)`` to one picture, uint8 ``(1, 8, 8, 3)``."""
        from PIL import Image

        small = Image.fromarray(media).convert("RGB").resize((_SIZE, _SIZE), Image.Resampling.BOX)
        return np.asarray(small)[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode pictures ``(n, 8, 8, 3)`` to vectors, float32 ``(n, 192)``."""
        red, green, blue = np.moveaxis(windows.astype(np.float32) / 255, -1, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        channels = [luma, (blue - luma) / 1.772, (red - luma) / 1.402]
        return np.concatenate([c.reshape(len(windows), -1) for c in channels], axis=1).astype(
            np.float32
        )
