"""Archives: the wanted members, checked, unpacked all or not at all."""

import stat
import struct
import threading
import zipfile

import pytest

from skxmodal.datasets import RemoteFileError
from skxmodal.datasets import _archives as archives_module
from skxmodal.datasets._archives import fetch_zip
from skxmodal.datasets._digests import digest_of_contents
from skxmodal.datasets._remote import RemoteFile

REMOTE = RemoteFile("https://nowhere.invalid/owner/data.zip", None, "CC0")
FILES = {"recordings/a.wav": b"first" * 100, "recordings/b.wav": b"second" * 100}
PATTERN = "recordings/*.wav"
CONTENTS = digest_of_contents(FILES.items())


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """A function that puts an archive of (name or ZipInfo, content) pairs into a mirror."""
    mirror = tmp_path / "mirror"
    monkeypatch.setenv("SKXMODAL_MIRROR", str(mirror))

    def put(members, *, compression=zipfile.ZIP_DEFLATED):
        place = REMOTE.place(mirror)
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place, "w", compression) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return place

    return put


@pytest.fixture
def good(offer):
    return offer([("top/readme.md", b"read me"), *in_top(FILES)])


def in_top(files):
    return [(f"top/{name}", content) for name, content in files.items()]


def fetch(home, *, members=PATTERN, contents=CONTENTS, **options):
    return fetch_zip(REMOTE, members=members, contents=contents, data_home=home, **options)


