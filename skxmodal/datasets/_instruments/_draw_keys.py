"""Keyboards, and the piano and the synthesizer behind them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, shade, spline
from skxmodal.datasets._instruments._draw_strings import WOODS, pick

__all__ = ["draw_keyboard", "draw_piano", "draw_synthesizer"]

# Between which white keys of an octave that starts on C a black one lies.
_BLACK_AFTER = np.array([True, True, False, True, True, True, False])
_LACQUER: tuple[Colour, ...] = (
    (26, 24, 28),
    (26, 24, 28),
    (62, 34, 24),
    (96, 50, 30),
    (232, 230, 224),
)


def draw_keyboard(
    canvas: Canvas,
    left: float,
    top: float,
    right: float,
    bottom: float,
    *,
    n_white: int,
    first: int = 0,
    along_y: bool = False,
    ivory: Colour = (242, 240, 232),
    ebony: Colour = (22, 20, 22),
) -> None:
    """Draw a keyboard with twos and threes of black keys, along x or (``along_y``) along y."""
    canvas.polygon(box(left, top, right, bottom), ivory)
    start, stop = (top, bottom) if along_y else (left, right)
    edges = np.linspace(start, stop, n_white + 1)
    step = edges[1] - edges[0]
    inner = edges[1:-1]
    degrees = (first + np.arange(n_white - 1)) % 7
    black = inner[_BLACK_AFTER[degrees]]
    if along_y:
        lines = np.stack(
            [np.full_like(inner, left), inner, np.full_like(inner, right), inner], axis=1
        )
        deep = left + (right - left) * 0.60
        bars = np.stack(
            [
                np.full_like(black, left),
                black - step * 0.3,
                np.full_like(black, deep),
                black + step * 0.3,
            ],
            axis=1,
        )
    else:
        lines = np.stack(
            [inner, np.full_like(inner, top), inner, np.full_like(inner, bottom)], axis=1
        )
        deep = top + (bottom - top) * 0.62
        bars = np.stack(
            [
                black - step * 0.3,
                np.full_like(black, top),
                black + step * 0.3,
                np.full_like(black, deep),
            ],
            axis=1,
        )
    canvas.segments(lines, (120, 118, 114), min(0.01, step * 0.12))
    canvas.bars(bars, ebony)


def _grand(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a grand piano from the side of its raised lid."""
    lacquer = pick(rng, _LACQUER)
    tail = rng.uniform(0.82, 0.96)
    lift = rng.uniform(-0.84, -0.66)
    rim = rng.uniform(0.20, 0.26)
    level = rng.uniform(-0.04, 0.06)
    leg = level + rim + rng.uniform(0.46, 0.54)
    for x in (-0.66, -0.30, tail - 0.14):
        canvas.polygon(
            np.array(
                [
                    [x - 0.05, level + rim],
                    [x + 0.05, level + rim],
                    [x + 0.028, leg],
                    [x - 0.028, leg],
                ]
            ),
            shade(lacquer, 0.8),
        )
        canvas.dots([(x, leg + 0.015)], 0.032, (176, 142, 70))
    lyre = np.array(
        [[-0.50, level + rim], [-0.38, level + rim], [-0.40, leg - 0.06], [-0.48, leg - 0.06]]
    )
    canvas.polygon(lyre, shade(lacquer, 0.7))
    canvas.line([(-0.52, leg - 0.05), (-0.36, leg - 0.05)], (190, 156, 80), 0.03)
    # The lid, its prop, and the golden inside below it.
    lid = spline(
        [
            (-0.58, level - 0.06),
            (-0.44, lift),
            (0.06, lift + 0.05),
            (tail * 0.62, lift * 0.52),
            (tail, level - 0.20),
            (tail - 0.02, level - 0.05),
        ]
    )
    canvas.solid(lid, shade(lacquer, 1.06), edge=0.022, rim=0.5)
    inside = lid * (0.9, 0.88) + (0.03, level * 0.1)
    canvas.polygon(inside, shade(lacquer, 1.16))
    canvas.polygon(box(-0.60, level - 0.10, tail - 0.02, level + 0.02), (196, 148, 76))
    strings = np.linspace(-0.5, tail - 0.15, 14)
    lean = np.stack(
        [strings, np.full(14, level - 0.10), strings + 0.08, np.full(14, level)], axis=1
    )
    canvas.segments(lean, (120, 84, 40), 0.008)
    canvas.line([(tail * 0.42, level), (tail * 0.30, lift * 0.62)], shade(lacquer, 0.6), 0.022)
    # The curved rim, then the keyboard's end towards the player.
    side = spline(
        [
            (-0.62, level - 0.03),
            (0.0, level + 0.01),
            (0.5, level - 0.04),
            (tail, level - 0.06),
            (tail + 0.02, level + rim * 0.8),
            (0.45, level + rim * 0.92),
            (0.0, level + rim * 1.06),
            (-0.62, level + rim),
        ]
    )
    canvas.solid(side, lacquer, edge=0.016, rim=0.5)
    canvas.polygon(side * (0.96, 0.3) + (0.0, (level + 0.03) * 0.7), shade(lacquer, 1.18))
    key_top = level + rim * 0.22
    cheek = np.array(
        [
            [-0.92, key_top + 0.02],
            [-0.60, key_top - 0.08],
            [-0.60, level + rim],
            [-0.92, level + rim * 0.95],
        ]
    )
    canvas.solid(cheek, lacquer, edge=0.012)
    sheared = np.array([[1.0, 0.0, 0.0], [-0.30, 1.0, 0.0], [0.0, 0.0, 1.0]])
    keys = canvas.within(sheared)
    draw_keyboard(
        keys,
        -0.90,
        key_top - 0.24,
        -0.60,
        key_top - 0.14,
        n_white=int(rng.integers(10, 16)),
        first=2,
    )
    desk = np.array(
        [[-0.56, level - 0.06], [-0.60, level - 0.36], [-0.42, level - 0.42], [-0.38, level - 0.08]]
    )
    canvas.solid(desk, shade(lacquer, 1.1), edge=0.01)
    if rng.random() < 0.5:
        seat = leg - rng.uniform(0.28, 0.34)
        canvas.segments(
            np.array([[-0.98, seat, -0.98, leg], [-0.78, seat, -0.78, leg]]), (40, 32, 30), 0.03
        )
        canvas.solid(box(-1.02, seat - 0.05, -0.74, seat + 0.02), (50, 40, 38), edge=0.01)


