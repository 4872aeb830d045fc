"""The embedding store: every embedding computed once, through kills, crowds and damage."""

import importlib.util
import os
import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skxmodal.embedders import _store, _store_claims
from skxmodal.embedders._content import entry_key, media_key
from skxmodal.embedders._store import EmbeddingStore, embed_through_store

WORKER = Path(__file__).with_name("store_worker.py")
spec = importlib.util.spec_from_file_location("store_worker", WORKER)
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
N_FEATURES = worker.N_FEATURES


class CountingEncoder:
    """Computes the vector of a position, and counts how often."""

    def __init__(self, batch=4, failing=()):
        self.batch = batch
        self.failing = set(failing)
        self.counts = Counter()

    def __call__(self, positions):
        for start in range(0, len(positions), self.batch):
            rows = positions[start : start + self.batch]
            self.counts.update(rows)
            good = [row for row in rows if row not in self.failing]
            if good:
                yield good, np.stack([worker.vector_of(row) for row in good])


@pytest.fixture
def store(tmp_path):
    return EmbeddingStore(tmp_path / "cache")


@pytest.fixture
def encoder():
    return CountingEncoder()


def expected_rows(n):
    return np.stack([worker.vector_of(i) for i in range(n)])


def database(store):
    return sqlite3.connect(store.directory / "embeddings.sqlite3")


def edit(store, *statement):
    connection = database(store)
    with connection:
        connection.execute(*statement)
    connection.close()


def start_worker(store, log, n_cells=40, batch=4, seconds=0.01, *stall):
    arguments = [store.directory, log, n_cells, batch, seconds, *stall]
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )


def finish(process):
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    assert output.splitlines()[-1] == "done"


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def logged(log):
    return Counter(int(line.split()[0]) for line in log.read_text().splitlines())


def test_what_is_put_is_got(store):
    vectors = {"a": np.arange(3.0), "b": np.ones(3)}
    store.put_many(vectors)
    found = store.get_many(["a", "b", "c"])
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(found["a"], [0, 1, 2])
    assert found["a"].dtype == np.float32
    assert len(store) == 2


def test_every_cell_is_computed_once_and_then_read(store, encoder):
    keys = worker.keys_of(10)
    for _ in range(3):
        result = embed_through_store(store, keys, encoder, N_FEATURES)
        np.testing.assert_array_equal(result, expected_rows(10))
    assert encoder.counts == Counter(range(10))
    assert result.dtype == np.float32


def test_equal_cells_are_computed_once(store, encoder):
    keys = worker.keys_of(3)
    result = embed_through_store(store, [*keys, *keys], encoder, N_FEATURES)
    np.testing.assert_array_equal(result, np.tile(expected_rows(3), (2, 1)))
    assert encoder.counts == Counter(range(3))


def test_work_in_several_portions_is_complete(store, encoder, monkeypatch):
    monkeypatch.setattr(_store_claims, "_CLAIM_CELLS", 7)
    monkeypatch.setattr("skxmodal.embedders._store_database._KEYS_PER_QUERY", 5)
    result = embed_through_store(store, worker.keys_of(40), encoder, N_FEATURES)
    np.testing.assert_array_equal(result, expected_rows(40))
    assert encoder.counts == Counter(range(40))


def test_cells_without_a_key_are_computed_and_not_kept(store, encoder):
    keys = [*worker.keys_of(2), None]
    for _ in range(2):
        result = embed_through_store(store, keys, encoder, N_FEATURES)
        np.testing.assert_array_equal(result, expected_rows(3))
    assert encoder.counts == Counter({0: 1, 1: 1, 2: 2})
    assert len(store) == 2


def test_failed_cells_are_rows_of_nan_and_tried_again_next_time(store):
    failing = CountingEncoder(failing=[1])
    result = embed_through_store(store, worker.keys_of(3), failing, N_FEATURES)
    assert np.isnan(result[1]).all()
    np.testing.assert_array_equal(result[[0, 2]], expected_rows(3)[[0, 2]])
    encoder = CountingEncoder()
    embed_through_store(store, worker.keys_of(3), encoder, N_FEATURES)
    assert encoder.counts == Counter([1])


def test_an_error_while_computing_keeps_what_was_done_and_frees_the_rest(store):
    def fails(positions):
        yield positions[:2], expected_rows(2)
        raise RuntimeError("decoder")

    keys = worker.keys_of(5)
    with pytest.raises(RuntimeError, match="decoder"):
        embed_through_store(store, keys, fails, N_FEATURES)
    encoder = CountingEncoder()
    np.testing.assert_array_equal(
        embed_through_store(store, keys, encoder, N_FEATURES), expected_rows(5)
    )
    assert encoder.counts == Counter([2, 3, 4])


def test_vectors_of_another_length_are_refused(store):
    with pytest.raises(ValueError, match=r"have shape \(2, 3\), expected \(2, 8\)"):
        embed_through_store(
            store, worker.keys_of(2), lambda rows: [(rows, np.ones((2, 3)))], N_FEATURES
        )


def test_a_store_is_pickled_as_its_folder(store):
    store.put_many({"a": np.ones(2)})
    copy = pickle.loads(pickle.dumps(store))
    assert set(copy.get_many(["a"])) == {"a"}


