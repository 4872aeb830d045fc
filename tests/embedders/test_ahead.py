"""Decoding ahead of the encoder: threads, and processes inside of joblib's configuration."""

import os
import signal
import tempfile
import threading
import time

import numpy as np
import pytest
import soundfile
from joblib import Parallel, delayed, parallel_config

from skxmodal.embedders import AudioEmbedder, MediaWarning, embed_to_file
from skxmodal.embedders import _processes as module
from skxmodal.embedders._ahead import map_ahead
from skxmodal.encoders import FunctionEncoder
from skxmodal.media import MediaError

N_CELLS = 60
WAYS = ["threads", "processes"]


def pid_and_square(number):
    return os.getpid(), number**2


def pid_after_a_while(number):
    time.sleep(0.05)
    return os.getpid()


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number):
    if number == 3:
        raise MediaError("it is broken", cell=f"'{number}.wav'")
    return number


def refuse():
    raise RuntimeError("not here")


class OnlyHere:
    """A function that pickles and is not made again."""

    def __call__(self, item):
        return item

    def __reduce__(self):
        return refuse, ()


class Relative:
    """A path of a user's own kind."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def transform_in_a_worker(embedder, cells):
    """Embed where joblib has made a process already; return what ran below it."""
    import multiprocessing

    return embedder.transform(cells), len(multiprocessing.active_children())


@pytest.fixture(params=WAYS)
def way(request):
    """Run a test once with threads, once with processes."""
    if request.param == "threads":
        yield request.param
    else:
        with parallel_config(backend="loky"):
            yield request.param


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    return [(16_000, rng.normal(0, 0.1, rng.integers(3, 30_000))) for _ in range(N_CELLS)]


@pytest.fixture
def temporary_files(tmp_path, monkeypatch):
    """The folder of temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_results_come_in_order_from_several_workers(way):
    found = list(map_ahead(pid_and_square, range(200), 2))
    assert [square for _, square in found] == [number**2 for number in range(200)]
    assert (os.getpid() in {pid for pid, _ in found}) == (way == "threads")


def test_processes_share_the_work():
    with parallel_config(backend="loky"):
        found = map_ahead(pid_after_a_while, range(16), 2)
        assert len(set(found)) == 2


@pytest.fixture
def chunk_sizes(monkeypatch):
    """How many cells each task for a process has."""
    sizes = []
    pickle = module._pickle

    def note(thing):
        if isinstance(thing, list):
            sizes.append(len(thing))
        return pickle(thing)

    monkeypatch.setattr(module, "_pickle", note)
    return sizes


def test_processes_get_few_slow_cells_at_a_time(chunk_sizes):
    with parallel_config(backend="loky"):
        list(map_ahead(pid_after_a_while, range(30), 2))
    assert sum(chunk_sizes) == 30
    assert max(chunk_sizes) <= 2


def test_processes_get_many_quick_cells_at_a_time(chunk_sizes):
    with parallel_config(backend="loky"):
        list(map_ahead(pid_and_square, range(2000), 2))
    assert sum(chunk_sizes) == 2000
    assert max(chunk_sizes) >= 64


def test_nothing_is_mapped_long_before_it_is_wanted(way):
    drawn = []

    def items():
        for number in range(10_000):
            drawn.append(number)
            yield number

    mapped = map_ahead(pid_and_square, items(), 2)
    for _ in range(20):
        next(mapped)
    mapped.close()
    assert len(drawn) < 500


def test_cells_that_suddenly_are_large_are_not_decoded_by_the_chunk():
    lock = threading.Lock()
    waiting, most_waiting = 0, 0

    def decode(number):
        nonlocal waiting, most_waiting
        windows = np.zeros(1 if number < 1000 else 250_000)
        with lock:
            waiting += windows.nbytes
            most_waiting = max(most_waiting, waiting)
        return number, windows

    numbers = []
    for number, windows in map_ahead(decode, range(1200), 2):
        numbers.append(number)
        with lock:
            waiting -= windows.nbytes
    assert numbers == list(range(1200))
    # Two chunks for each of two threads, and the one that is being taken.
    assert most_waiting <= 5 * 6_000_000


def test_rows_are_the_same_bytes(way, cells):
    expected = AudioEmbedder().fit_transform(cells)
    assert np.array_equal(AudioEmbedder(n_jobs=2).fit_transform(cells), expected)


def test_a_bad_cell_is_named_by_its_row(way, cells, tmp_path):
    bad = [*cells[:20], tmp_path / "there_is_none.wav", *cells[20:]]
    with pytest.raises(MediaError, match=r"row 20, '.*there_is_none\.wav'"):
        AudioEmbedder(n_jobs=2).fit_transform(bad)
    with pytest.warns(MediaWarning, match="1 of 61 cells"):
        rows = AudioEmbedder(n_jobs=2, on_error="warn").fit_transform(bad)
    assert np.flatnonzero(np.isnan(rows).all(axis=1)).tolist() == [20]


def test_an_error_that_is_kept_leaves_no_decoder_behind(cells, tmp_path):
    # The frames of the error would hold them until a collection, in whatever thread that is.
    before = set(threading.enumerate())
    bad = [tmp_path / "there_is_none.wav", *cells]
    with pytest.raises(MediaError) as kept:
        AudioEmbedder(n_jobs=2).fit_transform(bad)
    assert kept.tb is not None
    assert set(threading.enumerate()) <= before


