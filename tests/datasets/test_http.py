"""Transfers: continued, tried again, bounded; whole or a named error, and nothing wrong is left."""

import email.utils
import errno
import gzip
import hashlib
import io
import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from skxmodal.datasets import RemoteFileError, _http, _remote
from skxmodal.datasets._http import redirect_refusal
from skxmodal.datasets._partial_file import PartialFile
from skxmodal.datasets._remote import RemoteFile, fetch_file
from skxmodal.utils import _file_lock

from .http_server import FileServer, cut, stall, status

BODY = np.random.default_rng(0).bytes(200_000)
OTHER = np.random.default_rng(1).bytes(150_000)
CUT = 70_000


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def remote(file_server):
    """A file with a digest that the server has."""
    file_server.files["/file.bin"] = BODY
    return RemoteFile(file_server.url + "/file.bin", sha256(BODY), "CC0")


@pytest.fixture
def mishaps(file_server):
    """What goes wrong with the next requests for the file."""
    file_server.mishaps["/file.bin"] = []
    return file_server.mishaps["/file.bin"]


@pytest.fixture
def waits(monkeypatch):
    """How long was waited before each new attempt; nobody really waits."""
    waits = []
    monkeypatch.setattr(_http, "_BACKOFF_S", 0.5)
    clock = SimpleNamespace(sleep=waits.append, monotonic=time.monotonic)
    monkeypatch.setattr(_http, "time", clock)
    return waits


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(_http, "_READ_TIMEOUT_S", 0.5)


def fetch(remote, home, **options):
    return fetch_file(remote, data_home=home, **options).read_bytes()


def left(home):
    """Return the names of the files in the data home."""
    return sorted(path.name for path in home.rglob("*") if path.is_file())


