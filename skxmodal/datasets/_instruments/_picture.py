"""Pictures of the eighteen instruments: a drawing, a pose, a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from skxmodal.datasets._instruments._canvas import Canvas, pose_matrix
from skxmodal.datasets._instruments._draw_accordion import draw_accordion
from skxmodal.datasets._instruments._draw_bowed import draw_cello, draw_violin
from skxmodal.datasets._instruments._draw_brass import draw_trombone, draw_trumpet
from skxmodal.datasets._instruments._draw_keys import draw_piano, draw_synthesizer
from skxmodal.datasets._instruments._draw_organ import draw_organ
from skxmodal.datasets._instruments._draw_percussion import draw_cymbals, draw_drums
from skxmodal.datasets._instruments._draw_plucked import (
    draw_banjo,
    draw_guitar,
    draw_mandolin,
    draw_ukulele,
)
from skxmodal.datasets._instruments._draw_voice import draw_voice
from skxmodal.datasets._instruments._draw_woodwinds import (
    draw_clarinet,
    draw_flute,
    draw_saxophone,
)
from skxmodal.datasets._instruments._scene import (
    add_occluder,
    compose,
    make_background,
    photograph,
)

__all__ = ["PICTURE_SIZE", "render_picture"]

PICTURE_SIZE = 224

_PICTURE_FRAME = pose_matrix(scale=PICTURE_SIZE / 2, offset=(PICTURE_SIZE / 2, PICTURE_SIZE / 2))


@dataclass(frozen=True)
class _Subject:
    """How an instrument is drawn and how it is usually held or placed.

    Attributes
    ----------
    draw : callable
        Draws the instrument about the origin of a canvas.
    tilts : tuple of float
        Typical tilts in degrees, one of which a picture takes.
    spread : float
        Largest deviation from the typical tilt in the middle of the scale of difficulty.
    flip : float
        Probability of a mirror image.
    scale : float
        Size relative to the other instruments.
    """

    draw: Callable[[Canvas, np.random.Generator], None]
    tilts: tuple[float, ...]
    spread: float
    flip: float
    scale: float = 1.0


_SUBJECTS: dict[str, _Subject] = {
    "accordion": _Subject(draw_accordion, (0.0,), 18.0, 0.3, 0.98),
    "banjo": _Subject(draw_banjo, (12.0, 12.0, 55.0), 25.0, 0.4),
    "cello": _Subject(draw_cello, (6.0,), 16.0, 0.5),
    "clarinet": _Subject(draw_clarinet, (28.0, 28.0, 62.0), 25.0, 0.5, 1.05),
    "cymbals": _Subject(draw_cymbals, (0.0,), 10.0, 0.5),
    "drums": _Subject(draw_drums, (0.0,), 10.0, 0.5),
    "flute": _Subject(draw_flute, (-12.0, -12.0, -50.0), 25.0, 0.5, 1.05),
    "guitar": _Subject(draw_guitar, (12.0, 12.0, 55.0), 25.0, 0.4, 1.02),
    "mandolin": _Subject(draw_mandolin, (12.0, 12.0, 55.0), 25.0, 0.4),
    "organ": _Subject(draw_organ, (0.0,), 7.0, 0.0),
    "piano": _Subject(draw_piano, (0.0,), 8.0, 0.3),
    "saxophone": _Subject(draw_saxophone, (6.0,), 22.0, 0.4),
    "synthesizer": _Subject(draw_synthesizer, (0.0,), 15.0, 0.0),
    "trombone": _Subject(draw_trombone, (-8.0,), 25.0, 0.5),
    "trumpet": _Subject(draw_trumpet, (-8.0,), 25.0, 0.5),
    "ukulele": _Subject(draw_ukulele, (12.0, 12.0, 55.0), 25.0, 0.4, 0.92),
    "violin": _Subject(draw_violin, (28.0, 28.0, 60.0), 24.0, 0.5, 0.96),
    "voice": _Subject(draw_voice, (0.0,), 9.0, 0.5),
}


def _pose(
    subject: _Subject, size: float, difficulty: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the matrix from an instrument's frame to the picture's, which runs from -1 to 1."""
    tilt = subject.tilts[int(rng.integers(len(subject.tilts)))]
    tilt += rng.uniform(-1.0, 1.0) * subject.spread * (0.5 + difficulty)
    mirror = -1.0 if rng.random() < subject.flip else 1.0
    stretch = 1.0 + rng.uniform(-0.08, 0.08)
    shear = rng.uniform(-0.12, 0.12) * (0.4 + 1.2 * difficulty)
    shift = rng.uniform(-1.0, 1.0, 2) * (0.04 + 0.18 * difficulty)
    vanishing = rng.uniform(-1.0, 1.0, 2) * (0.05 + 0.15 * difficulty)
    scale = subject.scale * (0.60 + 0.40 * size)
    return pose_matrix(
        tilt=mirror * tilt,
        scale=(mirror * scale * stretch, scale / stretch),
        shear=shear,
        offset=(shift[0], shift[1]),
        vanishing=(vanishing[0], vanishing[1]),
    )


def _draw_layer(
    name: str, *, size: float, difficulty: float, rng: np.random.Generator
) -> Image.Image:
    """Return the instrument alone: colour times coverage, and coverage, in four channels."""
    subject = _SUBJECTS[name]
    frame = Canvas(_PICTURE_FRAME, PICTURE_SIZE)
    subject.draw(frame.within(_pose(subject, size, difficulty, rng)), rng)
    add_occluder(frame, rng, difficulty)
    return frame.reduced()


def render_picture(
    name: str, *, size: float, contrast: float, difficulty: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw one picture of an instrument.

    Parameters
    ----------
    name : str
        One of the eighteen classes, such as ``"violin"``.
    size : float
        Drawn size from 0 (small) to 1 (fills the picture); the drawing is the same otherwise.
    contrast : float
        Contrast of the picture from 0 (dull) to 1 (full).
    difficulty : float
        Strength of the nuisances from 0 (none but a little noise) to 1: clutter, occlusion, shift
        out of the frame, tilt, perspective, texture, light, blur, noise and colour casts.
    rng : numpy.random.Generator
        Source of everything else; the same state gives the same bytes.

    Returns
    -------
    picture : ndarray of shape (224, 224, 3), uint8
        RGB.

    Raises
    ------
    ValueError
        If the name is not one of the classes, or a number lies outside 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.datasets._instruments._picture import render_picture
    >>> rng = np.random.default_rng(0)
    >>> render_picture("violin", size=0.5, contrast=0.5, difficulty=0.5, rng=rng).shape
    (224, 224, 3)
    """
    if name not in _SUBJECTS:
        raise ValueError(f"No picture of {name!r}: name one of {', '.join(_SUBJECTS)}.")
    for label, value in (("size", size), ("contrast", contrast), ("difficulty", difficulty)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{label} is {value!r}: give a number from 0 to 1.")
    # A power keeps the default difficulty, 0.5, closer to the clean end than to the hard one.
    strength = difficulty**1.75
    layer = _draw_layer(name, size=size, difficulty=strength, rng=rng)
    background = make_background(rng, PICTURE_SIZE, strength)
    picture = compose(background, layer, rng)
    return photograph(picture, rng, contrast=contrast, difficulty=strength)
