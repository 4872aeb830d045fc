"""Drums and cymbals."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, circle, pose_matrix, shade
from skxmodal.datasets._instruments._draw_strings import pick

__all__ = ["draw_cymbals", "draw_drums"]

_SHELLS: tuple[Colour, ...] = (
    (180, 30, 36),
    (30, 60, 140),
    (34, 32, 36),
    (206, 180, 120),
    (120, 66, 36),
    (40, 120, 90),
    (220, 218, 212),
)
_CHROME: Colour = (198, 200, 206)
_BRONZE: tuple[Colour, ...] = ((206, 166, 70), (188, 142, 60), (222, 190, 108), (170, 130, 70))


def _disc(
    canvas: Canvas,
    centre: tuple[float, float],
    radius: float,
    open_by: float,
    tilt: float,
    metal: Colour,
    grooves: int,
) -> None:
    """Draw a cymbal: an ellipse with grooves, a raised bell and two bands of reflected light."""
    placed = canvas.within(pose_matrix(tilt=tilt, offset=centre, scale=(radius, radius)))
    lower = circle((0.0, 0.03), (1.0, open_by), n=40)
    placed.polygon(lower, shade(metal, 0.4))
    placed.solid(circle((0.0, 0.0), (1.0, open_by), n=40), metal, edge=0.02, rim=0.55)
    for start in (200.0, 20.0):
        angles = np.deg2rad(np.linspace(start, start + 38.0, 6))
        wedge = np.stack([np.cos(angles), np.sin(angles) * open_by], axis=1) * 0.96
        placed.polygon(np.concatenate([wedge, [[0.0, 0.0]]]), shade(metal, 1.45))
    for share in np.linspace(0.92, 0.42, grooves):
        ring = circle((0.0, 0.0), (share, share * open_by), n=32)
        placed.line(np.concatenate([ring, ring[:1]]), shade(metal, 0.72), 0.008)
    rise = 0.07 * (1.0 - open_by)
    placed.solid(
        circle((0.0, -rise), (0.22, 0.22 * open_by + rise), n=20), shade(metal, 1.12), edge=0.02
    )
    placed.dots([(0.0, -2.0 * rise)], 0.045, (40, 36, 34))


def _stand(canvas: Canvas, x: float, top: float, floor: float, spread: float) -> None:
    """Draw a pole on three legs."""
    knee = floor - spread * 0.9
    feet = np.array(
        [
            [x, knee, x - spread, floor],
            [x, knee, x + spread, floor],
            [x, knee, x + 0.02, floor + 0.02],
        ]
    )
    canvas.segments(feet, shade(_CHROME, 0.6), 0.022)
    canvas.line([(x, top), (x, floor - 0.04)], shade(_CHROME, 0.55), 0.034)
    canvas.line([(x, top), (x, floor - 0.04)], _CHROME, 0.014)


def draw_cymbals(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw cymbals: one on a stand, a hi-hat, several on stands, or a pair held for a clash."""
    metal = pick(rng, _BRONZE)
    view = rng.random()
    grooves = int(rng.integers(3, 8))
    floor = rng.uniform(0.86, 0.98)
    if view < 0.30:
        x, top = rng.uniform(-0.1, 0.1), rng.uniform(-0.55, -0.30)
        _stand(canvas, x, top - 0.06, floor, rng.uniform(0.26, 0.40))
        radius, open_by = rng.uniform(0.62, 0.86), rng.uniform(0.16, 0.55)
        _disc(canvas, (x, top), radius, open_by, rng.uniform(-22.0, 22.0), metal, grooves)
    elif view < 0.48:
        x, top = rng.uniform(-0.1, 0.1), rng.uniform(-0.34, -0.14)
        gap, radius = rng.uniform(0.10, 0.20), rng.uniform(0.50, 0.66)
        open_by = rng.uniform(0.14, 0.30)
        _stand(canvas, x, top - 0.30, floor, rng.uniform(0.26, 0.38))
        _disc(
            canvas, (x, top + gap), radius, open_by, rng.uniform(-4, 4), shade(metal, 0.85), grooves
        )
        canvas.line([(x, top - 0.34), (x, top + gap * 0.4)], _CHROME, 0.026)
        _disc(canvas, (x, top), radius, open_by, rng.uniform(-6, 6), metal, grooves)
        canvas.polygon(box(x - 0.035, top - 0.16, x + 0.035, top - 0.05), (50, 48, 50))
        canvas.line([(x, floor), (x - 0.2, floor + 0.04)], (60, 60, 64), 0.07)
    elif view < 0.72:
        n = int(rng.integers(2, 4))
        for x, y in zip(
            np.linspace(-0.48, 0.48, n), rng.permutation(np.linspace(-0.55, 0.0, n)), strict=True
        ):
            _stand(canvas, x, y - 0.05, floor, 0.22)
            radius, open_by = rng.uniform(0.34, 0.50), rng.uniform(0.16, 0.5)
            _disc(
                canvas, (x, y), radius, open_by, rng.uniform(-25, 25), pick(rng, _BRONZE), grooves
            )
    else:
        # A clash pair: one seen nearly face-on, its partner turned towards it.
        radius, gap = rng.uniform(0.50, 0.64), rng.uniform(0.20, 0.40)
        for side in (-1.0, 1.0):
            turn = rng.uniform(0.35, 0.95)
            tilt = 90.0 + side * rng.uniform(-8.0, 25.0)
            centre = (side * gap, rng.uniform(-0.12, 0.12))
            _disc(canvas, centre, radius, turn, tilt, metal, grooves)
            strap = np.array([[0.0, 0.0], [0.05 * side, 0.05], [0.10 * side, 0.16]]) + centre
            canvas.line(strap, (80, 40, 26), 0.05)


