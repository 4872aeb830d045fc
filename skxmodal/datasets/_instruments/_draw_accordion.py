"""Accordion: bellows between a keyboard side and a button side."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, box, pose_matrix, shade
from skxmodal.datasets._instruments._draw_keys import draw_keyboard
from skxmodal.datasets._instruments._draw_strings import pick

__all__ = ["draw_accordion"]


def draw_accordion(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw an accordion: pleated bellows that fan open, piano keys or buttons at the sides."""
    shell = pick(
        rng,
        ((176, 26, 34), (30, 28, 32), (30, 60, 120), (236, 232, 222), (30, 100, 70), (130, 30, 90)),
    )
    cloth = pick(rng, ((190, 40, 44), (40, 38, 42), (90, 30, 40), (60, 70, 110)))
    height = rng.uniform(0.52, 0.66)
    spread = rng.uniform(0.16, 0.46)
    fan = rng.uniform(-4.0, 22.0)
    _bellows(canvas, rng, height, spread, fan, cloth)
    trim = pick(rng, ((206, 206, 204), (214, 180, 92), (240, 238, 230)))
    # The melody side, seen at the left: grille, keyboard and register switches.
    side = canvas.within(pose_matrix(tilt=fan / 2, offset=(-spread, 0.0)))
    depth = rng.uniform(0.26, 0.34)
    canvas_left = -depth - 0.20
    side.solid(box(-depth, -height, 0.0, height), shell, edge=0.02, rim=0.4)
    side.solid(box(-depth + 0.04, -height + 0.06, -0.05, height - 0.06), trim, edge=0.01)
    slots = np.linspace(-height + 0.14, height - 0.14, int(rng.integers(5, 10)))
    grille = np.stack(
        [
            np.full_like(slots, -depth + 0.07),
            slots - 0.022,
            np.full_like(slots, -0.08),
            slots + 0.022,
        ],
        axis=1,
    )
    side.bars(grille, shade(shell, 0.5))
    if rng.random() < 0.75:
        side.polygon(
            box(canvas_left - 0.02, -height * 0.97, -depth, height * 0.97), shade(shell, 0.6)
        )
        keys = side.within(np.diag([-1.0, 1.0, 1.0]))
        n_white = int(rng.integers(14, 22))
        draw_keyboard(
            keys, depth, -height * 0.94, -canvas_left, height * 0.94, n_white=n_white, along_y=True
        )
    else:
        side.polygon(box(canvas_left, -height * 0.9, -depth, height * 0.9), shade(shell, 0.6))
        _buttons(side, canvas_left + 0.03, -depth - 0.02, height * 0.84, 3, 14)
    # The bass side, at the right: a box of buttons and its strap.
    bass = canvas.within(pose_matrix(tilt=-fan / 2, offset=(spread, 0.0)))
    width = rng.uniform(0.22, 0.30)
    bass.solid(box(0.0, -height, width, height), shell, edge=0.02, rim=0.4)
    _buttons(
        bass, 0.05, width - 0.04, height * 0.72, int(rng.integers(3, 6)), int(rng.integers(9, 14))
    )
    bass.line(
        [(width + 0.02, -height * 0.8), (width + 0.06, 0.0), (width + 0.02, height * 0.8)],
        (40, 28, 24),
        0.05,
    )


def _bellows(
    canvas: Canvas,
    rng: np.random.Generator,
    height: float,
    spread: float,
    fan: float,
    cloth: tuple[int, int, int],
) -> None:
    """Draw the folds between the two sides, each a strip of its own tilt."""
    n = int(rng.integers(8, 15))
    share = np.linspace(-1.0, 1.0, n + 1)
    angles = np.deg2rad(-share * fan / 2)
    middles = np.stack([share * spread, 0.06 * fan / 22 * (share**2 - 1.0)], axis=1)
    up = np.stack([np.sin(angles), -np.cos(angles)], axis=1) * height * 0.94
    tops, bottoms = middles + up, middles - up
    quads = np.stack([tops[:-1], tops[1:], bottoms[1:], bottoms[:-1]], axis=1)
    canvas.quads(quads, shade(cloth, 0.7))
    # Each fold has a lit half and a crest that stands a little higher than its valleys.
    crest = (middles[:-1] + middles[1:]) / 2
    rise = (up[:-1] + up[1:]) / 2 * 1.05
    lit = np.stack([tops[:-1], crest + rise, crest - rise, bottoms[:-1]], axis=1)
    canvas.quads(lit, shade(cloth, 1.25))
    canvas.segments(np.concatenate([tops, bottoms], axis=1), (20, 16, 18), 0.012)
    ends = np.concatenate([crest + rise, crest + rise * 0.93], axis=1)
    canvas.segments(ends, (210, 200, 170), 0.03)
    canvas.segments(
        np.concatenate([crest - rise, crest - rise * 0.93], axis=1), (210, 200, 170), 0.03
    )


def _buttons(
    canvas: Canvas, left: float, right: float, reach: float, columns: int, rows: int
) -> None:
    """Draw rows of round buttons, every second column shifted by half a step."""
    xs = np.linspace(left, right, columns)
    ys = np.linspace(-reach, reach, rows)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)
    grid[:, 1::2, 1] += (ys[1] - ys[0]) / 2
    canvas.dots(grid.reshape(-1, 2), 0.02, (244, 242, 234))
