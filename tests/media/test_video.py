"""Videos: the sound and one frame of any part, exactly where it was asked for."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skxmodal.embedders import AudioEmbedder, ImageEmbedder
from skxmodal.embedders._content import media_key
from skxmodal.media import MediaError, read_audio, read_image
from skxmodal.media import _image as image_module
from skxmodal.media import _video as video_module
from skxmodal.media._containers import container_format

from . import videos
from .videos import FPS, RATE, chirp, grey, level, turn_clockwise, write_video

av = pytest.importorskip("av")

LOSSLESS = {
    "clip.mov": {"audio": "pcm_s16le"},
    "clip.mkv": {"audio": "flac"},
    "pcm.mkv": {"audio": "pcm_s16le"},
    "clip.avi": {"audio": "pcm_s16le", "video": "mpeg4"},
    "sound.mkv": {"audio": "flac", "video": None},
}
LOSSY = {
    "clip.mp4": {"audio": "aac"},
    "clip.m4v": {"audio": "aac", "video": "mpeg4"},
    "aac.mkv": {"audio": "aac"},
    "clip.webm": {"audio": "libopus", "video": "libvpx", "rate": 48_000},
    "sound.webm": {"audio": "libopus", "video": None, "rate": 48_000},
    "sound.m4a": {"audio": "aac", "video": None},
    "mp3.avi": {"audio": "mp3", "video": "mpeg4"},
}
STREAMS = {
    "clip.ts": {"audio": "aac"},
    "clip.flv": {"audio": "aac", "rate": 44_100},
    "sound.aac": {"audio": "aac", "video": None},
}
KINDS = LOSSLESS | LOSSY | STREAMS
# Containers in which sound or pictures start some frames after the clock's zero.
LATE = {"mp3.avi", "clip.ts", "clip.flv"}
WITH_PICTURES = [name for name, options in KINDS.items() if options.get("video", "") is not None]
SECONDS = 8.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a video of every kind."""
    folder = tmp_path_factory.mktemp("videos")
    for name, options in KINDS.items():
        write_video(folder / name, seconds=SECONDS, **options)
    return folder


@pytest.fixture
def video(folder):
    """The ordinary case: H.264 and AAC in MP4."""
    return folder / "clip.mp4"


def rate_of(name):
    return KINDS[name].get("rate", RATE)


FRAGMENTS = [(0, 1), (0.25, 0.75), (3, 4), (4.0001, 5.0001), (5.4321, 6.4321), (7, 8)]


@pytest.mark.parametrize(("start", "end"), FRAGMENTS)
@pytest.mark.parametrize("name", LOSSLESS)
def test_a_fragment_of_a_lossless_sound_is_read_to_the_sample(folder, name, start, end):
    read = read_audio(f"{folder / name}#t={start},{end}", RATE)

    assert read.dtype == np.float32
    expected = chirp(SECONDS)[round(start * RATE) : round(end * RATE)]
    np.testing.assert_allclose(read, expected, atol=1 / 32768, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_a_fragment_is_the_same_part_of_the_whole_sound(folder, name):
    rate = rate_of(name)
    whole = read_audio(folder / name, rate)
    for start, end in FRAGMENTS:
        read = read_audio(f"{folder / name}#t={start},{end}", rate)
        # The decoders of AAC fill noise bands with their own random numbers.
        expected = whole[round(start * rate) : round(end * rate)]
        np.testing.assert_allclose(read, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_sound_keeps_its_length_and_its_pitch(folder, name):
    rate = rate_of(name)
    read = read_audio(f"{folder / name}#t=3,4", rate)

    assert len(read) == rate
    spectrum = np.abs(np.fft.rfft(read * np.hanning(rate)))
    assert np.argmax(spectrum) == pytest.approx(200 + 2 * 100 * 3.5, abs=60)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "sound.m4a", "clip.mov", "clip.mkv"])
def test_the_samples_that_an_encoder_added_are_left_out(folder, name):
    assert len(read_audio(folder / name, rate_of(name))) == SECONDS * rate_of(name)


