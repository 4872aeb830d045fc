"""Pictures: files, bytes, arrays and PIL images become RGB uint8 pixels."""

from __future__ import annotations

import io
import os
import struct
from typing import Any

import numpy as np

from ._cells import MediaError, describe
from ._containers import container_format
from ._fragment import fragment_of
from ._video import read_frame

# Pillow's own warning threshold, a quarter of a gigabyte as RGB: larger headers are not decoded.
MAX_PIXELS = 89_478_485


def read_image(cell: Any) -> np.ndarray:
    """Decode one cell to RGB pixels.

    Parameters
    ----------
    cell : str, path-like, bytes, ndarray or PIL.Image.Image
        A file that Pillow reads (its first frame) or, with the extra ``video``, a video that
        PyAV reads (MP4, MKV, WebM, MOV, AVI, ...): the frame shown in its middle or, with a W3C
        time fragment (``"clip.mp4#t=3.0,4.0"``, seconds), in the middle of that part, turned as
        the file says; its content as bytes, a PIL image, or an array ``(h, w)``, ``(h, w, 1)``,
        ``(h, w, 3)`` or ``(h, w, 4)``: uint8, uint16, bool, other integers within [0, 255], or
        float within [0, 1]. EXIF orientation is applied, transparency is laid on white, 16-bit
        values are scaled to 8 bits.

    Returns
    -------
    pixels : uint8 array of shape (h, w, 3)

    Raises
    ------
    MediaError
        When the cell is not a picture: missing file, folder, damaged or truncated file, a video
        without pictures, more than 89 million pixels, no pixels, NaN or values out of range,
        another type.
    ImportError
        When the file needs PyAV, which is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.media import read_image
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    if isinstance(cell, np.ndarray):
        return _from_array(cell, describe(cell))
    from PIL import Image, ImageOps

    try:
        if isinstance(cell, Image.Image):
            return _to_rgb(ImageOps.exif_transpose(cell), cell)
        source, start, end = _source(cell)
        if container_format(source) is not None:
            return read_frame(source, describe(cell), start=start, end=end, max_pixels=MAX_PIXELS)
        if start is not None or end is not None:
            raise MediaError("the time fragment needs a video", cell=describe(cell))
        with Image.open(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise MediaError(
                    f"the picture claims {image.width} x {image.height} pixels, more than "
                    f"the {MAX_PIXELS} that are decoded: shrink it first",
                    cell=describe(cell),
                )
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image, cell)
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"the picture is too large ({error})", cell=describe(cell)) from None
    # Pillow's decoders raise what their format code happens to meet in a damaged file; they also
    # warn of damage, which is an exception where the user made warnings errors.
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        RuntimeError,
        struct.error,
        Warning,
    ) as error:
        raise MediaError(
            f"the file cannot be read as a picture ({_reason(error)})", cell=describe(cell)
        ) from None


def _reason(error: Exception) -> str:
    """Pillow's message, without the memory address of an unnamed stream."""
    message = str(error) or type(error).__name__
    return "unknown format" if message.startswith("cannot identify image file") else message


def _source(cell: Any) -> tuple[Any, float | None, float | None]:
    """Return what to open, and the part of it that is asked for."""
    if isinstance(cell, (str, os.PathLike)):
        return fragment_of(os.fspath(cell))
    if isinstance(cell, (bytes, bytearray, memoryview)):
        if len(cell) == 0:
            raise MediaError("there are no bytes to decode", cell=describe(cell))
        return io.BytesIO(cell), None, None
    raise MediaError(
        "a picture must be a path, bytes, an array or a PIL image", cell=describe(cell)
    )


def _to_rgb(image: Any, cell: Any) -> np.ndarray:
    from PIL import Image

    image.load()
    if image.width == 0 or image.height == 0:
        raise MediaError("the picture has no pixels", cell=describe(cell))
    if image.mode.startswith("I;16"):
        return _from_array(np.asarray(image).astype(np.uint16), describe(cell))
    if image.mode in ("I", "F"):
        array = np.asarray(image)
        if image.mode == "I" and array.min() >= 0 and array.max() <= 65535:
            array = array.astype(np.uint16)
        return _from_array(array, describe(cell))
    if image.mode == "La":
        image = image.convert("LA")
    palette_alpha = image.palette is not None and image.palette.mode == "RGBA"
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info or palette_alpha:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _from_array(array: np.ndarray, cell: str) -> np.ndarray:
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = ": pass channels last" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        raise MediaError(
            f"a picture must have the shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4){hint}",
            cell=cell,
        )
    if array.size == 0:
        raise MediaError("the picture has no pixels", cell=cell)
    pixels = _eight_bits(array, cell)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.float32) / 255
        on_white = pixels[:, :, :3] * alpha + 255 * (1 - alpha)
        return np.round(on_white).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _eight_bits(array: np.ndarray, cell: str) -> np.ndarray:
    """Pixels as uint8, whatever range their type stands for."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # in either order of bytes
        return np.round(array / 257).astype(np.uint8)
    if array.dtype.kind in "iu":
        if array.min() < 0 or array.max() > 255:
            raise MediaError("integer pixels must lie between 0 and 255", cell=cell)
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        # Written so that NaN fails it too.
        if not (array.min() >= 0 and array.max() <= 1):
            raise MediaError("float pixels must lie between 0 and 1, without NaN", cell=cell)
        return np.round(array * 255).astype(np.uint8)
    raise MediaError("pixels must be integers, floats or bool", cell=cell)
