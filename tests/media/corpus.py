"""More than 300 broken and odd media files, and what becomes of each.

``build(folder)`` writes them and returns cases. A case expects ``"row"``, ``"error"`` (the named
error) or ``"either"``: of a damaged file nobody can know whether enough of it is left.
"""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from . import videos

N_CUTS = 20
N_FLIPS = 6
SOUNDS = {
    "wav": {},
    "flac": {},
    "ogg": {},
    "mp3": {},
    "aiff": {},
    "au": {},
    "caf": {},
    "w64": {},
    "rf64": {},
}
PICTURES = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "tga", "ico")
CONTAINERS = ("mp4", "mkv", "avi", "m4a")


@dataclass(frozen=True)
class Case:
    """One file, read as one modality."""

    name: str
    path: str
    modality: str
    expects: str

    def __str__(self):
        return f"{self.modality}-{self.name}"


def tone(n=1600, rate=8000):
    """Return a tone that no two samples of a period share."""
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(n) / rate)).astype(np.float32)


def pixels(height=24, width=32):
    """Return colours that change with every pixel."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoded_sound(kind, samples=None, rate=8000, **options):
    """Return a sound file's bytes."""
    buffer = io.BytesIO()
    samples = tone() if samples is None else samples
    soundfile.write(buffer, samples, rate, format=kind.upper(), **options)
    return buffer.getvalue()


def encoded_picture(kind, array=None, **options):
    """Return a picture file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels() if array is None else array).save(buffer, kind, **options)
    return buffer.getvalue()


def wav(data, *, rate=8000, channels=1, bits=16, code=1, announced=None):
    """Return a WAV file whose header says what it is told to say."""
    width = channels * bits // 8
    fmt = struct.pack("<HHIIHH", code, channels, rate, min(rate * width, 2**32 - 1), width, bits)
    size = len(data) if announced is None else announced
    riff = min(36 + size, 2**32 - 1)
    return (
        b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
        + b"data" + struct.pack("<I", size) + data
    )  # fmt: skip


def png(width, height, *, bits=8, colour=2, chunks=(), data=b""):
    """Return a PNG file with a header of one's own."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )  # fmt: skip


def sources(folder, *, containers=True):
    """Return a good file of every format: name, modality, bytes."""
    found = [(kind, "audio", encoded_sound(kind, **options)) for kind, options in SOUNDS.items()]
    found += [(kind, "image", encoded_picture(kind)) for kind in PICTURES]
    if containers:
        for kind in CONTAINERS:
            video = None if kind == "m4a" else "mpeg4" if kind == "avi" else "libx264"
            audio = "mp3" if kind == "avi" else "aac"
            path = Path(folder) / f"source.{kind}"
            content = videos.write_video(path, seconds=0.6, video=video, audio=audio).read_bytes()
            path.unlink()
            found.append((kind, "audio", content))
            if video:
                found.append((kind, "image", content))
    return found


