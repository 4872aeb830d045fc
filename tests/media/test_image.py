"""Pictures: every kind of cell becomes RGB uint8 pixels, or one clear error."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from skxmodal.media import MediaError, read_image

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM"]
LOSSY = ["JPEG", "GIF"]
RED, GREEN, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)
# The width as text, which Pillow cannot write again, and an orientation.
UNWRITABLE_EXIF = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack(
    "<HHHI4sHHIII", 2, 0x0100, 2, 2, b"a", 0x0112, 3, 1, 6, 0
)


@pytest.fixture(scope="module")
def pixels():
    """A smooth picture of 40 x 60 pixels with a different ramp in each channel."""
    y, x = np.mgrid[:40, :60]
    return np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8)


def encoded(picture, file_format, **options):
    """Return a picture as the content of a file."""
    buffer = io.BytesIO()
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def only_pixel(picture):
    """Return the one colour of a picture of one pixel."""
    read = read_image(picture)
    assert read.shape == (1, 1, 3)
    assert read.dtype == np.uint8
    return tuple(read[0, 0].tolist())


@pytest.mark.parametrize("file_format", LOSSLESS)
def test_a_lossless_file_is_read_exactly(pixels, file_format):
    read = read_image(encoded(pixels, file_format))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("file_format", LOSSY)
def test_a_lossy_file_looks_the_same(pixels, file_format):
    read = read_image(encoded(pixels, file_format))
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels).mean() < 8


@pytest.mark.parametrize("kind", [str, Path, bytes, bytearray, memoryview])
def test_a_path_and_its_bytes_are_read_alike(pixels, tmp_path, kind):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(pixels, "PNG"))
    cell = kind(path) if kind in (str, Path) else kind(path.read_bytes())
    np.testing.assert_array_equal(read_image(cell), pixels)


def test_the_name_of_a_file_does_not_matter(pixels, tmp_path):
    (tmp_path / "picture.jpg").write_bytes(encoded(pixels, "PNG"))
    np.testing.assert_array_equal(read_image(tmp_path / "picture.jpg"), pixels)


@pytest.mark.parametrize("through_file", [True, False], ids=["file", "PIL image"])
@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, WHITE),
        ("RGB", RED, RED),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 128), (255, 127, 127)),
        ("LA", (0, 0), WHITE),
        ("LA", (0, 255), BLACK),
        ("LA", (0, 128), (127, 127, 127)),
        ("I;16", 65535, WHITE),
        ("I;16", 257 * 77, (77, 77, 77)),
    ],
)
def test_every_mode_becomes_rgb_on_white(mode, colour, expected, through_file):
    picture = Image.new(mode, (1, 1), colour)
    cell = encoded(picture, "PNG") if through_file else picture
    assert only_pixel(cell) == expected


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("CMYK", (0, 255, 255, 0), RED),
        ("CMYK", (0, 0, 0, 255), BLACK),
        ("YCbCr", (255, 128, 128), WHITE),
        ("HSV", (0, 255, 255), RED),
        ("PA", (0, 0), WHITE),
        ("RGBX", (255, 0, 0, 0), RED),
        ("I", 65535, WHITE),
        ("F", 1.0, WHITE),
        ("F", 0.0, BLACK),
    ],
)
def test_rarer_modes_of_pil_images_become_rgb(mode, colour, expected):
    assert only_pixel(Image.new(mode, (1, 1), colour)) == expected


@pytest.mark.parametrize(("mode", "premultiplied"), [("RGBA", "RGBa"), ("LA", "La")])
def test_premultiplied_alpha_is_laid_on_white(mode, premultiplied):
    transparent = Image.new(mode, (1, 1)).convert(premultiplied)
    assert only_pixel(transparent) == WHITE


def test_a_cmyk_jpeg_has_its_colours():
    read = read_image(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    np.testing.assert_allclose(read[8, 8], RED, atol=4)


def test_big_endian_16_bit_pixels_are_scaled():
    picture = Image.new("I;16B", (1, 1), 257 * 77)
    assert only_pixel(picture) == (77, 77, 77)


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_palette_is_looked_up(file_format):
    picture = Image.new("P", (1, 1), 1)
    picture.putpalette([*GREEN, *RED])
    assert only_pixel(encoded(picture, file_format)) == RED


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_the_transparent_colour_of_a_palette_is_white(file_format):
    picture = Image.new("P", (1, 1), 1)
    picture.putpalette([*GREEN, *RED])
    assert only_pixel(encoded(picture, file_format, transparency=1)) == WHITE


def test_partly_transparent_palette_entries_are_laid_on_white():
    picture = Image.new("P", (1, 1), 1)
    picture.putpalette([*GREEN, *RED])
    assert only_pixel(encoded(picture, "PNG", transparency=bytes([255, 128]))) == (255, 127, 127)


def test_the_alpha_of_a_palette_in_memory_is_laid_on_white():
    picture = Image.new("RGBA", (1, 1), (255, 0, 0, 0)).quantize()
    assert picture.palette.mode == "RGBA"
    assert only_pixel(picture) == WHITE


def test_the_transparent_colour_of_an_rgb_png_is_white():
    assert only_pixel(encoded(Image.new("RGB", (1, 1), RED), "PNG", transparency=RED)) == WHITE


def test_the_first_frame_of_an_animation_is_read():
    first, second = Image.new("RGB", (1, 1), RED), Image.new("RGB", (1, 1), GREEN)
    assert only_pixel(encoded(first, "GIF", save_all=True, append_images=[second])) == RED


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda p: p),
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.transpose(1, 0, 2)),
        (6, lambda p: np.rot90(p, -1)),
        (7, lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
        (8, lambda p: np.rot90(p)),
    ],
)
@pytest.mark.parametrize("opened", [False, True], ids=["bytes", "PIL image"])
def test_exif_orientation_is_applied(pixels, orientation, turn, opened):
    exif = Image.Exif()
    exif[0x112] = orientation
    content = encoded(pixels, "PNG", exif=exif)
    cell = Image.open(io.BytesIO(content)) if opened else content
    np.testing.assert_array_equal(read_image(cell), turn(pixels))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 77]], np.uint8), 77),
        (np.array([[0, 77]], np.int64), 77),
        (np.array([[0, 77 * 257]], np.uint16), 77),
        (np.array([[0, 77 * 257]], ">u2"), 77),
        (np.array([[False, True]]), 255),
        (np.array([[0, 1]], np.float64), 255),
        (np.array([[0, 77 / 255]], np.float32), 77),
        (np.array([[0, 1]], np.float16), 255),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_arrays_are_scaled_by_their_type(array, expected):
    for shaped in (array, array[:, :, np.newaxis], np.repeat(array[:, :, np.newaxis], 3, axis=2)):
        read = read_image(shaped)
        assert read.dtype == np.uint8
        assert read.tolist() == [[[0] * 3, [expected] * 3]]


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0, WHITE), (255, RED), (128, (255, 127, 127))], ids=str
)
def test_the_fourth_channel_of_an_array_is_alpha_on_white(alpha, expected):
    assert only_pixel(np.array([[[*RED, alpha]]], np.uint8)) == expected


def test_a_colour_array_keeps_its_pixels(pixels):
    np.testing.assert_array_equal(read_image(pixels), pixels)
    np.testing.assert_array_equal(read_image(pixels[::-1]), pixels[::-1])


def bomb(width, height):
    """Return a PNG whose header claims a huge picture; its data hold a single pixel."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0\0\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 14_000, 100_000, 2**31 - 1])