def test_two_threads_at_once_compute_every_cell_once(store, monkeypatch):
    monkeypatch.setattr(_store_claims, "_CLAIM_CELLS", 8)
    encoder = CountingEncoder(batch=2)

    def slowly(positions):
        for batch in encoder(positions):
            time.sleep(0.005)
            yield batch

    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(
                embed_through_store(store, worker.keys_of(60), slowly, N_FEATURES)
            )
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, expected_rows(60))
    assert len(results) == 2
    assert encoder.counts == Counter(range(60))


def test_processes_at_once_compute_every_cell_once(store, tmp_path):
    log = tmp_path / "log"
    processes = [start_worker(store, log, 600, 16, 0.005) for _ in range(3)]
    for process in processes:
        finish(process)
    assert logged(log) == Counter(range(600))


def test_a_killed_process_loses_nothing_that_was_computed(store, tmp_path):
    log = tmp_path / "log"
    process = start_worker(store, log, 40, 4, 0.0, 3)
    assert process.stdout.readline() == "stalled\n"
    kill(process)
    assert len(store) == 12
    finish(start_worker(store, log))
    assert logged(log) == Counter(range(40))


def test_a_process_that_waits_for_a_killed_one_takes_over(store, tmp_path):
    log = tmp_path / "log"
    first = start_worker(store, log, 40, 4, 0.0, 3)
    assert first.stdout.readline() == "stalled\n"
    second = start_worker(store, log)
    time.sleep(1.5)
    assert second.poll() is None
    kill(first)
    finish(second)
    assert logged(log) == Counter(range(40))


@pytest.mark.slow
def test_kills_at_random_instants_cost_at_most_the_batch_at_hand(store, tmp_path):
    log = tmp_path / "log"
    log.touch()
    instants = random.Random(0)
    kills = 0
    for _ in range(12):
        process = start_worker(store, log, 400, 4, 0.002)
        time.sleep(instants.uniform(0.3, 1.2))
        if process.poll() is None:
            kill(process)
            kills += 1
        else:
            finish(process)
    finish(start_worker(store, log, 400, 4, 0.0))
    counts = logged(log)
    assert set(counts) == set(range(400))
    assert sum(counts.values()) <= 400 + 4 * kills


def claim_of(machine, pid, started, renewed):
    return (
        "INSERT INTO claims SELECT ?, 'token', ?, ?, ?, ?",
        (worker.keys_of(1)[0], machine, pid, started, renewed),
    )


@pytest.mark.parametrize(
    ("owner", "alive"),
    [
        pytest.param(lambda me: (*me, time.time()), True, id="this process"),
        pytest.param(lambda me: (me[0], me[1], "1", time.time()), False, id="id used again"),
        pytest.param(lambda me: ("elsewhere", 1, "1", time.time()), True, id="another machine"),
        pytest.param(lambda me: ("elsewhere", 1, "1", time.time() - 1e4), False, id="long silent"),
    ],
)
def test_claims_hold_while_their_owner_lives(owner, alive):
    if not sys.platform.startswith("linux"):
        pytest.skip("start times of processes are read from /proc")
    assert _store_claims._is_alive(*owner(_store_claims._owner())) is alive


def test_the_claim_of_a_dead_process_is_taken_over(store, encoder):
    store.put_many({})
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    machine, _, started = _store_claims._owner()
    edit(store, *claim_of(machine, process.pid, started, time.time()))
    embed_through_store(store, worker.keys_of(1), encoder, N_FEATURES)
    assert encoder.counts == Counter([0])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET data = zeroblob(32)",
        "UPDATE entries SET data = substr(data, 1, 30)",
        "UPDATE entries SET data = 'text'",
        "UPDATE entries SET checksum = zeroblob(16)",
        "UPDATE entries SET key = (SELECT key FROM entries AS other WHERE other.key != entries.key)"
        " || 'x' WHERE rowid = 1",
    ],
)
def test_damaged_entries_are_computed_again(store, encoder, damage):
    keys = worker.keys_of(2)
    embed_through_store(store, keys, encoder, N_FEATURES)
    edit(store, damage)
    again = CountingEncoder()
    for _ in range(2):
        result = embed_through_store(store, keys, again, N_FEATURES)
        np.testing.assert_array_equal(result, expected_rows(2))
    assert sum(again.counts.values()) == (1 if "rowid" in damage else 2)


def test_an_entry_moved_to_another_key_is_computed_again(store, encoder):
    keys = worker.keys_of(2)
    embed_through_store(store, keys[:1], encoder, N_FEATURES)
    edit(store, "UPDATE entries SET key = ?", (keys[1],))
    again = CountingEncoder()
    result = embed_through_store(store, keys, again, N_FEATURES)
    np.testing.assert_array_equal(result, expected_rows(2))


def test_an_entry_of_another_length_is_computed_again(store, encoder):
    keys = worker.keys_of(1)
    store.put_many({keys[0]: np.ones(3)})
    result = embed_through_store(store, keys, encoder, N_FEATURES)
    np.testing.assert_array_equal(result, expected_rows(1))


