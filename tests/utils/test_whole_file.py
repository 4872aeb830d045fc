"""Files that are whole or not there."""

import os
import stat
import sys

import pytest

from skxmodal.utils._whole_file import whole_file


def test_the_goal_appears_when_everything_is_written(tmp_path):
    path = tmp_path / "index.npz"
    with whole_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_that_name_is_replaced(tmp_path):
    path = tmp_path / "index.npz"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "index.npz"
    path.write_text("old")

    def write_a_part():
        with whole_file(path) as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises(type(error)):
        write_a_part()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_write_to_the_same_place(tmp_path):
    path = tmp_path / "index.npz"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_others_may_read_it_where_they_may_read_new_files(tmp_path, mask, mode):
    path = tmp_path / "index.npz"
    before = os.umask(mask)
    try:
        with whole_file(path) as partial:
            partial.write_text("shared")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
