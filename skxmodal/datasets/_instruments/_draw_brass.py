"""Trumpet and trombone."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, arc, box, circle, shade, spline
from skxmodal.datasets._instruments._draw_strings import pick

__all__ = ["BRASS", "SILVER", "draw_trombone", "draw_trumpet"]

BRASS: tuple[Colour, ...] = ((212, 166, 62), (196, 146, 50), (226, 186, 92), (190, 130, 60))
SILVER: tuple[Colour, ...] = ((196, 200, 206), (214, 216, 218), (172, 178, 186))


def _flare(start: float, end: float, narrow: float, wide: float, sharpness: float) -> np.ndarray:
    """Return a bell's radii from its throat to its rim, as a power law of the distance."""
    share = np.linspace(0.0, 1.0, 14)
    places = start + (end - start) * share
    radii = narrow + (wide - narrow) * share**sharpness
    return np.stack([places, radii], axis=1)


def _bell(
    canvas: Canvas,
    start: tuple[float, float],
    end: float,
    radii: tuple[float, float],
    colour: Colour,
    *,
    sharpness: float,
    opening: float,
) -> None:
    """Draw a bell along x from ``start`` to ``end``, its mouth an ellipse ``opening`` wide."""
    flare = _flare(start[0], end, radii[0], radii[1], sharpness)
    path = np.stack([flare[:, 0], np.full(len(flare), start[1])], axis=1)
    canvas.tube(path, flare[:, 1], colour)
    mouth = circle((end, start[1]), (radii[1] * opening, radii[1]), n=32)
    canvas.solid(mouth, shade(colour, 1.12), edge=0.02, rim=0.45)
    inner = circle((end, start[1]), (radii[1] * opening * 0.78, radii[1] * 0.86), n=32)
    canvas.polygon(inner, shade(colour, 0.55))
    throat = circle((end, start[1]), (radii[1] * opening * 0.4, radii[1] * 0.45), n=24)
    canvas.polygon(throat, shade(colour, 0.25))