def _upright(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw an upright piano from the front."""
    wood = pick(rng, (*_LACQUER, *WOODS["case"]))
    half = rng.uniform(0.72, 0.86)
    top, floor = rng.uniform(-0.72, -0.56), rng.uniform(0.66, 0.78)
    keys = rng.uniform(0.0, 0.08)
    canvas.solid(box(-half, top, half, floor), wood, edge=0.016)
    canvas.solid(
        box(-half - 0.04, top - 0.05, half + 0.04, top + 0.01), shade(wood, 1.15), edge=0.01
    )
    n_panels = int(rng.integers(1, 4))
    edges = np.linspace(-half + 0.04, half - 0.04, n_panels + 1)
    for left, right in pairwise(edges):
        for above, below in ((top + 0.07, keys - 0.14), (keys + 0.26, floor - 0.08)):
            canvas.solid(
                box(left + 0.03, above, right - 0.03, below), shade(wood, 1.12), edge=0.012
            )
    canvas.solid(box(-0.30, keys - 0.38, 0.30, keys - 0.12), shade(wood, 0.8), edge=0.008)
    if rng.random() < 0.7:
        for left in (-0.26, 0.01):
            page = box(left, keys - 0.36, left + 0.25, keys - 0.12)
            canvas.solid(page, (240, 238, 228), edge=0.006)
            rows = np.linspace(keys - 0.33, keys - 0.16, 5)
            ends = np.stack([np.full(5, left + 0.03), rows, np.full(5, left + 0.22), rows], axis=1)
            canvas.segments(ends, (120, 118, 116), 0.006)
    canvas.polygon(box(-half, keys - 0.11, half, keys - 0.03), shade(wood, 0.6))
    n_white = int(rng.integers(28, 50))
    draw_keyboard(
        canvas, -half + 0.06, keys - 0.03, half - 0.06, keys + 0.11, n_white=n_white, first=5
    )
    canvas.solid(
        box(-half - 0.02, keys + 0.11, half + 0.02, keys + 0.20), shade(wood, 0.9), edge=0.012
    )
    for side in (1.0, -1.0):
        cheek = box(side * half - 0.05, keys - 0.06, side * half + 0.05, keys + 0.18)
        canvas.solid(cheek, wood, edge=0.01)
        leg = box(
            side * (half - 0.05) - 0.035, keys + 0.20, side * (half - 0.05) + 0.035, floor + 0.03
        )
        canvas.solid(leg, shade(wood, 0.85), edge=0.01)
    pedals = np.array([-0.08, 0.0, 0.08])
    canvas.bars(
        np.stack(
            [pedals - 0.02, np.full(3, floor - 0.06), pedals + 0.02, np.full(3, floor + 0.02)],
            axis=1,
        ),
        (206, 168, 84),
    )


def _close_up(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw the keyboard of a piano with the fall board behind it."""
    lacquer = pick(rng, _LACQUER[:4])
    top, bottom = rng.uniform(-0.24, -0.10), rng.uniform(0.34, 0.46)
    canvas.solid(box(-1.05, top - 0.40, 1.05, bottom + 0.16), lacquer, edge=0.02)
    canvas.polygon(box(-1.05, top - 0.30, 1.05, top - 0.10), shade(lacquer, 1.2))
    canvas.line([(-1.0, top - 0.02), (1.0, top - 0.02)], (150, 30, 36), 0.035)
    badge = rng.uniform(-0.1, 0.1)
    canvas.polygon(box(badge - 0.16, top - 0.22, badge + 0.16, top - 0.17), (206, 172, 92))
    n_white = int(rng.integers(12, 25))
    draw_keyboard(canvas, -0.98, top, 0.98, bottom, n_white=n_white, first=int(rng.integers(7)))


def draw_piano(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a piano: a grand with its lid up, an upright, or a close view of the keys."""
    view = rng.random()
    if view < 0.5:
        _grand(canvas, rng)
    elif view < 0.82:
        _upright(canvas, rng)
    else:
        _close_up(canvas, rng)


def _panel(
    canvas: Canvas, rng: np.random.Generator, top: float, bottom: float, ink: Colour
) -> None:
    """Draw a synthesizer's controls: knobs in rows, sliders, a screen and lit buttons."""
    screen = rng.uniform(-0.35, 0.2)
    accent = pick(rng, ((240, 140, 40), (60, 200, 220), (230, 60, 60), (120, 220, 90)))
    rows = int(rng.integers(2, 4))
    heights = np.linspace(top + 0.055, bottom - 0.055, rows)
    columns = np.arange(-0.62, 0.86, rng.uniform(0.085, 0.12))
    knobs = np.stack(np.meshgrid(columns, heights), axis=-1).reshape(-1, 2)
    sliders = rng.uniform(0.45, 0.8)
    free = (np.abs(knobs[:, 0] - screen - 0.16) > 0.21) & (knobs[:, 0] < sliders - 0.06)
    knobs = knobs[free]
    canvas.dots(knobs, 0.034, shade(ink, 0.6))
    canvas.dots(knobs, 0.024, ink)
    turns = rng.uniform(0.6, 2.5, len(knobs)) * np.pi
    marks = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 0.026
    canvas.segments(np.concatenate([knobs, knobs + marks], axis=1), (250, 250, 250), 0.01)
    canvas.solid(
        box(screen, top + 0.05, screen + 0.32, bottom - 0.09), (26, 40, 48), edge=0.012, rim=0.3
    )
    wave = np.linspace(0.0, 1.0, 16)
    trace = np.sin(wave * rng.uniform(6.0, 22.0)) * (bottom - top) * 0.16
    middle = (top + bottom - 0.04) / 2
    canvas.line(np.stack([screen + 0.03 + 0.26 * wave, middle + trace], axis=1), accent, 0.014)
    half = np.array([0.015, 0.014])
    lamps = np.stack([np.linspace(screen, screen + 0.32, 6), np.full(6, bottom - 0.045)], axis=1)
    canvas.bars(np.concatenate([lamps - half, lamps + half], axis=1), accent)
    tracks = np.arange(sliders, 0.90, 0.065)
    low, high = np.full_like(tracks, bottom - 0.05), np.full_like(tracks, top + 0.05)
    canvas.segments(np.stack([tracks, high, tracks, low], axis=1), shade(ink, 0.4), 0.012)
    caps = rng.uniform(top + 0.07, bottom - 0.07, len(tracks))
    canvas.bars(
        np.stack([tracks - 0.024, caps - 0.016, tracks + 0.024, caps + 0.016], axis=1), accent
    )


def _slab(canvas: Canvas, rng: np.random.Generator, depth: float, n_white: int) -> None:
    """Draw one synthesizer seen from above its front edge."""
    shell = pick(
        rng,
        ((34, 34, 40), (52, 54, 62), (200, 202, 206), (150, 34, 38), (36, 60, 96), (228, 222, 206)),
    )
    ink = (226, 226, 226) if sum(shell) < 330 else (44, 44, 48)
    split = -depth + depth * rng.uniform(0.82, 1.05)
    canvas.solid(box(-0.97, -depth, 0.97, depth + 0.05), shell, edge=0.02, rim=0.4)
    canvas.polygon(box(-0.97, depth, 0.97, depth + 0.05), shade(shell, 0.5))
    if rng.random() < 0.5:
        cheek = pick(rng, WOODS["case"])
        canvas.bars(
            np.array([[-1.0, -depth, -0.94, depth + 0.05], [0.94, -depth, 1.0, depth + 0.05]]),
            cheek,
        )
    _panel(canvas, rng, -depth, split, ink)
    wheels = np.array(
        [[-0.90, split + 0.08, -0.86, depth - 0.08], [-0.81, split + 0.08, -0.77, depth - 0.08]]
    )
    canvas.bars(wheels, (18, 18, 20))
    canvas.bars(wheels * (1.0, 1.0, 1.0, 0.0) + (0.0, 0.06, 0.0, split + 0.18), shade(ink, 0.8))
    draw_keyboard(
        canvas, -0.71, split + 0.02, 0.93, depth, n_white=n_white, first=int(rng.integers(3)) * 2
    )


def draw_synthesizer(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a synthesizer: a slab with a panel of knobs, sliders and a screen above the keys."""
    depth, n_white = rng.uniform(0.26, 0.40), int(rng.integers(14, 30))
    layout = rng.random()
    centre = rng.uniform(-0.12, 0.05)
    if layout < 0.55:
        metal = pick(rng, ((40, 40, 44), (120, 122, 128)))
        foot = rng.uniform(0.80, 0.95)
        cross = rng.uniform(0.40, 0.62)
        level = centre + depth
        for side in (1.0, -1.0):
            canvas.line([(side * cross, level), (-side * cross, foot)], metal, 0.05)
            canvas.line([(side * cross - 0.16, foot), (side * cross + 0.16, foot)], metal, 0.05)
    place = np.eye(3)
    place[1, 2] = centre
    _slab(canvas.within(place), rng, depth, n_white)
    if layout < 0.22:
        above = np.diag([0.86, 0.62, 1.0])
        above[1, 2] = centre - depth - 0.24
        _slab(canvas.within(above), rng, depth * 0.9, n_white)
