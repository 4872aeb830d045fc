"""The parameter ``cache=``: the same rows, each computed once, and never those of other content."""

import os
import pickle
import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.base import clone

from skxmodal.datasets import get_data_home
from skxmodal.embedders import AudioEmbedder, ImageEmbedder, MediaWarning, _ahead, _cache, _store
from skxmodal.encoders import _registry
from skxmodal.media import MediaError


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def expected(Embedder, make_counting, cells):
    return Embedder(make_counting()).fit_transform(cells)


class BytesPath(os.PathLike):
    """A path that is bytes, as ``os.scandir(b".")`` yields."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


def n_entries(folder):
    return len(_store.EmbeddingStore(folder))


def test_a_cache_changes_no_bit(Embedder, counting, cells, cache, expected):
    for _ in range(2):
        np.testing.assert_array_equal(
            Embedder(counting, cache=cache).fit_transform(cells), expected
        )


def test_every_cell_is_decoded_and_encoded_once(Embedder, counting, cells, cache, expected):
    embedder = Embedder(counting, cache=str(cache)).fit(cells)
    embedder.transform(cells[:5])
    embedder.transform(cells[::-1])
    assert counting.n_decoded == len(cells)
    encoded = counting.n_encoded
    column = [None, *cells[2:], None, *cells[:2]]
    result = embedder.transform(column)
    np.testing.assert_array_equal(result[1:7], expected[2:])
    np.testing.assert_array_equal(result[-2:], expected[:2])
    assert np.isnan(result[[0, 7]]).all()
    assert (counting.n_decoded, counting.n_encoded) == (len(cells), encoded)


def test_a_warm_pass_does_not_use_the_encoder(
    Embedder, make_counting, cells, cache, expected, register, monkeypatch
):
    loads = []

    class LoadsAtFirstUse:
        """Known at once by its fingerprint; its weights are read when it is used."""

        name, n_features, fingerprint, sample_rate = "lazy", 3, "lazy/1", 8000
        modality = Embedder._modality

        def windows(self, media):
            loads.append("windows")
            return make_counting().windows(media)

        def encode(self, windows):
            loads.append("encode")
            return make_counting().encode(windows)

    register("lazy", LoadsAtFirstUse())
    for used in (True, False):
        loads.clear()
        monkeypatch.setattr(_registry, "_LOADED", {})
        result = Embedder("lazy", cache=cache).fit_transform(cells)
        np.testing.assert_array_equal(result, expected)
        assert bool(loads) == used


def test_true_is_below_the_data_home(Embedder, counting, cells, monkeypatch, tmp_path):
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "home"))
    Embedder(counting, cache=True).fit_transform(cells)
    assert n_entries(get_data_home() / "embeddings") == len(cells)


def test_a_tilde_is_the_home_folder(Embedder, counting, cells, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    Embedder(counting, cache="~/kept").fit_transform(cells)
    assert n_entries(tmp_path / "kept") == len(cells)


def test_an_embedder_with_a_cache_is_cloned_and_pickled(Embedder, cells, cache):
    embedder = Embedder(cache=cache).fit(cells)
    expected = embedder.transform(cells)
    assert clone(embedder).cache == cache
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(cells), expected)


# What cannot be a cache


@pytest.mark.parametrize("value", [False, 3, "", object()])
def test_what_names_no_folder_is_refused(Embedder, cells, value):
    with pytest.raises(TypeError, match="cache must be None, True or a folder"):
        Embedder(cache=value).fit(cells)


def test_a_file_in_the_place_of_the_folder_is_named(Embedder, cells, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(NotADirectoryError, match=r"cache='.*file' is a file: name a folder"):
        Embedder(cache=str(path)).fit(cells)


def test_a_folder_that_cannot_be_made_is_named(Embedder, cells, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cache='.*below' cannot be used \(Not a directory\)"):
        Embedder(cache=str(tmp_path / "file" / "below")).fit(cells)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_folder_that_cannot_be_written_is_named(Embedder, cells, cache, monkeypatch):
    cache.mkdir()
    if os.geteuid() == 0:
        # Nothing is forbidden to root: refuse what the file system would.
        def refuse(path):
            raise _store.sqlite3.OperationalError("unable to open database file")

        monkeypatch.setattr(_store, "open_database", refuse)
    else:
        cache.chmod(0o500)
    with pytest.raises(OSError, match=r"cache=.* cannot be used \(.*unable to open"):
        Embedder(cache=cache).fit(cells)


# Whose embedding it is


def test_another_encoder_pooling_or_version_has_its_own_entries(
    Embedder, make_counting, cells, cache
):
    variants = [
        (make_counting(), "mean"),
        (make_counting(), "max"),
        (make_counting(version=2), "mean"),
    ]
    other_length = make_counting()
    other_length.n_features = 2
    other_length.encode = lambda windows: windows[:, :2]
    variants.append((other_length, "mean"))
    for number, (encoder, pooling) in enumerate(variants, start=1):
        result = Embedder(encoder, pooling=pooling, cache=cache).fit_transform(cells)
        np.testing.assert_array_equal(
            result, Embedder(encoder, pooling=pooling).fit_transform(cells)
        )
        assert n_entries(cache) == number * len(cells)


def test_another_version_of_decoding_has_its_own_entries(
    Embedder, counting, cells, cache, monkeypatch
):
    Embedder(counting, cache=cache).fit_transform(cells)
    monkeypatch.setattr(_cache, "_DECODING_VERSION", "next")
    Embedder(counting, cache=cache).fit_transform(cells)
    assert counting.n_decoded == 2 * len(cells)


def test_an_array_at_another_rate_is_another_sound(cache):
    sound = np.random.default_rng(0).uniform(-1, 1, 8000)
    for rate in (8000, 16000, 44100):
        result = AudioEmbedder(sample_rate=rate, cache=cache).fit_transform([sound])
        np.testing.assert_array_equal(
            result, AudioEmbedder(sample_rate=rate).fit_transform([sound])
        )
    assert n_entries(cache) == 3


def test_an_array_without_a_rate_is_no_sound_though_another_was(cache):
    sound = np.random.default_rng(0).uniform(-1, 1, 8000)
    AudioEmbedder(sample_rate=8000, cache=cache).fit_transform([sound])
    with pytest.raises(MediaError, match="sample rate"):
        AudioEmbedder(cache=cache).fit_transform([sound])


@pytest.mark.parametrize("modality", ["audio"])
def test_an_encoder_at_another_rate_has_its_own_entries(make_counting, cache, cells):
    for rate in (8000, 4000):
        encoder = make_counting()
        encoder.sample_rate = rate
        result = AudioEmbedder(encoder, cache=cache).fit_transform(cells)
        np.testing.assert_array_equal(result, AudioEmbedder(encoder).fit_transform(cells))


@pytest.mark.parametrize("modality", ["audio"])
def test_a_part_of_a_sound_is_not_the_whole(save_cell, draw_cell, cache):
    path = save_cell(draw_cell(0, 80), "long")
    parts = [f"{path}{part}" for part in ("", "#t=0,0.4", "#t=0.4,0.8", "#t=0.5")]
    expected = AudioEmbedder().fit_transform(parts)
    assert len(np.unique(expected, axis=0)) == 4
    for _ in range(2):
        result = AudioEmbedder(cache=cache).fit_transform(parts)
        np.testing.assert_array_equal(result, expected)


def test_bytes_of_a_sound_and_of_a_picture_are_apart(cache, table, counting_of):
    X, _ = table
    picture = Path(X["image"][0]).read_bytes()
    ImageEmbedder(counting_of("image"), cache=cache).fit_transform([picture])
    with pytest.raises(MediaError, match="cannot be read as audio"):
        AudioEmbedder(counting_of("audio"), cache=cache).fit_transform([picture])


def test_a_copy_is_known_and_a_changed_file_is_not(
    Embedder, make_counting, save_cell, draw_cell, cache, tmp_path
):
    path = save_cell(draw_cell(0), "one")
    copy = tmp_path / f"copy{path.suffix}"
    shutil.copyfile(path, copy)
    counting = make_counting()
    result = Embedder(counting, cache=cache).fit_transform([path, copy])
    assert counting.n_decoded == 1
    np.testing.assert_array_equal(result[0], result[1])
    save_cell(draw_cell(1), "one")
    changed = Embedder(counting, cache=cache).fit_transform([path, copy])
    np.testing.assert_array_equal(changed, Embedder(make_counting()).fit_transform([path, copy]))
    assert (changed[0] != changed[1]).any()


def test_links_to_folders_are_followed_as_the_decoder_does(
    Embedder, make_counting, save_cell, draw_cell, cache, tmp_path
):
    (tmp_path / "deep" / "folder").mkdir(parents=True)
    path = save_cell(draw_cell(0), "one")
    shutil.move(save_cell(draw_cell(1), "other"), tmp_path / "deep" / path.name)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "folder")
    column = [str(path), f"{tmp_path}/link/../{path.name}"]
    expected = Embedder(make_counting()).fit_transform(column)
    assert (expected[0] != expected[1]).any()
    np.testing.assert_array_equal(
        Embedder(make_counting(), cache=cache).fit_transform(column), expected
    )


@pytest.mark.skipif(os.name != "posix", reason="paths are text")
@pytest.mark.parametrize("as_cell", [os.fsdecode, BytesPath], ids=["text", "bytes"])
def test_a_name_that_is_no_utf_8_is_known_again(
    counting, Embedder, draw_cell, save_cell, cache, as_cell
):
    path = save_cell(draw_cell(0), "a")
    name = os.fsencode(path.parent) + b"/\xff" + os.fsencode(path.suffix)
    try:
        os.rename(path, name)
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    os.utime(name, (0, 0))
    for _ in range(2):
        result = Embedder(counting, cache=cache).fit_transform([as_cell(name)])
        assert np.isfinite(result).all()
    assert counting.n_decoded == 1


def test_pictures_that_differ_in_the_alpha_of_their_palette_are_apart(cache):
    pictures = [Image.new("RGBA", (64, 64), (255, 0, 0, alpha)) for alpha in (0, 255)]
    for picture in pictures:
        picture.paste((0, 0, 255, 255), (0, 0, 20, 20))
    pictures = [picture.quantize() for picture in pictures]
    found = ImageEmbedder(cache=cache).fit_transform(pictures)
    np.testing.assert_array_equal(found, ImageEmbedder().fit_transform(pictures))
    assert len(np.unique(found, axis=0)) == 2


def test_a_picture_with_damaged_exif_is_told_with_its_row(cache, tmp_path):
    # The width as text, which Pillow cannot write again, and an orientation.
    entries = struct.pack("<HHHI4sHHIII", 2, 0x0100, 2, 2, b"a", 0x0112, 3, 1, 6, 0)
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 4)).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0" + entries)
    with Image.open(path) as picture, pytest.raises(MediaError, match="row 1"):
        ImageEmbedder(cache=cache).fit_transform([None, picture])


@pytest.mark.skipif(os.name != "posix", reason="a folder in use cannot be removed")
def test_a_removed_working_folder_does_not_matter_to_full_paths(
    Embedder, counting, cells, cache, expected, tmp_path, monkeypatch
):
    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    result = Embedder(counting, cache=cache).fit_transform(cells)
    np.testing.assert_array_equal(result, expected)


def test_relative_paths_mean_what_they_mean_now(
    Embedder, make_counting, save_cell, draw_cell, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(_store, "_SETTLED_NS", 0)
    name = save_cell(draw_cell(0), "one").name
    (tmp_path / "a").mkdir()
    shutil.move(tmp_path / name, tmp_path / "a" / name)
    save_cell(draw_cell(1), "one")
    time.sleep(0.05)
    for folder in (tmp_path, tmp_path / "a"):
        monkeypatch.chdir(folder)
        np.testing.assert_array_equal(
            Embedder(make_counting(), cache=cache).fit_transform([name]),
            Embedder(make_counting()).fit_transform([name]),
        )


@pytest.mark.parametrize("on_error", ["raise", "warn"])
def test_a_file_that_changes_while_it_is_embedded_is_not_kept(
    Embedder, counting, save_cell, draw_cell, cache, on_error
):
    path = save_cell(draw_cell(0), "one")
    encode = counting.encode

    def replace_then_encode(windows):
        save_cell(draw_cell(1), "one")
        return encode(windows)

    counting.encode = replace_then_encode
    embedder = Embedder(counting, cache=cache, on_error=on_error).fit([path])
    if on_error == "raise":
        with pytest.raises(MediaError, match=r"row 0, '.*one.*': the file changed while"):
            embedder.transform([path])
    else:
        with pytest.warns(MediaWarning, match="1 of 1 cells .* the file changed while"):
            assert np.isnan(embedder.transform([path])).all()
    assert n_entries(cache) == 0


# Bad cells


def test_copies_of_a_bad_file_are_all_counted(Embedder, cells, cache, tmp_path):
    column = list(cells)
    for row in (1, 4, 6):
        column[row] = str(tmp_path / f"bad{row}.txt")
        (tmp_path / f"bad{row}.txt").write_text("no media")
    for _ in range(2):
        embedder = Embedder(cache=cache, on_error="warn").fit(column)
        with pytest.warns(MediaWarning, match=r"^3 of 8 cells .* row 1, '.*bad1.txt'") as record:
            result = embedder.transform(column)
        assert len(record) == 1
        assert np.isnan(result).all(axis=1).nonzero()[0].tolist() == [1, 4, 6]


def test_an_error_keeps_what_was_computed(Embedder, counting, cells, cache, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text("no media")
    with pytest.raises(MediaError, match=r"^row 8, "):
        Embedder(counting, cache=cache, batch_size=1).fit_transform([*cells, bad])
    assert n_entries(cache) == len(cells)


def test_a_missing_file_fails_before_anything_is_embedded(Embedder, counting, cells, cache):
    with pytest.raises(MediaError, match=r"^row 8, .* no such file"):
        Embedder(counting, cache=cache).fit_transform([*cells, "nowhere.bin"])
    assert counting.n_encoded == 0


def test_memory_is_bounded_and_batches_are_stored_at_once(
    Embedder, counting, draw_cell, cache, modality, monkeypatch
):
    monkeypatch.setattr(_ahead, "_CHUNK_BYTES", 8 * 2000)  # 8 cells
    column = [draw_cell(seed, 2) for seed in range(300)]
    kept = []
    encode = counting.encode
    counting.encode = lambda windows: kept.append(n_entries(cache)) or encode(windows)
    Embedder(counting, batch_size=10, n_jobs=2, cache=cache).fit_transform(column)
    assert counting.most_waiting <= 10 + (2 * 2 + 1) * 8 + 1
    assert kept[:5] == [0, 10, 20, 30, 40]
    assert n_entries(cache) == 300


@pytest.mark.slow
def test_a_warm_pass_takes_a_fraction_of_the_time(cache, tmp_path):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{n}.wav") for n in range(1500)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.5, 0.5, 16000), 16000)
    time.sleep(2.1)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        AudioEmbedder(cache=cache).fit_transform(paths)
        seconds.append(time.perf_counter() - start)
    # More than twenty times as fast on an idle machine.
    assert seconds[0] > 4 * min(seconds[1:])