def _drum(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    depth: float,
    open_by: float,
    shell: Colour,
    *,
    tilt: float = 0.0,
) -> None:
    """Draw a drum from above its head: shell, hoops, lugs, and the head's ellipse."""
    placed = canvas.within(pose_matrix(tilt=tilt, offset=centre, scale=radius))
    deep = depth / radius
    lower = circle((0.0, deep), (1.0, open_by), n=40)[:21]
    upper = circle((0.0, 0.0), (1.0, open_by), n=40)[:21][::-1]
    wall = np.concatenate([lower, upper])
    placed.solid(wall, shell, edge=0.03, rim=0.45)
    shine = wall.copy()
    shine[:, 0] = shine[:, 0] * 0.22 - 0.42
    placed.polygon(shine, shade(shell, 1.25))
    angles = np.deg2rad(np.linspace(15.0, 165.0, 5))
    lugs = np.stack([np.cos(angles), np.sin(angles) * open_by], axis=1)
    down = np.array([0.0, deep])
    tops, ends = lugs + down * 0.12, lugs + down * 0.88
    placed.segments(np.concatenate([tops, ends], axis=1), shade(_CHROME, 0.85), 0.05)
    hoop = circle((0.0, deep), (1.02, open_by * 1.02), n=40)[:21]
    placed.line(hoop, _CHROME, 0.06)
    skin = pick(rng, ((238, 234, 224), (222, 216, 200), (200, 206, 212)), 0.06)
    placed.polygon(circle((0.0, 0.0), (1.05, open_by * 1.08), n=40), shade(_CHROME, 0.6))
    placed.polygon(circle((0.0, -0.02), (1.04, open_by * 1.06), n=40), _CHROME)
    placed.solid(circle((0.0, 0.0), (0.94, open_by * 0.92), n=40), skin, edge=0.02, rim=0.6)
    placed.polygon(circle((-0.1, -open_by * 0.15), (0.5, open_by * 0.5), n=24), shade(skin, 1.3))


def _bass_drum(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    shell: Colour,
) -> None:
    """Draw a bass drum from the front: a hoop with claws round a printed head."""
    canvas.solid(circle(centre, radius * 1.06, n=48), shell, edge=0.02, rim=0.45)
    n = int(rng.integers(8, 13))
    angles = np.linspace(0.0, 2 * np.pi, n, endpoint=False) + 0.2
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    claws = np.concatenate([rays * radius * 0.88 + centre, rays * radius * 1.07 + centre], axis=1)
    skin = pick(rng, ((236, 232, 224), (40, 38, 42), (226, 214, 180)), 0.06)
    canvas.solid(circle(centre, radius * 0.90, n=48), skin, edge=0.03, rim=0.4)
    canvas.segments(claws, _CHROME, 0.035)
    mark = shell if sum(skin) > 300 else (226, 222, 214)
    canvas.line(circle(centre, radius * 0.62, n=40), mark, 0.03)
    canvas.polygon(
        box(centre[0] - radius * 0.4, centre[1] - 0.05, centre[0] + radius * 0.4, centre[1] + 0.05),
        mark,
    )


