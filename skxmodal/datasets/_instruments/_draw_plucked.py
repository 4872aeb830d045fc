"""Guitar, ukulele, mandolin and banjo."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, circle, mix, shade, spline
from skxmodal.datasets._instruments._draw_strings import (
    STEEL,
    WOODS,
    draw_frets,
    draw_headstock,
    draw_neck,
    draw_strings,
    fitted,
    pick,
)

__all__ = ["draw_banjo", "draw_guitar", "draw_mandolin", "draw_ukulele"]

_NYLON: Colour = (232, 226, 206)
_GOLD: Colour = (214, 176, 84)


def _figure_eight(
    rng: np.random.Generator, top: float, bottom: float, width: float
) -> tuple[np.ndarray, float]:
    """Return the outline of a guitar's body and the height of its waist."""
    upper = rng.uniform(0.70, 0.82)
    waist = rng.uniform(0.56, 0.68)
    at = rng.uniform(0.38, 0.46)
    half = [
        (0.0, 0.0),
        (upper * 0.62, 0.015),
        (upper * 0.96, 0.11),
        (upper * 0.97, 0.21),
        (waist, at),
        (0.92, 0.60),
        (1.0, 0.75),
        (0.86, 0.92),
        (0.46, 0.99),
        (0.0, 1.0),
    ]
    outline = fitted(half, top, bottom, width)
    return spline(np.delete(outline, [10, 19], axis=0), closed=True, samples=4), at


def _rosette(canvas: Canvas, y: float, radius: float, top: Colour) -> None:
    """Draw a round sound hole with its rings."""
    for factor, colour in (
        (1.34, shade(top, 0.45)),
        (1.26, mix(top, (250, 236, 200), 0.5)),
        (1.12, shade(top, 0.4)),
        (1.0, (28, 18, 14)),
    ):
        canvas.polygon(circle((0.0, y), radius * factor, n=28), colour)


def _paired_pegs(top: float, nut: float, width: float, each: int) -> np.ndarray:
    """Return pegs on both sides of a headstock."""
    heights = np.linspace(top + (nut - top) * 0.2, nut - (nut - top) * 0.22, each)
    return np.concatenate(
        [np.stack([np.full(each, side * width * 1.45), heights], axis=1) for side in (1.0, -1.0)]
    )


def _flared_head(top: float, nut: float, narrow: float, wide: float, notch: float) -> np.ndarray:
    """Return a headstock that widens upwards, with a notch or a crest at its end."""
    return np.array(
        [
            [narrow, nut],
            [wide, nut - (nut - top) * 0.25],
            [wide * 0.94, top + 0.02],
            [wide * 0.4, top],
            [0.0, top + notch],
            [-wide * 0.4, top],
            [-wide * 0.94, top + 0.02],
            [-wide, nut - (nut - top) * 0.25],
            [-narrow, nut],
        ]
    )