class TestContinuing:
    def test_a_broken_connection_is_continued_where_it_broke(
        self, remote, file_server, mishaps, home
    ):
        mishaps.append(cut(CUT))
        assert fetch(remote, home) == BODY
        first, second = file_server.headers
        assert "Range" not in first
        assert second["Range"] == f"bytes={CUT}-"
        assert second["If-Range"].startswith('"')
        assert file_server.sent == [CUT, len(BODY) - CUT]
        assert left(home) == ["file.bin"]

    def test_another_call_continues_what_one_gave_up(self, remote, file_server, mishaps, home):
        mishaps.extend([cut(CUT), *[cut(0)] * 3])
        with pytest.raises(
            RemoteFileError, match=f"ended after {CUT} of {len(BODY)} bytes.*{CUT} bytes .* kept"
        ):
            fetch(remote, home)
        assert left(home) == ["file.bin.part", "file.bin.part.json"]
        assert fetch(remote, home) == BODY
        assert file_server.sent == [CUT, 0, 0, 0, len(BODY) - CUT]
        assert left(home) == ["file.bin"]

    def test_a_server_without_ranges_sends_all_again(self, remote, file_server, mishaps, home):
        file_server.ranges = False
        mishaps.append(cut(CUT))
        assert fetch(remote, home) == BODY
        assert file_server.sent == [CUT, len(BODY)]

    def test_a_server_that_names_no_version_is_not_asked_for_a_rest(
        self, remote, file_server, mishaps, home
    ):
        file_server.validators = False
        mishaps.append(cut(CUT))
        assert fetch(remote, home) == BODY
        assert "Range" not in file_server.headers[1]

    def test_a_file_that_has_changed_meanwhile_is_fetched_from_its_start(
        self, file_server, mishaps, home
    ):
        def changed(handler, content):
            cut(CUT)(handler, content)
            file_server.files["/file.bin"] = OTHER

        file_server.files["/file.bin"] = BODY
        mishaps.append(changed)
        remote = RemoteFile(file_server.url + "/file.bin", sha256(OTHER), "CC0")
        assert fetch(remote, home) == OTHER
        assert file_server.sent == [CUT, len(OTHER)]

    @pytest.mark.parametrize(
        "answer",
        [
            {"Content_Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"},
            {"Content_Range": f"bytes {CUT}-{len(BODY) - 1}/{len(BODY) + 1}"},
            {"Content_Range": f"bytes {CUT}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"another"'},
            {},
        ],
        ids=["another place", "another length", "another version", "unsaid"],
    )
    def test_a_rest_that_does_not_fit_is_not_appended(
        self, remote, file_server, mishaps, home, answer
    ):
        mishaps.extend([cut(CUT), status(206, OTHER[: len(BODY) - CUT], **answer)])
        # Without a digest, which would find it out anyway.
        assert fetch(replace(remote, digest=None), home, pin=False) == BODY
        assert file_server.sent == [CUT, 0, len(BODY)]

    def test_a_rest_that_is_refused_is_followed_by_the_whole(
        self, remote, file_server, mishaps, home
    ):
        mishaps.extend([cut(CUT), status(416)])
        assert fetch(remote, home) == BODY
        assert file_server.sent == [CUT, 0, len(BODY)]

    def test_a_part_that_was_damaged_on_disk_is_fetched_anew(
        self, remote, file_server, mishaps, home
    ):
        mishaps.extend([cut(CUT), *[cut(0)] * 3])
        with pytest.raises(RemoteFileError, match="ended after"):
            fetch(remote, home)
        PartialFile(remote.place(home)).path.write_bytes(b"x" * CUT)
        assert fetch(remote, home) == BODY
        assert file_server.sent[-2:] == [len(BODY) - CUT, len(BODY)]

    def test_a_part_that_is_whole_is_not_asked_for_again(self, remote, file_server, home):
        remote.place(home).parent.mkdir(parents=True)
        with PartialFile(remote.place(home)).begin(remote.url, '"version"', len(BODY)) as file:
            file.write(BODY)
        assert fetch(remote, home) == BODY
        assert file_server.requests == []

    @pytest.mark.parametrize("note", ["", "[]", "{}", "not json", '{"url": 1}'])
    def test_a_part_without_a_note_of_its_origin_is_not_continued(
        self, remote, file_server, home, note
    ):
        part = PartialFile(remote.place(home)).path
        part.parent.mkdir(parents=True)
        part.write_bytes(BODY[:CUT])
        part.with_name("file.bin.part.json").write_text(note)
        assert fetch(remote, home) == BODY
        assert file_server.sent == [len(BODY)]
        assert left(home) == ["file.bin"]

    def test_a_note_does_not_outlive_the_bytes_it_is_about(self, tmp_path):
        partial = PartialFile(tmp_path / "file.bin")
        partial.begin("http://host/file.bin", '"1"', 10).close()
        assert partial.note_for("http://host/file.bin") == ('"1"', 10)
        partial.begin().close()
        assert partial.note_for("http://host/file.bin") is None

    def test_a_part_from_another_address_is_not_continued(self, remote, file_server, home):
        remote.place(home).parent.mkdir(parents=True)
        with PartialFile(remote.place(home)).begin("http://other/file.bin", '"1"', 10**6) as file:
            file.write(b"other")
        assert fetch(remote, home) == BODY
        assert "Range" not in file_server.headers[0]

    def test_a_line_that_breaks_often_gets_there(
        self, remote, file_server, mishaps, home, monkeypatch
    ):
        monkeypatch.setattr(_http, "_PROGRESS", 10_000)
        mishaps.extend(cut(20_000 * i) for i in range(1, 10))
        assert fetch(remote, home) == BODY
        assert sum(file_server.sent) == len(BODY)

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({"ETag": '"a"', "Last-Modified": "then"}, '"a"'),
            ({"ETag": 'W/"a"', "Last-Modified": "then"}, "then"),
            ({"ETag": 'W/"a"'}, ""),
            ({}, ""),
        ],
    )
    def test_only_a_strong_tag_or_a_date_names_a_version(self, headers, expected):
        assert _http._validator(SimpleNamespace(headers=headers)) == expected


