"""The native encoders by name: variants, options, one load, and their files from a server."""

import functools
import hashlib
import http.server
import re
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import numpy as np
import pytest

from skxmodal.datasets import RemoteFileError
from skxmodal.encoders import (
    EncoderSpec,
    LogMelEncoder,
    fetch_weights,
    list_encoders,
    load_encoder,
    register_encoder,
    spec_of,
)
from skxmodal.encoders import _registry as registry

from . import golden

NATIVE = {
    ("yamnet", "audio"): (1024, "Apache-2.0"),
    ("vggish", "audio"): (128, "Apache-2.0"),
    ("openl3", "audio"): (6144, "CC BY 4.0"),
    ("openl3", "image"): (8192, "CC BY 4.0"),
    ("resnet50", "image"): (2048, "MIT"),
    ("vgg16", "image"): (512, "CC BY 4.0"),
}


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    monkeypatch.setattr(registry, "_LOADED", {})


@pytest.fixture
def yamnet_file():
    pytest.importorskip("torch")
    return golden.weight_file("yamnet")


@pytest.fixture
def yamnet(yamnet_file):
    return load_encoder("yamnet", "audio", weights=yamnet_file, device="cpu", backend="torch")


def some_sound():
    return np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)


# Lists


def test_the_native_encoders_are_listed_behind_the_built_in_ones():
    table = list_encoders().set_index(["name", "modality"])
    providers = table.provider.tolist()
    n_built_in = providers.count("built-in")
    assert set(providers[:n_built_in]) == {"built-in"}
    assert set(providers[n_built_in : n_built_in + len(NATIVE)]) == {"native"}
    for key, (dimension, licence) in NATIVE.items():
        row = table.loc[key]
        assert (row.dimension, row.licence, row.provider, row.extra) == (
            dimension,
            licence,
            "native",
            "",
        )
        assert row.parameters > 3_000_000
        assert row.source


def test_registered_encoders_come_last():
    register_encoder(EncoderSpec("mine", "audio", 640, LogMelEncoder, provider="a test"))
    assert list_encoders("audio").name.tolist() == [
        "logmel",
        "mfcc",
        "yamnet",
        "vggish",
        "openl3",
        "mine",
    ]


@pytest.mark.parametrize("name", ["yamnet", "openl3-512", "vggish-pca"])
def test_the_name_of_a_native_encoder_is_taken(name):
    with pytest.raises(ValueError, match=f"there already is an audio encoder called '{name}'"):
        register_encoder(EncoderSpec(name, "audio", 640, LogMelEncoder, provider="a test"))


# What is known without loading


@pytest.mark.parametrize(
    ("name", "modality", "n_features", "sample_rate"),
    [
        ("logmel", "audio", 640, None),
        ("yamnet", "audio", 1024, 16_000),
        ("vggish-quantised", "audio", 128, 16_000),
        ("openl3", "audio", 6144, 48_000),
        ("openl3-512", "audio", 512, 48_000),
        ("openl3-env-512", "audio", 512, 48_000),
        ("openl3-mel128-music-6144", "audio", 6144, 48_000),
        ("openl3-512", "image", 512, None),
        ("resnet50", "image", 2048, None),
        ("vgg16", "image", 512, None),
        ("keras:ResNet50", "image", 0, None),
    ],
)
def test_the_dimension_is_known_without_loading(name, modality, n_features, sample_rate):
    spec = spec_of(name, modality)
    assert (spec.name, spec.modality) == (name, modality)
    assert (spec.n_features, spec.sample_rate) == (n_features, sample_rate)
    assert registry._LOADED == {}


