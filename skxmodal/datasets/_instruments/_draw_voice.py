"""Voice: a singer close up, a singer at a microphone, or a choir."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import (
    Canvas,
    Colour,
    box,
    circle,
    mix,
    pose_matrix,
    shade,
    spline,
)
from skxmodal.datasets._instruments._draw_strings import pick

__all__ = ["draw_voice"]

_SKINS: tuple[Colour, ...] = (
    (244, 208, 180),
    (228, 180, 142),
    (196, 140, 102),
    (150, 98, 66),
    (104, 66, 46),
    (236, 196, 168),
)
_HAIRS: tuple[Colour, ...] = (
    (36, 28, 26),
    (84, 52, 32),
    (150, 100, 50),
    (206, 170, 96),
    (150, 146, 142),
    (130, 50, 30),
)
_CLOTHES: tuple[Colour, ...] = (
    (130, 24, 44),
    (28, 40, 90),
    (40, 38, 44),
    (220, 214, 204),
    (40, 100, 84),
    (150, 90, 30),
    (100, 60, 130),
)


def _head(canvas: Canvas, rng: np.random.Generator, *, detail: bool) -> None:
    """Draw a head about one unit high from crown to chin, singing."""
    skin, hair = pick(rng, _SKINS, 0.06), pick(rng, _HAIRS)
    width, gape = rng.uniform(0.36, 0.42), rng.uniform(0.08, 0.17)
    length = rng.uniform(-0.2, 0.75)
    style = rng.random()
    if style < 0.75:
        back = [
            (0.0, -0.60),
            (width * 0.85, -0.50),
            (width * 1.22, -0.16),
            (width * 1.25, length),
            (width * 0.8, length + 0.06),
        ]
        outline = np.array([*back, *[(-x, y) for x, y in back[:0:-1]]])
        canvas.polygon(spline(outline, closed=True, samples=4), shade(hair, 0.8))
    canvas.polygon(box(-0.15, 0.30, 0.15, 0.74), shade(skin, 0.78))
    for side in (1.0, -1.0):
        canvas.polygon(circle((side * width * 1.02, 0.02), (0.06, 0.11), n=14), shade(skin, 0.85))
    half = [
        (0.0, -0.54),
        (width * 0.72, -0.46),
        (width, -0.12),
        (width * 0.93, 0.18),
        (width * 0.58, 0.44),
        (0.0, 0.54),
    ]
    face = spline([*half, *[(-x, y) for x, y in half[-2:0:-1]]], closed=True, samples=4)
    canvas.solid(face, skin, edge=0.012, rim=0.7)
    fringe = rng.uniform(-0.34, -0.22)
    cap = [
        (0.0, -0.60),
        (width * 0.8, -0.52),
        (width * 1.08, -0.20),
        (width * 0.92, -0.10),
        (width * 0.7, fringe),
        (0.0, fringe - 0.04),
    ]
    parting = rng.uniform(-0.2, 0.2) * width
    top = np.array([*cap, *[(-x, y) for x, y in cap[-2:0:-1]]])
    top[5, 0] += parting
    if style < 0.92:
        canvas.polygon(spline(top, closed=True, samples=4), hair)
    mouth_y = 0.28
    lips = mix(skin, (180, 40, 50), rng.uniform(0.3, 0.8))
    broad = rng.uniform(0.10, 0.15)
    canvas.polygon(circle((0.0, mouth_y), (broad * 1.3, gape * 1.3), n=24), lips)
    canvas.polygon(circle((0.0, mouth_y), (broad, gape), n=24), (60, 14, 20))
    canvas.polygon(
        circle((0.0, mouth_y - gape * 0.72), (broad * 0.72, gape * 0.22), n=14), (246, 244, 238)
    )
    canvas.polygon(
        circle((0.0, mouth_y + gape * 0.55), (broad * 0.6, gape * 0.35), n=14), (206, 90, 96)
    )
    closed = rng.random() < 0.4
    apart = width * rng.uniform(0.42, 0.5)
    brow = rng.uniform(-0.20, -0.15)
    for side in (1.0, -1.0):
        x = side * apart
        canvas.line(
            [(x - 0.09, brow + side * 0.015), (x, brow - 0.03), (x + 0.09, brow - side * 0.015)],
            shade(hair, 0.8),
            0.028,
        )
        if closed:
            canvas.line([(x - 0.075, -0.06), (x, -0.03), (x + 0.075, -0.06)], (50, 34, 30), 0.022)
        else:
            canvas.polygon(circle((x, -0.06), (0.075, 0.042), n=16), (250, 248, 244))
            canvas.dots([(x, -0.06)], 0.036, (54, 40, 36))
    if detail:
        canvas.line([(0.02, -0.06), (0.05, 0.11), (-0.03, 0.12)], shade(skin, 0.72), 0.018)
        for side in (1.0, -1.0):
            canvas.polygon(
                circle((side * width * 0.6, 0.13), (0.07, 0.05), n=14),
                mix(skin, (224, 110, 100), 0.25),
            )


def _shoulders(canvas: Canvas, rng: np.random.Generator, bottom: float) -> None:
    """Draw a torso below a head of unit height."""
    cloth, wide = pick(rng, _CLOTHES), rng.uniform(0.66, 0.85)
    half = [(0.14, 0.56), (0.40, 0.66), (wide * 0.88, 0.76), (wide, 1.02), (wide * 0.94, bottom)]
    outline = np.array([*half, *[(-x, y) for x, y in half[::-1]]])
    canvas.solid(outline, cloth, edge=0.02, rim=0.6)
    collar = np.array([(-0.17, 0.56), (0.17, 0.56), (0.0, rng.uniform(0.72, 1.0))])
    canvas.polygon(collar, mix(cloth, (246, 244, 240), rng.uniform(0.2, 1.0)))


def _microphone(
    canvas: Canvas, tip: tuple[float, float], away: float, length: float, size: float
) -> None:
    """Draw a microphone: a mesh ball at ``tip`` and a handle that leads ``away`` (degrees)."""
    placed = canvas.within(pose_matrix(tilt=away, offset=tip, scale=size))
    handle = np.array([[0.0, 0.6], [0.0, length / size]])
    placed.tube(handle, np.array([0.62, 0.42]), (48, 48, 52))
    placed.polygon(box(-0.75, 0.5, 0.75, 0.85), (150, 152, 158))
    placed.dots([(0.0, 0.0)], 1.0, (70, 72, 78))
    placed.dots([(-0.15, -0.15)], 0.78, (168, 170, 176))
    lines = np.linspace(-0.6, 0.6, 4)
    reach = np.sqrt(1.0 - lines**2) * 0.9
    placed.segments(np.stack([lines, -reach, lines, reach], axis=1), (90, 92, 98), 0.06)
    placed.segments(np.stack([-reach, lines, reach, lines], axis=1), (90, 92, 98), 0.06)


def _close_up(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a face and a hand-held microphone at the mouth."""
    person = canvas.within(
        pose_matrix(scale=rng.uniform(1.15, 1.35), offset=(0.0, -0.16), tilt=rng.uniform(-12, 12))
    )
    _shoulders(person, rng, 2.4)
    _head(person, rng, detail=True)
    side = 1.0 if rng.random() < 0.5 else -1.0
    away = -side * rng.uniform(25.0, 65.0)
    _microphone(
        person,
        (side * rng.uniform(0.18, 0.30), rng.uniform(0.42, 0.54)),
        away,
        0.62,
        rng.uniform(0.13, 0.17),
    )