@pytest.mark.parametrize("fragment", ["#t=7.5,99", "#t=7.5", "#t=npt:7.5,8"])
def test_a_fragment_longer_than_the_video_gives_what_is_there(folder, fragment):
    for name in ("clip.mp4", "clip.mkv", "clip.webm", "clip.mov"):
        assert len(read_audio(f"{folder / name}{fragment}", RATE)) == RATE / 2


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("fragment", ["#t=99,100", "#t=99", "#t=4,3", "#t=4,4"])
def test_a_fragment_without_samples_is_refused(folder, name, fragment):
    with pytest.raises(MediaError, match=r"fragment lies outside the sound of \d+\.\d{3} s$"):
        read_audio(f"{folder / name}{fragment}", RATE)


@pytest.mark.parametrize("name", WITH_PICTURES)
@pytest.mark.parametrize("fragment", ["#t=99,100", "#t=99", "#t=4,3", "#t=4,4"])
def test_a_fragment_without_frames_is_refused(folder, name, fragment):
    with pytest.raises(MediaError, match=r"fragment lies outside the video of \d+\.\d{3} s$"):
        read_image(f"{folder / name}{fragment}")


@pytest.mark.parametrize("name", WITH_PICTURES)
def test_the_frame_in_the_middle_of_a_fragment_is_read(folder, name):
    for start, end in [(0, 1), (3, 4), (2.02, 2.06), (6.5, 7.5)]:
        pixels = read_image(f"{folder / name}#t={start},{end}")
        assert pixels.shape == (48, 64, 3)
        assert pixels.dtype == np.uint8
        frame = (start + end) / 2 * FPS
        assert level(pixels) == pytest.approx(grey(int(frame)), abs=8 if name in LATE else 4)


def test_the_frame_that_is_shown_at_the_instant_is_read(tmp_path):
    path = write_video(tmp_path / "exact.mkv", seconds=3, video="ffv1", audio=None)
    fifty, still_fifty, next_one = (
        level(read_image(f"{path}#t={t},{t}1")) for t in (2.0, 2.039, 2.041)
    )
    assert fifty == pytest.approx(grey(50), abs=1.5)
    assert still_fifty == fifty
    assert next_one > fifty


@pytest.mark.parametrize("name", WITH_PICTURES)
def test_without_a_fragment_the_frame_in_the_middle_of_the_video_is_read(folder, name):
    expected = grey(int(SECONDS / 2 * FPS))
    assert level(read_image(folder / name)) == pytest.approx(expected, abs=8 if name in LATE else 4)


def test_a_fragment_that_runs_over_the_end_has_its_middle_in_what_is_there(video):
    assert level(read_image(f"{video}#t=7,99")) == pytest.approx(
        level(read_image(f"{video}#t=7,8")), abs=1
    )


def test_the_colours_and_the_top_of_a_frame_are_kept(video):
    pixels = read_image(video).astype(int)
    np.testing.assert_allclose(pixels[8, 8], (255, 0, 0), atol=12)
    np.testing.assert_allclose(pixels[40, 8], [grey(100)] * 3, atol=6)


def test_a_frame_is_turned_as_the_file_says(tmp_path):
    pixels = read_image(turn_clockwise(write_video(tmp_path / "phone.mp4", seconds=1))).astype(int)

    assert pixels.shape == (64, 48, 3)
    # The red quarter, upper left in the stream, is upper right when shown.
    np.testing.assert_allclose(pixels[8, -8], (255, 0, 0), atol=12)
    assert abs(pixels[8, 8] - pixels[8, 8].mean()).max() < 12


def test_channels_are_averaged(tmp_path):
    path = write_video(tmp_path / "stereo.mov", seconds=0.5, audio="pcm_s16le", stereo=True)
    np.testing.assert_allclose(read_audio(path, RATE), chirp(0.5) / 2, atol=1 / 32768)


