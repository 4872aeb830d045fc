"""The lock: one holder at a time, freed with its holder, its file removed."""

import errno
import threading

import pytest

from skxmodal.utils import _file_lock
from skxmodal.utils._file_lock import file_lock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.lock"


def test_the_file_is_there_while_the_lock_is_held_and_not_after(path):
    with file_lock(path):
        assert path.is_file()
    assert not path.exists()


def test_the_lock_is_freed_by_an_error(path):
    with pytest.raises(KeyError), file_lock(path):
        raise KeyError
    assert not path.exists()
    with file_lock(path):
        pass


def test_a_file_that_was_left_is_taken_over(path):
    path.touch()
    with file_lock(path, on_wait=lambda: pytest.fail("nobody holds the lock")):
        pass
    assert not path.exists()


def test_one_holds_it_at_a_time_through_many_turns(path):
    inside = threading.Semaphore(1)
    waits, overlaps, turns = [], [], []

    def take_turns():
        for _ in range(50):
            with file_lock(path, on_wait=lambda: waits.append(1)):
                if not inside.acquire(blocking=False):
                    overlaps.append(1)
                    continue
                turns.append(1)
                inside.release()

    threads = [threading.Thread(target=take_turns) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(turns) == 200
    assert not overlaps
    assert not path.exists()


def test_who_waits_is_told_once_and_comes_next(path):
    order = []
    told = threading.Event()

    def second():
        with file_lock(path, on_wait=told.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with file_lock(path):
        thread.start()
        assert told.wait(30)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_file_system_without_locks_is_said(path, monkeypatch):
    def refuse(_file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_file_lock, "_try_lock", refuse)
    with pytest.warns(UserWarning, match="has no locks: let only one process"), file_lock(path):
        assert path.is_file()
    assert not path.exists()


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(path, monkeypatch):
    calls = []

    def after_removal(file):
        if not calls:
            path.unlink()
        calls.append(1)
        return try_lock(file)

    try_lock = _file_lock._try_lock
    monkeypatch.setattr(_file_lock, "_try_lock", after_removal)
    with file_lock(path):
        assert path.is_file()
    assert len(calls) == 2
