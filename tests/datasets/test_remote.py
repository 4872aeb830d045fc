"""Remote files: the mirror first, then the owner; nothing is used before it was checked."""

import hashlib
from pathlib import Path

import pytest

from skxmodal.datasets import RemoteFileError, clear_data_home, get_data_home
from skxmodal.datasets._digests import digest_of, matches
from skxmodal.datasets._remote import RemoteFile, fetch_file

from .http_server import FileServer

CONTENT = b"the content of a file\n"
OTHER = b"something else\n"


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """Reach this machine directly, whatever proxy its user has."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def origin(file_server):
    """The owner of a file: a server on this machine."""
    return file_server


@pytest.fixture
def http_mirror(monkeypatch):
    """A mirror that is a base URL."""
    server = FileServer()
    monkeypatch.setenv("SKXMODAL_MIRROR", server.url + "/base/")
    yield server
    server.close()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def folder_mirror(tmp_path, monkeypatch):
    """A mirror that is a folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("SKXMODAL_MIRROR", str(folder))
    return folder


@pytest.fixture
def remote(origin):
    """A file with a published digest that its owner serves."""
    origin.files["/data/file.bin"] = CONTENT
    return RemoteFile(origin.url + "/data/file.bin", sha256(CONTENT), "CC0", len(CONTENT))


@pytest.fixture
def unpublished(origin):
    """A file without a published digest."""
    origin.files["/data/file.bin"] = CONTENT
    return RemoteFile(origin.url + "/data/file.bin", None, "CC0")


