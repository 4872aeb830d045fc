"""Sounds: every kind of cell becomes mono float32 samples, or one clear error."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from skxmodal.media import MediaError, read_audio
from skxmodal.media import _audio as audio_module
from skxmodal.media._truncation import LenientBytes

RATE = 16_000
LOSSLESS = ["WAV", "FLAC"]
FORMATS = ["WAV", "FLAC", "OGG", "MP3"]
RARE_FORMATS = ["AIFF", "AU", "CAF", "RF64", "W64"]


def tone(frequency=440.0, seconds=1.5, rate=RATE, amplitude=0.3):
    """Return a sine, which starts and ends softly, with a little noise (so that it packs badly)."""
    time = np.arange(round(seconds * rate)) / rate
    fade = np.minimum(1, np.minimum(time, time[::-1]) * 20)
    noise = np.random.default_rng(0).normal(0, 0.01, len(time))
    return (fade * (amplitude * np.sin(2 * np.pi * frequency * time) + noise)).astype(np.float32)


def encoded(samples, file_format, *, rate=RATE, subtype=None):
    """Return samples ``(n,)`` or ``(n, channels)`` as the content of a file."""
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=file_format, subtype=subtype)
    return buffer.getvalue()


def pitch(samples, rate):
    """Return the strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return np.argmax(spectrum) * rate / (8 * len(samples))


@pytest.fixture
def stored(tmp_path):
    """A function that writes a sound to a file and returns its path."""

    def store(samples, file_format="WAV", **options):
        path = tmp_path / f"sound.{file_format.lower()}"
        path.write_bytes(encoded(samples, file_format, **options))
        return path

    return store


@pytest.mark.parametrize("file_format", LOSSLESS)
def test_a_lossless_file_is_read_exactly(stored, file_format):
    samples = tone()
    expected = np.round(samples * 32768).clip(-32768, 32767) / 32768

    read = read_audio(stored(samples, file_format), RATE)

    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, atol=1 / 32768)


@pytest.mark.parametrize("file_format", FORMATS + RARE_FORMATS)
def test_every_format_keeps_length_pitch_and_loudness(stored, file_format):
    samples = tone()

    read = read_audio(stored(samples, file_format), RATE)

    assert read.shape == samples.shape
    assert pitch(read, RATE) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(read**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.05)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("kind", [str, Path, bytes, bytearray, memoryview])
def test_a_path_and_its_bytes_are_read_alike(stored, file_format, kind):
    path = stored(tone(), file_format)
    cell = kind(path) if kind in (str, Path) else kind(path.read_bytes())

    np.testing.assert_array_equal(read_audio(cell, RATE), read_audio(path, RATE))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_width_has_the_same_full_scale(subtype):
    samples = np.linspace(-1, 0.99, 200, dtype=np.float32)

    read = read_audio(encoded(samples, "WAV", subtype=subtype), RATE)

    np.testing.assert_allclose(read, samples, atol=1 / 127)


@pytest.mark.parametrize("file_format", FORMATS)
def test_channels_are_averaged(file_format):
    stereo = np.stack([tone(440), np.zeros_like(tone(440))], axis=1)

    read = read_audio(encoded(stereo, file_format), RATE)

    assert read.ndim == 1
    assert np.abs(read).max() == pytest.approx(np.abs(stereo).max() / 2, rel=0.1)


def test_a_sound_longer_than_one_block_is_read_whole(monkeypatch):
    samples = tone()
    monkeypatch.setattr(audio_module, "_READ_FRAMES", 1000)
    assert read_audio(encoded(samples, "WAV"), RATE).shape == samples.shape


