"""What surrounds a drawn instrument: background, clutter, shadow, light, lens and sensor."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from skxmodal.datasets._instruments._canvas import Canvas, Colour

__all__ = ["add_occluder", "compose", "make_background", "photograph"]

_WALLS: tuple[Colour, ...] = (
    (206, 200, 188),
    (120, 132, 140),
    (84, 96, 84),
    (150, 116, 92),
    (70, 66, 80),
    (176, 190, 200),
    (196, 170, 130),
    (110, 62, 60),
    (226, 224, 220),
    (50, 54, 62),
)


def _smooth(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Return a smooth random field of about unit variance."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    field = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(field)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a field about zero: plain, stripes, planks, bricks, blobs or cloth."""
    kind = int(rng.integers(6))
    angle, wave, phase = rng.uniform(0.0, np.pi), rng.uniform(0.12, 0.6), rng.uniform(0.0, 6.0)
    axis = np.arange(size, dtype=np.float32)
    if kind == 0:
        return np.zeros((size, size), dtype=np.float32)
    if kind == 1:
        ramp = np.float32(np.cos(angle)) * axis[None, :] + np.float32(np.sin(angle)) * axis[:, None]
        return np.sin(ramp * np.float32(wave) + np.float32(phase))
    if kind == 2:
        width = int(rng.integers(18, 48))
        number = (axis.astype(int) + int(phase * 5)) // width
        planks = rng.uniform(-1.0, 1.0, number[-1] + 1).astype(np.float32)[number]
        grain = rng.standard_normal((size, 1), dtype=np.float32) * 0.4
        grain = grain + np.sin(axis * np.float32(0.7))[:, None] * 0.2
        gaps = np.where((axis.astype(int) + int(phase * 5)) % width < 2, np.float32(-1.5), 0.0)
        field = planks[None, :] * 0.7 + gaps[None, :] + grain
        return field if angle < np.pi / 2 else field.T
    if kind == 3:
        high, wide = int(rng.integers(14, 30)), int(rng.integers(28, 64))
        rows = axis.astype(int) // high
        columns = (axis.astype(int)[None, :] + (rows % 2)[:, None] * (wide // 2)) // wide
        tone = rng.uniform(-0.8, 0.8, (rows[-1] + 1, size // wide + 3)).astype(np.float32)
        field = tone[rows[:, None], columns]
        shifted = axis.astype(int)[None, :] + (rows % 2)[:, None] * (wide // 2)
        mortar = (axis.astype(int)[:, None] % high < 2) | (shifted % wide < 2)
        return np.where(mortar, np.float32(1.4), field)
    if kind == 4:
        return _smooth(rng, size, int(rng.integers(7, 20)))
    waves = np.sin(axis * np.float32(wave * 0.5) + np.sin(axis * np.float32(0.03)) * np.float32(phase))
    return np.broadcast_to(waves[None, :] * 1.1, (size, size))


def _clutter(image: Image.Image, rng: np.random.Generator, n: int, strength: float) -> None:
    """Draw ``n`` shapes such as furniture, frames, cables and leaves behind the instrument."""
    draw = ImageDraw.Draw(image)
    size = image.width
    for _ in range(n):
        kind = rng.random()
        x, y, wide, high = rng.uniform((-0.1, -0.1, 0.08, 0.08), (1.0, 1.0, 0.45, 0.45)) * size
        here = image.getpixel((int(np.clip(x, 0, size - 1)), int(np.clip(y, 0, size - 1))))
        other = rng.uniform(20, 235, 3)
        fill = tuple(int(v) for v in np.array(here) + (other - here) * strength)
        if kind < 0.4:
            lean = rng.uniform(-0.2, 0.2) * high
            corners = [x, y, x + wide, y + lean, x + wide, y + high + lean, x, y + high]
            draw.polygon(corners, fill=fill)
        elif kind < 0.65:
            draw.ellipse([x, y, x + wide, y + high * 0.8], fill=fill)
        else:
            end = rng.uniform(-0.1, 1.1, 2) * size
            draw.line([x, y, *end], fill=fill, width=int(rng.integers(2, 9)))


def make_background(rng: np.random.Generator, size: int, difficulty: float) -> np.ndarray:
    """Return a background as float32 (size, size, 3): a gradient, a texture, a floor, clutter."""
    first, second = (np.array(_WALLS[int(k)], dtype=float) for k in rng.integers(len(_WALLS), size=2))
    weights = rng.uniform(0.0, 1.0, (3, 3, 1))
    blend = 0.25 + 0.5 * difficulty
    coarse = first + (second - first) * weights * blend + rng.uniform(-10, 10, (3, 3, 3)) * difficulty
    image = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    horizon, ground = rng.uniform(0.66, 0.95) * size, rng.uniform(0.55, 1.25)
    has_floor = rng.random() < 0.45
    amplitude = np.float32(difficulty * rng.uniform(6.0, 30.0))
    texture = _texture(rng, size)
    if has_floor:
        tone = tuple(int(min(255, v * ground)) for v in second)
        ImageDraw.Draw(image).rectangle([0, horizon, size, size], fill=tone)
    n = int(rng.poisson(7.0 * difficulty))
    if n:
        _clutter(image, rng, n, 0.2 + 0.5 * difficulty)
    background = np.asarray(image).astype(np.float32)
    background += (texture * amplitude)[..., None]
    return background


def add_occluder(canvas: Canvas, rng: np.random.Generator, difficulty: float) -> None:
    """Maybe put something in front: a pole, a strap or leaf across, a dark shape at the border.

    The canvas must be one whose local frame is the picture, from -1 to 1.
    """
    chance, kind = rng.random(), rng.random()
    angle, place, width = rng.uniform(0.0, np.pi), rng.uniform(-0.8, 0.8), rng.uniform(0.03, 0.10)
    tone, side = rng.uniform(10, 220, 3), rng.uniform(0.0, 2 * np.pi)
    if chance >= 0.75 * difficulty:
        return
    colour = (int(tone[0]), int(tone[1]), int(tone[2]))
    if kind < 0.5:
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        middle, half = across * place, across * width * (0.4 + 0.6 * difficulty)
        corners = [middle - 3 * along - half, middle + 3 * along - half * 1.3]
        corners += [middle + 3 * along + half * 1.3, middle - 3 * along + half]
        canvas.polygon(np.array(corners), colour)
    else:
        reach = 1.25 - 0.35 * difficulty * abs(place)
        centre = np.array([np.cos(side), np.sin(side)]) * reach
        turns = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
        radii = 0.38 * (1.0 + 0.25 * np.sin(turns * 3 + angle))
        outline = np.stack([np.cos(turns), np.sin(turns)], axis=1) * radii[:, None] + centre
        canvas.polygon(outline, colour)


def compose(
    background: np.ndarray, layer: np.ndarray, rng: np.random.Generator, difficulty: float
) -> np.ndarray:
    """Lay the drawn layer over the background, with a cast shadow and rounded edges."""
    size = len(background)
    light = rng.uniform(0.0, 2 * np.pi)
    relief = rng.uniform(0.10, 0.35)
    depth = rng.uniform(0.15, 0.5)
    cover = Image.fromarray(layer[..., 3].astype(np.uint8))
    soft = cover.reduce(2).filter(ImageFilter.BoxBlur(3)).resize((size, size), Image.Resampling.BILINEAR)
    glow = np.asarray(soft).astype(np.float32) * np.float32(1 / 255)
    away_x, away_y = int(round(4 * np.cos(light))), int(round(4 * abs(np.sin(light)) + 2))
    shadow = np.roll(glow, (away_y, away_x), axis=(0, 1))
    slope = np.roll(glow, (-away_y // 2, -away_x // 2), axis=(0, 1)) - shadow
    tone = np.float32(1.0) + slope * np.float32(-relief)
    picture = background * (np.float32(1.0) - shadow * np.float32(depth))[..., None]
    picture *= (np.float32(1.0) - layer[..., 3:] * np.float32(1 / 255))
    picture += layer[..., :3] * tone[..., None]
    return picture


def photograph(
    picture: np.ndarray, rng: np.random.Generator, *, contrast: float, difficulty: float
) -> np.ndarray:
    """Light the scene, look at it through a lens, and read it off a noisy sensor, as uint8."""
    size = len(picture)
    angle, fall = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.05, 0.45) * difficulty
    vignette = rng.uniform(0.0, 0.35) * (0.2 + 0.8 * difficulty)
    cast = 1.0 + rng.uniform(-0.16, 0.16, 3) * difficulty
    gain = 1.0 + rng.uniform(-0.2, 0.15) * difficulty
    blur = rng.uniform(0.0, 1.3) * difficulty
    sigma = 1.5 + rng.uniform(2.0, 12.0) * difficulty
    seen = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if blur > 0.15:
        seen = seen.filter(ImageFilter.BoxBlur(blur))
    values = np.asarray(seen).astype(np.float32)
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    ramp = np.float32(np.cos(angle)) * axis[None, :] + np.float32(np.sin(angle)) * axis[:, None]
    light = 1.0 + np.float32(fall) * ramp
    light -= np.float32(vignette) * (axis[None, :] ** 2 + axis[:, None] ** 2) * np.float32(0.5)
    # Contrast pulls the values towards their mean, so that the picture's brightness stays.
    strength = 0.38 + 0.72 * contrast
    light *= np.float32(strength * gain)
    values *= light[..., None]
    values *= cast.astype(np.float32)
    middle = values.mean() / strength
    values += np.float32(middle * (1.0 - strength))
    grain = rng.standard_normal(size * size + 2 * 1999, dtype=np.float32) * np.float32(sigma)
    for channel in range(3):
        # The same draws read from three places: nearly independent, at a third of the cost.
        start = 1999 * channel
        values[..., channel] += grain[start : start + size * size].reshape(size, size)
    return np.clip(values, 0, 255).astype(np.uint8)
