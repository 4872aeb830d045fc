"""Broken and odd files: a row or the named error, and nothing happens to the others."""

import functools
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from skxmodal.embedders import AudioEmbedder, ImageEmbedder, MediaWarning
from skxmodal.media import MediaError, read_audio
from skxmodal.media import _cells as cells_module

from . import corpus

pytest.importorskip("av")

N_CASES = 918
N_REPRESENTATIVE = 60
ROOT = Path(__file__).parents[2]
EMBEDDERS = {
    "audio": functools.partial(AudioEmbedder, "mfcc"),
    "image": functools.partial(ImageEmbedder, "thumbnail"),
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return corpus.build(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def alone(cases):
    """The row of the good file of each modality, embedded alone."""
    return {name: embed(name, [good(cases, name)])[0] for name in EMBEDDERS}


def good(cases, modality):
    suffix = {"audio": "wav", "image": "png"}[modality]
    return str(Path(cases[0].path).with_name(f"good.{suffix}"))


def embed(modality, cells, **options):
    return EMBEDDERS[modality](**options).fit_transform(np.array(cells, dtype=object))


def check(case, cases, alone):
    """Embed one file between two good ones, in all three ways."""
    column = [good(cases, case.modality), case.path, good(cases, case.modality)]
    error = None
    # Pillow warns of some damage that it can live with; as errors they would be damage.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ignored = embed(case.modality, column, on_error="ignore")
        assert not _of_ours(caught)
        try:
            strict = embed(case.modality, column, on_error="raise")
        except MediaError as raised:
            error = raised
        warned = embed(case.modality, column, on_error="warn")
    assert case.expects in ("either", "row" if error is None else "error"), f"{case}: {error}"
    for table in (warned, ignored):
        assert table[0].tobytes() == table[2].tobytes() == alone[case.modality].tobytes()
    assert warned.tobytes() == ignored.tobytes()
    if error is None:
        assert not _of_ours(caught)
        assert np.isfinite(strict).all()
        assert strict.tobytes() == ignored.tobytes()
    else:
        assert error.row == 1
        assert repr(case.path) in str(error)
        assert "\n" not in str(error).removeprefix(f"row 1, {case.path!r}: ")
        assert len(_of_ours(caught)) == 1
        assert np.isnan(ignored[1]).all()


def _of_ours(caught):
    return [warning for warning in caught if warning.category is MediaWarning]


@pytest.mark.timeout(60, func_only=True)  # building the corpus is not counted
@pytest.mark.parametrize("number", range(N_REPRESENTATIVE))
def test_a_bad_file_is_a_row_or_the_named_error(number, cases, alone):
    check(cases[number * len(cases) // N_REPRESENTATIVE], cases, alone)


@pytest.mark.slow
@pytest.mark.timeout(60, func_only=True)  # building the corpus is not counted
@pytest.mark.parametrize("number", range(N_CASES))
def test_every_bad_file_is_a_row_or_the_named_error(number, cases, alone):
    check(cases[number], cases, alone)


def test_the_corpus_is_as_large_as_it_says(cases):
    assert len(cases) == N_CASES


@pytest.mark.parametrize("modality", EMBEDDERS)
def test_bad_files_in_one_table_are_one_warning_and_leave_the_good_rows_alone(
    modality, cases, alone
):
    bad = [case.path for case in cases if case.modality == modality][::11]
    column = [good(cases, modality)]
    for path in bad:
        column += [path, good(cases, modality)]
    with pytest.warns(MediaWarning) as caught:
        table = embed(modality, column, on_error="warn", n_jobs=2, batch_size=5)
    assert len(caught) == 1
    assert {row.tobytes() for row in table[::2]} == {alone[modality].tobytes()}


_READ_ALL = """
import collections, faulthandler, json, resource, sys
sys.path.insert(0, sys.argv[1])
from tests.media import corpus
from skxmodal.media import MediaError, read_audio, read_image
cases = corpus.build(sys.argv[2])
good = corpus.Path(sys.argv[2])
read_audio(str(good / "good.wav"), 16000), read_image(str(good / "good.png"))
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 600_000_000,) * 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = collections.Counter()
for case in cases:
    faulthandler.dump_traceback_later(20, exit=True)
    try:
        read_audio(case.path, 16000) if case.modality == "audio" else read_image(case.path)
        found["row"] += 1
    except MediaError:
        found["error"] += 1
    faulthandler.cancel_dump_traceback_later()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({**found, "grown_mb": (after - before) // 1024}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured by Linux's own means")
def test_the_whole_corpus_is_read_in_little_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(ROOT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["row"] + found["error"] == N_CASES
    assert found["grown_mb"] < 300


@pytest.fixture
def at_most_1000_samples(monkeypatch):
    monkeypatch.setattr(cells_module, "MAX_SAMPLES", 1000)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "mp4"])
def test_a_sound_too_long_for_the_memory_is_an_error_that_says_what_to_do(
    kind, tmp_path, at_most_1000_samples
):
    path = tmp_path / f"long.{kind}"
    if kind == "mp4":
        corpus.videos.write_video(path, seconds=0.4)
    else:
        path.write_bytes(corpus.encoded_sound(kind))
    with pytest.raises(MediaError, match=r"more than the 1000 that are decoded: cut it, or name"):
        read_audio(str(path), 8000)
    rate = 16_000 if kind == "mp4" else 8000
    assert read_audio(f"{path}#t=0,0.05", rate).size == round(0.05 * rate)


def test_a_sound_that_grows_too_long_by_resampling_is_an_error(at_most_1000_samples):
    assert read_audio((8000, np.zeros(900)), 8000).size == 900
    with pytest.raises(MediaError, match="has 1800 samples, more than the 1000"):
        read_audio((8000, np.zeros(900)), 16_000)


def test_samples_beyond_all_scales_are_an_error_and_those_of_integers_are_not():
    loud = np.array([0, 2.0**31, -(2.0**31)])
    assert read_audio((8000, loud), 8000).size == 3
    with pytest.raises(MediaError, match=r"samples of 1e\+20, where full scale is 1"):
        read_audio((8000, loud * 0 - 1e20), 8000)