@pytest.mark.parametrize("place", [0, 5000])
def test_a_damaged_database_is_set_aside_and_computed_again(store, place):
    keys = worker.keys_of(400)
    embed_through_store(store, keys, CountingEncoder(), N_FEATURES)
    path = store.directory / "embeddings.sqlite3"
    data = bytearray(path.read_bytes())
    data[place : place + 30_000] = os.urandom(30_000)
    path.write_bytes(data)
    encoder = CountingEncoder()
    result = embed_through_store(store, keys, encoder, N_FEATURES)
    np.testing.assert_array_equal(result, expected_rows(400))
    assert max(encoder.counts.values()) == 1
    assert list(store.directory.glob("*.damaged-*"))


def test_a_database_of_another_application_is_left_alone(store):
    store.directory.mkdir()
    edit(store, "CREATE TABLE diary (day TEXT)")
    before = (store.directory / "embeddings.sqlite3").read_bytes()
    with pytest.raises(OSError, match="another application: not touched"):
        len(store)
    assert (store.directory / "embeddings.sqlite3").read_bytes() == before


def test_a_store_of_another_format_is_refused(store):
    assert len(store) == 0
    edit(store, "PRAGMA user_version = 99")
    with pytest.raises(OSError, match="has format 99"):
        len(store)


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        len(EmbeddingStore(tmp_path / "file"))


# Keys of media


def test_the_recipe_is_part_of_an_entry_s_key():
    assert len({entry_key("m", "a", "mean"), entry_key("m", "a", "max"), entry_key("n", "a")}) == 3
    assert entry_key("m", "ab", "c") != entry_key("m", "a", "bc")


def test_a_file_is_known_by_its_bytes_not_its_name(tmp_path):
    for name, content in (("a.wav", b"x"), ("b.wav", b"x"), ("c.wav", b"y")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (media_key(tmp_path / f"{name}.wav") for name in "abc")
    assert a == b == media_key(str(tmp_path / "a.wav"))
    assert a != c


def test_a_time_fragment_is_part_of_the_key(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"x")
    keys = {media_key(f"{path}{part}") for part in ("", "#t=1,2", "#t=2,3")}
    assert len(keys) == 3
    assert None not in keys


def test_a_file_with_a_hash_sign_in_its_name_is_a_file(tmp_path):
    path = tmp_path / "take#t=1.wav"
    path.write_bytes(b"x")
    (tmp_path / "other.wav").write_bytes(b"x")
    assert media_key(path) == media_key(tmp_path / "other.wav")


def test_arrays_are_known_by_values_shape_type_and_rate():
    x = np.arange(6, dtype=np.float32)
    variants = [
        (8000, x),
        (16000, x),
        (8000, x.reshape(2, 3)),
        (8000, x.astype(np.int32)),
        (8000, x + 1),
        x,
    ]
    assert len({media_key(cell) for cell in variants}) == len(variants)
    assert media_key((8000, x)) == media_key((8000.0, x.copy())) == media_key(x, sample_rate=8000)
    assert media_key(np.arange(12, dtype=np.float32)[::2]) == media_key(2 * x)


def test_pictures_are_known_by_pixels_and_palette():
    picture = Image.new("RGB", (4, 4), "red")
    other = Image.new("RGB", (4, 4), "blue")
    assert media_key(picture) == media_key(picture.copy()) != media_key(other)
    indexed = Image.new("P", (4, 4))
    indexed.putpalette([255, 0, 0])
    recoloured = indexed.copy()
    recoloured.putpalette([0, 255, 0])
    assert media_key(indexed) != media_key(recoloured)


def test_bytes_are_known_by_value():
    assert media_key(b"x") == media_key(bytearray(b"x")) != media_key(b"y")


@pytest.mark.parametrize("cell", [None, float("nan"), "nowhere.wav", Path("."), 3, object()])
def test_what_has_no_content_has_no_key(cell):
    assert media_key(cell) is None


def test_the_store_reads_a_settled_file_once(store, tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    monkeypatch.setattr(_store, "_SETTLED_NS", 0)
    time.sleep(0.05)
    reads = []
    hash_file = _store.hash_file
    monkeypatch.setattr(_store, "hash_file", lambda p: reads.append(p) or hash_file(p))
    keys = store.media_keys([path, str(path), f"{path}#t=1,2", None])
    assert keys == [media_key(path), media_key(path), media_key(f"{path}#t=1,2"), None]
    assert store.media_keys([path]) == keys[:1]
    assert len(reads) == 1


def test_the_store_sees_a_file_that_changed_with_its_old_time_stamp(store, tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    monkeypatch.setattr(_store, "_SETTLED_NS", 0)
    time.sleep(0.05)
    (before,) = store.media_keys([path])
    status = path.stat()
    path.write_bytes(b"y")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.media_keys([path]) == [media_key(path)] != [before]


def test_the_store_does_not_trust_the_time_stamp_of_a_file_just_written(store, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    store.media_keys([path])
    connection = database(store)
    assert connection.execute("SELECT COUNT(*) FROM files").fetchone() == (0,)
    connection.close()