class TestRetries:
    @pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
    def test_a_passing_failure_is_waited_out_longer_each_time(
        self, remote, mishaps, home, waits, code
    ):
        mishaps.extend([status(code)] * 3)
        assert fetch(remote, home) == BODY
        assert waits == [0.5, 1.0, 2.0]

    def test_a_failure_for_ever_is_reported_in_the_end(
        self, remote, file_server, mishaps, home, waits
    ):
        mishaps.extend([status(503)] * 100)
        with pytest.raises(
            RemoteFileError, match=r"/file\.bin answered 503, 4 times in a row\): set SKXMODAL"
        ):
            fetch(remote, home)
        assert len(file_server.requests) == 4
        assert len(waits) == 3
        assert left(home) == []

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 206, 204])
    def test_a_lasting_failure_is_reported_at_once(self, remote, file_server, mishaps, home, code):
        mishaps.append(status(code))
        with pytest.raises(RemoteFileError, match=f"answered {code}"):
            fetch(remote, home)
        assert len(file_server.requests) == 1
        assert left(home) == []

    def test_a_file_that_is_withdrawn_half_way_leaves_no_part(self, remote, mishaps, home):
        mishaps.extend([cut(CUT), status(404)])
        with pytest.raises(RemoteFileError, match="answered 404"):
            fetch(remote, home)
        assert left(home) == []

    def test_the_server_says_how_long_to_wait(self, remote, mishaps, home, waits):
        mishaps.extend([status(503, Retry_After=7), status(429, Retry_After="soon")])
        assert fetch(remote, home) == BODY
        assert waits == [7.0, 1.0]

    def test_the_server_says_until_when_to_wait(self, remote, mishaps, home, waits):
        mishaps.append(status(503, Retry_After=email.utils.formatdate(time.time() + 40)))
        assert fetch(remote, home) == BODY
        assert 30 < waits[0] <= 40

    def test_nobody_waits_for_an_hour(self, remote, mishaps, home, waits):
        mishaps.append(status(429, Retry_After=3600))
        with pytest.raises(RemoteFileError, match="answered 429 and asks to wait for 3600 s"):
            fetch(remote, home)
        assert waits == []

    def test_a_chunked_body_that_breaks_off_is_asked_for_again(self, remote, mishaps, home):
        def broken(handler, _content):
            handler.protocol_version = "HTTP/1.1"
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"ff\r\nnot that many")
            handler.close_connection = True

        mishaps.append(broken)
        assert fetch(remote, home) == BODY


@pytest.mark.usefixtures("impatient")
class TestStalls:
    def test_every_request_has_time_limits(self, remote, home, monkeypatch):
        limits = []

        def get(session, url, **options):
            limits.append(options["timeout"])
            return real_get(session, url, **options)

        real_get = requests.Session.get
        monkeypatch.setattr(requests.Session, "get", get)
        monkeypatch.setattr(_http, "_CONNECT_TIMEOUT_S", 20.0)
        assert fetch(remote, home) == BODY
        assert limits == [(20.0, 0.5)]

    def test_a_body_that_stops_is_continued(self, remote, file_server, mishaps, home):
        mishaps.append(stall(CUT))
        assert fetch(remote, home) == BODY
        assert file_server.headers[1]["Range"] == f"bytes={CUT}-"

    def test_a_body_that_stops_for_ever_is_reported(self, remote, mishaps, home, monkeypatch):
        monkeypatch.setattr(_http, "_ATTEMPTS", 2)
        mishaps.extend([stall(CUT), stall(0)])
        with pytest.raises(RemoteFileError, match=r"sent nothing for 0\.5 s, 2 times in a row"):
            fetch(remote, home)
        assert left(home) == ["file.bin.part", "file.bin.part.json"]

    def test_a_server_that_does_not_answer_is_reported(
        self, remote, file_server, mishaps, home, monkeypatch
    ):
        monkeypatch.setattr(_http, "_ATTEMPTS", 1)
        mishaps.append(lambda *_: file_server.closing.wait(30))
        with pytest.raises(RemoteFileError, match=r"did not answer for 0\.5 s"):
            fetch(remote, home)

    def test_a_body_that_trickles_counts_as_one_that_has_stopped(
        self, remote, file_server, mishaps, home, monkeypatch
    ):
        def trickle(handler, content):
            handler.send_file(content, stop=10)
            while not file_server.closing.wait(0.03):
                handler.wfile.write(b"x")

        monkeypatch.setattr(_http, "_ATTEMPTS", 1)
        monkeypatch.setattr(_http, "_SLOWEST", 10**6)
        mishaps.append(trickle)
        with pytest.raises(RemoteFileError, match=r"sent only \d+ bytes in \d s"):
            fetch(remote, home)