@pytest.mark.parametrize("source", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("target", [8_000, 16_000, 44_100])
def test_resampling_keeps_the_pitch_the_loudness_and_the_length_in_seconds(source, target):
    samples = tone(1000, seconds=1.0, rate=source)

    read = read_audio((source, samples), target)

    assert len(read) == pytest.approx(target, abs=2)
    assert pitch(read, target) == pytest.approx(1000, abs=1)
    assert np.abs(read).max() == pytest.approx(np.abs(samples).max(), rel=0.1)


def test_a_file_is_resampled_from_its_own_rate(stored):
    read = read_audio(stored(tone(rate=48_000), rate=48_000), RATE)
    assert len(read) == pytest.approx(1.5 * RATE, abs=2)
    assert pitch(read, RATE) == pytest.approx(440, abs=1)


def test_a_resampler_that_is_kept_remembers_nothing_of_the_sound_before():
    for n_samples in (48_000, 7, 100_001, 48_000):
        samples = np.random.default_rng(n_samples).standard_normal(n_samples, dtype=np.float32)
        expected = soxr.resample(samples, 48_000, RATE, quality="HQ")
        np.testing.assert_array_equal(read_audio((48_000, samples), RATE), expected)


def test_resampling_removes_what_the_new_rate_cannot_hold():
    read = read_audio((48_000, tone(10_000, rate=48_000)), RATE)
    assert np.sqrt(np.mean(read**2)) < 0.02


def test_a_sound_shorter_than_one_new_sample_still_is_a_sound():
    np.testing.assert_array_equal(read_audio((48_000, np.array([0.5])), 8), [0.5])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-128, 0, 64], np.int8), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float64), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float32), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float16), [-1, 0, 0.5]),
        (np.array([[1, 0, 1], [0, 0, -1]], np.float32), [0.5, 0, 0]),
        (np.array([[-32768, 0, 16384]], np.int16), [-1, 0, 0.5]),
    ],
    ids=lambda value: f"{value.dtype}{value.ndim}d" if isinstance(value, np.ndarray) else "",
)
def test_arrays_are_scaled_by_their_type_and_their_channels_averaged(array, expected):
    for read in (read_audio((RATE, array), RATE), read_audio(array, RATE, array_sample_rate=RATE)):
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, np.float32(expected))


@pytest.mark.parametrize("dtype", ["<i8", ">i8"])
def test_integers_of_64_bits_are_refused_instead_of_being_silence(dtype):
    samples = np.array([-32768, 0, 16384], dtype)
    with pytest.raises(MediaError, match=r"64-bit integers.*convert them to int16"):
        read_audio((RATE, samples), RATE)


def test_a_pair_may_hold_a_list_and_a_numpy_rate():
    np.testing.assert_array_equal(read_audio((np.int64(RATE), [0.0, 0.25]), RATE), [0, 0.25])


def test_the_rate_of_a_pair_wins_over_the_rate_of_bare_arrays():
    read = read_audio((8_000, np.zeros(8_000)), RATE, array_sample_rate=44_100)
    assert len(read) == pytest.approx(RATE, abs=2)


def test_reading_does_not_change_the_array():
    samples = tone()
    before = samples.copy()
    read_audio((RATE, samples), RATE)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("fragment", "start", "stop"),
    [
        ("#t=0.25,0.75", 0.25, 0.75),
        ("#t=0.5", 0.5, 1.5),
        ("#t=,0.5", 0.0, 0.5),
        ("#t=npt:0.25,0.75", 0.25, 0.75),
        ("#t=1,99", 1.0, 1.5),
        ("#t=.5,1", 0.5, 1.0),
    ],
)
@pytest.mark.parametrize("file_format", LOSSLESS)
def test_a_time_fragment_selects_seconds(stored, file_format, fragment, start, stop):
    path = stored(tone(), file_format)
    whole = read_audio(path, RATE)

    read = read_audio(f"{path}{fragment}", RATE)

    np.testing.assert_array_equal(read, whole[round(start * RATE) : round(stop * RATE)])


def test_a_time_fragment_counts_seconds_of_the_file_not_of_the_result(stored):
    path = stored(tone(rate=48_000), rate=48_000)
    assert len(read_audio(f"{path}#t=0.5,1", RATE)) == pytest.approx(RATE / 2, abs=2)


def test_a_file_whose_name_looks_like_a_fragment_is_that_file(tmp_path):
    path = tmp_path / "take#t=1"
    path.write_bytes(encoded(tone(), "WAV"))
    assert len(read_audio(path, RATE)) == 1.5 * RATE


