"""What the string instruments share: necks, fret rules, strings, headstocks, scrolls and bows."""

from __future__ import annotations

import numpy as np

from skxmodal.datasets._instruments._canvas import Canvas, Colour, box, mix, shade, spline

__all__ = [
    "STEEL",
    "WOODS",
    "draw_bow",
    "draw_frets",
    "draw_headstock",
    "draw_neck",
    "draw_scroll",
    "draw_strings",
    "fitted",
    "pick",
    "tailpiece",
]

STEEL: Colour = (205, 205, 200)

WOODS: dict[str, tuple[Colour, ...]] = {
    "top": ((222, 178, 112), (206, 150, 84), (184, 112, 56), (232, 200, 146), (160, 84, 40)),
    "varnish": ((168, 84, 34), (190, 104, 42), (142, 60, 24), (206, 128, 60), (122, 48, 26)),
    "neck": ((120, 74, 40), (150, 100, 58), (98, 58, 34), (176, 128, 80)),
    "board": ((44, 30, 24), (30, 24, 22), (70, 44, 30), (58, 36, 28)),
    "case": ((94, 52, 28), (128, 76, 42), (70, 40, 24), (150, 96, 56), (112, 60, 40)),
}


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 0.12) -> Colour:
    """Return one of the colours, a little lighter or darker."""
    chosen = colours[int(rng.integers(len(colours)))]
    return shade(chosen, 1.0 + rng.uniform(-spread, spread))


def _taper(top: float, bottom: float, width_top: float, width_bottom: float) -> np.ndarray:
    """Return a strip about the axis x = 0 that widens from its top to its bottom."""
    return np.array(
        [[-width_top, top], [width_top, top], [width_bottom, bottom], [-width_bottom, bottom]]
    )


def draw_neck(
    canvas: Canvas,
    top: float,
    bottom: float,
    widths: tuple[float, float],
    wood: Colour,
    board: Colour,
) -> None:
    """Draw a neck and the fingerboard on it; ``widths`` are half widths at both ends."""
    canvas.polygon(_taper(top, bottom, widths[0] * 1.15, widths[1] * 1.15), shade(wood, 0.7))
    canvas.polygon(_taper(top, bottom, widths[0], widths[1]), board)


def draw_frets(
    canvas: Canvas,
    nut: float,
    bridge: float,
    last: int,
    widths: tuple[float, float],
    *,
    markers: bool = True,
) -> None:
    """Draw frets by the rule of equal temperament: fret k stands at 1 - 2 ** (-k / 12)."""
    frets = np.arange(1, last + 1)
    places = nut + (bridge - nut) * (1.0 - 2.0 ** (-frets / 12.0))
    share = (places - nut) / max(places[-1] - nut, 1e-6)
    half = widths[0] + (widths[1] - widths[0]) * share
    canvas.segments(np.stack([-half, places, half, places], axis=1), (190, 186, 170), 0.006)
    canvas.segments(np.array([[-widths[0], nut, widths[0], nut]]), (236, 230, 210), 0.016)
    if markers:
        inlaid = [k for k in (3, 5, 7, 9, 12) if k < last]
        middles = [(0.0, (places[k - 1] + places[k - 2]) / 2) for k in inlaid]
        canvas.dots(middles, widths[0] * 0.22, (228, 224, 210))


def draw_strings(
    canvas: Canvas,
    n: int,
    top: float,
    bottom: float,
    widths: tuple[float, float],
    *,
    courses: bool = False,
    colour: Colour = STEEL,
) -> None:
    """Draw ``n`` strings from nut to bridge, in pairs when they are courses."""
    across = np.linspace(-1.0, 1.0, n // 2 if courses else n)
    if courses:
        across = (across[:, None] + np.array([-0.09, 0.09])).ravel()
    ends = np.empty((len(across), 4))
    ends[:, 0], ends[:, 1] = across * widths[0], top
    ends[:, 2], ends[:, 3] = across * widths[1], bottom
    canvas.segments(ends, colour, 0.004)


def draw_headstock(
    canvas: Canvas,
    outline: np.ndarray,
    pegs: np.ndarray,
    colour: Colour,
    metal: Colour,
    *,
    button: float = 0.022,
) -> None:
    """Draw a headstock and its tuning pegs; ``pegs`` is (n, 2), outside the outline."""
    shafts = np.concatenate([pegs * (0.3, 1.0), pegs], axis=1)
    canvas.segments(shafts, shade(metal, 0.7), 0.012)
    canvas.dots(pegs, button, metal)
    canvas.solid(outline, colour, edge=0.008, rim=0.5)
    canvas.dots(pegs * (0.42, 1.0), button * 0.45, shade(metal, 1.3))


def draw_scroll(canvas: Canvas, top: float, nut: float, width: float, wood: Colour) -> None:
    """Draw the peg box and the scroll that end the neck of a bowed instrument."""
    length = nut - top
    pegs = nut - length * np.array([0.2, 0.36, 0.52, 0.68])
    sides = np.array([1.0, -1.0, 1.0, -1.0])
    reach = width * 2.9 * sides
    canvas.segments(np.stack([-reach * 0.4, pegs, reach, pegs], axis=1), (38, 26, 22), 0.02)
    canvas.dots(np.stack([reach, pegs], axis=1), width * 0.62, (38, 26, 22))
    half = [
        (width * 0.62, top + length * 0.16),
        (width * 0.80, top + length * 0.40),
        (width * 0.95, nut),
    ]
    outline = np.array([*half, *[(-x, y) for x, y in half[::-1]]])
    canvas.solid(outline, wood, edge=0.008)
    canvas.polygon(outline * (0.45, 1.0), shade(wood, 0.45))
    centre = (0.0, top + length * 0.12)
    canvas.dots([centre], width * 1.25, shade(wood, 0.6))
    canvas.dots([centre], width * 1.0, wood)
    canvas.dots([centre], width * 0.45, shade(wood, 0.6))


def draw_bow(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: Colour,
    arch: float,
) -> None:
    """Draw a bow: the stick with its arch, the hair, the frog and the tip."""
    first, last = np.array(start), np.array(end)
    along = last - first
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / max(length, 1e-6)
    share = np.linspace(0.0, 1.0, 9)
    lift = 0.055 - arch * np.sin(np.pi * share)
    stick = first + share[:, None] * along + across * lift[:, None]
    canvas.line([first, last], (236, 232, 218), 0.018)
    frog = np.array([first, first + along * 0.07, stick[0] + along * 0.07, stick[0]])
    canvas.polygon(frog, (30, 24, 22))
    canvas.line([last, stick[-1]], mix(colour, (20, 16, 14), 0.3), 0.022)
    canvas.line(spline(stick, samples=2), colour, 0.024)


def fitted(half: list[tuple[float, float]], top: float, bottom: float, width: float) -> np.ndarray:
    """Scale a right half profile (widths and heights in 0..1) to a body's place and width."""
    profile = np.array(half)
    scaled = np.stack([profile[:, 0] * width, top + profile[:, 1] * (bottom - top)], axis=1)
    return np.concatenate([scaled, scaled[::-1] * (-1.0, 1.0)])


def tailpiece(top: float, bottom: float, widths: tuple[float, float]) -> np.ndarray:
    """Return the outline of a tapered tailpiece."""
    return np.concatenate(
        [
            _taper(top, (top + bottom) / 2, widths[0], (widths[0] + widths[1]) / 2)[:2],
            box(-widths[1], bottom, widths[1], bottom)[[1, 0]],
        ]
    )
