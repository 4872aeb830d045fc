"""Stages: kept when finished, done again when what they depend on changed."""

import json
import shutil

import numpy as np
import pytest

from skxmodal.experiments._stages import Stages, write_json


@pytest.fixture
def stages(tmp_path):
    return Stages(tmp_path / "stages")


def counted(calls, value):
    def compute(folder):
        calls.append(folder)
        return value

    return compute


def test_a_finished_stage_is_not_done_again(stages):
    calls = []
    first = stages.record("a", {"seed": 0}, counted(calls, {"x": [1, 2]}))
    again = stages.record("a", {"seed": 0}, counted(calls, {"x": "other"}))
    assert first == again == {"x": [1, 2]}
    assert len(calls) == 1
    assert [entry["reused"] for entry in stages.log] == [False, True]


def test_another_dependency_is_another_stage(stages):
    calls = []
    stages.record("a", {"seed": 0}, counted(calls, 0))
    stages.record("a", {"seed": 1}, counted(calls, 1))
    stages.record("b", {"seed": 0}, counted(calls, 2))
    assert len(calls) == 3


def test_another_version_is_another_stage(stages, monkeypatch):
    calls = []
    stages.record("a", {}, counted(calls, 0))
    monkeypatch.setattr(
        "skxmodal.experiments._stages.package_versions", lambda: {"skxmodal": "9.9"}
    )
    stages.record("a", {}, counted(calls, 0))
    assert len(calls) == 2


def test_arrays_come_back_as_they_were(stages):
    arrays = {"x": np.arange(6.0).reshape(2, 3), "note": np.array("text")}
    for _ in range(2):
        found = stages.arrays("a", {}, lambda folder: arrays)
        assert list(found) == ["note", "x"]
        np.testing.assert_array_equal(found["x"], arrays["x"])
        assert str(found["note"]) == "text"


def test_a_stage_that_fails_leaves_nothing_that_looks_finished(stages):
    def fail(folder):
        (folder / "half").write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        stages.record("a", {}, fail)
    kept = {}

    def compute(folder):
        kept["half"] = (folder / "half").read_text()
        return 1

    assert stages.record("a", {}, compute) == 1
    assert kept["half"] == "half"  # what helps to continue was still there
    assert not list(stages.folder.glob("*.work"))


def test_what_killed_runs_left_of_a_stage_is_cleared_away(stages):
    stages.record("a", {}, counted([], 1))
    (place,) = stages.folder.iterdir()
    for again in range(2):
        if again:
            shutil.rmtree(place)
        for suffix in (".work", ".1234.part"):
            place.with_name(place.name + suffix).mkdir(exist_ok=True)
        assert stages.record("a", {}, counted([], 1)) == 1
        assert list(stages.folder.iterdir()) == [place]


def test_a_stage_that_another_run_finished_meanwhile_is_taken(stages):
    def compute(folder):
        # The other run finishes, and clears this one's leftovers away, while this one computes.
        stages.record("a", {}, counted([], 1))
        return 1

    assert stages.record("a", {}, compute) == 1
    assert [path.suffix for path in stages.folder.iterdir()] == [""]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    for _ in range(2):
        Stages(None).record("a", {}, counted(calls, 0))
    assert calls == [None, None]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot be made .* choose another out="):
        Stages(tmp_path / "file" / "stages").record("a", {}, lambda folder: 0)


def test_json_takes_numbers_and_arrays_of_numpy(tmp_path):
    write_json(tmp_path / "a.json", {"x": np.float32(0.5), "y": np.arange(2)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 0.5, "y": [0, 1]}
    with pytest.raises(TypeError, match="set cannot be written"):
        write_json(tmp_path / "a.json", {"x": {1}})
