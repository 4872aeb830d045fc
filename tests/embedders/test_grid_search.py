"""A grid search over 3 x 3 encoders x 3 folds encodes every clip once per encoder."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

WORKER = Path(__file__).with_name("grid_worker.py")
spec = importlib.util.spec_from_file_location("grid_worker", WORKER)
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)

ONCE = Counter(
    (name, clip)
    for names in worker.NAMES.values()
    for name in names
    for clip in range(worker.N_CLIPS)
)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def search(cache, log, register):
    for encoder in worker.encoders(log):
        register(encoder.name, encoder)
    return worker.grid_search(cache)


@pytest.fixture
def small_search(search):
    """Two pairs of encoders only."""
    return search.set_params(param_grid={"embedder__audio__encoder": ["bark", "raw"]})


def passes(log):
    """Count the forward passes of each encoder and clip."""
    lines = (line.split() for line in log.read_text().splitlines())
    return Counter((name, int(clip)) for name, clip in lines)


def start(cache, log, *options):
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, (cache, log, *options))],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )


def finish(process):
    """Wait for a search, and return what it found."""
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    return output.splitlines()[-1]


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def test_every_clip_is_encoded_once_per_encoder(search, log):
    search.fit(*worker.media_table())
    assert len(search.cv_results_["params"]) == 9
    assert passes(log) == ONCE


def test_a_second_search_encodes_nothing(small_search, log):
    X, y = worker.media_table()
    first = small_search.fit(X, y).cv_results_
    log.write_text("")
    again = clone(small_search).fit(X, y).cv_results_
    assert passes(log) == Counter()
    for score in ("mean_test_audio_to_image", "mean_test_image_to_audio"):
        np.testing.assert_array_equal(first[score], again[score])


def test_new_rows_are_all_that_a_larger_table_costs(small_search, log):
    X, y = worker.media_table()
    small_search.fit(X[:-6], y[:-6])
    log.write_text("")
    small_search.fit(X, y)
    last = range(worker.N_CLIPS - 6, worker.N_CLIPS)
    assert passes(log) == Counter((name, row) for name in ("bark", "raw", "pixel") for row in last)


def test_the_cache_changes_no_score(small_search, log):
    X, y = worker.media_table()
    cached = pd.DataFrame(small_search.fit(X, y).cv_results_)
    plain = clone(small_search)
    plain.set_params(estimator__embedder__audio__cache=None, estimator__embedder__image__cache=None)
    log.write_text("")
    uncached = pd.DataFrame(plain.fit(X, y).cv_results_)
    assert min(passes(log).values()) > 1
    scores = [name for name in cached if "test" in name]
    pd.testing.assert_frame_equal(cached[scores], uncached[scores])


@pytest.mark.slow
@pytest.mark.parametrize("stall", [3, 20, 40])
def test_a_killed_search_that_is_started_again_encodes_every_clip_once(cache, log, stall):
    first = start(cache, log, 0, stall)
    try:
        assert first.stdout.readline() == "stalled\n"
    finally:
        kill(first)
    assert 0 < passes(log).total() < ONCE.total()
    finish(start(cache, log))
    assert passes(log) == ONCE


@pytest.mark.slow
def test_kills_at_any_instant_cost_at_most_the_batch_at_hand(cache, log):
    instants = random.Random(0)
    n_killed = 0
    while n_killed < 6:
        before = passes(log).total()
        process = start(cache, log, 0.02)
        while process.poll() is None and passes(log).total() == before:
            time.sleep(0.01)
        time.sleep(instants.uniform(0, 0.15))
        if process.poll() is not None:
            break
        kill(process)
        n_killed += 1
    assert n_killed > 2
    finish(start(cache, log))
    assert set(passes(log)) == set(ONCE)
    assert passes(log).total() <= ONCE.total() + worker.BATCH * n_killed


@pytest.mark.slow
def test_two_searches_at_once_share_the_work(cache, log):
    both = [start(cache, log, 0.02) for _ in range(2)]
    found = [finish(process) for process in both]
    assert found[0] == found[1]
    assert passes(log) == ONCE


@pytest.mark.slow
def test_a_search_beside_one_that_is_killed_encodes_every_clip_once(cache, log):
    killed = start(cache, log, 0.02, 10)
    try:
        assert killed.stdout.readline() == "stalled\n"
        # Only now, or it might leave the other one too little work to stall at.
        beside = start(cache, log, 0.02)
        time.sleep(2)
    finally:
        kill(killed)
    finish(beside)
    assert passes(log) == ONCE