def test_the_sound_is_resampled_to_the_rate_asked_for(video):
    assert len(read_audio(f"{video}#t=3,4", 8_000)) == 8_000


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.avi", "sound.m4a"])
def test_the_bytes_of_a_video_and_the_name_of_a_file_do_not_matter(folder, name, tmp_path):
    content = (folder / name).read_bytes()
    renamed = tmp_path / "anything.wav"
    renamed.write_bytes(content)
    whole = read_audio(folder / name, RATE)
    np.testing.assert_array_equal(read_audio(content, RATE), whole)
    np.testing.assert_array_equal(read_audio(renamed, RATE), whole)
    if name in WITH_PICTURES:
        np.testing.assert_array_equal(read_image(content), read_image(folder / name))


def test_only_what_is_needed_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "long.mkv", seconds=40, audio="flac")
    decoded = []
    cut = video_module._cut

    def counting(frames, *args):
        return cut((decoded.append(frame.samples) or frame for frame in frames), *args)

    monkeypatch.setattr(video_module, "_cut", counting)
    expected = chirp(40)[30 * RATE : 31 * RATE]
    np.testing.assert_allclose(read_audio(f"{path}#t=30,31", RATE), expected, atol=1 / 32768)
    assert sum(decoded) < 4 * RATE


def test_a_seek_that_leads_too_far_is_made_good(video, monkeypatch):
    seek = video_module._seek
    monkeypatch.setattr(video_module, "_seek", lambda c, stream, _: seek(c, stream, 7.5))
    whole = read_audio(video, RATE)
    np.testing.assert_allclose(
        read_audio(f"{video}#t=5,6", RATE), whole[5 * RATE : 6 * RATE], atol=1e-4
    )
    assert level(read_image(f"{video}#t=5,6")) == pytest.approx(grey(137), abs=4)


def test_a_container_that_cannot_seek_is_read_from_its_start(video, monkeypatch):
    monkeypatch.setattr(video_module, "_seek", lambda *_: False)
    whole = read_audio(video, RATE)
    np.testing.assert_array_equal(read_audio(f"{video}#t=5,6", RATE), whole[5 * RATE : 6 * RATE])
    assert level(read_image(f"{video}#t=5,6")) == pytest.approx(grey(137), abs=4)


def test_a_video_of_a_fifth_of_a_second_has_its_sound_and_a_frame(tmp_path):
    path = write_video(tmp_path / "short.mp4", seconds=0.2)
    assert len(read_audio(path, RATE)) == 0.2 * RATE
    assert level(read_image(f"{path}#t=0,1")) == pytest.approx(grey(2), abs=4)


def test_a_video_without_sound_is_no_sound(tmp_path):
    path = write_video(tmp_path / "silent.mp4", seconds=0.2, audio=None)
    with pytest.raises(MediaError, match=r"silent\.mp4': the video has no sound$"):
        read_audio(path, RATE)


@pytest.mark.parametrize("name", ["sound.m4a", "sound.webm", "sound.mkv"])
def test_a_sound_in_a_video_container_is_no_picture(folder, name):
    with pytest.raises(MediaError, match="the file has no video, only sound"):
        read_image(f"{folder / name}#t=0,1")