@pytest.mark.parametrize("as_file", [True, False], ids=["file", "bytes"])
def test_a_picture_that_claims_too_many_pixels_is_not_decoded(side, as_file, tmp_path):
    cell = bomb(side, side)
    if as_file:
        (tmp_path / "bomb.png").write_bytes(cell)
        cell = tmp_path / "bomb.png"
    with pytest.raises(MediaError, match=r"pixels|too large") as error:
        read_image(cell)
    assert ("bomb.png" if as_file else "bytes") in str(error.value)


def test_the_pixel_limit_holds_when_pillow_has_none(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(MediaError, match="claims 20000 x 20000 pixels, more than the 89478485"):
        read_image(bomb(20_000, 20_000))


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "bytes"])
@pytest.mark.parametrize(
    "file_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"]
)
def test_a_truncated_file_is_refused(tmp_path, file_format, as_file):
    # Noise cannot be packed: the pixels reach to the end of the file.
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    whole = encoded(noise, file_format)
    path = tmp_path / "cut"
    for share in (0.9, 0.75, 0.5, 0.25, 0.1, 0.02):
        content = whole[: round(share * len(whole))]
        path.write_bytes(content)
        with pytest.raises(MediaError, match="cannot be read as a picture"):
            read_image(path if as_file else content)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damaged_bytes_are_read_or_refused_without_another_error(pixels, file_format):
    whole = np.frombuffer(encoded(pixels, file_format), np.uint8)
    random = np.random.default_rng(0)
    outcomes = []
    for _ in range(60):
        damaged = whole.copy()
        damaged[random.integers(min(200, len(whole)), size=4)] = random.integers(256, size=4)
        try:
            outcomes.append(read_image(damaged.tobytes()).dtype == np.uint8)
        except MediaError:
            outcomes.append(False)
    assert len(outcomes) == 60
    assert False in outcomes


