"""Clips through yt-dlp, from a server on this machine: nothing lost, nothing asked for twice."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest

from skxmodal.datasets import RemoteFileError, YouTubeClips
from skxmodal.datasets import _audioset_downloads as downloads_module
from skxmodal.datasets import _audioset_section as section_module
from skxmodal.datasets import _audioset_youtube as youtube_module
from skxmodal.datasets._audioset_clips import attach_media
from skxmodal.datasets._audioset_ledger import Ledger
from skxmodal.datasets._audioset_section import RangeFile, SectionError, cut_section
from skxmodal.datasets._audioset_youtube import SectionDownloader, _meaning_of
from skxmodal.media import MediaError, read_audio, read_image
from skxmodal.utils._file_lock import file_lock

from ..media.videos import RATE, level, write_video
from .clip_server import ClipServer

av = pytest.importorskip("av")
yt_dlp = pytest.importorskip("yt_dlp")

GOOD, OTHER = "-good-_video", "_other_good"
MISSING, SHORT, TORN = "missing_vid", "0.2_seconds".replace(".", "_"), "torn_video_"
SILENT, BLIND, FLAKY = "silent_-_vi", "blind_video", "flaky_video"
GOOD = GOOD[:11]
ALL = [GOOD, MISSING, SHORT, TORN, SILENT, BLIND, FLAKY, OTHER]
WORKER = Path(__file__).parent / "clip_worker.py"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """Reach this machine directly, whatever proxy its user has."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """The videos, by id."""
    folder = tmp_path_factory.mktemp("originals")
    whole = write_video(folder / "good.mp4", seconds=20).read_bytes()
    return {
        GOOD: whole,
        OTHER: write_video(folder / "other.mp4", seconds=16, gop=100).read_bytes(),
        FLAKY: whole,
        SHORT: write_video(folder / "short.mp4", seconds=0.2).read_bytes(),
        # Its index is at the front, so that only the end of the media is missing.
        TORN: _index_first(folder / "torn.mp4", whole, folder)[: len(whole) * 6 // 10],
        SILENT: write_video(folder / "silent.mp4", seconds=20, audio=None).read_bytes(),
        BLIND: write_video(folder / "blind.mp4", seconds=20, video=None).read_bytes(),
    }


def _index_first(path, whole, folder):
    source = folder / "good.mp4"
    with (
        av.open(str(source)) as original,
        av.open(str(path), "w", options={"movflags": "faststart"}) as copy,
    ):
        streams = {s: copy.add_stream_from_template(s) for s in original.streams}
        for packet in original.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                copy.mux(packet)
    return path.read_bytes()


@pytest.fixture
def server(contents):
    server = ClipServer()
    server.files = {f"/{ytid}.mp4": content for ytid, content in contents.items()}
    yield server
    server.close()


@pytest.fixture
def original(contents, tmp_path):
    """The good video as a file."""
    path = tmp_path / "original.mp4"
    path.write_bytes(contents[GOOD])
    return path


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def fetch(server, home):
    """A function that attaches clips from the server."""

    def fetch(ytids, *, start=5.0, end=15.0, source=None, **options):
        frame = pd.DataFrame({"ytid": ytids, "start": start, "end": end})
        source = source or YouTubeClips(server.url, pause=0, backoff=0)
        return attach_media(frame, source, **{"data_home": home, "on_error": "ignore", **options})

    return fetch


def clips_in(home):
    return sorted(path.name for path in (home / "audioset-clips").glob("*.mp4"))


def contents_of(home):
    return {name: (home / "audioset-clips" / name).read_bytes() for name in clips_in(home)}


def ledger_of(home):
    lines = (home / "audioset-clips" / "unavailable.jsonl").read_text().splitlines()
    return {entry["clip"]: entry for entry in map(json.loads, lines)}


@pytest.mark.parametrize("ranges", [True, False], ids=["by parts", "whole files"])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_run_over_good_and_bad_videos_completes_and_reports_each(
    fetch, server, home, ranges, n_jobs
):
    server.ranges = ranges
    server.failures[f"/{FLAKY}.mp4"] = [503] * 100

    audio, image, coverage = fetch(ALL, n_jobs=n_jobs)

    has_audio = [cell is not None for cell in audio]
    has_image = [cell is not None for cell in image]
    assert has_audio == [True, False, False, False, False, True, False, True]
    assert has_image == [True, False, False, False, True, False, False, True]
    reasons = coverage["rows"].set_index("ytid").reason.to_dict()
    assert reasons == {
        MISSING: "gone",
        SHORT: "too short",
        TORN: "damaged",
        SILENT: "no sound",
        BLIND: "no picture",
        FLAKY: "not downloaded",
    }
    assert clips_in(home) == sorted(f"{ytid}_5.mp4" for ytid in (GOOD, OTHER, SILENT, BLIND))
    assert not (home / "audioset-clips" / "parts").exists()
    for cell in filter(None, audio):
        assert len(read_audio(cell, RATE)) == RATE
    for cell in filter(None, image):
        assert read_image(cell).shape == (48, 64, 3)


@pytest.mark.parametrize("ranges", [True, False], ids=["by parts", "whole files"])
def test_a_second_run_asks_only_for_what_is_missing_and_may_come(fetch, server, ranges):
    server.ranges = ranges
    server.failures[f"/{FLAKY}.mp4"] = [503] * 4
    first_audio, first_image, _ = fetch(ALL)
    server.requests.clear()

    audio, image, _ = fetch(ALL)

    assert set(server.requests) == {f"/{FLAKY}.mp4"}
    flaky = ALL.index(FLAKY)
    assert first_audio[flaky] is None
    assert audio[flaky] is not None
    del first_audio[flaky], first_image[flaky], audio[flaky], image[flaky]
    assert (audio, image) == (first_audio, first_image)

    server.requests.clear()
    fetch(ALL)
    assert not server.requests


def test_a_video_of_a_fifth_of_a_second_is_kept_with_what_it_has(fetch):
    audio, image, _ = fetch([SHORT], start=0.0, end=10.0)
    assert audio[0].endswith(f"{SHORT}_0.mp4#t=0,0.2")
    assert len(read_audio(audio[0], RATE)) == 0.2 * RATE
    assert read_image(image[0]).shape == (48, 64, 3)


@pytest.mark.parametrize(("start", "end"), [(5, 15), (5.3, 15.3), (0, 10), (0.123, 10.123)])
def test_the_section_begins_where_the_clip_does(fetch, original, start, end):
    audio, image, _ = fetch([GOOD], start=start, end=end)

    path = audio[0].partition("#")[0]
    for begin in (0, 0.1, 4.5, 8.9):
        there = f"#t={start + begin:.3f},{start + begin + 1:.3f}"
        here = f"#t={begin},{begin + 1}"
        # A decoder that starts there needs one packet of AAC to come to itself.
        heard = slice(0 if begin else 1024, None)
        np.testing.assert_allclose(
            read_audio(path + here, RATE)[heard],
            read_audio(f"{original}{there}", RATE)[heard],
            atol=2e-3,
        )
        assert level(read_image(path + here)) == pytest.approx(
            level(read_image(f"{original}{there}")), abs=3
        )
    assert len(read_audio(path, RATE)) == pytest.approx(10 * RATE, abs=1200)
    assert image == audio


def test_only_the_parts_of_the_file_that_hold_the_section_are_transferred(
    fetch, server, tmp_path, monkeypatch
):
    monkeypatch.setattr(section_module, "_BLOCK", 1 << 13)
    video = write_video(tmp_path / "long.mp4", seconds=80).read_bytes()
    server.files[f"/{GOOD}.mp4"] = video
    ranges = []
    fetch_range = youtube_module._open_by_ranges

    def counting(client, one):
        file = fetch_range(client, one)
        inner = file._fetch

        def fetch_and_count(first, last):
            ranges.append((first, last))
            return inner(first, last)

        file._fetch = fetch_and_count
        return file

    monkeypatch.setattr(youtube_module, "_open_by_ranges", counting)
    audio, _, _ = fetch([GOOD], start=60.0, end=70.0)
    assert audio[0] is not None
    assert sum(last + 1 - first for first, last in ranges) < len(video) / 3


def test_a_failure_that_passes_is_tried_again(fetch, server, home):
    server.failures[f"/{GOOD}.mp4"] = [503, 429, 500]
    audio, _, _ = fetch([GOOD])
    assert audio[0] is not None
    assert not (home / "audioset-clips" / "unavailable.jsonl").exists()


def test_retries_wait_longer_each_time(fetch, server, monkeypatch):
    waits = []
    monkeypatch.setattr(youtube_module.time, "sleep", waits.append)
    server.failures[f"/{GOOD}.mp4"] = [503] * 4
    fetch([GOOD], source=YouTubeClips(server.url, pause=0, backoff=3))
    assert [wait for wait in waits if wait] == [3, 6, 12]


@pytest.mark.parametrize("ranges", [True, False], ids=["by parts", "whole files"])
def test_an_answer_that_breaks_off_is_no_clip_and_is_asked_for_again(fetch, server, home, ranges):
    server.ranges = ranges
    server.short.add(f"/{GOOD}.mp4")
    audio, _, coverage = fetch([GOOD])
    assert audio == [None]
    assert coverage["reasons"] == {"not downloaded": 1}
    assert clips_in(home) == []
    server.short.clear()
    assert fetch([GOOD])[0][0] is not None


def test_a_server_that_stops_sending_parts_is_asked_again(fetch, server, monkeypatch):
    monkeypatch.setattr(section_module, "_BLOCK", 1 << 13)
    fetch_block = section_module.RangeFile._block

    def block(self, number):
        server.ranges = False
        return fetch_block(self, number)

    monkeypatch.setattr(section_module.RangeFile, "_block", block)
    assert fetch([GOOD])[0][0] is not None


def test_after_ten_failures_in_a_row_nobody_is_asked_any_more(fetch, server):
    ids = [f"{number:011d}" for number in range(15)]
    for ytid in ids:
        server.failures[f"/{ytid}.mp4"] = [503] * 100
    _, _, coverage = fetch(ids)
    assert coverage["reasons"] == {"not downloaded": 10, "not asked for": 5}
    assert "10 downloads in a row had failed" in coverage["rows"].detail.iloc[-1]
    assert set(server.requests) == {f"/{ytid}.mp4" for ytid in ids[:10]}


def test_videos_that_are_gone_do_not_count_as_such_failures(fetch, server):
    ids = [f"{number:011d}" for number in range(15)]
    _, _, coverage = fetch([*ids, GOOD])
    assert coverage["reasons"] == {"gone": 15}


def test_the_ledger_says_why_and_when(fetch, home):
    fetch([MISSING, TORN, SHORT])
    entries = ledger_of(home)
    assert {name: entry["reason"] for name, entry in entries.items()} == {
        f"{MISSING}_5": "gone",
        f"{TORN}_5": "damaged",
        f"{SHORT}_5": "too short",
    }
    assert "404" in entries[f"{MISSING}_5"]["message"]
    assert "the video of 0.2 s ends before 5 s" in entries[f"{SHORT}_5"]["message"]
    for entry in entries.values():
        assert abs(time.time() - pd.Timestamp(entry["date"]).timestamp()) < 600


def test_a_line_that_is_torn_off_the_ledger_counts_for_nothing_and_harms_no_other(tmp_path):
    path = tmp_path / "ledger"
    Ledger(path).add("a", "gone", "one\ntwo")
    path.write_bytes(path.read_bytes() + b'{"clip": "b", "rea')
    ledger = Ledger(path)
    assert ledger.entries == {"a": ("gone", "one\ntwo")}
    ledger.add("c", "private", "ü")
    assert Ledger(path).entries == {"a": ("gone", "one\ntwo"), "c": ("private", "ü")}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ERROR: [youtube] x: Private video. Sign in if you've been granted access", "private"),
        ("[youtube] x: Join this channel to get access to members-only content", "private"),
        ("[youtube] x: Video unavailable. This video is not available in your country", "blocked"),
        ("[youtube] x: This video contains content from SME, who has blocked it", "blocked"),
        ("[youtube] x: Sign in to confirm your age. This may be inappropriate", "blocked"),
        ("[youtube] x: Video unavailable", "gone"),
        ("[youtube] x: This video has been removed by the uploader", "gone"),
        ("[youtube] x: The account associated with this video has been terminated", "gone"),
        ("[youtube] x: Sign in to confirm you’re not a bot", None),
        ("[youtube] x: Video unavailable. This content isn't available, try again later", None),
        ("[youtube] x: Requested format is not available", None),
        ("unable to download video data: HTTP Error 403: Forbidden", None),
        ("[generic] HTTP Error 503: Service Unavailable", None),
        ("<urlopen error [Errno -2] Name or service not known>", None),
        ("The read operation timed out", None),
    ],
)
def test_messages_of_yt_dlp_are_understood(message, reason):
    meaning = _meaning_of(yt_dlp.utils.DownloadError(f"\x1b[0;31m{message}\x1b[0m"))
    assert getattr(meaning, "reason", None) == reason
    assert "\x1b" not in str(meaning)


def formats(*rows):
    keys = ("format_id", "ext", "height", "vcodec", "acodec", "tbr")
    return [
        {key: value for key, value in zip(keys, row) if value is not None}
        | {"url": f"https://127.0.0.1/{row[0]}", "protocol": "https"}
        for row in rows
    ]


APART = [
    ("139", "m4a", None, "none", "mp4a.40.5", 48),
    ("140", "m4a", None, "none", "mp4a.40.2", 129),
    ("251", "webm", None, "none", "opus", 130),
    ("160", "mp4", 144, "avc1.4d400c", "none", 80),
    ("133", "mp4", 240, "avc1.4d4015", "none", 150),
    ("134", "mp4", 360, "avc1.4d401e", "none", 300),
    ("243", "webm", 360, "vp9", "none", 250),
    ("137", "mp4", 1080, "avc1.640028", "none", 2500),
]
TOGETHER = [
    ("18", "mp4", 360, "avc1.42001E", "mp4a.40.2", 500),
    ("22", "mp4", 720, "avc1.64001F", "mp4a.40.2", 1500),
]


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        (APART + TOGETHER, ["18"]),
        (APART, ["133", "139"]),
        (APART[:4], ["160", "139"]),
        (APART[:3], ["139"]),
        (TOGETHER[1:], ["22"]),
    ],
)
def test_the_smallest_sufficient_format_is_chosen(rows, chosen):
    options = {
        "format": youtube_module._FORMAT,
        "format_sort": youtube_module._FORMAT_SORT,
        "logger": youtube_module._Silence(),
        "quiet": True,
    }
    with yt_dlp.YoutubeDL(options) as client:
        info = client.process_video_result(
            {"id": "x", "title": "x", "extractor": "y", "formats": formats(*rows)}, download=False
        )
    taken = info.get("requested_formats") or [info]
    assert [one["format_id"] for one in taken] == chosen


def test_pictures_and_sound_in_two_files_are_put_together(tmp_path, original):
    with av.open(str(original)) as source:
        for kind in ("video", "audio"):
            with av.open(str(tmp_path / f"{kind}.mp4"), "w") as part:
                stream = part.add_stream_from_template(source.streams.best(kind))
                source.seek(0)
                for packet in source.demux(source.streams.best(kind)):
                    if packet.dts is not None:
                        packet.stream = stream
                        part.mux(packet)
    target = tmp_path / "clip.mp4"
    with open(tmp_path / "video.mp4", "rb") as video, open(tmp_path / "audio.mp4", "rb") as audio:
        cut_section([video, audio], 5.3, 15.3, str(target))

    np.testing.assert_allclose(
        read_audio(f"{target}#t=4,5", RATE), read_audio(f"{original}#t=9.3,10.3", RATE), atol=2e-3
    )
    assert level(read_image(f"{target}#t=4,5")) == pytest.approx(
        level(read_image(f"{original}#t=9.3,10.3")), abs=3
    )


def test_what_is_no_video_cannot_be_cut(tmp_path):
    (tmp_path / "page").write_bytes(b"<html>not a video</html>" * 100)
    with open(tmp_path / "page", "rb") as file, pytest.raises(SectionError, match="cannot be cut"):
        cut_section([file], 0, 10, str(tmp_path / "out.mp4"))


def test_a_range_file_reads_like_a_file(tmp_path):
    content = np.random.default_rng(0).bytes(700_000)
    path = tmp_path / "file"
    path.write_bytes(content)
    remote = RangeFile(lambda first, last: (content[first : last + 1], len(content)))
    with path.open("rb") as local:
        for offset, whence, size in [(0, 0, 10), (-5, 2, 50), (131_070, 0, 4), (3, 1, 300_000),
                                     (0, 0, -1), (10, 2, 4)]:  # fmt: skip
            assert remote.seek(offset, whence) == local.seek(offset, whence)
            assert remote.read(size) == local.read(size)
            assert remote.tell() == local.tell()


def test_the_downloader_works_in_pooch(server, tmp_path):
    import pooch

    with SectionDownloader(YouTubeClips(server.url, pause=0), tmp_path / "parts") as downloader:
        path = pooch.retrieve(
            server.url.format(ytid=GOOD) + "#t=5,15",
            known_hash=None,
            fname="clip.mp4",
            path=tmp_path,
            downloader=downloader,
        )
        assert len(read_audio(f"{path}#t=4.5,5.5", RATE)) == RATE
        with pytest.raises(ValueError, match=r"names no section: it must end in #t=start,end"):
            downloader("http://127.0.0.1/x", tmp_path / "y", None)


def test_a_second_process_waits_for_the_first(fetch, home, monkeypatch):
    (home / "audioset-clips").mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with file_lock(home / "audioset-clips" / "lock"), monkeypatch.context() as patch:
            waiting = Event()
            patch.setattr(downloads_module, "_say_that_another_runs", waiting.set)
            result = pool.submit(fetch, [GOOD])
            assert waiting.wait(60)
            time.sleep(0.1)
            assert not result.done()
            assert clips_in(home) == []
        assert result.result(60)[0][0] is not None


def test_downloads_start_no_faster_than_the_pause_allows(fetch, server):
    ids = [f"{number:011d}" for number in range(4)]
    began = time.monotonic()
    fetch(ids, source=YouTubeClips(server.url, pause=0.25, backoff=0), n_jobs=4)
    assert time.monotonic() - began >= 0.75


def test_the_first_bad_clip_is_an_error_if_so_wished(fetch, server, home):
    with pytest.raises(RemoteFileError, match=rf"the clip {MISSING}_5 cannot be had: .*404"):
        fetch([GOOD, MISSING, OTHER], on_error="raise")
    assert f"{GOOD}_5.mp4" in clips_in(home)
    server.requests.clear()
    with pytest.raises(RemoteFileError, match=MISSING):
        fetch([GOOD, MISSING, OTHER], on_error="raise")
    assert f"/{MISSING}.mp4" not in server.requests


def test_one_warning_sums_up_what_is_missing_and_nothing_else_is_said(fetch, capfd):
    with pytest.warns(
        UserWarning, match=r"1 of 2 clips lack .* \(1 gone\); the first: missing"
    ) as w:
        fetch([GOOD, MISSING], on_error="warn")
    assert len(w) == 1
    assert capfd.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch([GOOD, MISSING], on_error="ignore")


def test_a_progress_bar_is_shown_when_asked_for(fetch, capfd):
    fetch([GOOD], verbose=1)
    assert "downloading clips" in capfd.readouterr().err


def test_without_permission_to_download_nobody_is_asked(fetch, server):
    fetch([GOOD, MISSING])
    server.requests.clear()
    audio, _, coverage = fetch([GOOD, MISSING, OTHER], download_if_missing=False)
    assert [cell is not None for cell in audio] == [True, False, False]
    assert coverage["rows"].reason.tolist() == ["gone", "no file"]
    assert not server.requests


def test_a_clip_that_is_asked_for_twice_is_downloaded_once(fetch, server):
    audio, _, _ = fetch([GOOD, GOOD])
    assert audio[0] == audio[1]
    once = server.requests[f"/{GOOD}.mp4"]
    server.requests.clear()
    fetch([OTHER])
    assert server.requests[f"/{OTHER}.mp4"] == pytest.approx(once, abs=1)


@pytest.mark.parametrize(("module", "package"), [("yt_dlp", "yt-dlp"), ("av", "av")])
def test_without_the_packages_the_error_says_what_to_install(fetch, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'\(clips="youtube"\) needs {package}: pip install "skxmodal\[youtube\]"'
    with pytest.raises(ImportError, match=message):
        fetch([GOOD])


def test_the_word_youtube_means_the_site():
    assert YouTubeClips().url.format(ytid="-_aaaaaaaaa") == (
        "https://www.youtube.com/watch?v=-_aaaaaaaaa"
    )


def test_options_reach_yt_dlp(fetch, server):
    seen = []
    source = YouTubeClips(
        server.url, pause=0, options={"match_filter": lambda info, **_: seen.append(info["id"])}
    )
    fetch([GOOD], source=source)
    assert seen


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the platform cannot kill so")
@pytest.mark.parametrize(
    ("ranges", "instants"),
    [
        (True, [6]),
        pytest.param(True, [2, 5, 9], marks=pytest.mark.slow),
        pytest.param(False, [2, 5, 9], marks=pytest.mark.slow),
    ],
    ids=["by parts", "by parts, thrice", "whole files, thrice"],
)
def test_killed_at_any_instant_and_started_again_it_comes_to_the_same(
    server, contents, fetch, tmp_path, ranges, instants
):
    ids = [f"{number:011d}" for number in range(6)] + [MISSING]
    server.files |= {f"/{ytid}.mp4": contents[GOOD] for ytid in ids[:6]}
    server.ranges = ranges
    calm, home = tmp_path / "calm", tmp_path / "killed"
    fetch(ids, data_home=calm)
    whole = contents_of(calm)
    assert set(whole) == {f"{ytid}_5.mp4" for ytid in ids[:6]}

    n_killed = 0
    server.delay = 0.05
    for n_requests in instants:
        server.requests.clear()
        with subprocess.Popen([sys.executable, str(WORKER), server.url, str(home), *ids]) as run:
            while server.requests.total() < n_requests and run.poll() is None:
                time.sleep(0.005)
            time.sleep(0.03)
            n_killed += run.poll() is None
            run.send_signal(signal.SIGKILL)
        done = contents_of(home)
        assert done == {name: whole[name] for name in done}
    assert n_killed

    server.delay = 0
    server.requests.clear()
    fetch(ids, data_home=home)
    assert contents_of(home) == whole
    assert not {f"/{name.removesuffix('_5.mp4')}.mp4" for name in done} & set(server.requests)
    left = [set(os.listdir(place / "audioset-clips")) - {"lock"} for place in (home, calm)]
    assert left[0] == left[1]


def test_a_truncated_clip_in_the_folder_is_an_error_when_it_is_read(fetch):
    audio, image, _ = fetch([GOOD])
    path = Path(audio[0].partition("#")[0])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MediaError, match="truncated"):
        read_audio(audio[0], RATE)
    with pytest.raises(MediaError, match="truncated"):
        read_image(image[0])