def _mouthpiece(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """Draw a cup mouthpiece whose rim is at ``x`` and whose shank runs to the right."""
    path = np.array([[x, y], [x + 0.03, y], [x + 0.07, y], [x + 0.16, y]])
    canvas.tube(path, np.array([1.0, 0.95, 0.55, 0.35]) * radius, shade(colour, 1.1))


def draw_trumpet(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a trumpet: one oblong coil of tube, three valves in its middle, a flared bell."""
    colour = pick(rng, BRASS) if rng.random() < 0.75 else pick(rng, SILVER)
    bore = rng.uniform(0.026, 0.034)
    height = rng.uniform(0.15, 0.19)
    left, right = rng.uniform(-0.56, -0.48), rng.uniform(0.44, 0.54)
    bell, opening = rng.uniform(0.25, 0.33), rng.uniform(0.18, 0.45)
    upper, lower = -height, height
    lower_run = np.array([[left, lower], [0.0, lower], [right, lower]])
    canvas.tube(lower_run, bore, colour)
    canvas.tube(arc((right, 0.0), (0.14, height), 90, -90, n=14), bore, colour)
    canvas.tube(arc((left, 0.0), (0.14, height), 90, 270, n=14), bore, colour)
    valve = rng.uniform(0.052, 0.062)
    middle = rng.uniform(-0.08, 0.02)
    slides = middle + 3.0 * valve
    canvas.tube(
        spline([(slides, 0.02), (slides + 0.17, 0.02), (slides + 0.17, 0.12), (slides, 0.12)]),
        bore * 0.8,
        colour,
    )
    canvas.tube(np.array([[-0.96, upper], [0.0, upper], [right, upper]]), bore * 0.85, colour)
    _mouthpiece(canvas, -0.99, upper, rng.uniform(0.06, 0.075), colour)
    places = middle + np.array([-2.3, 0.0, 2.3]) * valve
    low, high = lower + rng.uniform(0.10, 0.16), upper - rng.uniform(0.08, 0.12)
    pressed = rng.random(3) < 0.35
    for x, down in zip(places, pressed, strict=True):
        canvas.tube(np.array([[x, high], [x, low]]), valve, colour)
        canvas.polygon(box(x - valve, low - 0.03, x + valve, low + 0.02), shade(colour, 0.6))
        canvas.polygon(box(x - valve, high - 0.01, x + valve, high + 0.03), shade(colour, 0.6))
        tip = high - (0.05 if down else 0.13)
        canvas.line([(x, high), (x, tip)], shade(colour, 0.8), 0.022)
        canvas.polygon(box(x - 0.045, tip - 0.025, x + 0.045, tip), (236, 230, 214))
    # The bell's tube passes in front of the valves, as on the left side of a real one.
    bell_y = lower * rng.uniform(-0.15, 0.35)
    run = spline([(left, lower), (left - 0.12, lower * 0.6), (left, bell_y), (left + 0.2, bell_y)])
    canvas.tube(run, bore * 1.05, colour)
    start = left + 0.18
    _bell(
        canvas,
        (start, bell_y),
        rng.uniform(0.88, 0.96),
        (bore * 1.1, bell),
        colour,
        sharpness=rng.uniform(4.5, 7.0),
        opening=opening,
    )


def draw_trombone(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a trombone: a long narrow slide, a tuning bow behind, a big bell beside the player."""
    colour = pick(rng, BRASS) if rng.random() < 0.85 else pick(rng, SILVER)
    bore = rng.uniform(0.018, 0.025)
    gap = rng.uniform(0.075, 0.105)
    slide = rng.uniform(0.80, 0.98)
    bell, opening = rng.uniform(0.26, 0.36), rng.uniform(0.15, 0.45)
    upper = rng.uniform(-0.14, -0.06)
    lower = upper + gap * 3.6
    mouth_x = rng.uniform(-0.36, -0.24)
    steel = pick(rng, SILVER)
    # The slide: two parallel tubes, their far bow, and the sleeves that move over them.
    inner = mouth_x + rng.uniform(0.30, 0.55)
    lines = (lower, lower + gap * 1.6)
    for y in lines:
        canvas.tube(np.array([[mouth_x, y], [slide, y]]), bore * 0.8, steel)
        canvas.tube(np.array([[inner, y], [slide, y]]), bore * 1.15, colour)
    middle = (lines[0] + lines[1]) / 2
    turn = arc((slide, middle), (gap * 0.6, (lines[1] - lines[0]) / 2), -90, 90, n=12)
    canvas.tube(turn, bore * 1.15, colour)
    for x in (mouth_x + 0.14, inner + 0.03):
        canvas.line([(x, lines[0]), (x, lines[1])], shade(colour, 0.7), 0.03)
    _mouthpiece(canvas, mouth_x - 0.16, lines[0], rng.uniform(0.055, 0.07), steel)
    # The bell section: from the slide back round the tuning bow, then forward to the bell.
    back = rng.uniform(-0.86, -0.76)
    canvas.tube(np.array([[back, lines[1]], [mouth_x + 0.06, lines[1]]]), bore * 1.2, colour)
    half = (lines[1] - upper) / 2
    bow = arc((back, upper + half), (half * 0.75, half), 90, 270, n=16)
    canvas.tube(bow, bore * 1.5, colour)
    for x in (back + 0.06, back + 0.2):
        canvas.line([(x, upper), (x, lines[1])], shade(colour, 0.65), 0.022)
    canvas.tube(np.array([[back, upper], [back + 0.34, upper]]), bore * 1.5, colour)
    _bell(
        canvas,
        (back + 0.3, upper),
        rng.uniform(0.30, 0.52),
        (bore * 1.5, bell),
        colour,
        sharpness=rng.uniform(3.5, 5.5),
        opening=opening,
    )
