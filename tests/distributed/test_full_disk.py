"""A disk that is full or cannot be written: a clear error, and the next run goes on."""

import errno
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from skxmodal.embedders import ImageEmbedder, _store, _to_file, embed_to_file
from skxmodal.embedders._store import EmbeddingStore


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(24)]


@pytest.fixture
def expected(pictures):
    return ImageEmbedder("thumbnail").fit_transform(pictures)


def embedder(cache=None):
    return ImageEmbedder("thumbnail", cache=cache, batch_size=4)


@pytest.fixture
def n_pages(monkeypatch):
    """A function that limits the database: SQLite then says what it says on a full disk."""
    limit = []
    open_database = _store.open_database

    def limited(path):
        connection = open_database(path)
        if limit:
            connection.execute(f"PRAGMA max_page_count = {limit[-1]}")
        return connection

    monkeypatch.setattr(_store, "open_database", limited)
    return limit


def test_a_cache_on_a_full_disk_is_named_and_keeps_what_it_has(
    pictures, expected, tmp_path, n_pages
):
    whole = ImageEmbedder("thumbnail", cache=tmp_path / "whole").fit(pictures)
    whole.transform(pictures)
    n_pages.append((tmp_path / "whole" / "embeddings.sqlite3").stat().st_size // 4096 // 2)
    fitted = embedder(tmp_path / "cache").fit(pictures)
    with pytest.raises(OSError, match=r"cannot be used: .*full; what it holds is kept: free some"):
        fitted.transform(pictures)
    n_kept = len(EmbeddingStore(tmp_path / "cache"))
    assert 0 < n_kept < len(pictures)
    n_pages.append(2**30)
    np.testing.assert_array_equal(fitted.transform(pictures), expected)
    assert len(EmbeddingStore(tmp_path / "cache")) == len(pictures)


def test_claims_that_cannot_be_ended_keep_nobody_waiting(pictures, expected, tmp_path, monkeypatch):
    import sqlite3

    from skxmodal.embedders import _store_claims

    fitted = embedder(tmp_path).fit(pictures)
    transaction, write = _store_claims.transaction, _store._write

    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    def fail(connection, entries, token=None):
        # From here on nothing can be written, not even that the claims are over.
        monkeypatch.setattr(_store_claims, "transaction", full)
        full()

    monkeypatch.setattr(_store, "_write", fail)
    with pytest.raises(OSError, match="full"):
        fitted.transform(pictures)
    monkeypatch.setattr(_store_claims, "transaction", transaction)
    monkeypatch.setattr(_store, "_write", write)
    np.testing.assert_array_equal(fitted.transform(pictures), expected)


def test_a_full_disk_is_found_out_before_anything_is_embedded(pictures, tmp_path, monkeypatch):
    def fallocate(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fallocate, raising=False)
    monkeypatch.setattr(_to_file, "_embed_rows", None)
    path = tmp_path / "image.npy"
    with pytest.raises(
        OSError, match=r"cannot be written \(No space left on device\): .*image.npy"
    ):
        embed_to_file(embedder(), pictures, path)
    assert not path.exists()


def test_a_file_goes_on_once_there_is_room_again(pictures, expected, tmp_path, monkeypatch):
    path = tmp_path / "image.npy"
    write_json, n_written = _to_file._write_json, []

    def fill_up(*arguments):
        if len(n_written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n_written.append(arguments)
        write_json(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_to_file, "_write_json", fill_up)
        with pytest.raises(OSError, match="goes on with what is embedded already"):
            embed_to_file(embedder(), pictures, path, chunk_size=8)
    embed_rows, starts = _to_file._embed_rows, []

    def noting(of, cells, start, stop, keeper):
        starts.append(start)
        return embed_rows(of, cells, start, stop, keeper)

    monkeypatch.setattr(_to_file, "_embed_rows", noting)
    found = embed_to_file(embedder(), pictures, path, chunk_size=8)
    np.testing.assert_array_equal(found, expected)
    assert starts == [16]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of file sizes and its signal")
def test_a_file_that_may_not_grow_is_an_error_not_a_crash(tmp_path):
    script = """
        import resource, sys
        import numpy as np
        from skxmodal.embedders import ImageEmbedder, embed_to_file

        cells = [np.eye(64)] * 200
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, resource.RLIM_INFINITY))
        try:
            embed_to_file(ImageEmbedder("hog"), cells, sys.argv[1])
        except OSError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        print(embed_to_file(ImageEmbedder("hog"), cells, sys.argv[1]).shape)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "image.npy")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "cannot be written (File too large): choose another path" in done.stdout
    assert done.stdout.endswith("(200, 900)\n")


def test_a_path_that_cannot_be_written_is_named(pictures, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot be written .*choose another path.*image\.npy"):
        embed_to_file(embedder(), pictures, tmp_path / "file" / "image.npy")