def _singer(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a singer from the waist up behind a microphone on a stand."""
    person = canvas.within(
        pose_matrix(scale=rng.uniform(0.74, 0.9), offset=(rng.uniform(-0.15, 0.15), -0.34))
    )
    _shoulders(person, rng, 4.0)
    _head(person, rng, detail=True)
    side = 1.0 if rng.random() < 0.5 else -1.0
    x = side * rng.uniform(0.16, 0.34)
    canvas.line([(x, 0.30), (x + side * 0.06, 1.0)], (60, 60, 64), 0.045)
    _microphone(
        canvas,
        (x - side * 0.05, rng.uniform(0.02, 0.10)),
        -side * rng.uniform(8.0, 35.0),
        0.36,
        0.105,
    )


def _choir(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw rows of singers in robes, the front row lower and larger."""
    robe = pick(rng, _CLOTHES)
    front = int(rng.integers(2, 5))
    rows = (
        ((front + 1, -0.42, 0.82), (front, 0.16, 1.0))
        if rng.random() < 0.7
        else ((front, -0.12, 1.15),)
    )
    for n, y, scale in rows:
        size = scale * 1.5 / (n + 1.2)
        for x in np.linspace(-0.76, 0.76, n):
            place = (float(x) + rng.uniform(-0.03, 0.03), y + rng.uniform(-0.05, 0.05))
            person = canvas.within(pose_matrix(scale=size, offset=place, tilt=rng.uniform(-6, 6)))
            half = [(0.14, 0.56), (0.55, 0.72), (0.72, 1.1), (0.80, 4.5)]
            outline = np.array([*half, *[(-a, b) for a, b in half[::-1]]])
            person.solid(outline, robe, edge=0.03, rim=0.55)
            person.polygon(np.array([(-0.2, 0.58), (0.2, 0.58), (0.0, 1.0)]), (244, 242, 236))
            _head(person, rng, detail=False)


def draw_voice(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw voices: open mouths, with a microphone or in a choir."""
    view = rng.random()
    if view < 0.40:
        _close_up(canvas, rng)
    elif view < 0.72:
        _singer(canvas, rng)
    else:
        _choir(canvas, rng)