def unpacked(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def folders_of_contents(home):
    """Return what an unpacking, whole or not, has left in the data home."""
    return [path.name for path in home.rglob("*.contents*")]


@pytest.mark.usefixtures("good")
def test_the_wanted_members_are_unpacked_without_the_top_folder(home):
    assert unpacked(fetch(home)) == FILES
    assert folders_of_contents(home) == ["data.zip.contents"]


def test_a_whole_folder_is_used_without_the_archive(home, good):
    folder = fetch(home)
    good.unlink()
    (folder.parent / "data.zip").unlink()
    assert fetch(home, download_if_missing=False) == folder


def test_a_missing_archive_is_not_downloaded_unasked(home, good):
    assert good.is_file()
    with pytest.raises(RemoteFileError, match="download_if_missing=False"):
        fetch(home, download_if_missing=False)
    assert folders_of_contents(home) == []


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_the_same_files_packed_anew_in_other_ways_are_accepted(home, offer, compression):
    offer(reversed([("other-top/x", b""), *in_top(FILES)]), compression=compression)
    assert unpacked(fetch(home)) == FILES


def test_the_name_of_the_top_folder_does_not_matter(home, offer):
    offer([(f"renamed-1.2/{name}", content) for name, content in FILES.items()])
    assert unpacked(fetch(home)) == FILES


@pytest.mark.parametrize(
    "change",
    [
        {"recordings/a.wav": b"tampered"},
        {"recordings/c.wav": b"one more"},
    ],
    ids=["changed", "added"],
)
def test_other_contents_leave_nothing_behind(home, offer, change):
    offer(in_top(FILES | change))
    with pytest.raises(RemoteFileError, match="this is not the data set that was asked for"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


@pytest.mark.parametrize(
    "files",
    [{}, {"recordings/a.wav": FILES["recordings/a.wav"]}, {"a.wav": FILES["recordings/a.wav"]}],
    ids=["empty", "one missing", "elsewhere"],
)
def test_missing_contents_leave_nothing_behind(home, offer, files):
    offer(in_top(files))
    with pytest.raises(RemoteFileError, match="not the data set"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


def test_after_a_bad_archive_a_good_one_is_accepted(home, offer):
    offer(in_top({"recordings/a.wav": b"tampered"}))
    with pytest.raises(RemoteFileError, match="not the data set"):
        fetch(home)
    offer(in_top(FILES))
    assert unpacked(fetch(home)) == FILES


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("top/recordings/../../../escaped.wav", "a member outside its folder"),
        ("top/recordings/../x.wav", "a member outside its folder"),
        ("top//etc/escaped.wav", "a member outside its folder: '/etc/escaped.wav'"),
        ("top/recordings\\..\\escaped.wav", "a member outside its folder"),
        (link("top/recordings/link.wav"), "holds a link: 'recordings/link.wav'"),
    ],
    ids=["up", "up and down", "absolute", "backslash", "link"],
)
def test_a_hostile_member_is_refused_and_writes_nothing(home, offer, tmp_path, member, message):
    offer([*in_top(FILES), (member, b"/etc/passwd")])
    with pytest.raises(RemoteFileError, match=message):
        fetch(home, members="*.wav")
    assert list(home.rglob("*.zip*")) == []
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_hostile_member_that_nobody_wants_is_passed_over(home, offer):
    offer([*in_top(FILES), ("top/../../escaped.txt", b"")])
    assert unpacked(fetch(home)) == FILES


def test_an_archive_that_unpacks_to_too_much_is_refused(home, good, monkeypatch):
    assert good.stat().st_size < 600
    monkeypatch.setattr(archives_module, "_MAX_BYTES", 1000)
    with pytest.raises(RemoteFileError, match=r"data\.zip unpacks to more than 1000 bytes"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


def test_the_limit_is_not_passed_by_a_member_that_lies_about_its_size(home, offer, monkeypatch):
    bomb = b"0" * 100_000
    place = offer([("top/recordings/a.wav", bomb)])
    true_size = struct.pack("<I", len(bomb))
    content = place.read_bytes()
    assert content.count(true_size) == 2
    place.write_bytes(content.replace(true_size, struct.pack("<I", 10)))
    monkeypatch.setattr(archives_module, "_MAX_BYTES", 1000)
    with pytest.raises(RemoteFileError, match="not a readable zip file"):
        fetch(home)


@pytest.mark.parametrize("damage", ["cut", "not a zip", "flipped", "empty", "encrypted"])
def test_a_damaged_archive_leaves_nothing_behind(home, good, damage):
    content = bytearray(good.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "not a zip":
        content = b"<html>this is not the page you were looking for</html>"
    elif damage == "empty":
        content = b""
    elif damage == "flipped":
        start = content.index(b"recordings/a.wav") + len(b"recordings/a.wav")
        content[start + 2] ^= 0xFF
    else:
        for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            position = content.find(magic)
            while position >= 0:
                content[position + offset] |= 1
                position = content.find(magic, position + 4)
    good.write_bytes(content)
    with pytest.raises(RemoteFileError, match="is not a readable zip file"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


@pytest.mark.usefixtures("good")
def test_a_folder_that_was_left_half_unpacked_is_not_taken_for_whole(home):
    left = REMOTE.place(home).with_name("data.zip.contents.part-abc")
    (left / "recordings").mkdir(parents=True)
    (left / "recordings" / "a.wav").write_bytes(FILES["recordings/a.wav"])
    folder = fetch(home)
    assert folder != left
    assert unpacked(folder) == FILES


@pytest.mark.usefixtures("good")
def test_an_unpacking_that_fails_half_way_leaves_no_folder(home, monkeypatch):
    write, written = archives_module.Path.write_bytes, []

    def full_disk(path, data):
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(archives_module.Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space left"):
            fetch(home)
    assert len(written) == 1
    assert folders_of_contents(home) == []
    assert unpacked(fetch(home)) == FILES


@pytest.mark.usefixtures("good")
def test_several_at_once_all_get_the_whole_folder(home):
    barrier = threading.Barrier(4)
    found = []

    def one():
        barrier.wait()
        found.append(unpacked(fetch(home)))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [FILES] * 4
    assert folders_of_contents(home) == ["data.zip.contents"]


def test_the_digest_of_contents_depends_on_names_and_bytes_and_not_on_order():
    assert digest_of_contents(reversed(FILES.items())) == CONTENTS
    assert digest_of_contents({"a": b"1", "b": b"2"}.items()) != digest_of_contents(
        {"a": b"2", "b": b"1"}.items()
    )
    assert digest_of_contents({"a": b""}.items()) != digest_of_contents({"b": b""}.items())
