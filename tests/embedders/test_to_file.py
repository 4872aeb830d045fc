"""Embedding to a file: the same rows as in memory, whatever happens on the way."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from threading import Event

import numpy as np
import pytest
import tqdm

from skxmodal.embedders import ImageEmbedder, MediaWarning, _column, embed_to_file
from skxmodal.encoders import FunctionEncoder
from skxmodal.media import MediaError


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 256, (20, 30), dtype=np.uint8) for _ in range(10)]
    cells[3] = None
    return cells


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "image-hog.npy"


class Interrupt(RuntimeError):
    """Stands for whatever ends a process."""


def counting(calls, stop_after=None):
    """An encoder that notes how many pictures it was given, and may end the run."""

    def encode(windows):
        calls.append(len(windows))
        if stop_after is not None and sum(calls) > stop_after:
            raise Interrupt
        return np.stack([window.mean(axis=(0, 1)) for window in windows]).astype(np.float32)

    encoder = FunctionEncoder(encode, "image", size=(8, 8), fingerprint="mean colour")
    calls.clear()  # of the call by which the encoder learned its dimension
    return ImageEmbedder(encoder, batch_size=1)


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_rows_are_those_of_transform(pictures, path, chunk_size):
    written = embed_to_file(ImageEmbedder(), pictures, path, chunk_size=chunk_size)
    np.testing.assert_array_equal(written, ImageEmbedder().fit_transform(pictures))
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, path.name + ".json"]


@pytest.mark.parametrize(
    ("keep_s", "chunk_size", "n_safe"), [(np.inf, 4, 3), (0.0, 4, 5), (0.0, 1024, 5)]
)
def test_an_interrupted_run_is_taken_up_where_it_ended(
    pictures, path, monkeypatch, keep_s, chunk_size, n_safe
):
    # Rows are kept chunk by chunk, and those of a slow chunk after every batch.
    monkeypatch.setattr(_column, "_KEEP_S", keep_s)
    with pytest.raises(Interrupt):
        embed_to_file(counting([], stop_after=5), pictures, path, chunk_size=chunk_size)
    assert not path.exists()
    calls = []
    written = embed_to_file(counting(calls), pictures, path, chunk_size=chunk_size)
    assert sum(calls) == 9 - n_safe
    np.testing.assert_array_equal(written, counting([]).fit_transform(pictures))


@pytest.mark.parametrize("chunk_size", [5, 1024])
def test_not_a_bit_depends_on_when_rows_were_kept(
    pictures, path, tmp_path, monkeypatch, chunk_size
):
    def encode(windows):
        # What one picture becomes depends on the others of its batch.
        if windows.any() and next(n_batches_left, None) is None:
            raise Interrupt
        means = windows.mean(axis=(1, 2, 3))
        return np.stack([means, np.full_like(means, means.sum())], axis=1).astype(np.float32)

    def encoder():
        function = FunctionEncoder(encode, "image", size=(8, 8), fingerprint="of a batch")
        return ImageEmbedder(function, batch_size=2, on_error="ignore")

    cells = [*pictures, pictures[2], None, "gone.png", pictures[0], pictures[5][::-1], pictures[1]]
    n_batches_left = iter(range(1000))
    expected = embed_to_file(encoder(), cells, path, chunk_size=chunk_size)
    monkeypatch.setattr(_column, "_KEEP_S", 0.0)
    other = tmp_path / "again.npy"
    for _ in range(20):
        n_batches_left = iter(range(1))
        try:
            embed_to_file(encoder(), cells, other, chunk_size=chunk_size)
            break
        except Interrupt:
            continue
    assert other.read_bytes() == path.read_bytes()
    assert np.isnan(expected[:, 0]).sum() == 3


def test_the_bar_moves_with_every_cell(pictures, path, monkeypatch):
    seen = []

    class Bar(tqdm.tqdm):
        def update(self, n=1):
            seen.append(n)
            return super().update(n)

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    embed_to_file(counting([]), [*pictures, pictures[0]], path, verbose=1)
    assert seen == [0] + [1] * 9 + [2]  # one is missing, one is there twice


def test_a_whole_file_is_not_made_again(pictures, path):
    embed_to_file(counting([]), pictures, path)
    calls = []
    embed_to_file(counting(calls), pictures, path)
    assert not calls


def test_what_a_kill_at_the_very_end_left_is_cleared_away(pictures, path):
    embed_to_file(ImageEmbedder(), pictures, path)
    state_file = path.with_name(path.name + ".part.json")
    state_file.write_text("{}")
    embed_to_file(ImageEmbedder(), pictures, path)
    assert not state_file.exists()


def test_a_whole_file_of_other_media_is_not_overwritten(pictures, path):
    embed_to_file(ImageEmbedder(), pictures, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="other media or of another encoder"):
        embed_to_file(ImageEmbedder(), pictures[:5], path)
    with pytest.raises(ValueError, match="other media or of another encoder"):
        embed_to_file(ImageEmbedder("thumbnail"), pictures, path)
    assert path.read_bytes() == before


def test_a_half_written_file_of_other_media_is_begun_anew(pictures, path):
    with pytest.raises(Interrupt):
        embed_to_file(counting([], stop_after=5), pictures, path, chunk_size=2)
    calls = []
    embed_to_file(counting(calls), pictures[::-1], path, chunk_size=2)
    assert sum(calls) == 9


def test_two_that_make_one_file_at_once_do_not_mix_their_rows(pictures, path):
    calls, calls_of_other, begun, may_end = [], [], Event(), Event()

    def encode(windows):
        begun.set()
        assert may_end.wait(60)
        calls.append(len(windows))
        return windows.mean(axis=(1, 2)).astype(np.float32)

    may_end.set()
    encoder = FunctionEncoder(encode, "image", size=(8, 8), fingerprint="mean colour")
    for told in (calls, begun, may_end):
        told.clear()  # of the call by which the encoder learned its dimension
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(embed_to_file, ImageEmbedder(encoder), pictures, path)
            assert begun.wait(60)
            second = pool.submit(embed_to_file, counting(calls_of_other), pictures, path)
            wait([second], timeout=0.3)
        finally:
            may_end.set()
    np.testing.assert_array_equal(first.result(), second.result())
    assert (sum(calls), sum(calls_of_other)) == (9, 0)


def test_a_cut_off_note_of_progress_means_beginning_anew(pictures, path):
    with pytest.raises(Interrupt):
        embed_to_file(counting([], stop_after=5), pictures, path, chunk_size=2)
    state = path.with_name(path.name + ".part.json")
    state.write_text(json.dumps({"made_from": "x"})[:-3])
    calls = []
    embed_to_file(counting(calls), pictures, path, chunk_size=2)
    assert sum(calls) == 9


def test_an_error_names_the_row_of_the_whole_column(pictures, path):
    pictures[7] = "gone.png"
    with pytest.raises(MediaError, match=r"^row 7, 'gone.png'"):
        embed_to_file(ImageEmbedder(), pictures, path, chunk_size=4)
    written = embed_to_file(ImageEmbedder(on_error="ignore"), pictures, path, chunk_size=4)
    assert np.flatnonzero(np.isnan(written[:, 0])).tolist() == [3, 7]


def test_a_strict_call_tells_of_what_a_lenient_one_left_out(pictures, path):
    pictures[7] = "gone.png"
    embed_to_file(ImageEmbedder(on_error="ignore"), pictures, path)
    with pytest.raises(MediaError, match=r"^row 7, 'gone.png'"):
        embed_to_file(ImageEmbedder(), pictures, path)


def test_one_warning_for_the_whole_column_names_its_first_row(pictures, path):
    pictures[5], pictures[9] = "gone.png", "lost.png"
    message = "^2 of 10 cells could not be read and are missing rows; the first: row 5, 'gone.png'"
    lenient = ImageEmbedder(on_error="warn")
    for _ in range(2):  # also when all is done
        with pytest.warns(MediaWarning, match=message) as told:
            rows = embed_to_file(lenient, pictures, path, chunk_size=2)
        assert len(told) == 1
        assert told[0].filename == __file__
    assert np.flatnonzero(np.isnan(rows[:, 0])).tolist() == [3, 5, 9]


def test_a_strict_call_does_not_go_on_from_rows_that_are_left_out(pictures, path):
    pictures[1] = "gone.png"
    lenient = counting([], stop_after=5).set_params(on_error="warn")
    with pytest.raises(Interrupt):
        embed_to_file(lenient, pictures, path, chunk_size=4)
    calls = []
    with pytest.raises(MediaError, match=r"^row 1, 'gone.png'"):
        embed_to_file(counting(calls), pictures, path, chunk_size=4)
    assert sum(calls) == 0
    with pytest.warns(MediaWarning, match="1 of 10 cells"):
        embed_to_file(counting(calls).set_params(on_error="warn"), pictures, path, chunk_size=4)
    assert sum(calls) == 8 - 2


@pytest.mark.parametrize("whole", [True, False])
def test_a_strict_call_embeds_what_can_be_read_by_now(pictures, path, monkeypatch, whole):
    pictures[5] = "away.png"
    lenient = counting([], stop_after=None if whole else 6).set_params(on_error="ignore")
    with nullcontext() if whole else pytest.raises(Interrupt):
        embed_to_file(lenient, pictures, path, chunk_size=2)
    read = ImageEmbedder._read

    def by_now(embedder, cell, encoder):
        return read(embedder, pictures[0] if isinstance(cell, str) else cell, encoder)

    monkeypatch.setattr(ImageEmbedder, "_read", by_now)
    if whole:
        with pytest.warns(MediaWarning, match="row 5, 'away.png': it can be read by now"):
            embed_to_file(counting([]).set_params(on_error="warn"), pictures, path)
    calls = []
    written = embed_to_file(counting(calls), pictures, path, chunk_size=2)
    np.testing.assert_array_equal(written, counting([]).fit_transform(pictures))
    assert np.flatnonzero(np.isnan(written[:, 0])).tolist() == [3]
    # The cell that is tried; then all, or from the chunk that the cell is in.
    assert sum(calls) == 1 + (9 if whole else 6)
    embed_to_file(counting(calls), pictures, path, chunk_size=2)
    assert not calls


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_was_put_there_since_does_not_undo_the_others(tmp_path, path, whole):
    from PIL import Image

    files = [tmp_path / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(file)
    away = files[1].read_bytes()
    files[1].unlink()
    lenient = counting([], stop_after=None if whole else 4).set_params(on_error="ignore")
    with nullcontext() if whole else pytest.raises(Interrupt):
        embed_to_file(lenient, files, path, chunk_size=2)
    files[1].write_bytes(away)
    calls = []
    again = counting(calls).set_params(on_error="warn")
    with pytest.warns(MediaWarning, match=r"1 of 6 cells .* row 1, .* can be read by now"):
        rows = embed_to_file(again, files, path, chunk_size=2)
    assert np.flatnonzero(np.isnan(rows[:, 0])).tolist() == [1]
    assert sum(calls) < 6
    strict = embed_to_file(counting([]), files, path, chunk_size=2)
    np.testing.assert_array_equal(strict, counting([]).fit_transform(files))


def test_changed_files_are_noticed(tmp_path, path):
    from PIL import Image

    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8), "red").save(file)
    embed_to_file(ImageEmbedder(), [str(file)], path)
    Image.new("RGB", (9, 9), "blue").save(file)
    with pytest.raises(ValueError, match="other media"):
        embed_to_file(ImageEmbedder(), [str(file)], path)


@pytest.mark.parametrize("wrong", ["image.npz", "image"])
def test_another_suffix_is_refused(pictures, tmp_path, wrong):
    with pytest.raises(ValueError, match=r"must end in \.npy"):
        embed_to_file(ImageEmbedder(), pictures, tmp_path / wrong)