def _acoustic(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw an acoustic guitar."""
    top = pick(rng, WOODS["top"])
    body_top, width = rng.uniform(0.0, 0.08), rng.uniform(0.34, 0.40)
    outline, _ = _figure_eight(rng, body_top, 0.98, width)
    length = 0.98 - body_top
    hole, bridge = body_top + length * 0.34, body_top + length * 0.70
    nut = -0.72 + rng.uniform(-0.02, 0.02)
    canvas.polygon(outline + np.array([0.018, 0.018]), shade(top, 0.35))
    canvas.solid(outline, mix(top, (246, 226, 180), 0.3), edge=0.02, rim=0.35)
    canvas.domed(outline * (0.96, 1.0), top, depth=rng.uniform(0.05, 0.45))
    _rosette(canvas, hole, rng.uniform(0.095, 0.115), top)
    if rng.random() < 0.6:
        guard = spline(
            [(0.09, hole - 0.05), (0.2, hole + 0.04), (0.22, hole + 0.2), (0.1, hole + 0.16)],
            closed=True,
        )
        canvas.polygon(guard, (54, 28, 22))
    canvas.polygon(box(-0.17, bridge - 0.025, 0.17, bridge + 0.03), (40, 26, 22))
    canvas.polygon(box(-0.1, bridge - 0.012, 0.1, bridge), (240, 234, 216))
    _guitar_neck(canvas, rng, nut, hole - 0.10, bridge, n_frets=19, body_top=body_top)


def _electric(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a solid-body guitar with two horns, pickups and knobs."""
    paint = pick(
        rng,
        (
            (180, 30, 34),
            (30, 60, 130),
            (232, 222, 196),
            (24, 24, 28),
            (206, 120, 36),
            (60, 130, 110),
        ),
    )
    width = rng.uniform(0.32, 0.37)
    horn = rng.uniform(0.06, 0.16)
    right = [(0.10, 0.20), (0.16, 0.30), (0.26, 0.24), (0.32, 0.16), (0.345, 0.24), (0.29, 0.42)]
    left = [(-0.29, 0.40), (-0.36, 0.18), (-0.335, 0.16 - horn), (-0.25, 0.16), (-0.10, 0.22)]
    lower = [(0.36, 0.72), (0.27, 0.95), (0.0, 0.98), (-0.27, 0.96), (-0.37, 0.72)]
    outline = spline(np.array(right + lower + left) * (width / 0.36, 1.0), closed=True, samples=4)
    canvas.solid(outline, paint, edge=0.02, rim=0.4)
    canvas.domed(outline, paint, depth=0.2)
    guard = spline(
        [(-0.2, 0.28), (0.12, 0.3), (0.22, 0.5), (0.24, 0.82), (0.08, 0.6), (-0.14, 0.6)],
        closed=True,
    )
    canvas.polygon(guard, pick(rng, ((240, 240, 234), (30, 30, 30), (90, 50, 36))))
    for y in rng.uniform(-0.01, 0.01) + np.array([0.36, 0.48, 0.60])[: int(rng.integers(2, 4))]:
        canvas.solid(box(-0.11, y - 0.028, 0.11, y + 0.028), (36, 34, 36), edge=0.01, rim=2.0)
    canvas.polygon(box(-0.11, 0.69, 0.11, 0.74), STEEL)
    canvas.dots([(0.18, 0.66), (0.21, 0.76), (0.16, 0.84)], 0.028, (228, 214, 170))
    _guitar_neck(canvas, rng, -0.70, 0.32, 0.70, n_frets=21, body_top=0.2)


def _guitar_neck(
    canvas: Canvas,
    rng: np.random.Generator,
    nut: float,
    end: float,
    bridge: float,
    *,
    n_frets: int,
    body_top: float,
) -> None:
    """Draw neck, frets, headstock and six strings of a guitar."""
    wood, board = pick(rng, WOODS["neck"]), pick(rng, WOODS["board"])
    widths = (0.052, 0.064)
    draw_neck(canvas, nut, body_top + 0.02, (0.054, 0.064), wood, board)
    canvas.polygon(box(-0.064, body_top, 0.064, end), board)
    draw_frets(canvas, nut, bridge, n_frets, widths)
    top = nut - rng.uniform(0.24, 0.28)
    head = mix(wood, board, rng.uniform(0.0, 1.0))
    if rng.random() < 0.7:
        outline = _flared_head(top, nut, 0.054, rng.uniform(0.075, 0.095), rng.uniform(-0.02, 0.03))
        draw_headstock(canvas, outline, _paired_pegs(top, nut, 0.085, 3), head, STEEL)
    else:
        outline = np.array([[0.054, nut], [0.07, top], [-0.02, top - 0.01], [-0.12, nut - 0.05]])
        heights = np.linspace(top + 0.03, nut - 0.05, 6)
        pegs = np.stack([np.linspace(-0.08, -0.15, 6), heights], axis=1)
        draw_headstock(canvas, outline, pegs, head, STEEL)
    draw_strings(canvas, 6, nut, bridge, (0.044, 0.066))


def draw_guitar(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a guitar: a waisted body, a round hole (or pickups), six strings, a long neck."""
    if rng.random() < 0.78:
        _acoustic(canvas, rng)
    else:
        _electric(canvas, rng)


def draw_ukulele(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a ukulele: a small waisted body, a short wide neck, four strings."""
    if rng.random() < 0.6:
        top = pick(rng, ((196, 128, 66), (216, 160, 92), (166, 94, 48), (226, 184, 120)))
    else:
        top = pick(
            rng, ((60, 170, 170), (226, 110, 130), (244, 196, 60), (90, 140, 210), (120, 180, 80))
        )
    body_top, width = rng.uniform(0.06, 0.13), rng.uniform(0.31, 0.37)
    outline, _ = _figure_eight(rng, body_top, 0.90, width)
    length = 0.90 - body_top
    hole, bridge = body_top + length * 0.38, body_top + length * 0.73
    nut = -0.54 + rng.uniform(-0.03, 0.03)
    canvas.polygon(outline + np.array([0.015, 0.018]), shade(top, 0.4))
    canvas.solid(outline, top, edge=0.022, rim=0.45)
    canvas.domed(outline * (0.95, 1.0), top, depth=rng.uniform(0.05, 0.25))
    radius = rng.uniform(0.085, 0.10)
    canvas.polygon(circle((0.0, hole), radius * 1.2, n=28), shade(top, 0.6))
    canvas.polygon(circle((0.0, hole), radius, n=28), (30, 20, 16))
    canvas.polygon(box(-0.13, bridge - 0.03, 0.13, bridge + 0.03), (58, 36, 26))
    wood, board = pick(rng, WOODS["neck"]), pick(rng, WOODS["board"])
    draw_neck(canvas, nut, body_top + length * 0.12, (0.066, 0.076), wood, board)
    draw_frets(canvas, nut, bridge, int(rng.integers(12, 15)), (0.066, 0.076))
    top_y = nut - rng.uniform(0.27, 0.32)
    head = _flared_head(top_y, nut, 0.066, rng.uniform(0.10, 0.125), rng.uniform(-0.03, 0.02))
    pegs = _paired_pegs(top_y, nut, 0.115, 2)
    draw_headstock(canvas, head, pegs, mix(top, wood, 0.5), (236, 234, 226), button=0.036)
    draw_strings(canvas, 4, nut, bridge, (0.05, 0.07), colour=_NYLON)


def draw_mandolin(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a mandolin: a teardrop or scrolled body, oval hole or f-holes, paired strings."""
    top = pick(rng, ((150, 62, 26), (196, 110, 44), (120, 44, 24), (214, 150, 80), (90, 40, 28)))
    body_top, width = rng.uniform(-0.06, 0.04), rng.uniform(0.37, 0.43)
    shoulder = rng.uniform(0.60, 0.74)
    half = [
        (0.17, 0.0),
        (0.34, 0.12),
        (shoulder, 0.27),
        (0.93, 0.46),
        (1.0, 0.62),
        (0.93, 0.80),
        (0.68, 0.94),
        (0.22, 1.0),
    ]
    bottom = 0.88
    outline = spline(fitted(half, body_top, bottom, width), closed=True, samples=4)
    length = bottom - body_top
    scrolled = rng.random() < 0.4
    if scrolled:
        for centre, radius in (((-0.25, body_top + 0.15), 0.115), ((0.33, body_top + 0.36), 0.07)):
            canvas.polygon(circle(centre, radius), shade(top, 0.4))
            canvas.polygon(circle(centre, radius * 0.86), shade(top, 0.8))
        canvas.dots([(-0.25, body_top + 0.15)], 0.035, (30, 20, 18))
    canvas.polygon(outline + np.array([0.02, 0.015]), shade(top, 0.35))
    canvas.solid(outline, shade(top, 0.6), edge=0.024, rim=0.4)
    glow = mix(top, (240, 180, 80), rng.uniform(0.1, 0.7))
    canvas.domed(outline * (0.96, 1.0), glow, depth=rng.uniform(0.35, 0.6))
    bridge, hole = body_top + length * 0.66, body_top + length * 0.40
    if scrolled or rng.random() < 0.4:
        for side in (1.0, -1.0):
            stem = [(0.17, -0.12), (0.20, -0.03), (0.235, 0.05), (0.26, 0.13)]
            curve = spline(np.array(stem) * (side, 1.0) + (0.0, bridge - 0.02), samples=4)
            canvas.line(curve, (24, 16, 14), 0.026)
            canvas.dots(curve[[0, -1]], 0.022, (24, 16, 14))
    else:
        canvas.polygon(circle((0.0, hole), (0.135, 0.085), n=28), mix(top, (250, 230, 180), 0.6))
        canvas.polygon(circle((0.0, hole), (0.115, 0.067), n=28), (24, 16, 14))
    canvas.polygon(box(-0.13, bridge - 0.02, 0.13, bridge + 0.022), (34, 24, 20))
    metal = _GOLD if rng.random() < 0.4 else STEEL
    canvas.solid(box(-0.075, bridge + 0.13, 0.075, bottom - 0.01), metal, edge=0.008)
    nut = body_top - rng.uniform(0.50, 0.56)
    wood, board = pick(rng, WOODS["neck"]), pick(rng, WOODS["board"])
    draw_neck(canvas, nut, hole - 0.10, (0.05, 0.062), wood, board)
    draw_frets(canvas, nut, bridge, 17, (0.05, 0.062))
    top_y = nut - rng.uniform(0.27, 0.31)
    head = _flared_head(top_y, nut, 0.052, rng.uniform(0.085, 0.11), rng.uniform(-0.05, 0.03))
    draw_headstock(canvas, head, _paired_pegs(top_y, nut, 0.10, 4), shade(top, 0.6), metal)
    draw_strings(canvas, 8, nut, bridge + 0.14, (0.04, 0.058), courses=True)


def draw_banjo(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a banjo: a round white drum head in a bracketed rim, a long neck with a fifth peg."""
    radius = rng.uniform(0.33, 0.40)
    centre = (0.0, 0.97 - radius)
    skin = pick(rng, ((240, 236, 224), (226, 214, 186), (214, 212, 206)), 0.05)
    metal = _GOLD if rng.random() < 0.25 else STEEL
    wood, board = pick(rng, WOODS["neck"]), pick(rng, WOODS["board"])
    if rng.random() < 0.6:
        canvas.solid(circle(centre, radius * 1.06, n=48), wood, edge=0.012, rim=0.5)
    canvas.solid(circle(centre, radius * 0.99, n=48), shade(metal, 0.85), edge=0.012, rim=0.45)
    n = int(rng.integers(14, 25))
    turns = np.linspace(0.0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, 1)
    spokes = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    ends = np.concatenate(
        [spokes * radius * 0.88 + centre, spokes * radius * 1.02 + centre], axis=1
    )
    canvas.segments(ends, shade(metal, 0.45), 0.02)
    canvas.solid(circle(centre, radius * 0.88, n=48), skin, edge=0.02, rim=0.5)
    canvas.polygon(circle(centre, radius * 0.80, n=48), shade(skin, 1.1))
    bridge = centre[1] + radius * rng.uniform(0.25, 0.40)
    rod = centre[1] + radius * 0.88
    canvas.polygon(box(-0.05, rod - 0.12, 0.05, rod), shade(metal, 0.75))
    nut = -0.74 + rng.uniform(-0.03, 0.03)
    neck_end = centre[1] - radius * 0.80
    draw_neck(canvas, nut, neck_end, (0.046, 0.064), wood, board)
    draw_frets(canvas, nut, bridge, 22, (0.046, 0.064))
    fifth = nut + (bridge - nut) * 0.26
    canvas.line([(-0.05, fifth), (-0.11, fifth - 0.01)], shade(metal, 0.6), 0.014)
    canvas.dots([(-0.12, fifth - 0.01)], 0.026, (240, 236, 224))
    top_y = nut - rng.uniform(0.21, 0.26)
    head = _flared_head(top_y, nut, 0.05, rng.uniform(0.075, 0.10), rng.uniform(-0.03, 0.05))
    pegs = _paired_pegs(top_y, nut, 0.09, 2)
    draw_headstock(canvas, head, pegs, mix(wood, board, 0.5), (238, 234, 222), button=0.03)
    canvas.polygon(box(-0.085, bridge - 0.014, 0.085, bridge + 0.014), (110, 74, 44))
    draw_strings(canvas, 5, nut, rod - 0.1, (0.038, 0.052), colour=(120, 118, 112))
