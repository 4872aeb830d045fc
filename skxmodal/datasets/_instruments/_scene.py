"""What surrounds a drawn instrument: background, clutter, shadow, light, lens and sensor."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from skxmodal.datasets._instruments._canvas import Canvas, Colour

__all__ = ["add_occluder", "compose", "make_background", "photograph"]

_GRAIN_STEP = 1999

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
    waves = np.sin(
        axis * np.float32(wave * 0.5) + np.sin(axis * np.float32(0.03)) * np.float32(phase)
    )
    return np.broadcast_to(waves[None, :] * 1.1, (size, size))


def _muted(colour: np.ndarray) -> np.ndarray:
    """Return a colour at half its saturation: furniture is seldom magenta."""
    return (colour + colour.mean()) / 2


def _clutter(image: Image.Image, rng: np.random.Generator, n: int, strength: float) -> None:
    """Draw ``n`` shapes such as furniture, frames, cables and leaves behind the instrument."""
    draw = ImageDraw.Draw(image)
    size = image.width
    for _ in range(n):
        kind = rng.random()
        x, y, wide, high = rng.uniform((-0.1, -0.1, 0.08, 0.08), (1.0, 1.0, 0.45, 0.45)) * size
        here = image.getpixel((int(np.clip(x, 0, size - 1)), int(np.clip(y, 0, size - 1))))
        other = _muted(rng.uniform(20, 235, 3))
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


def make_background(rng: np.random.Generator, size: int, difficulty: float) -> Image.Image:
    """Return an RGB background: a gradient, a texture, a floor, clutter."""
    first, second = (
        np.array(_WALLS[int(k)], dtype=float) for k in rng.integers(len(_WALLS), size=2)
    )
    weights = rng.uniform(0.0, 1.0, (3, 3, 1))
    blend = 0.25 + 0.5 * difficulty
    coarse = (
        first + (second - first) * weights * blend + rng.uniform(-10, 10, (3, 3, 3)) * difficulty
    )
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
    relief = np.clip(texture * amplitude + np.float32(128.0), 0, 255).astype(np.uint8)
    return ImageChops.add(image, _grey_rgb(Image.fromarray(relief)), offset=-128)


def add_occluder(canvas: Canvas, rng: np.random.Generator, difficulty: float) -> None:
    """Maybe put something in front: a pole, a strap or leaf across, a dark shape at the border.

    The canvas must be one whose local frame is the picture, from -1 to 1.
    """
    chance, kind = rng.random(), rng.random()
    angle, place, width = rng.uniform(0.0, np.pi), rng.uniform(-0.8, 0.8), rng.uniform(0.03, 0.10)
    tone, side = rng.uniform(10, 220, 3), rng.uniform(0.0, 2 * np.pi)
    if chance >= 0.65 * difficulty:
        return
    red, green, blue = _muted(tone).astype(int).tolist()
    colour = (red, green, blue)
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


def _grey_rgb(band: Image.Image) -> Image.Image:
    """Return a one-channel image three times over."""
    return Image.merge("RGB", (band, band, band))


def _table(start: float, stop: float) -> list[int]:
    """Return the 256 values of a linear look-up table."""
    return np.clip(np.linspace(start, stop, 256), 0, 255).astype(int).tolist()


def _shifted(band: Image.Image, across: int, down: int) -> Image.Image:
    """Return a one-channel image moved by whole pixels, black where nothing came from."""
    moved = Image.new("L", band.size)
    moved.paste(band, (across, down))
    return moved


def compose(background: Image.Image, layer: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lay the drawn layer (see `Canvas`) over the background, with a shadow and rounded edges."""
    light, relief, depth = (
        rng.uniform(0.0, 2 * np.pi),
        rng.uniform(0.3, 1.0),
        rng.uniform(0.15, 0.5),
    )
    red, green, blue, cover = layer.split()
    soft = cover.reduce(4).filter(ImageFilter.BoxBlur(1.5))
    soft = soft.resize(cover.size, Image.Resampling.BILINEAR)
    across, down = round(4 * np.cos(light)), round(4 * abs(np.sin(light)) + 2)
    shadow = _shifted(soft, across, down).point(_table(255, 255 * (1 - depth)))
    behind = ImageChops.multiply(shadow, ImageChops.invert(cover))
    # Where the blurred coverage falls off towards the light's far side, the shape turns away.
    slope = ImageChops.subtract(soft, _shifted(soft, across // 2, down // 2))
    tone = slope.point(_table(255, 255 * (1 - relief)))
    drawn = ImageChops.multiply(Image.merge("RGB", (red, green, blue)), _grey_rgb(tone))
    return ImageChops.add(ImageChops.multiply(background, _grey_rgb(behind)), drawn)


@lru_cache(maxsize=1)
def _normal_quantiles() -> np.ndarray:
    """Return 256 equally likely values of a standard normal variable."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / 256) for k in range(256)], dtype=np.float32)


def photograph(
    picture: Image.Image, rng: np.random.Generator, *, contrast: float, difficulty: float
) -> np.ndarray:
    """Light the scene, look at it through a lens, and read it off a noisy sensor, as uint8."""
    size = picture.width
    angle, fall = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.05, 0.45) * difficulty
    vignette = rng.uniform(0.0, 0.35) * (0.2 + 0.8 * difficulty)
    cast = 1.0 + rng.uniform(-0.16, 0.16, 3) * difficulty
    gain = 1.0 + rng.uniform(-0.2, 0.15) * difficulty
    blur = rng.uniform(0.0, 1.3) * difficulty
    sigma = 1.5 + rng.uniform(2.0, 12.0) * difficulty
    if blur > 0.15:
        picture = picture.filter(ImageFilter.BoxBlur(blur))
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    bow = np.float32(vignette * 0.5) * axis**2
    columns = np.float32(1.0 + fall * np.cos(angle) * axis) - bow
    rows = np.float32(fall * np.sin(angle)) * axis - bow
    light = (columns[None, :] + rows[:, None]) * np.float32(gain)
    # The same draws read from three places: nearly independent grain at a third of the cost.
    draws = np.frombuffer(rng.bytes(size * size + 2 * _GRAIN_STEP), dtype=np.uint8)
    grain = _normal_quantiles()[draws] * np.float32(sigma)
    bands = [
        np.asarray(band) * (light * np.float32(c))
        for band, c in zip(picture.split(), cast, strict=True)
    ]
    # Contrast pulls the values towards their mean, so that the picture's brightness stays.
    strength = 0.42 + 0.68 * contrast
    lift = np.float32(float(np.mean([band.mean() for band in bands])) * (1.0 - strength))
    seen = np.empty((size, size, 3), dtype=np.uint8)
    for channel, band in enumerate(bands):
        start = _GRAIN_STEP * channel
        band *= np.float32(strength)
        band += grain[start : start + size * size].reshape(size, size)
        band += lift
        seen[..., channel] = np.clip(band, 0, 255, out=band)
    return seen