class TestRedirects:
    def test_one_to_another_host_is_followed(self, file_server, home):
        other = FileServer()
        try:
            other.files["/there"] = BODY
            file_server.files["/here"] = other.url + "/there"
            remote = RemoteFile(file_server.url + "/here", sha256(BODY), "CC0")
            assert fetch(remote, home) == BODY
        finally:
            other.close()

    def test_what_another_host_sends_is_checked_like_anything_else(self, file_server, home):
        file_server.files |= {"/here": file_server.url + "/there", "/there": OTHER}
        with pytest.raises(RemoteFileError, match=r"/here is not the expected file"):
            fetch(RemoteFile(file_server.url + "/here", sha256(BODY), "CC0"), home)
        assert left(home) == []

    def test_a_relative_one_is_followed_and_continued(self, file_server, home):
        file_server.files |= {"/here": "there?signature=1", "/there": BODY}
        file_server.mishaps["/there"] = [cut(CUT)]
        assert fetch(RemoteFile(file_server.url + "/here", sha256(BODY), "CC0"), home) == BODY
        assert file_server.requests == ["/here", "/there?signature=1"] * 2
        assert file_server.sent == [0, CUT, 0, len(BODY) - CUT]

    def test_a_loop_is_left(self, file_server, home):
        file_server.files |= {"/a": "/b", "/b": "/a"}
        with pytest.raises(RemoteFileError, match=r"/a redirects more than 10 times\)"):
            fetch(RemoteFile(file_server.url + "/a", None, "CC0"), home)
        assert len(file_server.requests) == 11

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("ftp://127.0.0.1/x", "redirects to ftp://127.0.0.1, which is not https"),
            ("file:///etc/passwd", "redirects to file://, which is not https"),
            ("http://elsewhere.invalid/x", "redirects to another host over unencrypted http"),
            ("http://[x", r"redirects to what is no address \('http://\[x'\)"),
        ],
    )
    def test_one_to_what_is_not_safe_is_refused(self, file_server, home, target, message):
        file_server.files["/here"] = target
        with pytest.raises(RemoteFileError, match=message):
            fetch(RemoteFile(file_server.url + "/here", None, "CC0"), home)
        assert len(file_server.requests) == 1
        assert left(home) == []

    @pytest.mark.parametrize(
        ("source", "target", "refusal"),
        [
            ("https://a/x", "https://a/y", None),
            ("https://a/x", "https://b/y", None),
            ("http://a/x", "https://b/y", None),
            ("http://a/x", "http://a:8080/y", None),
            ("http://127.0.0.1:1/x", "http://localhost:2/y", None),
            ("https://a/x", "http://a/x", "from https to unencrypted http"),
            ("https://a/x", "http://127.0.0.1/x", "from https to unencrypted http"),
            ("https://a/x", "http://u:secret@b/x", "redirects to http://b, from https"),
            ("http://a/x", "http://b/y", "another host over unencrypted http"),
            ("http://127.0.0.1/x", "http://b/y", "another host over unencrypted http"),
            ("http://a/x", "http://127.0.0.1/y", "another host over unencrypted http"),
            ("https://a/x", "data:text/plain,x", "not https"),
        ],
    )
    def test_none_leads_from_https_to_http(self, source, target, refusal):
        found = redirect_refusal(source, target)
        assert found is None if refusal is None else refusal in found
        assert "secret" not in str(found)


