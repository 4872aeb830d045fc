"""Histograms of oriented gradients: the image encoder that needs no download."""

from __future__ import annotations

from functools import cached_property

import numpy as np

_SIZE = 48
_CELL = 8
_N_CELLS = _SIZE // _CELL
_N_ORIENTATIONS = 9
_BLOCK = 2
_N_BLOCKS = _N_CELLS - _BLOCK + 1
_CLIP = 0.2
_EPSILON = 1e-5


class HOGEncoder:
    """Histograms of oriented gradients of a 48 x 48 picture, 900 values.

    The picture is turned grey (ITU-R 601 luma), squeezed to 48 x 48 (Pillow's bicubic filter,
    which averages over the area when it shrinks) and, as in the original, gamma compressed by a
    square root. Central differences give each pixel a gradient; its magnitude goes to the two
    nearest of 9 orientations (unsigned, 20 degrees apart) and the four nearest of 6 x 6 cells of
    8 x 8 pixels, in proportion to closeness. Each block of 2 x 2 cells (5 x 5 overlapping ones)
    is normalised "L2-Hys": to unit length, clipped at 0.2, to unit length again.

    References
    ----------
    .. [1] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection",
       CVPR 2005, sections 6.1-6.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.encoders import HOGEncoder
    >>> encoder = HOGEncoder()
    >>> picture = np.zeros((120, 80, 3), np.uint8)
    >>> encoder.encode(encoder.windows(picture)).shape
    (1, 900)
    """

    name = "hog"
    modality = "image"
    n_features = _N_BLOCKS**2 * _BLOCK**2 * _N_ORIENTATIONS
    fingerprint = "hog/1"

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Shrink pixels ``(h, w, 3)`` to one grey picture, uint8 ``(1, 48, 48)``."""
        from PIL import Image

        grey = Image.fromarray(media).convert("L")
        return np.asarray(grey.resize((_SIZE, _SIZE), Image.Resampling.BICUBIC))[np.newaxis]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode grey pictures ``(n, 48, 48)`` to vectors, float32 ``(n, 900)``."""
        grey = np.sqrt(windows.astype(np.float32) / 255)
        across = np.zeros_like(grey)
        across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
        down = np.zeros_like(grey)
        down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
        histograms = self._histograms(np.hypot(across, down), np.arctan2(down, across))
        return self._normalised_blocks(histograms).reshape(-1, self.n_features)

    def _histograms(self, magnitude: np.ndarray, angle: np.ndarray) -> np.ndarray:
        """Share magnitudes among orientations and cells, ``(n, 6, 6, 9)``."""
        position = np.mod(angle / np.float32(np.pi), 1) * _N_ORIENTATIONS - np.float32(0.5)
        below = np.floor(position)
        share_above = position - below
        below = below.astype(np.int8) % _N_ORIENTATIONS
        above = (below + 1) % _N_ORIENTATIONS
        histograms = np.empty(
            (len(magnitude), _N_CELLS, _N_CELLS, _N_ORIENTATIONS), dtype=np.float32
        )
        for orientation in range(_N_ORIENTATIONS):
            share = np.where(below == orientation, 1 - share_above, 0)
            share += np.where(above == orientation, share_above, 0)
            # Stacks of equal products, one per picture: independent of the batch.
            histograms[..., orientation] = (
                self._cell_shares @ (magnitude * share) @ self._cell_shares.T
            )
        return histograms

    def _normalised_blocks(self, histograms: np.ndarray) -> np.ndarray:
        blocks = np.lib.stride_tricks.sliding_window_view(histograms, (_BLOCK, _BLOCK), axis=(1, 2))
        blocks = blocks.reshape(len(histograms), _N_BLOCKS, _N_BLOCKS, -1)
        blocks = np.minimum(_unit_length(blocks), np.float32(_CLIP))
        return _unit_length(blocks)

    @cached_property
    def _cell_shares(self) -> np.ndarray:
        """How much of each of 48 pixels goes to each of 6 cells along one axis, ``(6, 48)``."""
        pixel = (np.arange(_SIZE) + 0.5) / _CELL - 0.5
        distance = np.abs(pixel - np.arange(_N_CELLS)[:, np.newaxis])
        return np.maximum(0, 1 - distance).astype(np.float32)


def _unit_length(blocks: np.ndarray) -> np.ndarray:
    energy = np.square(blocks).sum(axis=-1, keepdims=True, dtype=np.float32)
    return blocks / np.sqrt(energy + np.float32(_EPSILON))
