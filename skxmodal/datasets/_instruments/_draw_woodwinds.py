"""Saxophone, clarinet and flute."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, circle, mix, shade, spline
from skxmodal.datasets._instruments._draw_brass import BRASS, SILVER
from skxmodal.datasets._instruments._draw_strings import pick

__all__ = ["draw_clarinet", "draw_flute", "draw_saxophone"]


def _pads(canvas: Canvas, centres: np.ndarray, radii: np.ndarray, colour: Colour) -> None:
    """Draw round key cups, each with a rim."""
    for centre, radius in zip(centres, radii, strict=True):
        canvas.dots(centre, radius, shade(colour, 0.4))
        canvas.dots(centre, radius * 0.8, shade(colour, 1.15))
        canvas.dots(centre, radius * 0.4, shade(colour, 0.8))


def draw_saxophone(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a saxophone: a cone that turns at its foot and rises to a bell, key cups along it."""
    colour = pick(rng, BRASS) if rng.random() < 0.88 else pick(rng, ((60, 60, 66), (190, 196, 204)))
    bell_x, bell_y = rng.uniform(0.34, 0.46), rng.uniform(-0.16, 0.04)
    foot, bell = rng.uniform(0.80, 0.88), rng.uniform(0.25, 0.32)
    top = rng.uniform(-0.76, -0.68)
    turn = rng.uniform(0.26, 0.31)
    # Neck and mouthpiece first: the body's receiver covers their end.
    reach = rng.uniform(0.40, 0.54)
    neck = spline(
        [
            (-0.22, top + 0.03),
            (-0.23, top - 0.10),
            (-0.32, top - 0.19),
            (-0.22 - reach * 0.6, top - 0.19),
            (-0.22 - reach, top - 0.10),
        ]
    )
    canvas.tube(neck, np.linspace(0.048, 0.03, len(neck)), colour)
    piece = np.array([neck[-3], neck[-1], neck[-1] + (-0.16, 0.09)])
    canvas.tube(piece, np.array([0.052, 0.055, 0.018]), (34, 32, 34))
    path = spline(
        [
            (-0.22, top, 0.052),
            (-0.20, -0.2, 0.078),
            (-0.18, foot - turn - 0.1, 0.108),
            (-0.12, foot - 0.10, 0.122),
            (0.06, foot, 0.132),
            (0.06 + turn * 0.75, foot - 0.12, 0.140),
            (bell_x - 0.05, 0.45, 0.150),
            (bell_x, 0.22, 0.175),
        ]
    )
    canvas.tube(path[:, :2], path[:, 2], colour)
    lean = rng.uniform(0.02, 0.10)
    flare = spline(
        [
            (bell_x - 0.004, 0.24, 0.172),
            (bell_x + lean * 0.3, (0.2 + bell_y) / 2, 0.20),
            (bell_x + lean * 0.7, bell_y + 0.06, 0.235),
            (bell_x + lean, bell_y, bell),
        ]
    )
    canvas.tube(flare[:, :2], flare[:, 2], colour)
    mouth, width = (bell_x + lean, bell_y), rng.uniform(0.25, 0.5)
    canvas.solid(circle(mouth, (bell, bell * width), n=32), shade(colour, 1.15), edge=0.02)
    canvas.polygon(circle(mouth, (bell * 0.84, bell * width * 0.76), n=32), shade(colour, 0.45))
    # Rods and key cups.
    rod = shade(colour, 0.75) if rng.random() < 0.6 else pick(rng, SILVER)
    for shift in (0.05, -0.06):
        canvas.line(
            [(-0.20 + shift, top + 0.12), (-0.15 + shift, foot - 0.22)], shade(rod, 0.6), 0.02
        )
    n = int(rng.integers(7, 11))
    share = np.linspace(0.0, 1.0, n)
    centres = np.stack(
        [-0.21 + 0.05 * share + 0.03, top + 0.16 + (foot - top - 0.42) * share], axis=1
    )
    _pads(canvas, centres, 0.036 + 0.04 * share, rod)
    low = np.array([[0.30, 0.52], [bell_x + 0.02, 0.22]])
    _pads(canvas, low, np.array([0.075, 0.085]), rod)
    palm = np.stack([np.full(3, -0.32), top + np.array([0.18, 0.30, 0.42])], axis=1)
    canvas.segments(np.concatenate([palm + np.array([0.10, 0.0]), palm], axis=1), rod, 0.03)
    _pads(canvas, np.array([[0.0, 0.10], [-0.01, -0.12]]), np.array([0.05, 0.045]), rod)