def _sticks(canvas: Canvas, rng: np.random.Generator, y: float) -> None:
    """Draw two crossed drumsticks."""
    for side in (1.0, -1.0):
        butt = (side * rng.uniform(0.35, 0.75), y - rng.uniform(0.20, 0.45))
        tip = (-side * rng.uniform(0.0, 0.35), y + rng.uniform(-0.05, 0.12))
        canvas.line([butt, tip], (150, 104, 56), 0.05)
        canvas.line([butt, tip], (222, 182, 124), 0.03)
        canvas.dots([tip], 0.032, (222, 182, 124))


def _kit(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a drum kit from the audience's side."""
    shell = pick(rng, _SHELLS)
    open_by = rng.uniform(0.28, 0.45)
    radius = rng.uniform(0.36, 0.44)
    n_cymbals = int(rng.integers(0, 3))
    for side in (-1.0, 1.0)[:n_cymbals]:
        x, y = side * rng.uniform(0.62, 0.76), rng.uniform(-0.72, -0.52)
        _stand(canvas, x, y, 0.86, 0.18)
        _disc(
            canvas,
            (x, y),
            rng.uniform(0.24, 0.32),
            rng.uniform(0.18, 0.36),
            side * 12.0,
            pick(rng, _BRONZE),
            3,
        )
    floor_side = 1.0 if rng.random() < 0.5 else -1.0
    x = floor_side * rng.uniform(0.60, 0.68)
    for leg in (-0.22, 0.22):
        canvas.line([(x + leg, 0.2), (x + leg * 1.1, 0.88)], _CHROME, 0.022)
    _drum(canvas, rng, (x, 0.22), rng.uniform(0.25, 0.30), rng.uniform(0.34, 0.44), open_by, shell)
    snare = -floor_side * rng.uniform(0.60, 0.70)
    _stand(canvas, snare, 0.3, 0.88, 0.2)
    _drum(canvas, rng, (snare, 0.16), rng.uniform(0.23, 0.28), 0.15, open_by, pick(rng, _SHELLS))
    centre = (rng.uniform(-0.05, 0.05), 0.88 - radius)
    canvas.segments(
        np.array([[centre[0], centre[1] - radius, s * 0.2, -0.2] for s in (1.0, -1.0)]),
        _CHROME,
        0.03,
    )
    _bass_drum(canvas, rng, centre, radius, shell)
    toms = np.array([-0.25, 0.25]) if rng.random() < 0.75 else np.array([0.0])
    for tom in toms:
        size = rng.uniform(0.20, 0.25)
        _drum(
            canvas,
            rng,
            (tom, -0.30),
            size,
            size * rng.uniform(0.9, 1.2),
            open_by,
            shell,
            tilt=-tom * 30.0,
        )


def draw_drums(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw drums: a kit, a snare with its sticks, or a pair of tall hand drums."""
    view = rng.random()
    if view < 0.62:
        _kit(canvas, rng)
    elif view < 0.82:
        open_by, depth = rng.uniform(0.30, 0.55), rng.uniform(0.28, 0.60)
        _stand(canvas, 0.0, depth, 0.95, 0.40)
        _drum(
            canvas, rng, (0.0, -0.14), rng.uniform(0.58, 0.70), depth, open_by, pick(rng, _SHELLS)
        )
        _sticks(canvas, rng, -0.16)
    else:
        shell, open_by = pick(rng, _SHELLS), rng.uniform(0.22, 0.36)
        for side in (-1.0, 1.0):
            centre = (side * rng.uniform(0.34, 0.40), rng.uniform(-0.55, -0.35))
            _drum(
                canvas,
                rng,
                centre,
                rng.uniform(0.30, 0.36),
                rng.uniform(0.95, 1.2),
                open_by,
                shell,
                tilt=side * 4,
            )