@pytest.mark.parametrize("fragment", ["#t=2,3", "#t=1.5", "#t=1,0.5", "#t=0.5,0.5"])
def test_a_fragment_without_samples_is_refused(stored, fragment):
    path = stored(tone())
    with pytest.raises(MediaError, match=r"fragment lies outside the sound of 1\.500 s"):
        read_audio(f"{path}{fragment}", RATE)


def test_a_fragment_that_is_no_number_is_refused(stored):
    with pytest.raises(MediaError, match=r"is not #t=start,end in seconds"):
        read_audio(f"{stored(tone())}#t=.", RATE)


def test_a_fragment_of_a_missing_file_names_the_file():
    with pytest.raises(MediaError, match=r"'gone\.wav'.*there is no such file"):
        read_audio("gone.wav#t=0,1", RATE)


# A cut in the last bytes of an OGG or MP3 file takes part of a page or frame; of a WAV, samples.
CUTS = [1, 2, 3, 0.999, 0.9, 0.75, 0.5, 0.25, 0.1, 60, 40, 20, 11, 4]


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "bytes"])
@pytest.mark.parametrize("file_format", FORMATS + RARE_FORMATS)
def test_a_file_cut_anywhere_is_an_error_and_never_a_shorter_sound(tmp_path, file_format, as_file):
    whole = encoded(tone(), file_format)
    lengths = [round(cut * len(whole)) if cut < 1 else cut for cut in CUTS]
    lengths += [len(whole) - cut for cut in (1, 2, 5, 100)]
    path = tmp_path / "cut"
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(MediaError, match=r"cannot be read as audio|truncated"):
            read_audio(path if as_file else whole[:length], RATE)


def test_a_truncated_wav_says_how_much_is_there(stored):
    path = stored(tone())
    path.write_bytes(path.read_bytes()[:1044])
    with pytest.raises(MediaError, match=r"truncated \(1000 of 48000 data bytes are there\)"):
        read_audio(path, RATE)


def test_a_wav_that_was_streamed_with_an_unknown_length_is_read():
    content = bytearray(encoded(tone(), "WAV"))
    content[40:44] = b"\xff\xff\xff\xff"
    assert len(read_audio(bytes(content), RATE)) == 1.5 * RATE


def test_chunks_before_and_after_the_samples_are_skipped():
    content = encoded(tone(), "WAV")
    odd_chunk = b"LIST\x03\0\0\0abc\0"
    padded = content[:12] + odd_chunk + content[12:] + odd_chunk
    np.testing.assert_array_equal(read_audio(padded, RATE), read_audio(content, RATE))


@pytest.mark.parametrize("file_format", FORMATS)
def test_damaged_bytes_are_read_or_refused_without_another_error(file_format):
    whole = np.frombuffer(encoded(tone(seconds=0.3), file_format), np.uint8)
    random = np.random.default_rng(0)
    outcomes = []
    for _ in range(40):
        damaged = whole.copy()
        where = random.integers(min(100, len(whole)), size=4)
        damaged[where] = random.integers(256, size=4)
        try:
            outcomes.append(np.isfinite(read_audio(damaged.tobytes(), RATE)).all())
        except MediaError:
            outcomes.append(False)
    assert len(outcomes) == 40
    assert False in outcomes