def test_a_cache_is_filled_and_read(way, cells, tmp_path):
    embedder = AudioEmbedder(n_jobs=2, cache=tmp_path)
    expected = AudioEmbedder().fit_transform(cells)
    for _ in range(2):
        assert np.array_equal(embedder.fit_transform(cells), expected)


def test_a_file_of_embeddings_is_the_same(way, cells, tmp_path):
    embedder = AudioEmbedder(n_jobs=2).fit(cells)
    rows = embed_to_file(embedder, cells, tmp_path / "rows.npy")
    assert np.array_equal(rows, AudioEmbedder().fit_transform(cells))


def test_an_error_of_the_function_ends_the_map(way):
    with pytest.raises(MediaError, match="it is broken"):
        list(map_ahead(fail, range(1000), 2))
    assert [square for _, square in map_ahead(pid_and_square, range(4), 2)] == [0, 1, 4, 9]


def test_what_a_test_or_notebook_defines_goes_to_processes(cells):
    offset = 0.5
    encoder = FunctionEncoder(
        lambda windows: windows.mean(axis=1, keepdims=True) + offset,
        "audio",
        sample_rate=16_000,
        window=1.0,
        fingerprint="mean",
    )
    expected = AudioEmbedder(encoder).fit_transform(cells)
    with parallel_config(backend="loky"):
        assert np.array_equal(AudioEmbedder(encoder, n_jobs=2).fit_transform(cells), expected)


def test_an_encoder_that_cannot_be_sent_is_told(temporary_files):
    lock = threading.Lock()
    with (
        parallel_config(backend="loky"),
        pytest.raises(TypeError, match=r"cannot be sent to other processes .* decode in threads"),
    ):
        list(map_ahead(lambda number: (lock, number), range(10), 2))
    assert list(temporary_files.glob("skxmodal-*")) == []


def test_a_process_that_dies_is_told_and_replaced(temporary_files):
    with parallel_config(backend="loky"):
        with pytest.raises(RuntimeError, match=r"has died.* smaller n_jobs, or threads"):
            list(map_ahead(die, range(100), 2))
        assert len(list(map_ahead(pid_and_square, range(100), 2))) == 100
    assert list(temporary_files.glob("skxmodal-*")) == []


def test_relative_paths_start_where_the_caller_is(cells, tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    for number, folder in enumerate(("first", "second")):
        soundfile.write(tmp_path / folder / "a.wav", cells[number][1], 16_000, subtype="FLOAT")
    found = []
    with parallel_config(backend="loky"):
        for folder in ("first", "second"):
            monkeypatch.chdir(tmp_path / folder)
            found.append(AudioEmbedder(n_jobs=2).fit_transform(["a.wav"])[0])
    assert np.array_equal(found, AudioEmbedder().fit_transform(cells[:2]))


def test_cells_that_cannot_be_sent_are_judged_as_in_threads(way, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16_000), 16_000)
    with path.open("rb") as file:
        column = [str(path), memoryview(path.read_bytes()), file, Relative(path)]
        with pytest.warns(MediaWarning, match="1 of 4 cells .* row 2, object of type Buffered"):
            rows = AudioEmbedder(n_jobs=2, on_error="warn").fit_transform(column)
    assert np.array_equal(rows[[1, 3]], rows[[0, 0]])


def test_an_encoder_that_another_process_cannot_load_is_told(temporary_files):
    with (
        parallel_config(backend="loky"),
        pytest.raises(TypeError, match=r"made again in another process .* decode in threads"),
    ):
        list(map_ahead(OnlyHere(), range(10), 2))
    assert list(temporary_files.glob("skxmodal-*")) == []


def test_joblib_s_own_processes_work_before_and_after():
    def of_joblib():
        return Parallel(n_jobs=2)(delayed(abs)(-number) for number in range(4))

    with parallel_config(backend="loky"):
        for _ in range(2):
            assert len(list(map_ahead(pid_and_square, range(50), 2))) == 50
            assert of_joblib() == [0, 1, 2, 3]


def test_other_users_of_joblib_may_come_between(cells):
    with parallel_config(backend="loky"):
        mapped = map_ahead(pid_and_square, range(500), 2)
        first = next(mapped)[1]
        between = Parallel(n_jobs=2)(delayed(abs)(-number) for number in range(4))
        rest = [square for _, square in mapped]
    assert between == [0, 1, 2, 3]
    assert [first, *rest] == [number**2 for number in range(500)]


def test_a_worker_of_joblib_starts_no_processes_of_its_own(cells):
    embedder = AudioEmbedder(n_jobs=2).fit(cells)
    with parallel_config(backend="loky"):
        (found,) = Parallel(n_jobs=2)([delayed(transform_in_a_worker)(embedder, cells[:10])])
    rows, n_children = found
    assert n_children == 0
    assert np.array_equal(rows, AudioEmbedder().fit_transform(cells[:10]))


def test_a_consumer_that_stops_leaves_the_processes_ready():
    with parallel_config(backend="loky"):
        mapped = map_ahead(pid_and_square, range(5_000), 2)
        next(mapped)
        mapped.close()
        start = time.perf_counter()
        assert len(list(map_ahead(pid_and_square, range(10), 2))) == 10
    assert time.perf_counter() - start < 30