def put(folder, remote, content):
    place = remote.place(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def files_below(folder):
    return [path for path in Path(folder).rglob("*") if not path.is_dir()]


def test_a_file_lands_below_its_host_and_path(remote, origin, home):
    path = fetch_file(remote, data_home=home)
    assert path == home / origin.host / "data" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert files_below(home) == [path]


def test_the_data_home_is_that_of_the_environment(remote, home, monkeypatch):
    monkeypatch.setenv("SKXMODAL_DATA", str(home))
    assert fetch_file(remote).is_relative_to(home)


def test_a_file_that_is_there_is_not_asked_for_again(remote, origin, home):
    fetch_file(remote, data_home=home)
    fetch_file(remote, data_home=home)
    fetch_file(remote, data_home=home, download_if_missing=False)
    assert len(origin.requests) == 1


def test_a_redirection_is_followed(origin, home):
    origin.files["/old"] = origin.url + "/new"
    origin.files["/new"] = CONTENT
    path = fetch_file(RemoteFile(origin.url + "/old", sha256(CONTENT), "CC0"), data_home=home)
    assert path.read_bytes() == CONTENT


def test_a_missing_file_is_not_downloaded_unasked(remote, origin, home):
    with pytest.raises(RemoteFileError, match=r"file\.bin is not in .*download_if_missing=False"):
        fetch_file(remote, data_home=home, download_if_missing=False)
    assert origin.requests == []
    assert files_below(home) == []


def test_a_wrong_digest_leaves_nothing_behind(remote, origin, home):
    origin.files["/data/file.bin"] = OTHER
    with pytest.raises(RemoteFileError, match=f"is not the expected file.*{sha256(OTHER)}"):
        fetch_file(remote, data_home=home)
    assert files_below(home) == []


def test_a_file_that_ends_early_and_has_no_version_leaves_nothing_behind(unpublished, origin, home):
    origin.validators = False
    origin.files["/data/file.bin"] = (CONTENT, len(CONTENT) + 10)
    with pytest.raises(RemoteFileError, match="ended after 22 of 32 bytes, 4 times in a row"):
        fetch_file(unpublished, data_home=home)
    assert files_below(home) == []


def test_a_damaged_cached_file_is_fetched_anew(remote, home):
    path = fetch_file(remote, data_home=home)
    path.write_bytes(OTHER)
    assert fetch_file(remote, data_home=home).read_bytes() == CONTENT


def test_a_damaged_cached_file_is_missing_where_nothing_may_be_downloaded(remote, home):
    put(home, remote, OTHER)
    with pytest.raises(RemoteFileError, match="is not in"):
        fetch_file(remote, data_home=home, download_if_missing=False)


def test_a_404_is_reported_with_the_address_and_the_remedy(origin, home):
    remote = RemoteFile(origin.url + "/gone.bin", sha256(CONTENT), "CC0")
    with pytest.raises(
        RemoteFileError, match=rf"{origin.url}/gone\.bin answered 404\): set SKXMODAL_MIRROR"
    ):
        fetch_file(remote, data_home=home)
    assert files_below(home) == []


def test_a_host_that_does_not_answer_is_reported(home):
    server = FileServer()
    server.close()
    remote = RemoteFile(server.url + "/file.bin", sha256(CONTENT), "CC0")
    with pytest.raises(RemoteFileError, match=r"could not be reached \(Connect"):
        fetch_file(remote, data_home=home)


class TestFolderMirror:
    def test_is_asked_first(self, remote, origin, folder_mirror, home):
        put(folder_mirror, remote, CONTENT)
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT
        assert origin.requests == []

    def test_serves_a_host_that_cannot_be_reached(self, folder_mirror, home):
        remote = RemoteFile("https://nowhere.invalid/a/file.bin", sha256(CONTENT), "CC0")
        put(folder_mirror, remote, CONTENT)
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT

    def test_is_not_changed_by_what_happens_to_the_copy(self, remote, folder_mirror, home):
        place = put(folder_mirror, remote, CONTENT)
        fetch_file(remote, data_home=home).write_bytes(OTHER)
        assert place.read_bytes() == CONTENT

    @pytest.mark.usefixtures("folder_mirror")
    def test_without_the_file_the_owner_is_asked(self, remote, origin, home):
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT
        assert origin.requests == ["/data/file.bin"]

    def test_with_a_wrong_file_is_an_error_that_names_it(self, remote, origin, folder_mirror, home):
        place = put(folder_mirror, remote, OTHER)
        with pytest.raises(RemoteFileError, match="is not the expected file") as error:
            fetch_file(remote, data_home=home)
        assert str(place) in str(error.value)
        assert files_below(home) == []
        assert origin.requests == []

    def test_without_the_file_is_named_in_the_error(self, origin, folder_mirror, home):
        remote = RemoteFile(origin.url + "/gone.bin", sha256(CONTENT), "CC0")
        with pytest.raises(RemoteFileError, match=r"not in the mirror .*answered 404") as error:
            fetch_file(remote, data_home=home)
        assert str(folder_mirror) in str(error.value)

    def test_may_hold_links(self, remote, origin, folder_mirror, home, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (folder_mirror / origin.host).symlink_to(tmp_path / "elsewhere")
        put(folder_mirror, remote, CONTENT)
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT
        assert origin.requests == []


class TestHttpMirror:
    def test_is_asked_first_for_host_and_path(self, remote, origin, http_mirror, home):
        address = f"/base/{origin.host}/data/file.bin"
        http_mirror.files[address] = CONTENT
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT
        assert http_mirror.requests == [address]
        assert origin.requests == []

    def test_without_the_file_the_owner_is_asked(self, remote, origin, http_mirror, home):
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT
        assert len(http_mirror.requests) == len(origin.requests) == 1

    def test_with_a_wrong_file_leaves_nothing_behind(self, remote, origin, http_mirror, home):
        http_mirror.files[f"/base/{origin.host}/data/file.bin"] = OTHER
        with pytest.raises(RemoteFileError, match=f"{http_mirror.url}.*not the expected file"):
            fetch_file(remote, data_home=home)
        assert files_below(home) == []

    def test_that_ends_early_is_followed_by_the_owner(self, remote, origin, http_mirror, home):
        http_mirror.files[f"/base/{origin.host}/data/file.bin"] = (OTHER, 1000)
        assert fetch_file(remote, data_home=home).read_bytes() == CONTENT

    def test_and_owner_are_both_named_in_the_error(self, origin, http_mirror, home):
        remote = RemoteFile(origin.url + "/gone.bin", sha256(CONTENT), "CC0")
        with pytest.raises(
            RemoteFileError, match=f"{http_mirror.url}.* answered 404; {origin.url}.* answered 404"
        ):
            fetch_file(remote, data_home=home)


class TestPin:
    def test_the_first_use_is_said_once(self, unpublished, home):
        with pytest.warns(UserWarning, match=f"pinned on first use as {sha256(CONTENT)}") as record:
            path = fetch_file(unpublished, data_home=home)
        assert len(record) == 1
        assert path.with_name("file.bin.sha256").read_text() == sha256(CONTENT) + "\n"
        # Warnings are errors here: a second one would fail.
        fetch_file(unpublished, data_home=home)

    def test_a_changed_file_is_refused_with_the_remedy(self, unpublished, origin, home):
        with pytest.warns(UserWarning, match="pinned"):
            path = fetch_file(unpublished, data_home=home)
        path.unlink()
        origin.files["/data/file.bin"] = OTHER
        with pytest.raises(RemoteFileError, match=r"no longer the file.*delete '.*sha256'"):
            fetch_file(unpublished, data_home=home)
        assert not path.exists()

    def test_a_changed_file_is_accepted_when_the_pin_is_deleted(self, unpublished, origin, home):
        with pytest.warns(UserWarning, match="pinned"):
            path = fetch_file(unpublished, data_home=home)
        origin.files["/data/file.bin"] = OTHER
        path.unlink()
        path.with_name("file.bin.sha256").unlink()
        with pytest.warns(UserWarning, match=sha256(OTHER)):
            assert fetch_file(unpublished, data_home=home).read_bytes() == OTHER

    def test_a_damaged_cached_file_is_fetched_anew(self, unpublished, home):
        with pytest.warns(UserWarning, match="pinned"):
            fetch_file(unpublished, data_home=home).write_bytes(OTHER)
        assert fetch_file(unpublished, data_home=home).read_bytes() == CONTENT

    def test_a_file_that_was_put_there_by_hand_is_pinned_too(self, unpublished, origin, home):
        put(home, unpublished, CONTENT)
        with pytest.warns(UserWarning, match="pinned on first use"):
            path = fetch_file(unpublished, data_home=home)
        path.write_bytes(OTHER)
        assert fetch_file(unpublished, data_home=home).read_bytes() == CONTENT
        assert len(origin.requests) == 1

    def test_a_file_whose_contents_the_caller_checks_is_not_pinned(self, unpublished, home):
        path = fetch_file(unpublished, data_home=home, pin=False)
        assert files_below(home) == [path]


@pytest.mark.parametrize(
    "digest",
    [
        sha256(CONTENT),
        sha256(CONTENT).upper().replace("SHA256", "sha256"),
        "md5:" + hashlib.md5(CONTENT).hexdigest(),
        "sha1:" + hashlib.sha1(CONTENT).hexdigest(),
        "git-blob:" + hashlib.sha1(b"blob 22\0" + CONTENT).hexdigest(),
        "sha256-prefix:" + hashlib.sha256(CONTENT).hexdigest()[:8],
    ],
    ids=lambda digest: digest[:14],
)
def test_every_kind_of_digest_tells_the_file_from_another(remote, origin, home, digest):
    remote = RemoteFile(remote.url, digest, "CC0")
    assert fetch_file(remote, data_home=home).read_bytes() == CONTENT

    origin.files["/data/file.bin"] = OTHER
    put(home, remote, OTHER)
    with pytest.raises(RemoteFileError, match=f"not {digest}$"):
        fetch_file(remote, data_home=home)
    assert files_below(home) == []


def test_the_git_digest_is_what_git_says_of_the_blob(tmp_path):
    (tmp_path / "hello").write_bytes(b"hello world\n")
    assert digest_of(tmp_path / "hello", "git-blob") == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"
    assert not matches(tmp_path / "hello", "git-blob:" + "0" * 40)


@pytest.mark.parametrize(
    "url",
    [
        "https://host/../../etc/passwd",
        "https://host/a/../../b",
        "https://host/a/../b",
        "https://../a",
        "https://host/./a",
        "https://host/a//b",
        "https://host/..\\a",
        "https://host/",
        "file:///etc/passwd",
    ],
)
@pytest.mark.usefixtures("folder_mirror")
def test_a_url_that_leads_out_of_the_folder_is_refused(url, home):
    with pytest.raises(RemoteFileError, match="leads out of the folder"):
        fetch_file(RemoteFile(url, None, "CC0"), data_home=home)
    assert files_below(home) == []


def test_a_data_home_that_is_a_file_is_refused(remote, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder: set SKXMODAL_DATA"):
        fetch_file(remote, data_home=tmp_path / "file")


def test_the_data_home_understands_the_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert get_data_home("~/data") == tmp_path / "data"


def test_clearing_the_data_home_deletes_what_was_downloaded(remote, origin, home):
    fetch_file(remote, data_home=home)
    clear_data_home(home)
    assert not home.exists()
    fetch_file(remote, data_home=home)
    assert len(origin.requests) == 2