def test_a_width_in_exif_that_is_no_number_is_refused_as_damage(pixels):
    damaged = encoded(pixels, "JPEG", exif=UNWRITABLE_EXIF)
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        read_image(damaged)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_a_damaged_avif_is_refused(pixels):
    content = encoded(pixels, "AVIF")
    start = content.index(b"mdat") + 4
    damaged = content[:start] + bytes(16) + content[start + 16 :]
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        read_image(damaged)


def test_an_error_of_a_float_file_names_its_path(tmp_path):
    path = tmp_path / "bright.tif"
    Image.fromarray(np.full((2, 2), 300, np.float32)).save(path)
    with pytest.raises(MediaError, match=r"bright\.tif': float pixels must lie between 0 and 1"):
        read_image(path)


ZEROS = np.zeros((4, 4))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("gone.png", r"'gone\.png': there is no such file"),
        (b"", "0 bytes: there are no bytes to decode"),
        (b"not a picture", r"13 bytes: .*cannot be read as a picture \(unknown format\)"),
        (np.zeros(16), r"must have the shape \(h, w\), \(h, w, 1\), \(h, w, 3\) or \(h, w, 4\)$"),
        (np.zeros((6, 6, 2)), r"must have the shape .*\(h, w, 4\)$"),
        (np.zeros((2, 4, 4, 3)), "must have the shape"),
        (np.zeros((3, 32, 32)), "pass channels last"),
        (np.zeros((1, 28, 28)), "pass channels last"),
        (np.zeros((4, 32, 32)), "pass channels last"),
        (np.zeros((0, 4)), "the picture has no pixels"),
        (np.zeros((4, 0, 3)), "the picture has no pixels"),
        (Image.new("RGB", (0, 4)), "the picture has no pixels"),
        (ZEROS + np.nan, "float pixels must lie between 0 and 1, without NaN"),
        (np.array([[0.5, np.nan]]), "float pixels must lie between 0 and 1, without NaN"),
        (np.array([[0.5, np.inf]]), "float pixels must lie between 0 and 1"),
        (ZEROS + 255.0, "float pixels must lie between 0 and 1"),
        (ZEROS - 0.1, "float pixels must lie between 0 and 1"),
        (ZEROS.astype(int) + 256, "integer pixels must lie between 0 and 255"),
        (ZEROS.astype(int) - 1, "integer pixels must lie between 0 and 255"),
        (ZEROS.astype(complex), "pixels must be integers, floats or bool"),
        (ZEROS.astype(str), "pixels must be integers, floats or bool"),
        (12, "object of type int: a picture must be a path, bytes, an array or a PIL image"),
        ([[0, 1]], "object of type list: a picture must be a path"),
        ((8000, ZEROS), "a picture must be a path"),
    ],
)
def test_a_cell_that_is_no_picture_is_refused(cell, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=message):
        read_image(cell)


def test_a_file_of_something_else_is_refused_by_its_path(tmp_path):
    (tmp_path / "notes.png").write_text("these are my notes")
    with pytest.raises(MediaError, match=r"notes\.png'.*\(unknown format\)"):
        read_image(tmp_path / "notes.png")


def test_a_closed_image_is_refused(pixels):
    picture = Image.open(io.BytesIO(encoded(pixels, "PNG")))
    picture.close()
    with pytest.raises(MediaError):
        read_image(picture)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(MediaError, match=r"a\.png': the file is empty"):
        read_image(tmp_path / "a.png")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(MediaError, match="this is a folder, not a file"):
        read_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(MediaError, match="this is not a regular file"):
        read_image(tmp_path / "pipe.png")