def draw_clarinet(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a clarinet: a straight black pipe with silver rings and keys, ending in a bell."""
    black = pick(rng, ((34, 32, 36), (44, 36, 34), (66, 40, 32)))
    metal = pick(rng, SILVER) if rng.random() < 0.85 else pick(rng, BRASS)
    bore, bell = rng.uniform(0.042, 0.052), rng.uniform(0.12, 0.16)
    reed = np.array([[0.0, -0.99], [0.0, -0.90], [0.0, -0.80], [0.0, -0.74]])
    canvas.tube(reed, np.array([0.35, 0.75, 1.0, 1.0]) * bore, shade(black, 0.8))
    canvas.polygon(box(-bore * 1.05, -0.88, bore * 1.05, -0.79), metal)
    path = spline(
        [
            (0.0, -0.74, bore * 1.15),
            (0.0, -0.64, bore * 1.2),
            (0.0, -0.60, bore),
            (0.0, 0.0, bore),
            (0.0, 0.58, bore * 1.08),
            (0.0, 0.74, bore * 1.35),
            (0.0, 0.86, bell * 0.62),
            (0.0, 0.96, bell),
        ]
    )
    canvas.tube(path[:, :2], path[:, 2], black, gloss=1.3)
    canvas.polygon(circle((0.0, 0.96), (bell, bell * 0.22), n=24), shade(black, 0.6))
    canvas.line(circle((0.0, 0.96), (bell, bell * 0.22), n=24)[:13], metal, 0.016)
    rings = np.array([-0.74, -0.62, -0.06, 0.0, 0.62])
    wide = bore * np.array([1.25, 1.2, 1.12, 1.12, 1.3])
    canvas.bars(np.stack([-wide, rings - 0.012, wide, rings + 0.012], axis=1), metal)
    # Tone holes with rings, then side keys with their levers.
    first = rng.uniform(-0.50, -0.44)
    holes = np.array([first, first + 0.12, first + 0.24, 0.12, 0.24, 0.36])
    _pads(canvas, np.stack([np.zeros(6), holes], axis=1), np.full(6, bore * 0.82), metal)
    side = 1.0 if rng.random() < 0.5 else -1.0
    n = int(rng.integers(6, 11))
    keys = np.sort(rng.uniform(-0.55, 0.56, n))
    flips = np.where(rng.random(n) < 0.7, side, -side)
    tips = np.stack([flips * bore * rng.uniform(1.3, 2.2, n), keys], axis=1)
    canvas.segments(
        np.concatenate([tips, tips * (0.8, 1.0) + (0.0, 0.11)], axis=1), shade(metal, 0.8), 0.02
    )
    _pads(canvas, tips, np.full(n, 0.026), metal)
    levers = np.array([[side * bore * 1.3, 0.44], [side * bore * 1.5, 0.60]])
    canvas.line(levers, metal, 0.03)


def draw_flute(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a flute along x: a thin metal pipe with a lip plate and a row of round key cups."""
    metal = pick(rng, SILVER) if rng.random() < 0.85 else pick(rng, ((214, 178, 96), (120, 76, 52)))
    bore = rng.uniform(0.034, 0.042)
    canvas.tube(np.array([[-0.99, 0.0], [0.0, 0.0], [0.99, 0.0]]), bore, metal, gloss=1.8)
    joints = np.array([-0.985, -0.36, -0.33, 0.66, 0.69])
    half = bore * np.array([1.05, 1.25, 1.2, 1.2, 1.15])
    canvas.bars(np.stack([joints - 0.012, -half, joints + 0.012, half], axis=1), shade(metal, 0.6))
    lip = rng.uniform(-0.78, -0.70)
    canvas.solid(circle((lip, -bore * 0.35), (0.10, bore * 1.5)), shade(metal, 1.1), edge=0.01)
    canvas.polygon(circle((lip, -bore * 0.45), (0.03, bore * 0.55), n=16), (30, 28, 30))
    # The rod that carries the keys, the cups in two groups, and trill levers below.
    canvas.line([(-0.28, bore * 1.25), (0.92, bore * 1.25)], shade(metal, 0.55), 0.018)
    start = rng.uniform(-0.26, -0.20)
    cups = start + np.array([0.0, 0.085, 0.17, 0.255, 0.34, 0.44, 0.525, 0.61, 0.70, 0.78])
    gap = rng.uniform(0.0, 0.05)
    places = np.stack([cups + np.where(cups > 0.3, gap, 0.0), np.full(10, -bore * 0.2)], axis=1)
    _pads(canvas, places, np.full(10, bore * rng.uniform(0.95, 1.15)), metal)
    foot = np.array([[0.76, 0.0], [0.84, 0.0], [0.92, 0.0]])
    _pads(canvas, foot, np.full(3, bore * 1.1), metal)
    n = int(rng.integers(2, 6))
    levers = np.sort(rng.uniform(-0.2, 0.6, n))
    ends = np.stack([levers, np.full(n, bore), levers + 0.06, np.full(n, bore * 2.0)], axis=1)
    canvas.segments(ends, mix(metal, (90, 90, 96), 0.4), 0.02)
