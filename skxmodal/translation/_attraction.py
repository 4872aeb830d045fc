"""Draw joint vectors towards the known items of every modality that are near."""

from __future__ import annotations

import numpy as np


def attracted(
    vectors: np.ndarray, anchors: dict[str, np.ndarray], attraction: float, sharpness: float
) -> np.ndarray:
    """Return unit vectors on their way to the mean of what is near.

    Parameters
    ----------
    vectors : array of shape (n, d)
        Unit vectors.
    anchors : dict of str to array of shape (n_anchors, d)
        Unit vectors of the known items of each modality; every modality counts alike.
    attraction : float in [0, 1]
        Weight of the nearby items' mean.
    sharpness : float > 0
        The weight of an item is ``exp(sharpness * cosine)``.

    Returns
    -------
    vectors : array of shape (n, d)

    References
    ----------
    .. [1] D. Comaniciu and P. Meer, "Mean shift: a robust approach toward feature space
       analysis", IEEE PAMI 24(5), 2002.
    """
    if not attraction:
        return vectors
    near = np.zeros_like(vectors)
    for known in anchors.values():
        near += unit_rows(_soft_mean(vectors, known, sharpness))
    return unit_rows((1 - attraction) * vectors + attraction * unit_rows(near))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return rows of length 1, but for those that are zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _soft_mean(vectors: np.ndarray, anchors: np.ndarray, sharpness: float) -> np.ndarray:
    """Return the mean of the anchors, weighed by nearness."""
    weights = sharpness * (vectors @ anchors.T)
    weights -= weights.max(axis=1, keepdims=True)
    np.exp(weights, out=weights)
    return weights @ anchors / weights.sum(axis=1, keepdims=True)
