"""Archives: the wanted members, checked, unpacked all or not at all."""

import gzip
import io
import stat
import struct
import tarfile
import threading
import tracemalloc
import zipfile

import pytest

from skxmodal.datasets import RemoteFileError
from skxmodal.datasets import _archives as archives_module
from skxmodal.datasets._archives import extract_tar, fetch_zip
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
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED],
    ids=["stored", "deflated"],
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
        ("top/C:/escaped.wav", "a member outside its folder: 'C:/escaped.wav'"),
        ("top/c:escaped.wav", "a member outside its folder"),
        ("top/recordings/\nescaped.wav", "a member outside its folder"),
        (link("top/recordings/link.wav"), "holds a link or device: 'recordings/link.wav'"),
    ],
    ids=["up", "up and down", "absolute", "backslash", "drive", "on a drive", "line", "link"],
)
def test_a_hostile_member_is_refused_and_writes_nothing(home, offer, tmp_path, member, message):
    offer([*in_top(FILES), (member, b"/etc/passwd")])
    with pytest.raises(RemoteFileError, match=message):
        fetch(home, members="*.wav")
    assert list(home.rglob("*.zip*")) == []
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_a_device_is_refused(home, offer, kind):
    info = link("top/recordings/device.wav")
    info.external_attr = (kind | 0o666) << 16
    offer([*in_top(FILES), (info, b"")])
    with pytest.raises(RemoteFileError, match="holds a link or device"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


@pytest.mark.parametrize(
    "name",
    ["RECORDINGS/a.wav", "recordings/A.WAV", "recordings/a.wav/inside.wav", "recordings"],
    ids=["folder", "file", "a file as folder", "a folder as file"],
)
def test_a_member_that_replaces_another_on_some_system_is_refused(home, offer, name):
    offer([*in_top(FILES), (f"top/{name}", b"another")])
    with pytest.raises(RemoteFileError, match="two members of the same name, capitals aside"):
        fetch(home, members="*")
    assert list(home.rglob("*.zip*")) == []


def test_an_accent_that_is_written_in_two_ways_is_one_name(home, offer):
    offer([("top/\u00e9.wav", b"1"), ("top/e\u0301.wav", b"2")])
    with pytest.raises(RemoteFileError, match="two members of the same name"):
        fetch(home, members="*")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_comes_twice_is_refused(home, offer):
    offer([*in_top(FILES), *in_top(FILES)])
    with pytest.raises(RemoteFileError, match="two members of the same name"):
        fetch(home)


def test_an_archive_of_too_many_members_is_refused(home, offer, monkeypatch):
    offer([(f"top/recordings/{i}.wav", b"") for i in range(101)])
    monkeypatch.setattr(archives_module, "_MAX_MEMBERS", 100)
    with pytest.raises(RemoteFileError, match=r"data\.zip holds more than 100 members"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


def test_a_hostile_member_that_nobody_wants_is_passed_over(home, offer):
    offer([*in_top(FILES), ("top/../../escaped.txt", b"")])
    assert unpacked(fetch(home)) == FILES


def test_an_archive_that_unpacks_to_too_much_is_refused(home, good, monkeypatch):
    assert good.stat().st_size < 600
    # What is declared is enough.
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("a member is read"))
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


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_can_fill_the_memory_is_refused(home, offer, compression):
    offer(in_top(FILES), compression=compression)
    with pytest.raises(RemoteFileError, match=r"neither stored nor deflated: 'recordings/a\.wav'"):
        fetch(home)
    assert list(home.rglob("*.zip*")) == []


def test_a_bomb_that_lies_about_its_size_is_never_in_memory(home, offer):
    bomb = bytes(50_000_000)
    place = offer([("top/recordings/a.wav", bomb)])
    content = place.read_bytes()
    # Where it is declared: in the directory at the end, and before the member.
    place.write_bytes(content.replace(struct.pack("<I", len(bomb)), struct.pack("<I", 10)))
    del bomb, content
    tracemalloc.start()
    try:
        with pytest.raises(RemoteFileError, match="not a readable zip file"):
            fetch(home)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
    assert list(home.rglob("*.zip*")) == []


class TestTar:
    """Archives as the model hubs serve them."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "folder"
        folder.mkdir()
        return folder

    @pytest.fixture
    def make(self, tmp_path):
        """A function that makes an archive of (name or TarInfo, content) pairs."""

        def make(members, *, mode="w:gz"):
            path = tmp_path / "archive.tar"
            with tarfile.open(path, mode) as packed:
                for name, content in members:
                    info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
                    info.size = len(content)
                    packed.addfile(info, io.BytesIO(content))
            return path

        return make

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_is_unpacked_whether_it_is_compressed_or_not(self, make, folder, mode):
        extract_tar(make(FILES.items(), mode=mode), folder)
        assert unpacked(folder) == FILES

    @pytest.mark.parametrize("mode", ["w:bz2", "w:xz"])
    def test_is_refused_when_it_is_compressed_in_another_way(self, make, folder, mode):
        with pytest.raises(tarfile.ReadError):
            extract_tar(make(FILES.items(), mode=mode), folder)
        assert unpacked(folder) == {}

    def test_long_names_are_kept(self, make, folder):
        name = "/".join(["folder" * 10] * 5) + "/é.bin"
        extract_tar(make([(name, b"content")]), folder)
        assert unpacked(folder) == {name: b"content"}

    def test_folders_may_come_with_a_dot_before_their_files(self, make, folder):
        top = tarfile.TarInfo("./")
        top.type = tarfile.DIRTYPE
        extract_tar(make([(top, b""), ("./a/b", b"content")]), folder)
        assert unpacked(folder) == {"a/b": b"content"}

    @pytest.mark.parametrize(
        "name",
        ["../escaped", "a/../../escaped", "/escaped", "C:/escaped", "c:escaped", "..\\escaped"],
    )
    def test_a_name_that_leads_out_is_refused(self, make, folder, tmp_path, name):
        archive = make([("good", b""), (name, b"content")])
        with pytest.raises(RemoteFileError, match="a member outside its folder") as caught:
            extract_tar(archive, folder)
        assert repr(name) in str(caught.value)
        assert not list(tmp_path.rglob("*escaped*"))

    @pytest.mark.parametrize("name", ["../escaped", "/escaped"])
    def test_a_folder_that_leads_out_is_refused(self, make, folder, tmp_path, name):
        info = tarfile.TarInfo(name)
        info.type = tarfile.DIRTYPE
        with pytest.raises(RemoteFileError, match="a member outside its folder"):
            extract_tar(make([(info, b"")]), folder)
        assert not (tmp_path / "escaped").exists()

    @pytest.mark.parametrize(
        "kind",
        [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE],
        ids=["symbolic link", "hard link", "fifo", "character device", "block device"],
    )
    def test_a_link_or_device_is_refused(self, make, folder, kind):
        info = tarfile.TarInfo("special")
        info.type, info.linkname = kind, "/etc/passwd"
        with pytest.raises(RemoteFileError, match="holds a link or device: 'special'"):
            extract_tar(make([(info, b"")]), folder)
        assert not list(folder.iterdir())

    def test_what_is_written_through_a_link_never_gets_that_far(self, make, folder, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, str(outside)
        with pytest.raises(RemoteFileError, match="holds a link"):
            extract_tar(make([(info, b""), ("link/escaped", b"content")]), folder)
        assert not list(outside.iterdir())

    def test_two_members_of_one_name_are_refused(self, make, folder):
        with pytest.raises(RemoteFileError, match="two members of the same name"):
            extract_tar(make([("Model.pb", b"1"), ("model.pb", b"2")]), folder)

    def test_too_many_bytes_are_refused_before_they_are_written(self, make, folder):
        archive = make([("a", bytes(600)), ("b", bytes(600))])
        with pytest.raises(RemoteFileError, match=r"archive\.tar unpacks to more than 1000 bytes"):
            extract_tar(archive, folder, max_bytes=1000)
        assert [path.name for path in folder.iterdir()] == ["a"]

    def test_too_many_members_are_refused(self, make, folder, monkeypatch):
        monkeypatch.setattr(archives_module, "_MAX_MEMBERS", 10)
        with pytest.raises(RemoteFileError, match="holds more than 10 members"):
            extract_tar(make([(str(i), b"") for i in range(11)]), folder)

    def test_a_header_that_is_a_bomb_is_never_in_memory(self, folder, tmp_path):
        archive = tmp_path / "archive.tar"
        info = tarfile.TarInfo("header")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 31
        with gzip.open(archive, "wb", compresslevel=1) as file:
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            file.write(bytes(1 << 20))
        with pytest.raises(RemoteFileError, match="holds a header of more than 16777216 bytes"):
            extract_tar(archive, folder)

    def test_headers_count_as_bytes(self, make, folder, monkeypatch):
        members = []
        for i in range(20):
            info = tarfile.TarInfo(str(i))
            info.pax_headers = {"comment": "x" * 10_000}
            members.append((info, b""))
        archive = make(members)
        extract_tar(archive, folder)
        monkeypatch.setattr(archives_module, "_BLOCK", 1024)
        with pytest.raises(RemoteFileError, match="unpacks to more than 1000 bytes"):
            extract_tar(archive, folder / "again", max_bytes=1000)


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
    left = REMOTE.place(home).with_name("data.zip.contents.part")
    (left / "recordings").mkdir(parents=True)
    (left / "recordings" / "a.wav").write_bytes(FILES["recordings/a.wav"])
    folder = fetch(home)
    assert folder != left
    assert unpacked(folder) == FILES
    assert folders_of_contents(home) == ["data.zip.contents"]


@pytest.mark.usefixtures("good")
def test_an_unpacking_that_fails_half_way_leaves_no_folder(home, monkeypatch):
    open_file, opened = archives_module.Path.open, []

    def full_disk(path, mode="r", *args, **options):
        if mode == "xb":
            if opened:
                raise OSError(28, "No space left on device")
            opened.append(path)
        return open_file(path, mode, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(archives_module.Path, "open", full_disk)
        with pytest.raises(RemoteFileError, match=r"\(No space left on device\): make room or set"):
            fetch(home)
    assert len(opened) == 1
    assert folders_of_contents(home) == []
    assert REMOTE.place(home).is_file()
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
