"""A canvas with local coordinates: shapes are transformed by a plane projection, then filled.

An instrument is drawn in its own frame, about one unit from the origin in every direction, with y
pointing down. A canvas maps that frame to pixels by a 3 x 3 projective matrix, so that rotation,
shear and perspective need nothing of the drawing functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

__all__ = [
    "Canvas",
    "Colour",
    "arc",
    "box",
    "circle",
    "mix",
    "pose_matrix",
    "shade",
    "spline",
]

Colour = tuple[int, int, int]

# The canvas is drawn at twice the picture's size and reduced: cheap anti-aliasing.
OVERSAMPLING = 2


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker (factor < 1) or lighter (factor > 1)."""
    red, green, blue = colour
    if factor <= 1.0:
        return int(red * factor), int(green * factor), int(blue * factor)
    gain = min(factor - 1.0, 1.0)
    return (
        int(red + (255 - red) * gain),
        int(green + (255 - green) * gain),
        int(blue + (255 - blue) * gain),
    )


def mix(first: Colour, second: Colour, weight: float) -> Colour:
    """Return the colour ``weight`` of the way from the first to the second."""
    red, green, blue = (int(a + (b - a) * weight) for a, b in zip(first, second, strict=True))
    return red, green, blue


def pose_matrix(
    *,
    tilt: float = 0.0,
    scale: float | tuple[float, float] = 1.0,
    shear: float = 0.0,
    offset: tuple[float, float] = (0.0, 0.0),
    vanishing: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Return the projective matrix of a tilt (degrees, clockwise), scale, shear and offset.

    ``vanishing`` is the last row of the projection: points in its direction recede.
    """
    scale_x, scale_y = scale if isinstance(scale, tuple) else (scale, scale)
    angle = np.deg2rad(tilt)
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    linear = rotation @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag([scale_x, scale_y])
    matrix = np.eye(3)
    # The origin goes to the offset whatever the perspective: translate after projecting.
    matrix[:2, :2] = linear + np.outer(offset, vanishing)
    matrix[:2, 2] = offset
    matrix[2, :2] = vanishing
    return matrix


@lru_cache(maxsize=64)
def _unit_circle(n: int) -> np.ndarray:
    """Return ``n`` points of the unit circle."""
    angles = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def circle(
    centre: tuple[float, float],
    radius: float | tuple[float, float],
    *,
    tilt: float = 0.0,
    n: int = 40,
) -> np.ndarray:
    """Return the outline of a circle, or of an ellipse tilted by so many degrees."""
    points = _unit_circle(n) * radius
    if tilt:
        angle = np.deg2rad(tilt)
        cosine, sine = np.cos(angle), np.sin(angle)
        points = points @ np.array([[cosine, sine], [-sine, cosine]])
    return points + centre


def arc(
    centre: tuple[float, float],
    radius: float | tuple[float, float],
    start: float,
    stop: float,
    *,
    n: int = 16,
) -> np.ndarray:
    """Return the points of an arc between two angles in degrees (0: right, 90: down)."""
    angles = np.deg2rad(np.linspace(start, stop, n))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + centre


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return the four corners of an upright rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


@lru_cache(maxsize=8)
def _catmull_rom(samples: int) -> np.ndarray:
    """Return the (samples, 4) weights of the Catmull-Rom spline between its middle points."""
    t = np.linspace(0.0, 1.0, samples, endpoint=False)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    basis = 0.5 * np.array(
        [[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], dtype=float
    )
    return powers @ basis


def spline(
    points: np.ndarray | Sequence[tuple[float, ...]], *, closed: bool = False, samples: int = 6
) -> np.ndarray:
    """Return a smooth curve through the points (any number of columns)."""
    knots = np.asarray(points, dtype=float)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        first, last = 2 * knots[:1] - knots[1:2], 2 * knots[-1:] - knots[-2:-1]
        padded = np.concatenate([first, knots, last])
    windows = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]])
    curve = np.einsum("sk,knd->nsd", _catmull_rom(samples), windows).reshape(-1, knots.shape[1])
    return curve if closed else np.concatenate([curve, knots[-1:]])


class Canvas:
    """A drawing surface seen through a projective matrix.

    The image has four channels: red, green and blue times coverage, and coverage. (Pillow knows
    it as CMYK, the one four-channel mode that it reduces without dividing by the last channel.)

    Parameters
    ----------
    matrix : ndarray of shape (3, 3)
        From local coordinates to pixels of the reduced picture.
    size : int
        Height and width of the reduced picture in pixels.
    """

    def __init__(self, matrix: np.ndarray, size: int) -> None:
        self.image = Image.new("CMYK", (size * OVERSAMPLING, size * OVERSAMPLING))
        self._draw = ImageDraw.Draw(self.image)
        self._set_matrix(np.diag([OVERSAMPLING, OVERSAMPLING, 1.0]) @ matrix)

    def _set_matrix(self, matrix: np.ndarray) -> None:
        """Keep the projection and the pixels that one local unit spans."""
        self._matrix = matrix
        self._linear = matrix[:2, :2].T.copy()
        self._offset = matrix[:2, 2].copy()
        self._vanishing = matrix[2, :2].copy()
        self._flat = not self._vanishing.any()
        depth = matrix[2, 2]
        local = (matrix[:2, :2] - np.outer(matrix[:2, 2] / depth, matrix[2, :2])) / depth
        area = local[0, 0] * local[1, 1] - local[0, 1] * local[1, 0]
        self.unit = float(np.sqrt(abs(area)))

    def within(self, matrix: np.ndarray) -> Canvas:
        """Return a canvas on the same image whose frame lies in this one's by ``matrix``."""
        child = object.__new__(Canvas)
        child.image, child._draw = self.image, self._draw
        child._set_matrix(self._matrix @ matrix)
        return child

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return pixel positions of local points, an array (..., 2)."""
        pixels = points @ self._linear + self._offset
        if self._flat:
            return pixels
        depth = points @ self._vanishing + self._matrix[2, 2]
        # A point behind the eye would turn a shape inside out.
        return pixels / np.maximum(depth, 0.2)[..., None]

    def reduced(self) -> Image.Image:
        """Return the image at the picture's size, its edges smooth."""
        return self.image.reduce(OVERSAMPLING)

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        """Fill one outline."""
        self._draw.polygon(self.project(points).ravel().tolist(), fill=(*colour, 255))

    def quads(self, corners: np.ndarray, colour: Colour) -> None:
        """Fill many quadrilaterals, an array (n, 4, 2), in one colour."""
        ink = (*colour, 255)
        for quad in self.project(corners).reshape(len(corners), -1).tolist():
            self._draw.polygon(quad, fill=ink)

    def bars(self, edges: np.ndarray, colour: Colour) -> None:
        """Fill many upright rectangles, an array (n, 4): left, top, right, bottom."""
        self.quads(edges[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2), colour)

    def pixels(self, width: float) -> int:
        """Return a local width in whole pixels, at least one."""
        return max(1, round(width * self.unit))

    def line(self, points: np.ndarray | list, colour: Colour, width: float = 0.0) -> None:
        """Draw a line through the points, its width in local units."""
        flat = self.project(np.asarray(points, dtype=float)).ravel().tolist()
        self._draw.line(flat, fill=(*colour, 255), width=self.pixels(width))

    def segments(self, ends: np.ndarray, colour: Colour, width: float = 0.0) -> None:
        """Draw many separate segments, an array (n, 4): x0, y0, x1, y1."""
        ink, pixels = (*colour, 255), self.pixels(width)
        for flat in self.project(ends.reshape(-1, 2)).reshape(-1, 4).tolist():
            self._draw.line(flat, fill=ink, width=pixels)

    def dots(self, centres: np.ndarray | list, radius: float, colour: Colour) -> None:
        """Draw round dots, which a projection leaves round."""
        ink, reach = (*colour, 255), max(1.0, radius * self.unit)
        for x, y in self.project(np.asarray(centres, dtype=float).reshape(-1, 2)).tolist():
            self._draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=ink)

    def solid(
        self, points: np.ndarray, colour: Colour, *, edge: float = 0.012, rim: float = 0.5
    ) -> None:
        """Fill an outline and draw its border in a darker colour (``rim`` times as bright)."""
        flat = self.project(points)
        corners = flat.ravel().tolist()
        self._draw.polygon(corners, fill=(*colour, 255))
        border = corners + corners[:4]
        self._draw.line(border, fill=(*shade(colour, rim), 255), width=self.pixels(edge))

    def domed(
        self, points: np.ndarray, colour: Colour, *, layers: int = 6, depth: float = 0.3
    ) -> None:
        """Fill an outline that grows lighter towards its middle, as a vaulted plate does."""
        flat = self.project(points)
        middle = flat.mean(axis=0)
        for layer in range(layers):
            share = layer / max(1, layers - 1)
            grown = middle + (flat - middle) * (1.0 - 0.55 * share)
            tone = shade(colour, 1.0 - depth * (1.0 - share) + 0.12 * share)
            self._draw.polygon(grown.ravel().tolist(), fill=(*tone, 255))

    def tube(
        self, path: np.ndarray, radius: float | np.ndarray, colour: Colour, *, gloss: float = 1.55
    ) -> None:
        """Fill a round tube along a path, dark at its edges, with a highlight along one side."""
        pixels = self.project(path)
        steps = np.gradient(pixels, axis=0)
        lengths = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-6)
        normals = np.stack([-steps[:, 1], steps[:, 0]], axis=1) / lengths[:, None]
        reach = np.maximum(np.asarray(radius, dtype=float) * self.unit, 0.8)
        if reach.ndim == 0:
            reach = np.full(len(path), float(reach))
        # Light comes from the upper left, whichever way the path runs.
        side = 1.0 if (normals @ np.array([-0.5, -0.85])).sum() >= 0 else -1.0
        across = normals * (reach * side)[:, None]
        for low, high, factor in ((-1.0, 1.0, 0.45), (-0.72, 0.82, 1.0), (0.12, 0.55, gloss)):
            if factor == gloss and reach.max() < 1.6:
                break
            band = np.concatenate([pixels + across * low, (pixels + across * high)[::-1]])
            self._draw.polygon(band.ravel().tolist(), fill=(*shade(colour, factor), 255))