class TestLimits:
    @pytest.mark.parametrize("validators", [True, False])
    def test_a_full_disk_is_named_and_what_can_be_continued_is_kept(
        self, remote, file_server, home, monkeypatch, validators
    ):
        class FullDisk(io.FileIO):
            def write(self, data):
                if self.tell() > CUT:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(data)

        def begin(partial, *note):
            real_begin(partial, *note).close()
            return FullDisk(partial.path, "ab")

        real_begin = PartialFile.begin
        file_server.validators = validators
        with monkeypatch.context() as patch:
            patch.setattr(PartialFile, "begin", begin)
            with pytest.raises(
                RemoteFileError,
                match=r"file\.bin cannot be kept in .*\(the disk is full\): make room or set SKX",
            ) as caught:
                fetch(remote, home)
        assert ("kept and continued" in str(caught.value)) == validators
        assert left(home) == (["file.bin.part", "file.bin.part.json"] if validators else [])
        assert fetch(remote, home) == BODY
        assert ("Range" in file_server.headers[1]) == validators
        assert left(home) == ["file.bin"]

    def test_a_folder_that_cannot_be_written_is_named(self, remote, home, monkeypatch):
        def refuse(*_):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(PartialFile, "begin", refuse)
        with pytest.raises(RemoteFileError, match=r"\(Permission denied\): make the folder writab"):
            fetch(remote, home)

    def test_a_file_of_another_size_than_is_known_is_refused(self, file_server, home):
        file_server.files["/file.bin"] = BODY
        remote = RemoteFile(file_server.url + "/file.bin", None, "CC0", size=len(BODY) + 1)
        with pytest.raises(RemoteFileError, match=f"it has {len(BODY)} bytes, not {len(BODY) + 1}"):
            fetch(remote, home)
        assert left(home) == []

    def test_a_file_that_is_declared_too_large_is_not_read(self, file_server, home, monkeypatch):
        monkeypatch.setattr(PartialFile, "begin", lambda *_: pytest.fail("it is read"))
        file_server.files["/file.bin"] = BODY
        remote = RemoteFile(file_server.url + "/file.bin", None, "CC0", size=1000)
        with pytest.raises(RemoteFileError, match="has more than the 1000 bytes that are accepted"):
            fetch(remote, home)
        assert left(home) == []

    def test_a_body_without_end_is_left_at_the_limit(
        self, remote, file_server, mishaps, home, monkeypatch
    ):
        def endless(handler, _content):
            handler.send_response(200)
            handler.end_headers()
            while not file_server.closing.is_set():
                handler.wfile.write(b"x" * 10_000)

        monkeypatch.setattr(_remote, "_MAX_BYTES", 500_000)
        mishaps.append(endless)
        with pytest.raises(RemoteFileError, match="more than the 500000 bytes"):
            fetch(remote, home)
        assert left(home) == []

    def test_a_compressed_body_is_decoded_and_never_continued(
        self, remote, file_server, mishaps, home
    ):
        def compressed(stop=None):
            def mishap(handler, content):
                body = gzip.compress(content)
                handler.send_response(200)
                handler.send_header("Content-Encoding", "gzip")
                handler.send_header("ETag", '"1"')
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body[:stop])
                handler.close_connection = True

            return mishap

        mishaps.extend([compressed(CUT), compressed()])
        assert fetch(remote, home) == BODY
        assert "Range" not in file_server.headers[1]


