"""Organ: ranks of pipes, manuals, stop knobs and pedals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, shade
from skxmodal.datasets._instruments._draw_keys import draw_keyboard
from skxmodal.datasets._instruments._draw_strings import WOODS, pick

__all__ = ["draw_organ"]


def _pipes(
    canvas: Canvas,
    rng: np.random.Generator,
    base: float,
    half: float,
    tallest: float,
    metal: Colour,
) -> None:
    """Draw a rank of flue pipes: feet, mouths, and heights in a symmetric pattern."""
    n = int(rng.integers(4, 11)) * 2 + 1
    places = np.linspace(-half, half, n + 1)
    middles, step = (places[:-1] + places[1:]) / 2, places[1] - places[0]
    away = np.abs(middles) / half
    towers = int(rng.integers(1, 4))
    pattern = {
        1: 1.0 - 0.62 * away,
        2: 0.42 + 0.58 * away,
        3: 0.55 + 0.45 * np.cos(away * np.pi * 2.0),
    }[towers]
    heights = tallest * (0.35 + 0.65 * pattern)
    foot = rng.uniform(0.10, 0.16)
    radius = step * 0.45
    neck, feet, low = base - foot - heights, np.full(n, base - foot), np.full(n, base)
    for left, right, factor in ((-1.0, 1.0, 0.45), (-0.82, 0.72, 1.0), (-0.55, -0.12, 1.55)):
        tone = shade(metal, factor)
        canvas.bars(
            np.stack([middles + left * radius, neck, middles + right * radius, feet], axis=1), tone
        )
        corners = [
            np.stack([middles + left * radius, feet], axis=1),
            np.stack([middles + right * radius, feet], axis=1),
            np.stack([middles + right * radius * 0.25, low], axis=1),
            np.stack([middles + left * radius * 0.25, low], axis=1),
        ]
        canvas.quads(np.stack(corners, axis=1), tone)
    canvas.bars(
        np.stack(
            [middles - step * 0.42, neck - 0.006, middles + step * 0.42, neck + 0.014], axis=1
        ),
        shade(metal, 0.3),
    )
    lips = base - foot - 0.03
    canvas.bars(
        np.stack(
            [
                middles - step * 0.2,
                np.full(n, lips - 0.035),
                middles + step * 0.2,
                np.full(n, lips),
            ],
            axis=1,
        ),
        (30, 26, 24),
    )


def _console(
    canvas: Canvas, rng: np.random.Generator, top: float, bottom: float, half: float, wood: Colour
) -> None:
    """Draw manuals one above another between panels of stop knobs, and the pedals below."""
    n_manuals = int(rng.integers(2, 5))
    pedals = bottom - (bottom - top) * 0.22
    canvas.solid(box(-half, top, half, bottom), wood, edge=0.016)
    keys = half * rng.uniform(0.58, 0.70)
    edges = np.linspace(top + 0.05, pedals - 0.03, n_manuals + 1)
    n_white = int(rng.integers(18, 29))
    for above, below in pairwise(edges):
        canvas.polygon(box(-keys - 0.03, above, keys + 0.03, below), shade(wood, 0.5))
        draw_keyboard(
            canvas,
            -keys,
            above + (below - above) * 0.30,
            keys,
            below - (below - above) * 0.08,
            n_white=n_white,
        )
    columns = np.linspace(keys + 0.08, half - 0.05, 2)
    rows = np.linspace(top + 0.08, pedals - 0.06, int(rng.integers(4, 7)))
    stops = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    for side in (1.0, -1.0):
        canvas.dots(stops * (side, 1.0), 0.03, shade(wood, 0.4))
        canvas.dots(stops * (side, 1.0), 0.022, (238, 230, 208))
    boards = np.linspace(-keys, keys, 14)
    canvas.bars(
        np.stack(
            [boards - 0.016, np.full(14, pedals + 0.03), boards + 0.016, np.full(14, bottom)],
            axis=1,
        ),
        (196, 156, 104),
    )


def draw_organ(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a pipe organ: ranks of pipes in a case, manuals with stop knobs, pedals."""
    wood = pick(rng, WOODS["case"])
    metal = pick(rng, ((190, 190, 184), (206, 178, 110), (170, 172, 178), (220, 206, 166)))
    view = rng.random()
    half = rng.uniform(0.66, 0.86)
    if view < 0.16:
        _console(canvas, rng, rng.uniform(-0.55, -0.40), 0.72, 0.95, wood)
        return
    split = rng.uniform(0.10, 0.28) if view < 0.78 else rng.uniform(0.62, 0.74)
    crown = rng.uniform(-0.80, -0.70)
    canvas.solid(box(-half - 0.05, crown, half + 0.05, split + 0.06), shade(wood, 0.45), edge=0.02)
    gable = np.array(
        [
            [-half - 0.10, crown + 0.02],
            [0.0, crown - rng.uniform(0.02, 0.22)],
            [half + 0.10, crown + 0.02],
        ]
    )
    canvas.solid(gable, wood, edge=0.016)
    _pipes(canvas, rng, split, half - 0.04, split - crown - 0.22, metal)
    for x in (-half - 0.03, half + 0.03):
        canvas.solid(box(x - 0.045, crown, x + 0.045, split + 0.08), shade(wood, 1.1), edge=0.01)
    canvas.solid(box(-half - 0.10, split, half + 0.10, split + 0.09), shade(wood, 1.2), edge=0.012)
    if view < 0.78:
        _console(canvas, rng, split + 0.09, 0.92, half * rng.uniform(0.62, 0.85), wood)
    else:
        canvas.solid(box(-half, split + 0.09, half, 0.94), wood, edge=0.012)