@pytest.mark.parametrize("file_format", ["WAV", "OGG"])
def test_a_file_without_samples_is_refused(stored, file_format):
    with pytest.raises(MediaError, match="the sound has no samples"):
        read_audio(stored(np.zeros(0), file_format), RATE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_nan_and_infinite_samples_are_refused(bad, channels):
    samples = np.tile(tone()[:, np.newaxis], channels)
    samples[3] = bad
    for cell in (encoded(samples, "WAV", subtype="FLOAT"), (RATE, samples.T)):
        with pytest.raises(MediaError, match="NaN or infinite samples"):
            read_audio(cell, RATE)


def test_infinite_samples_that_cancel_are_refused():
    samples = np.zeros((10, 2))
    samples[3] = np.inf, -np.inf
    for cell in (encoded(samples, "WAV", subtype="FLOAT"), (RATE, samples.T)):
        with pytest.raises(MediaError, match="NaN or infinite samples"):
            read_audio(cell, RATE)


def test_samples_too_large_for_float32_are_refused():
    with pytest.raises(MediaError, match="NaN or infinite samples"):
        read_audio((RATE, np.array([0.0, 1e300])), RATE)


ZEROS = np.zeros(100)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "this is a folder|no such file"),
        ("gone.wav", r"'gone\.wav': there is no such file"),
        ("a\0b.wav", "the file cannot be opened"),
        (b"", "0 bytes: there are no bytes to decode"),
        (b"not a sound at all", "18 bytes: the file cannot be read as audio"),
        (ZEROS, r"array of shape \(100,\).*does not know its sample rate: give sample_rate="),
        ((RATE, ZEROS.reshape(50, 2)), r"50 channels of 2 samples.*pass the transpose"),
        ((RATE, np.zeros((1, 1, 4))), r"must have the shape \(n,\) or \(channels, n\)"),
        ((RATE, np.float64(1)), r"must have the shape \(n,\) or \(channels, n\)"),
        ((ZEROS, RATE), r"a tuple must be \(sample_rate, array\)"),
        ((RATE,), r"a tuple must be \(sample_rate, array\)"),
        ((RATE, ZEROS, ZEROS), r"a tuple must be \(sample_rate, array\)"),
        ((RATE, [[1, 2], [3]]), r"\(16000, .*the samples are not an array"),
        ((RATE, np.zeros(0)), "the sound has no samples"),
        ((RATE, np.zeros((2, 0))), "the sound has no samples"),
        ((RATE, np.zeros((0, 5))), "the sound has no samples"),
        ((0, ZEROS), "the sample rate must be positive, got 0"),
        ((-8000, ZEROS), "the sample rate must be positive"),
        ((float("nan"), ZEROS), "the sample rate must be positive"),
        ((float("inf"), ZEROS), "the sample rate must be positive"),
        ((RATE, ZEROS.astype(complex)), "must be float, signed integers or uint8"),
        ((RATE, ZEROS.astype(np.uint16)), "must be float, signed integers or uint8"),
        ((RATE, ZEROS.astype(bool)), "must be float, signed integers or uint8"),
        ((RATE, ZEROS.astype(str)), "must be float, signed integers or uint8"),
        (12, "object of type int: a sound must be a path, bytes"),
        ([0.0, 0.1], "object of type list: a sound must be a path, bytes"),
        ({"a": 1}, "object of type dict: a sound must be a path, bytes"),
    ],
)
def test_a_cell_that_is_no_sound_is_refused(cell, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=message):
        read_audio(cell, RATE)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".flac", ".ogg", ".raw", ".txt"])
def test_a_file_of_something_else_is_refused_whatever_its_name(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(MediaError, match=rf"notes\{suffix}'.*cannot be read as audio"):
        read_audio(path, RATE)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(MediaError, match=r"a\.wav': the file is empty"):
        read_audio(tmp_path / "a.wav", RATE)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(MediaError, match="this is a folder, not a file"):
        read_audio(tmp_path, RATE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(MediaError, match="this is not a regular file"):
        read_audio(tmp_path / "pipe.wav", RATE)


def test_a_file_that_may_not_be_read_is_not_called_truncated(stored, monkeypatch):
    path = stored(tone())

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError, match=r"cannot be opened \(.*Permission denied"):
        read_audio(path, RATE)


def test_a_seek_before_the_start_of_bytes_stays_and_raises_nothing():
    file = LenientBytes(b"RIFF")
    file.seek(2)
    assert file.seek(-1) == 2
    assert file.read() == b"FF"


@pytest.mark.parametrize("file_format", ["WAV", "FLAC", "AIFF"])
def test_sixteen_bits_are_read_as_libsndfile_scales_them(file_format):
    extremes = np.array([-32768, -32767, -1, 0, 1, 32767], dtype=np.int16)
    content = encoded(np.tile(extremes, 50), file_format, subtype="PCM_16")
    expected, _ = sf.read(io.BytesIO(content), dtype="float32")
    np.testing.assert_array_equal(read_audio(content, RATE), expected)
