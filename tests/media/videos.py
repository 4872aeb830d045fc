"""Small videos whose every sample and frame is known, made with PyAV."""

from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = 16_000
FPS = 25
WIDTH, HEIGHT = 64, 48


def chirp(seconds, rate=RATE):
    """Return a rising tone: no two parts of it are alike."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 100 * time) * time)).astype(np.float32)


def grey(frame):
    """Return the level of a frame: a ramp that starts anew after a hundred frames, first at 70."""
    return 20 + 2 * ((frame + 30) % 100)


def picture(frame):
    """Return a grey frame whose upper left quarter is red, so that its top can be told."""
    pixels = np.full((HEIGHT, WIDTH, 3), grey(frame), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = 255, 0, 0
    return pixels


def level(pixels):
    """Return the grey of the lower right quarter."""
    return float(pixels[-10:-4, -10:-4].mean())


def write_video(
    path, *, seconds=4.0, video="libx264", audio="aac", rate=RATE, stereo=False, gop=25
):
    """Write sound and pictures, packet beside packet, to a file of the kind its suffix says."""
    import av

    path = Path(path)
    samples = np.round(chirp(seconds, rate) * 32768).clip(-32768, 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        pictures = sound = None
        if video:
            pictures = container.add_stream(video, rate=FPS)
            pictures.width, pictures.height = WIDTH, HEIGHT
            pictures.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
            pictures.gop_size = gop
            pictures.bit_rate = 400_000
            pictures.codec_context.thread_count = 1
            if video == "libx264":
                pictures.options = {"preset": "ultrafast", "bf": "2"}
        if audio:
            sound = container.add_stream(audio, rate=rate, layout="stereo" if stereo else "mono")
        size = (sound and sound.codec_context.frame_size) or 1024
        done = 0
        for frame in range(max(1, round(seconds * FPS))):
            if pictures:
                image = av.VideoFrame.from_ndarray(picture(frame), format="rgb24")
                image.pts, image.time_base = frame, Fraction(1, FPS)
                container.mux(pictures.encode(image))
            while sound and done < min(len(samples), (frame + 1) / FPS * rate):
                block = samples[np.newaxis, done : done + size]
                if stereo:
                    block = np.stack([block[0], np.zeros_like(block[0])], axis=1).reshape(1, -1)
                block = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(block), format="s16", layout="stereo" if stereo else "mono"
                )
                block.sample_rate, block.pts, block.time_base = rate, done, Fraction(1, rate)
                container.mux(sound.encode(block))
                done += size
        for stream in (pictures, sound):
            if stream:
                container.mux(stream.encode(None))
    return path


def turn_clockwise(path):
    """Say in an MP4 file that its video is to be shown turned by 90 degrees clockwise."""
    content = bytearray(path.read_bytes())
    # x' = -y + height, y' = x, in the matrix of the first track's header.
    matrix = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30], ">i4").tobytes()
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = matrix
    path.write_bytes(content)
    return path
