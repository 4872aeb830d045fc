"""16-bit WAV files that are read without libsndfile give its samples, or are left to it."""

import io
import struct
import threading

import numpy as np
import pytest
import soundfile as sf

from skxmodal.media import MediaError, read_audio
from skxmodal.media import _audio as audio_module
from skxmodal.media._wav import read_plain_wav

HEADER_BYTES = 44


def noise(n, channels=1, seed=0):
    """Return 16-bit samples ``(n, channels)`` of the whole range."""
    return np.random.default_rng(seed).integers(-32768, 32768, (n, channels)).astype(np.int16)


def wav(samples, rate=8000):
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def read_plainly(content, sample_rate=8000, most=1 << 20):
    return read_plain_wav(io.BytesIO(content), content[:400], most=most, sample_rate=sample_rate)


def outcome(content, rate):
    """Return the bytes of the samples, or the error."""
    try:
        return read_audio(content, rate).tobytes()
    except MediaError as error:
        return str(error)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_the_samples_are_those_of_libsndfile(channels, rate):
    content = wav(noise(1000, channels), rate)
    samples, found = read_plainly(content, sample_rate=rate)
    expected, _ = sf.read(io.BytesIO(content), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(samples, expected)
    assert found == rate


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_files_and_bytes_are_read_as_by_libsndfile(tmp_path, monkeypatch, rate):
    contents = [wav(noise(n, channels), 8000) for n, channels in [(1, 1), (7, 2), (3000, 1)]]
    paths = [tmp_path / f"{number}.wav" for number in range(len(contents))]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    read = [read_audio(cell, rate) for cell in contents + paths]
    monkeypatch.setattr(audio_module, "read_plain_wav", lambda *_args, **_options: None)
    for cell, samples in zip(contents + paths, read):
        np.testing.assert_array_equal(samples, read_audio(cell, rate))


def test_a_damaged_header_is_judged_by_libsndfile(monkeypatch):
    whole = np.frombuffer(wav(noise(200, 2)), np.uint8)
    random = np.random.default_rng(0)
    damaged = []
    for where in [*range(HEADER_BYTES), *random.integers(0, HEADER_BYTES, 200)]:
        content = whole.copy()
        content[where] = random.choice([0, 1, 2, 4, 16, 255, random.integers(256)])
        damaged.append(content.tobytes())
    found = [outcome(content, 8000) for content in damaged]
    monkeypatch.setattr(audio_module, "read_plain_wav", lambda *_args, **_options: None)
    assert found == [outcome(content, 8000) for content in damaged]
    assert len(set(found)) > 5


def test_what_leaves_a_question_open_is_left_to_libsndfile():
    content = wav(noise(100))
    assert read_plainly(content) is not None
    for other in (
        content + b"LIST\x04\0\0\0abcd",
        content[:-1],
        content + b"\0",
        content[:30],
        content[:40] + struct.pack("<I", 0) + content[44:],
        content[:22] + struct.pack("<H", 0) + content[24:],
        content[:24] + struct.pack("<I", 0) + content[28:],
        content[:12] + b"LIST\0\0\0\0" + content[12:],
        b"RIFX" + content[4:],
    ):
        assert read_plainly(other) is None
    assert read_plainly(content, most=99) is None


def test_samples_that_are_kept_do_not_change_with_the_next_file():
    second = wav(noise(500, seed=2))
    for n, rate in [(500, 8000), (500, 16_000), (1, 1000)]:
        first = wav(noise(n, seed=1))
        kept = read_audio(first, rate)
        before = kept.copy()
        read_audio(second, rate)
        read_audio(second, 4000)
        np.testing.assert_array_equal(kept, before)


def test_threads_do_not_share_samples_on_their_way():
    contents = [wav(noise(4000, seed=seed), 8000) for seed in range(4)]
    expected = [read_audio(content, 6000) for content in contents]
    wrong = []

    def read(number):
        found = (read_audio(contents[number], 6000) for _ in range(200))
        wrong.extend(number for samples in found if (samples != expected[number]).any())

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