class TestReports:
    def test_a_dead_proxy_is_named_and_its_password_is_not(self, home, monkeypatch):
        server = FileServer()
        server.close()
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{server.host}")
        monkeypatch.setenv("http_proxy", f"http://me:secret@{server.host}")
        remote = RemoteFile("http://nowhere.invalid/file.bin", None, "CC0")
        with pytest.raises(
            RemoteFileError, match=r"could not be reached through the proxy .*HTTPS_PROXY"
        ) as caught:
            fetch(remote, home)
        assert "secret" not in str(caught.value)

    def test_a_proxy_that_wants_a_password_is_named(self, remote, mishaps, home):
        mishaps.append(status(407))
        with pytest.raises(RemoteFileError, match=r"answered 407 \(the proxy asks for a name"):
            fetch(remote, home)

    def test_the_password_of_a_mirror_is_not_shown(self, file_server, home, monkeypatch):
        monkeypatch.setenv("SKXMODAL_MIRROR", f"http://me:secret@{file_server.host}/mirror")
        with pytest.raises(RemoteFileError, match=r"/mirror/.* answered 404") as caught:
            fetch(RemoteFile(file_server.url + "/file.bin", None, "CC0"), home)
        assert "secret" not in str(caught.value)

    def test_the_password_of_a_mirror_is_not_written_down(
        self, remote, file_server, home, monkeypatch
    ):
        monkeypatch.setattr(_http, "_ATTEMPTS", 1)
        monkeypatch.setenv("SKXMODAL_MIRROR", f"http://me:secret@{file_server.host}/mirror")
        path = f"/mirror/{file_server.host}/file.bin"
        file_server.files = {path: BODY}
        file_server.mishaps[path] = [cut(CUT)]
        with pytest.raises(RemoteFileError, match="kept and continued"):
            fetch(remote, home)
        note = PartialFile(remote.place(home)).path.with_name("file.bin.part.json").read_text()
        assert json.loads(note)["url"] == file_server.url + path
        assert fetch(remote, home) == BODY
        assert file_server.sent[-1] == len(BODY) - CUT

    def test_the_progress_bar_starts_where_the_part_ends(self, remote, mishaps, home, monkeypatch):
        bars = []

        def bar(**options):
            bars.append(options)
            return real_bar(**options)

        real_bar = _http.progress_bar
        monkeypatch.setattr(_http, "progress_bar", bar)
        mishaps.append(cut(CUT))
        fetch(remote, home)
        assert [(each["initial"], each["total"]) for each in bars] == [
            (0, len(BODY)),
            (CUT, len(BODY)),
        ]
        assert {each["description"] for each in bars} == {"fetching file.bin"}

    def test_waiting_is_said_when_asked_for(self, remote, mishaps, home, capsys):
        mishaps.append(status(503))
        fetch(remote, home, verbose=1)
        assert "answered 503; trying again in 0.0 s" in capsys.readouterr().err

    def test_nothing_is_said_unasked(self, remote, mishaps, home, capsys):
        mishaps.append(status(503))
        fetch(remote, home)
        assert capsys.readouterr() == ("", "")


def test_several_threads_at_once_download_once(
    remote, file_server, mishaps, home, capsys, monkeypatch
):
    found = []
    others_wait = threading.Semaphore(0)
    wait_for_lock = _file_lock._wait_for_lock

    def wait(file):
        others_wait.release()
        wait_for_lock(file)

    def when_all_others_wait(handler, content):
        for _ in range(3):
            others_wait.acquire(timeout=30)
        handler.send_file(content)

    def one():
        found.append(fetch(remote, home, verbose=1))

    monkeypatch.setattr(_file_lock, "_wait_for_lock", wait)
    mishaps.append(when_all_others_wait)
    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODY] * 4
    assert file_server.sent == [len(BODY)]
    assert left(home) == ["file.bin"]
    said = capsys.readouterr().err
    assert said.count("waiting for another process that fetches file.bin") >= 3


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_a_mirror_that_has_some_files_is_asked_for_all(
    file_server, home, monkeypatch, tmp_path, kind
):
    mirror = FileServer()
    try:
        file_server.files = {"/in-both": OTHER, "/at-the-owner": OTHER}
        if kind == "folder":
            place = tmp_path / "mirror" / file_server.host / "in-both"
            place.parent.mkdir(parents=True)
            place.write_bytes(BODY)
            monkeypatch.setenv("SKXMODAL_MIRROR", str(tmp_path / "mirror"))
        else:
            mirror.files[f"/{file_server.host}/in-both"] = BODY
            monkeypatch.setenv("SKXMODAL_MIRROR", mirror.url)
        for name, content in (("in-both", BODY), ("at-the-owner", OTHER)):
            remote = RemoteFile(f"{file_server.url}/{name}", sha256(content), "CC0")
            assert fetch(remote, home) == content
        assert file_server.requests == ["/at-the-owner"]
    finally:
        mirror.close()


def test_a_disk_that_is_full_before_the_first_byte_leaves_nothing(
    remote, file_server, home, monkeypatch
):
    def full_disk(path, text, *_):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full_disk)
        with pytest.raises(RemoteFileError, match="the disk is full"):
            fetch(remote, home)
    assert left(home) == []
    assert fetch(remote, home) == BODY
