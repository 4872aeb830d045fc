"""The registry: encoders by name, loaded once, announced by other packages."""

import importlib.metadata
import threading
import time

import numpy as np
import pytest

from skxmodal.encoders import (
    EncoderSpec,
    HOGEncoder,
    LogMelEncoder,
    list_encoders,
    load_encoder,
    register_encoder,
)
from skxmodal.encoders import _registry as registry


class MeanLevel:
    """An encoder of sounds in one number."""

    name, modality, n_features, fingerprint = "mean-level", "audio", 1, "mean-level/1"
    sample_rate = 16_000

    def windows(self, samples):
        return np.abs(samples).mean(keepdims=True)[np.newaxis]

    def encode(self, windows):
        return windows.astype(np.float32)


MEAN_LEVEL = EncoderSpec("mean-level", "audio", 1, MeanLevel, provider="a test")


class EntryPoint:
    """What importlib.metadata returns for an entry point, without an installed package."""

    def __init__(self, found, name="one"):
        self.name = name
        self.value = f"package.{name}:SPECS"
        self.found = found
        self.n_loads = 0

    def load(self):
        self.n_loads += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """Let each test register and load in a copy, in which no other package has announced any."""
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    monkeypatch.setattr(registry, "_LOADED", {})
    monkeypatch.setattr(registry, "_entry_points_read", False)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_group: [])


@pytest.fixture
def announce(monkeypatch):
    """A function that installs entry points of other packages."""

    def install(*entry_points):
        def entry_points_of(*, group):
            return list(entry_points) if group == "skxmodal.encoders" else []

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points_of)

    return install


@pytest.mark.parametrize(
    ("name", "modality", "kind"), [("logmel", "audio", LogMelEncoder), ("hog", "image", HOGEncoder)]
)
def test_the_built_in_encoders_are_known_by_name(name, modality, kind):
    assert isinstance(load_encoder(name, modality), kind)


def test_an_encoder_is_returned_as_it_is():
    encoder = MeanLevel()
    assert load_encoder(encoder, "audio") is encoder


@pytest.mark.parametrize(
    ("name", "modality", "suggestion"),
    [("logmell", "audio", "logmel"), ("log-mel", "audio", "logmel"), ("hogg", "image", "hog")],
)
def test_an_unknown_name_suggests_a_close_one(name, modality, suggestion):
    with pytest.raises(
        ValueError,
        match=rf"there is no {modality} encoder '{name}'; did you mean '{suggestion}'\? \(known: ",
    ):
        load_encoder(name, modality)


def test_a_name_that_is_close_to_none_lists_what_is_known():
    with pytest.raises(ValueError, match=r"no audio encoder 'zzzzzz' \(known: .*logmel"):
        load_encoder("zzzzzz", "audio")


def test_a_name_of_another_modality_is_unknown():
    with pytest.raises(ValueError, match="there is no image encoder 'logmel'"):
        load_encoder("logmel", "image")


def test_an_encoder_of_another_modality_is_refused():
    with pytest.raises(
        ValueError, match="encoder 'mean-level' is for audio, it cannot embed image"
    ):
        load_encoder(MeanLevel(), "image")


@pytest.mark.parametrize("encoder", [None, 3, np.ones(3), ["logmel"]], ids=repr)
def test_what_is_no_encoder_is_refused(encoder):
    with pytest.raises(TypeError, match="must be a name or an object with the Encoder protocol"):
        load_encoder(encoder, "audio")


def test_a_class_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"pass MeanLevel\(\), not the class"):
        load_encoder(MeanLevel, "audio")


def test_a_registered_encoder_is_found_and_listed():
    register_encoder(MEAN_LEVEL)
    assert isinstance(load_encoder("mean-level", "audio"), MeanLevel)
    row = list_encoders("audio").set_index("name").loc["mean-level"]
    assert (row.dimension, row.provider) == (1, "a test")


def test_a_taken_name_is_refused_for_its_modality_only():
    register_encoder(EncoderSpec("logmel", "image", 900, HOGEncoder))
    with pytest.raises(ValueError, match="there already is an audio encoder called 'logmel'"):
        register_encoder(EncoderSpec("logmel", "audio", 640, LogMelEncoder))


def test_the_list_has_a_row_for_each_encoder_of_the_modality():
    table = list_encoders()
    assert {"logmel", "hog"} <= set(table.name)
    assert list(table) == [
        "name",
        "modality",
        "dimension",
        "parameters",
        "input",
        "provider",
        "licence",
        "source",
        "extra",
    ]
    for modality in ("audio", "image", "text"):
        assert set(list_encoders(modality).modality) == {modality}
        assert len(list_encoders(modality)) == (table.modality == modality).sum()


def test_the_list_of_a_modality_without_encoders_is_an_empty_table():
    assert list_encoders("smell").name.tolist() == []


@pytest.mark.parametrize("found", [MEAN_LEVEL, [MEAN_LEVEL], iter([MEAN_LEVEL])])
def test_another_package_announces_encoders_by_an_entry_point(announce, found):
    announce(EntryPoint(found))
    assert isinstance(load_encoder("mean-level", "audio"), MeanLevel)


def test_entry_points_are_listed(announce):
    announce(EntryPoint(MEAN_LEVEL))
    assert "mean-level" in set(list_encoders("audio").name)


def test_entry_points_are_read_once_and_only_when_they_are_needed(announce):
    entry_point = EntryPoint(MEAN_LEVEL)
    announce(entry_point)
    load_encoder("logmel", "audio")
    assert entry_point.n_loads == 0
    for _ in range(2):
        load_encoder("mean-level", "audio")
        list_encoders()
    assert entry_point.n_loads == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (ImportError("no such library"), "ImportError: no such library"),
        (EncoderSpec("logmel", "audio", 1, MeanLevel), "there already is an audio encoder"),
        (3, "TypeError: 'int' object is not iterable"),
    ],
    ids=["does not import", "takes a name", "no spec"],
)
def test_a_broken_package_is_named_and_does_not_hide_the_others(announce, broken, reason):
    announce(EntryPoint(broken, "broken"), EntryPoint(MEAN_LEVEL))
    with pytest.warns(UserWarning, match=rf"'package\.broken:SPECS'.* are left out: .*{reason}"):
        encoder = load_encoder("mean-level", "audio")
    assert isinstance(encoder, MeanLevel)
    assert isinstance(load_encoder("logmel", "audio"), LogMelEncoder)


def test_an_encoder_is_loaded_once():
    assert load_encoder("logmel", "audio") is load_encoder("logmel", "audio")


def test_an_encoder_is_loaded_once_even_from_eight_threads():
    made = []

    def slow():
        time.sleep(0.02)
        made.append(MeanLevel())
        return made[-1]

    register_encoder(EncoderSpec("slow", "audio", 1, slow))
    barrier = threading.Barrier(8)
    found = []

    def ask():
        barrier.wait()
        found.append(load_encoder("slow", "audio"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert found == made * 8


def test_an_encoder_that_does_not_load_is_tried_again():
    attempts = []

    def fails_first():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no weights yet")
        return MeanLevel()

    register_encoder(EncoderSpec("late", "audio", 1, fails_first))
    with pytest.raises(OSError, match="no weights yet"):
        load_encoder("late", "audio")
    assert isinstance(load_encoder("late", "audio"), MeanLevel)
