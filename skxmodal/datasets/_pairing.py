"""Draw unlabelled pairs of a sound and an image, as skewed and as noisy as asked for."""

from __future__ import annotations

import numpy as np

from ..utils import check_number


def check_pairing(*, n_pairs: int, pair_noise: float, skew: float) -> None:
    """Raise unless the parameters of :func:`draw_pairs` are in their ranges."""
    check_number("n_pairs", n_pairs, integer=True, low=1)
    check_number("pair_noise", pair_noise, low=0, high=1)
    check_number("skew", skew, low=1, below=float("inf"))


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