def test_a_container_without_streams_is_refused(tmp_path):
    path = tmp_path / "none.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    for read in (lambda: read_audio(path, RATE), lambda: read_image(path)):
        with pytest.raises(MediaError, match=r"no sound|no video|no frames|cannot be decoded"):
            read()


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "bytes"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.avi", "clip.mov"])
def test_a_truncated_video_is_refused_and_never_a_shorter_one(folder, name, as_file, tmp_path):
    whole = (folder / name).read_bytes()
    path = tmp_path / "cut"
    for length in [len(whole) - 1, len(whole) - 5, *(len(whole) * k // 8 for k in range(1, 8)), 30]:
        path.write_bytes(whole[:length])
        cell = path if as_file else whole[:length]
        for read in (lambda cell=cell: read_audio(cell, RATE), lambda cell=cell: read_image(cell)):
            with pytest.raises(MediaError, match=r"truncated|cannot be decoded"):
                read()


def test_an_error_is_one_sentence_that_names_the_file(folder, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes((folder / "clip.mp4").read_bytes()[:5000])
    with pytest.raises(MediaError, match=r"cut\.mp4#t=0,1': the file is truncated \(5000 of \d+ b"):
        read_audio(f"{path}#t=0,1", RATE)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.avi", "sound.aac"])
def test_damaged_bytes_are_read_or_refused_without_another_error(tmp_path, name):
    options = KINDS[name] | {"seconds": 0.4}
    whole = np.frombuffer(write_video(tmp_path / name, **options).read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    outcomes = []
    for _ in range(25):
        damaged = whole.copy()
        damaged[random.integers(len(whole), size=30)] = random.integers(256, size=30)
        for read in (lambda cell: read_audio(cell, RATE), read_image):
            try:
                outcomes.append(np.isfinite(read(damaged.tobytes())).all())
            except MediaError:
                outcomes.append(False)
    assert len(outcomes) == 50
    assert False in outcomes


def test_a_frame_of_too_many_pixels_is_not_decoded(video, monkeypatch):
    monkeypatch.setattr(image_module, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(MediaError, match=r"claims 64 x 48 pixels, more than the 3071"):
        read_image(video)


def test_a_fragment_of_a_still_picture_is_refused(tmp_path):
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "still.png")
    with pytest.raises(MediaError, match=r"still\.png#t=0,1': the time fragment needs a video"):
        read_image(f"{tmp_path / 'still.png'}#t=0,1")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0\0\0\x20ftypisom", "mov"),
        (b"\0\0\0\x20ftypavif", None),
        (b"\0\0\0\x18ftypheic", None),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"OggS" + bytes(24) + b"\x01vorbis", None),
        (b"OggS" + bytes(24) + b"\x80theora", "ogg"),
        (b"\xff\xfb\x90\x44", None),  # MP3
        (b"\xff\xf1\x50\x80", "aac"),
        (b"G" * 10, None),
        (b"", None),
    ],
)
def test_the_kind_is_told_by_the_first_bytes(tmp_path, head, expected):
    path = tmp_path / "file.mp4"
    path.write_bytes(head)
    assert container_format(path) == expected


def test_a_name_that_ffmpeg_would_take_for_a_protocol_is_a_file(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "concat:clip|-ü.mp4"
    (tmp_path / name).write_bytes((folder / "clip.mp4").read_bytes())
    assert len(read_audio(f"{name}#t=0,1", RATE)) == RATE


def test_without_pyav_the_error_says_what_to_install(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    message = r'reading the video .*clip\.mp4\' needs av: pip install "skxmodal\[video\]"'
    for read in (lambda: read_audio(video, RATE), lambda: read_image(video)):
        with pytest.raises(ImportError, match=message):
            read()


def test_threads_read_the_same_as_one(folder):
    cells = [
        f"{folder / name}#t={t},{t + 1}" for name in ("clip.mp4", "clip.mkv") for t in range(7)
    ]
    alone = [read_image(cell) for cell in cells]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read_image, cells))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))


def test_parts_of_one_video_are_different_cells_for_the_cache(video, tmp_path):
    cells = [f"{video}#t=1,2", f"{video}#t=4,5", str(video)]
    assert len({media_key(cell) for cell in cells}) == 3
    for embedder in (
        AudioEmbedder(cache=tmp_path / "store"),
        ImageEmbedder(cache=tmp_path / "store"),
    ):
        rows = embedder.fit_transform(cells)
        assert len(np.unique(rows, axis=0)) == 3
        np.testing.assert_array_equal(embedder.fit_transform(cells[::-1]), rows[::-1])
        np.testing.assert_array_equal(type(embedder)().fit_transform(cells), rows)


def test_the_helper_writes_what_it_says():
    assert videos.picture(0)[0, 0].tolist() == [255, 0, 0]
    assert level(videos.picture(7)) == grey(7)
