"""The table of weight files."""

import hashlib
import json
import re
from dataclasses import replace

import pytest

from skxmodal.embedders import AudioEmbedder
from skxmodal.encoders import _registry
from skxmodal.encoders._native_specs import NATIVE
from skxmodal.encoders._native_weights import WEIGHTS
from skxmodal.encoders._native_yamnet import YAMNetEncoder
from skxmodal.encoders._weights_files import find_native

from . import golden

DIGEST_LENGTHS = {"sha256": 64, "md5": 32, "git-blob": 40, "sha256-prefix": 8}
whole = pytest.mark.skipif(not golden.WHOLE.is_dir(), reason="the whole golden set is not here")


@pytest.mark.parametrize("key", WEIGHTS)
def test_every_file_has_a_well_formed_digest_and_a_licence(key):
    remote = WEIGHTS[key]
    kind, _, value = remote.digest.partition(":")
    assert re.fullmatch(f"[0-9a-f]{{{DIGEST_LENGTHS[kind]}}}", value)
    assert remote.licence
    assert remote.url.startswith("https://")


def test_every_native_encoder_has_its_file_in_the_table():
    assert {spec.weights for spec in NATIVE} <= set(WEIGHTS)


def test_openl3_has_a_file_for_every_variant():
    variants = [key for key in WEIGHTS if key.startswith("openl3-")]
    assert len(variants) == 2 * 3 * 2
    assert len({WEIGHTS[key].digest for key in variants}) == len(variants)


@whole
def test_digests_are_the_published_ones():
    published = json.loads((golden.WHOLE / "checksums.json").read_text("utf-8"))
    by_url = {entry["url"]: entry for entry in published if "url" in entry}
    for key, remote in WEIGHTS.items():
        if key.startswith("openl3-"):
            continue
        entry = by_url[remote.url]
        kind, _, value = remote.digest.partition(":")
        assert entry[kind.replace("-", "_")] == value
        if remote.size is not None and "bytes" in entry:
            assert entry["bytes"] == remote.size


@whole
def test_openl3_digests_are_those_of_its_repository():
    path = golden.WHOLE / "openl3_weight_blobs.json"
    blobs = json.loads(path.read_text("utf-8"))["files"]
    for key, remote in WEIGHTS.items():
        if key.startswith("openl3-"):
            assert remote.digest == "git-blob:" + blobs[remote.name]["git_blob_sha1"]


@pytest.fixture
def yamnet_mirror(tmp_path, monkeypatch):
    """A mirror whose weights of YAMNet are not the official ones; returns their digest."""
    content = golden.weight_file("yamnet").read_bytes()
    place = WEIGHTS["yamnet"].place(tmp_path / "mirror")
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    monkeypatch.setenv("SKXMODAL_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "data"))
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_an_embedder_shows_the_download_when_asked_to(
    yamnet_mirror, file_server, tmp_path, monkeypatch, capsys
):
    official = WEIGHTS["yamnet"]
    folder = tmp_path / "mirror"
    place = official.place(folder)
    file_server.files[f"/{place.relative_to(folder).as_posix()}"] = place.read_bytes()
    monkeypatch.setenv("SKXMODAL_MIRROR", file_server.url)
    monkeypatch.setitem(WEIGHTS, "yamnet", replace(official, digest=yamnet_mirror))
    # Others are not to find this one, nor its digest.
    monkeypatch.setattr(_registry, "_LOADED", {})
    monkeypatch.setattr(_registry, "find_native", find_native.__wrapped__)
    assert AudioEmbedder("yamnet", verbose=1).fit([]).n_features_out_ == 1024
    assert "yamnet.h5" in capsys.readouterr().err


def test_without_a_file_the_official_one_is_fetched_and_verified(
    yamnet_mirror, tmp_path, monkeypatch
):
    with pytest.raises(OSError, match=r"yamnet\.h5 is not the expected file"):
        YAMNetEncoder()

    digest = yamnet_mirror
    monkeypatch.setitem(WEIGHTS, "yamnet", replace(WEIGHTS["yamnet"], digest=digest))
    encoder = YAMNetEncoder()
    assert encoder.weights.is_relative_to(tmp_path / "data")
    assert encoder.weights_digest == digest.removeprefix("sha256:")
