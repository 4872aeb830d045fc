"""Draw unlabelled pairs of a sound and an image, as skewed and as noisy as asked for."""

from __future__ import annotations

from numbers import Integral

import numpy as np


def draw_pairs(
    y_sound: np.ndarray,
    y_image: np.ndarray,
    *,
    n_pairs: int,
    pair_noise: float,
    skew: float,
    random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of sounds and rows of images that show the same class.

    The class of a pair has probability proportional to ``skew ** -rank``, the classes ranked in
    sorted order. In a share ``pair_noise`` of the pairs the image's class is drawn anew from the
    same distribution, independently of the sound's.

    Returns
    -------
    sound_rows, image_rows : int arrays of shape (n_pairs,)
    """
    if not isinstance(n_pairs, Integral) or n_pairs < 1:
        raise ValueError(f"n_pairs must be a positive integer, got {n_pairs!r}")
    if not 0 <= pair_noise <= 1:
        raise ValueError(f"pair_noise must lie between 0 and 1, got {pair_noise!r}")
    if not skew >= 1:
        raise ValueError(f"skew must be at least 1, got {skew!r}")
    classes = np.unique(y_sound)
    frequency = float(skew) ** -np.arange(len(classes))
    frequency /= frequency.sum()

    sound_class = random_state.choice(len(classes), size=n_pairs, p=frequency)
    image_class = sound_class.copy()
    noisy = random_state.permutation(n_pairs)[: round(pair_noise * n_pairs)]
    image_class[noisy] = random_state.choice(len(classes), size=len(noisy), p=frequency)

    return (
        _draw_members(y_sound, classes, sound_class, random_state),
        _draw_members(y_image, classes, image_class, random_state),
    )


def _draw_members(
    y: np.ndarray, classes: np.ndarray, drawn: np.ndarray, random_state: np.random.RandomState
) -> np.ndarray:
    """Replace each drawn class by a random row of that class."""
    rows = np.empty(len(drawn), dtype=np.intp)
    for index, label in enumerate(classes):
        wanted = np.flatnonzero(drawn == index)
        rows[wanted] = random_state.choice(np.flatnonzero(y == label), size=len(wanted))
    return rows