def damaged(good, random_state):
    """Yield name and bytes of truncated, flipped, overwritten and extended copies of a file."""
    for cut in range(N_CUTS):
        yield f"cut{cut:02d}", good[: 1 + cut * (len(good) - 1) // N_CUTS]
    for flip in range(N_FLIPS):
        copy = bytearray(good)
        # The first in the header, where a bit matters most.
        for _ in range(1 + 3 * flip):
            at = random_state.integers(min(64, len(copy)) if flip < 3 else len(copy))
            copy[at] ^= 1 << random_state.integers(8)
        yield f"flip{flip}", bytes(copy)
    middle = len(good) // 2
    yield "zeros", good[:middle] + bytes(len(good) - middle)
    yield "hole", good[: middle // 2] + good[middle:]
    yield "twice", good + good
    yield "tail", good + random_state.bytes(100)


def odd_sounds():
    """Yield name, bytes, expectation."""
    nan, inf = tone(), tone()
    nan[7], inf[7] = np.nan, -np.inf
    yield "no-samples.wav", wav(b""), "error"
    yield "one-sample.wav", wav(b"\1\2"), "row"
    yield "nan.wav", wav(nan.tobytes(), bits=32, code=3), "error"
    yield "inf.wav", wav(inf.tobytes(), bits=32, code=3), "error"
    yield "huge-floats.wav", wav((tone() * 3e38).tobytes(), bits=32, code=3), "error"
    yield "doubles.wav", wav(tone().astype("<f8").tobytes(), bits=64, code=3), "row"
    yield "denormal.wav", wav((tone() * 1e-40).tobytes(), bits=32, code=3), "row"
    for bits in (8, 24, 32):
        subtype = {8: "PCM_U8", 24: "PCM_24", 32: "PCM_32"}[bits]
        yield f"{bits}bit.wav", encoded_sound("wav", subtype=subtype), "row"
    for channels in range(1, 9):
        many = np.stack([tone()] * channels, axis=1)
        yield f"{channels}channels.wav", encoded_sound("wav", many), "row"
    yield "1000channels.wav", wav(bytes(2000 * 8), channels=1000), "row"
    yield "no-channels.wav", wav(bytes(100), channels=0), "error"
    yield "1hz.wav", wav(tone(20).tobytes(), rate=1, bits=32, code=3), "row"
    yield "0hz.wav", wav(bytes(200), rate=0), "error"
    yield "384khz.wav", wav(bytes(20_000), rate=384_000), "row"
    yield "2ghz.wav", wav(bytes(20_000), rate=2**31 - 1), "either"
    yield "4ghz.wav", wav(bytes(20_000), rate=2**32 - 1), "either"
    # 2 MB at one sample a second would be 8 billion samples at 16 kHz.
    yield "1hz-bomb.wav", wav(bytes(1_000_000), rate=1), "error"
    yield "announces-more.wav", wav(bytes(100), announced=10_000), "error"
    yield "announces-4gb.wav", wav(bytes(100), announced=2**32 - 1), "row"
    yield "announces-less.wav", wav(bytes(1000), announced=100), "row"
    yield "odd-bytes.wav", wav(bytes(101)), "either"
    yield "7bit.wav", wav(bytes(100), bits=7), "either"
    yield "unknown-codec.wav", wav(bytes(100), code=0x7777), "error"
    yield "header-only.wav", b"RIFF\0\0\0\0WAVE", "error"
    flac = bytearray(encoded_sound("flac"))
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4  # 2**36 - 1 samples, says the header
    yield "announces-68-billion.flac", bytes(flac), "error"
    yield "id3-only.mp3", b"ID3\4\0\0\0\0\0\0", "error"
    yield "id3-4gb.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(100), "error"
    yield "really-wav.mp3", encoded_sound("wav"), "row"
    yield "really-mp3.wav", encoded_sound("mp3"), "row"
    yield "really-png.wav", encoded_picture("png"), "error"
    yield "really-flac.txt", encoded_sound("flac"), "row"
    yield "raw.raw", tone().tobytes(), "error"
    yield "text.wav", b"this is no sound\n" * 9, "error"
    yield "no-suffix", encoded_sound("ogg"), "row"
    yield "playlist.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "error"
    yield "concat.txt", b"ffconcat version 1.0\nfile /etc/passwd\n", "error"


def odd_pictures():
    """Yield name, bytes, expectation."""
    deep = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 80
    rotated = Image.Exif()
    rotated[0x0112] = 6
    image = Image.fromarray(pixels())
    yield "progressive.jpg", encoded_picture("jpeg", progressive=True), "row"
    cmyk = io.BytesIO()
    image.convert("CMYK").save(cmyk, "jpeg")
    yield "cmyk.jpg", cmyk.getvalue(), "row"
    yield "rotated.jpg", encoded_picture("jpeg", exif=rotated), "row"
    yield "bad-exif.jpg", encoded_picture("jpeg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), "either"
    rotated[0x0112] = 77
    yield "rotated77.jpg", encoded_picture("jpeg", exif=rotated), "row"
    animated = io.BytesIO()
    image.save(animated, "gif", save_all=True, append_images=[image.rotate(90)] * 3)
    yield "animated.gif", animated.getvalue(), "row"
    yield "16bit.png", encoded_picture("png", deep), "row"
    palette = io.BytesIO()
    image.convert("P").save(palette, "png")
    yield "palette.png", palette.getvalue(), "row"
    see_through = io.BytesIO()
    image.convert("P").save(see_through, "png", transparency=3)
    yield "palette-transparent.png", see_through.getvalue(), "row"
    for mode in ("1", "L", "LA", "RGBA"):
        one = io.BytesIO()
        image.convert(mode).save(one, "png")
        yield f"{mode}.png", one.getvalue(), "row"
    for mode in ("F", "I;16", "CMYK", "LAB"):
        one = io.BytesIO()
        if mode == "F":
            made = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
        elif mode == "I;16":
            made = Image.fromarray(deep)
        else:
            made = Image.new(mode, (8, 8), 3)
        made.save(one, "tiff")
        yield f"{mode.replace(';', '')}.tiff", one.getvalue(), "row"
    nan = np.full((8, 8), np.nan, np.float32)
    yield "nan.tiff", encoded_picture("tiff", nan), "error"
    yield "1x1.png", encoded_picture("png", pixels(1, 1)), "row"
    yield "20000x1.png", encoded_picture("png", pixels(1, 20_000)), "row"
    yield "1x20000.png", encoded_picture("png", pixels(20_000, 1)), "row"
    yield "0x5.png", png(0, 5), "error"
    yield "bomb.png", png(60_000, 60_000, bits=1, colour=0, data=bytes(100_000)), "error"
    yield "bomb-4-billion.png", png(2**31 - 1, 2**31 - 1), "error"
    below = png(9000, 9000, bits=1, colour=0, data=bytes(1000))
    yield "below-the-limit-but-short.png", below, "error"
    text = b"Comment\0\0" + zlib.compress(bytes(80_000_000))
    small = png(2, 2, bits=8, colour=0, chunks=[(b"zTXt", text)], data=bytes(6))
    yield "text-bomb.png", small, "either"
    profile = b"icc\0\0" + zlib.compress(bytes(80_000_000))
    small = png(2, 2, bits=8, colour=0, chunks=[(b"iCCP", profile)], data=bytes(6))
    yield "profile-bomb.png", small, "either"
    gif = bytearray(encoded_picture("gif"))
    gif[6:10] = b"\xff" * 4
    yield "bomb.gif", bytes(gif), "error"
    bmp = bytearray(encoded_picture("bmp"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    yield "bomb.bmp", bytes(bmp), "error"
    bmp[18:26] = struct.pack("<ii", -5, 5)
    yield "negative.bmp", bytes(bmp), "either"
    yield "bomb.ppm", b"P6 100000 100000 255\n" + bytes(99), "error"
    yield (
        "bomb.tga",
        struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 65535, 65535, 24, 0),
        ("error"),
    )
    yield "bad-crc.png", encoded_picture("png").replace(b"IDAT", b"IDAX"), "error"
    yield "really-jpeg.png", encoded_picture("jpeg"), "row"
    yield "really-wav.png", encoded_sound("wav"), "error"
    yield "really-webp", encoded_picture("webp"), "row"
    yield "text.jpg", b"this is no picture\n" * 9, "error"
    yield "svg.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "error"
    yield "postscript.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "error"


def odd_videos(folder):
    """Yield name, modality, path, expectation."""
    folder = Path(folder)
    silent = videos.write_video(folder / "silent.mp4", seconds=0.4, audio=None)
    yield "silent.mp4", "audio", silent, "error"
    yield "silent.mp4", "image", silent, "row"
    blind = videos.write_video(folder / "blind.mp4", seconds=0.4, video=None)
    yield "blind.mp4", "audio", blind, "row"
    yield "blind.mp4", "image", blind, "error"
    whole = videos.write_video(folder / "whole.mp4", seconds=0.6)
    content = whole.read_bytes()
    yield "whole.mp4", "audio", whole, "row"
    yield "whole.mp4", "image", whole, "row"
    for name, edited in {
        "no-frames.mp4": _without_samples(content),
        "really-mp4.wav": content,
        "really-mp4.jpg": content,
        "ftyp-only.mp4": content[:32],
        "box-of-2**63.mp4": b"\0\0\0\1ftyp" + b"\x7f" + b"\xff" * 7 + bytes(40),
        "boxes-in-a-circle.mp4": content[:32] + b"\0\0\0\x08free" * 5000,
    }.items():
        path = folder / name
        path.write_bytes(edited)
        expects = "row" if edited is content else "error"
        for modality in ("audio", "image"):
            yield name, modality, path, expects
    for fragment, expects in {
        "0,0.2": "row", "0.2": "row", ",0.1": "row", "99,100": "error", "0.3,0.1": "error",
        "1e9": "error", "": "row", "-1,2": "error", "nan": "error", "0.1,": "row",
    }.items():  # fmt: skip
        for modality in ("audio", "image"):
            yield f"whole.mp4#t={fragment}", modality, f"{whole}#t={fragment}", expects


def _without_samples(content):
    """Return an MP4 file whose tables of samples are empty."""
    copy = bytearray(content)
    for table in (b"stsz", b"stco", b"stsc", b"stts"):
        at = copy.find(table)
        while at >= 0:
            count = at + (12 if table == b"stsz" else 8)
            copy[count : count + 4] = bytes(4)
            at = copy.find(table, at + 4)
    return bytes(copy)


def odd_paths(folder):
    """Yield name, path, expectation: what is no file, or not where it seems."""
    folder = Path(folder)
    (folder / "a-folder.wav").mkdir()
    yield "a-folder.wav", folder / "a-folder.wav", "error"
    os.mkfifo(folder / "fifo.wav")
    yield "fifo.wav", folder / "fifo.wav", "error"
    yield "/dev/zero", "/dev/zero", "error"
    yield "/dev/null", "/dev/null", "error"
    yield "missing.wav", folder / "missing.wav", "error"
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    yield "loop.wav", folder / "loop.wav", "error"
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    yield "dangling.wav", folder / "dangling.wav", "error"
    (folder / "empty.wav").write_bytes(b"")
    yield "empty.wav", folder / "empty.wav", "error"
    unreadable = folder / "unreadable.wav"
    unreadable.write_bytes(encoded_sound("wav"))
    unreadable.chmod(0)
    # An administrator reads what nobody may.
    yield "unreadable.wav", unreadable, "row" if os.access(unreadable, os.R_OK) else "error"
    yield "long-name", "x" * 5000, "error"
    yield "null-in-name", "a\0b.wav", "error"
    yield "empty-name", "", "error"
    yield "url", "http://127.0.0.1:9/a.wav", "error"
    yield "option", "-i", "error"
    yield "proc", "/proc/self/mem", "error"
    (folder / "linked.wav").symlink_to(folder / "good.wav")
    yield "linked.wav", folder / "linked.wav", "row"
    for number, name in enumerate(("schön drum ♪.wav", "new\nline.wav", "a%20b?c#d.wav", "~.wav")):
        path = folder / name
        path.write_bytes(encoded_sound("wav"))
        yield f"name{number}", path, "row"
    raw = os.path.join(os.fsencode(folder), b"not-utf8-\xff\xfe.wav")
    with open(raw, "wb") as file:
        file.write(encoded_sound("wav"))
    yield "not-utf8", os.fsdecode(raw), "row"


def build(folder, *, containers=True):
    """Write every file and return the cases, with a good sound and a good picture beside them."""
    folder = Path(folder)
    random_state = np.random.default_rng(0)
    (folder / "good.wav").write_bytes(encoded_sound("wav"))
    (folder / "good.png").write_bytes(encoded_picture("png"))
    cases = []

    def add(name, modality, content, expects):
        path = folder / f"{modality}-{name}"
        path.write_bytes(content)
        cases.append(Case(name, str(path), modality, expects))

    for kind, modality, content in sources(folder, containers=containers):
        add(f"good.{kind}", modality, content, "row")
        for name, copy in damaged(content, random_state):
            expects = "error" if name.startswith("cut") else "either"
            add(f"{name}.{kind}", modality, copy, expects)
    for name, content, expects in odd_sounds():
        add(name, "audio", content, expects)
    for name, content, expects in odd_pictures():
        add(name, "image", content, expects)
    for name, path, expects in odd_paths(folder):
        cases.append(Case(name, str(path), "audio", expects))
    if containers:
        cases += [Case(n, str(p), m, expects) for n, m, p, expects in odd_videos(folder)]
    return cases