def test_nothing_heavy_is_imported_to_know_it():
    script = textwrap.dedent(
        """
        import sys
        from skxmodal.encoders import spec_of
        spec_of("openl3-env-512", "audio"), spec_of("timm:resnet18", "image")
        print([name for name in ("torch", "timm", "h5py") if name in sys.modules])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_fingerprints_tell_variants_and_weights_apart(yamnet_file):
    names = ["yamnet", "vggish", "vggish-pca", "openl3", "openl3-512", "openl3-env"]
    prints = [spec_of(name, "audio").fingerprint for name in names]
    prints.append(spec_of("openl3", "image").fingerprint)
    prints.append(spec_of("yamnet", "audio", weights=yamnet_file).fingerprint)
    assert all(prints)
    assert len(set(prints)) == len(prints)


def test_an_encoder_object_tells_its_own():
    spec = spec_of(LogMelEncoder(), "audio")
    assert (spec.n_features, spec.sample_rate) == (640, 16_000)
    assert spec.fingerprint == LogMelEncoder.fingerprint
    assert isinstance(spec.factory(), LogMelEncoder)


# Loading


def test_a_weight_file_of_one_s_own_is_used(yamnet):
    assert yamnet.name == "yamnet"
    vectors = yamnet.encode(yamnet.windows(golden.golden("yamnet").wave("1p0")))
    expected = golden.golden("yamnet")["embeddings_1p0"]
    assert np.abs(vectors - expected).max() <= 1e-4 * np.abs(expected).max()


def test_it_is_loaded_once_for_the_same_options(yamnet, yamnet_file):
    again = load_encoder("yamnet", "audio", weights=str(yamnet_file), device="cpu", backend="torch")
    assert again is yamnet


def test_eight_threads_load_it_once(yamnet_file):
    barrier = threading.Barrier(8)
    found = []

    def ask():
        barrier.wait()
        found.append(load_encoder("yamnet", "audio", weights=yamnet_file, device="cpu"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_changed_file_is_read_anew(yamnet_file, tmp_path):
    file = tmp_path / "yamnet.h5"
    file.write_bytes(yamnet_file.read_bytes())
    first = load_encoder("yamnet", "audio", weights=file, device="cpu", backend="torch")
    import h5py

    with h5py.File(file, "r+") as weights:
        layer = next(one for one in golden.spec("yamnet")["h5"]["layers"] if one["weights"])
        weights[layer["name"]][layer["weights"][0]][...] *= 2
    second = load_encoder("yamnet", "audio", weights=file, device="cpu", backend="torch")
    assert second is not first
    assert second.fingerprint != first.fingerprint


def test_auto_is_the_cpu_without_a_gpu(yamnet_file, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load_encoder("yamnet", "audio", weights=yamnet_file).device == torch.device("cpu")


def test_backends_agree(yamnet, yamnet_file):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    other = load_encoder("yamnet", "audio", weights=yamnet_file, backend="onnx")
    assert other is not yamnet
    windows = yamnet.windows(some_sound())
    expected = yamnet.encode(windows)
    assert np.abs(other.encode(windows) - expected).max() <= 1e-4 * np.abs(expected).max()


# Options that do not fit


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("logmel", {"weights": "w.h5"}, "'logmel' reads no weight file: leave out weights='w.h5'"),
        ("tfhub:a/b/1", {"weights": "w"}, "takes no weight file: name a local folder"),
        ("tfhub:a/b/1", {"device": "cuda"}, "chooses its own device"),
        ("transformers:a/b", {"backend": "onnx"}, "run by its own package: leave backend"),
        ("transformers:a/b", {"backend": "tf"}, "backend must be one of 'auto', 'torch'"),
        ("flax:a/b", {}, "'flax' is no provider (known: keras, openl3, tfhub, timm, transf"),
        ("timm:resnet18", {}, "timm has encoders of image only"),
        ("tfhub:", {}, "names no model; write for example 'tfhub:google/yamnet/1'"),
        ("openl3-8192", {}, "'8192' is none of linear, mel128"),
        ("yament", {}, "did you mean 'yamnet'?"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(name, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_encoder(name, "audio", **options)


def test_encoders_without_a_network_need_no_device():
    one = load_encoder("logmel", "audio", device="cuda", backend="onnx")
    assert one is load_encoder("logmel", "audio")


def test_an_object_has_its_weights_already():
    with pytest.raises(ValueError, match="'logmel' has its own weights already"):
        load_encoder(LogMelEncoder(), "audio", weights="w.h5")


def test_an_unknown_device_is_refused(yamnet_file):
    with pytest.raises(ValueError, match=r"'yamnet': device must be .* not 'gpu'"):
        load_encoder("yamnet", "audio", weights=yamnet_file, device="gpu")


def test_a_gpu_that_is_not_there_is_refused(yamnet_file, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'yamnet': PyTorch finds no GPU for device='cuda'"):
        load_encoder("yamnet", "audio", weights=yamnet_file, device="cuda")


def test_a_weight_file_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"there is no weight file '.*none\.h5'"):
        load_encoder("yamnet", "audio", weights=tmp_path / "none.h5")
    with pytest.raises(FileNotFoundError, match=r"there is no weight file '.*none\.h5'"):
        spec_of("yamnet", "audio", weights=tmp_path / "none.h5")


# Official files from a mirror


@pytest.fixture
def served(tmp_path, monkeypatch, yamnet_file):
    """A mirror at 127.0.0.1 with a file of pseudo-random weights in the place of yamnet.h5."""
    from skxmodal.encoders._native_weights import WEIGHTS

    root = tmp_path / "mirror"
    place = WEIGHTS["yamnet"].place(root)
    place.parent.mkdir(parents=True)
    place.write_bytes(yamnet_file.read_bytes())

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=root)
    )
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("SKXMODAL_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "home"))
    yield hashlib.sha256(place.read_bytes()).hexdigest()
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(served, monkeypatch):
    """The digest of the served file in the place of the published one."""
    from skxmodal.encoders._native_weights import WEIGHTS

    remote = replace(WEIGHTS["yamnet"], digest=f"sha256:{served}")
    monkeypatch.setitem(WEIGHTS, "yamnet", remote)
    return remote


def test_the_official_file_comes_from_the_mirror_and_is_kept(published, monkeypatch, tmp_path):
    encoder = load_encoder("yamnet", "audio", device="cpu", backend="torch")
    assert encoder.weights == published.place(tmp_path / "home")
    assert encoder.encode(encoder.windows(some_sound())).shape[1] == 1024
    # Without a server it is there still.
    monkeypatch.delenv("SKXMODAL_MIRROR")
    monkeypatch.setattr(registry, "_LOADED", {})
    assert load_encoder("yamnet", "audio", backend="torch").weights == encoder.weights


def test_a_wrong_digest_is_refused_before_anything_is_parsed(served, monkeypatch, tmp_path):
    import h5py

    def parse(*args, **kwargs):
        raise AssertionError("a file was parsed before it was verified")

    monkeypatch.setattr(h5py, "File", parse)
    with pytest.raises(RemoteFileError, match=rf"digest is sha256:{served}, not sha256:13c3308955"):
        load_encoder("yamnet", "audio")
    assert not [path for path in (tmp_path / "home").rglob("*.h5") if path.is_file()]


def test_weights_are_fetched_ahead_of_time(published, tmp_path):
    expected = {published.url: published.place(tmp_path / "home")}
    assert fetch_weights("yamnet") == expected
    assert fetch_weights("yamnet", "audio", download_if_missing=False) == expected
    assert published.place(tmp_path / "home").is_file()


def test_all_files_of_a_name_are_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path))
    asked = []
    monkeypatch.setattr(
        "skxmodal.datasets._remote.fetch_file",
        lambda remote, **options: asked.append(remote.name) or tmp_path / remote.name,
    )
    fetch_weights("openl3-env")
    fetch_weights("openl3-6144")  # a size of sounds only
    fetch_weights("vggish-pca")
    assert asked == [
        "openl3_audio_mel256_env-v0_4_0.h5.gz",
        "openl3_image_mel256_env-v0_4_0.h5.gz",
        "openl3_audio_mel256_music-v0_4_0.h5.gz",
        "vggish_model.ckpt",
        "vggish_pca_params.npz",
    ]


def test_a_missing_file_is_reported_where_no_download_is_wanted(tmp_path):
    with pytest.raises(RemoteFileError, match="allow the download of https://storage"):
        fetch_weights("vgg16", data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hog",), "'hog' has no weight files to fetch (those that have: yamnet, vggish, openl3"),
        (("yamnet", "image"), "'yamnet' has no weight files to fetch for image"),
        (("openl3-9",), "'9' is none of linear"),
    ],
)
def test_an_encoder_without_files_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fetch_weights(*arguments)
