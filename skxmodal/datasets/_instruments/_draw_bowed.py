"""Violin and cello."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, mix, shade, spline
from skxmodal.datasets._instruments._draw_strings import (
    WOODS,
    draw_bow,
    draw_neck,
    draw_scroll,
    draw_strings,
    fitted,
    pick,
    tailpiece,
)

__all__ = ["draw_cello", "draw_violin"]

_EBONY: Colour = (30, 24, 24)


def _waisted(
    rng: np.random.Generator, top: float, bottom: float, width: float, shoulder: float
) -> np.ndarray:
    """Return a violin's outline: two bouts, and C-shaped waists between sharp corners."""
    upper = rng.uniform(0.78, 0.86)
    waist = rng.uniform(0.50, 0.58)
    over = [
        (0.10, 0.0),
        (upper * 0.52, shoulder * 0.35),
        (upper * 0.93, shoulder),
        (upper, shoulder + 0.12),
        (upper * 0.86, 0.33),
    ]
    c_bout = [(upper * 0.95, 0.355), (waist * 1.06, 0.42), (waist, 0.49), (waist * 1.16, 0.58)]
    under = [(0.90, 0.635), (0.86, 0.67), (0.99, 0.78), (0.95, 0.90), (0.60, 0.985), (0.0, 1.0)]
    right = np.concatenate(
        [spline(over, samples=4), spline(c_bout, samples=4), spline(under, samples=4)]
    )
    return fitted([(x, y) for x, y in right], top, bottom, width)


def _f_holes(canvas: Canvas, y: float, spread: float, height: float) -> None:
    """Draw the two f-shaped sound holes."""
    stem = np.array([(-0.16, -0.5), (-0.30, -0.40), (-0.06, -0.18), (0.12, 0.12), (0.26, 0.36)])
    hook = np.array([(0.26, 0.36), (0.16, 0.5), (0.02, 0.44)])
    curve = spline(np.concatenate([stem, hook[1:]]), samples=3) * (0.30, 1.0)
    for side in (1.0, -1.0):
        placed = (curve * height * (1.0, 1.0) + (spread, 0.0)) * (side, 1.0) + (0.0, y)
        canvas.line(placed, (20, 14, 12), 0.022)
        canvas.dots(placed[[0, -1]], 0.018, (20, 14, 12))


def _bowed_body(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    top: float,
    bottom: float,
    width: float,
    shoulder: float,
    nut: float,
    head: float,
    neck: float,
) -> Colour:
    """Draw everything but the accessories; return the varnish."""
    varnish = pick(rng, WOODS["varnish"])
    outline = _waisted(rng, top, bottom, width, shoulder)
    length = bottom - top
    bridge = top + length * rng.uniform(0.57, 0.61)
    canvas.polygon(outline + np.array([0.02, 0.015]), shade(varnish, 0.35))
    canvas.solid(outline, shade(varnish, 0.72), edge=0.016, rim=0.35)
    glow = mix(varnish, (232, 160, 76), rng.uniform(0.1, 0.6))
    middle = np.array([0.0, (top + bottom) / 2])
    canvas.domed((outline - middle) * 0.93 + middle, glow, depth=rng.uniform(0.2, 0.5))
    _f_holes(canvas, bridge - 0.02, width * 0.48, length * 0.30)
    rest = tailpiece(bridge + length * 0.10, bottom - 0.02, (width * 0.20, width * 0.09))
    canvas.polygon(rest, _EBONY)
    canvas.line([(0.0, bottom - 0.04), (0.0, bottom + 0.005)], _EBONY, 0.02)
    draw_neck(
        canvas, nut, top + 0.03, (neck, neck * 1.2), mix(varnish, (200, 150, 90), 0.4), _EBONY
    )
    board = np.array([[-neck, nut], [neck, nut], [neck * 1.55, bridge - length * 0.17]])
    canvas.polygon(np.concatenate([board, board[2:] * (-1.0, 1.0)]), _EBONY)
    draw_scroll(canvas, head, nut, neck * 1.05, varnish)
    stand = width * 0.25
    canvas.polygon(box(-stand, bridge - 0.016, stand, bridge + 0.018), (226, 190, 132))
    draw_strings(canvas, 4, nut, bridge, (neck * 0.7, stand * 0.82), colour=(214, 206, 186))
    draw_strings(canvas, 4, bridge, bridge + length * 0.1, (stand * 0.82, width * 0.13))
    return varnish


def _maybe_bow(canvas: Canvas, rng: np.random.Generator, bridge: float, chance: float) -> None:
    """Draw a bow across the strings or beside the instrument, or none."""
    place, wood = rng.random(), pick(rng, ((110, 50, 26), (70, 34, 24), (140, 70, 34)))
    slope, shift, arch = rng.uniform(-0.35, 0.35), rng.uniform(-0.25, 0.25), rng.uniform(0.01, 0.03)
    side = 1.0 if rng.random() < 0.5 else -1.0
    if place < chance * 0.6:
        y = bridge - 0.10
        draw_bow(
            canvas,
            (side * (0.72 + shift), y + slope * 0.7),
            (side * (-0.62 + shift), y - slope * 0.6),
            wood,
            arch,
        )
    elif place < chance:
        x = side * rng.uniform(0.46, 0.60)
        draw_bow(canvas, (x, 0.75), (x + shift * 0.5, -0.75), wood, arch)


def draw_violin(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a violin: corners and C-shaped waists, f-holes, a scroll, a chin rest, often a bow."""
    top, bottom = rng.uniform(-0.22, -0.14), rng.uniform(0.86, 0.92)
    width = rng.uniform(0.32, 0.37)
    _bowed_body(
        canvas,
        rng,
        top=top,
        bottom=bottom,
        width=width,
        shoulder=0.12,
        nut=top - rng.uniform(0.44, 0.50),
        head=-0.96,
        neck=0.040,
    )
    rest = spline(
        [
            (-0.05, bottom - 0.03),
            (-0.06, bottom - 0.14),
            (-0.18, bottom - 0.20),
            (-0.25, bottom - 0.10),
        ],
        closed=True,
        samples=4,
    )
    canvas.solid(rest, (40, 28, 26), edge=0.008, rim=1.4)
    _maybe_bow(canvas, rng, top + (bottom - top) * 0.55, 0.7)


def draw_cello(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a cello: a broad waisted body, sloping shoulders, an endpin to the floor."""
    top, bottom = rng.uniform(-0.30, -0.22), rng.uniform(0.66, 0.74)
    width = rng.uniform(0.33, 0.38)
    pin = rng.uniform(0.22, 0.34)
    canvas.line(
        [(0.0, bottom - 0.02), (rng.uniform(-0.05, 0.05), bottom + pin)], (70, 70, 74), 0.03
    )
    canvas.polygon(box(-0.035, bottom - 0.02, 0.035, bottom + 0.05), (40, 30, 28))
    _bowed_body(
        canvas,
        rng,
        top=top,
        bottom=bottom,
        width=width,
        shoulder=rng.uniform(0.15, 0.19),
        nut=top - rng.uniform(0.42, 0.48),
        head=-0.96,
        neck=0.034,
    )
    _maybe_bow(canvas, rng, top + (bottom - top) * 0.68, 0.55)
