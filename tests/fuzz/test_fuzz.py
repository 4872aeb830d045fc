"""Random input at every reader for a moment; ``python tests/fuzz/fuzz.py`` goes on for long."""

import functools

import numpy as np
import pytest

from . import fuzz

pytest.importorskip("av")

NAMES = (
    "sounds", "pictures", "cells", "manifest", "classes", "segments", "ontology", "encoders",
    "index",
)  # fmt: skip
targets = functools.cache(fuzz.make_targets)


@pytest.mark.parametrize("name", NAMES)
def test_random_input_is_read_or_refused_by_a_named_error(name):
    outcome = fuzz.fuzz(targets()[name], seconds=1, n_inputs=300)
    assert not outcome.findings
    assert outcome.n_inputs > 10
    assert outcome.n_refused > 0


def test_every_target_is_tried():
    assert set(targets()) == set(NAMES)


def test_undamaged_input_is_read(tmp_path):
    for name in ("manifest", "classes", "segments", "ontology", "encoders", "index"):
        target = targets()[name]
        for data in target.seeds[:1]:
            assert target.read(data, tmp_path) is not None


def test_an_error_of_another_kind_or_origin_is_a_finding():
    def read(data, folder):
        return (1 // 0) if data[:1] == b"a" else int("no number")

    target = fuzz.Target([b"abc"], read)
    found = fuzz.fuzz(target, n_inputs=50).findings
    assert any(problem.startswith("ZeroDivisionError") for problem in found)
    assert any("not named by the library" in problem for problem in found)


def test_the_same_seed_makes_the_same_input():
    first, second = (
        fuzz.mutated(b"some input", [b"other"], np.random.default_rng(3)) for _ in range(2)
    )
    assert first == second
