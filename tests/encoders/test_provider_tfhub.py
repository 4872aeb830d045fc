"""``tfhub:`` against archives that are served on this machine as the hub serves them."""

import io
import sys
import tarfile
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skxmodal.datasets import RemoteFileError, get_data_home
from skxmodal.encoders import load_encoder
from skxmodal.encoders._hub_modules import hub_folder

pinned = pytest.warns(UserWarning, match="pinned on first use")


def archive(files=(("saved_model.pb", b"a graph"), ("variables/variables.index", b"x"))):
    """Return the bytes of a tar.gz with directory entries before the files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in files:
            if isinstance(content, tarfile.TarInfo):
                packed.addfile(content)
                continue
            if "/" in name:
                folder = tarfile.TarInfo(name.rpartition("/")[0])
                folder.type = tarfile.DIRTYPE
                packed.addfile(folder)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Hub:
    """A server of archives by path, which notes what was asked of it."""

    def __init__(self):
        self.archives = {}
        self.asked = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.asked.append(self.path)
                path, _, query = self.path.partition("?")
                known = path in hub.archives and query == "tf-hub-format=compressed"
                self.send_response(200 if known else 404)
                self.end_headers()
                if known:
                    self.wfile.write(hub.archives[path])

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def hub():
    server = Hub()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(autouse=True)
def _own_data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "home"))


def test_a_module_is_fetched_by_the_hub_protocol_once_and_pinned(hub):
    hub.archives["/google/yamnet/1"] = archive()
    with pinned:
        folder = hub_folder(f"{hub.url}/google/yamnet/1", name="tfhub:x")
    assert (folder / "saved_model.pb").read_bytes() == b"a graph"
    assert (folder / "variables" / "variables.index").read_bytes() == b"x"
    assert hub_folder(f"{hub.url}/google/yamnet/1", name="tfhub:x") == folder
    assert hub.asked == ["/google/yamnet/1?tf-hub-format=compressed"]


def test_a_handle_means_the_hub_and_a_mirror_is_asked_first(monkeypatch, tmp_path):
    place = tmp_path / "mirror" / "tfhub.dev" / "google" / "vggish" / "1"
    place.parent.mkdir(parents=True)
    place.write_bytes(archive())
    monkeypatch.setenv("SKXMODAL_MIRROR", str(tmp_path / "mirror"))
    with pinned:
        folder = hub_folder("google/vggish/1", name="tfhub:google/vggish/1")
    assert folder.is_relative_to(get_data_home() / "tfhub.dev")


def test_another_file_than_the_first_is_refused(hub):
    url = f"{hub.url}/m/1"
    hub.archives["/m/1"] = archive()
    with pinned:
        folder = hub_folder(url, name="tfhub:x")
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    folder.rmdir()
    folder.with_name("1").unlink()
    hub.archives["/m/1"] = archive([("saved_model.pb", b"another graph")])
    with pytest.raises(RemoteFileError, match="no longer the file that was first fetched"):
        hub_folder(url, name="tfhub:x")
    assert not folder.exists()


def linked():
    info = tarfile.TarInfo("variables")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc"
    return info


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive at all", "is not a readable tar archive"),
        (archive()[:-30], "is not a readable tar archive"),
        (archive([("graph.pb", b"x")]), "holds no TensorFlow saved model"),
        (archive([("../../evil", b"x")]), "holds a member outside its folder: '../..'"),
        (archive([("/evil", b"x")]), "holds a member outside its folder: '/evil'"),
        (archive([("link", linked())]), "holds a link or device: 'variables'"),
    ],
    ids=["garbage", "cut off", "other files", "dot dot", "absolute", "link"],
)
def test_a_bad_archive_is_refused_and_leaves_nothing(hub, content, message):
    hub.archives["/m/1"] = content
    with pytest.raises(RemoteFileError, match=message):
        hub_folder(f"{hub.url}/m/1", name="tfhub:x")
    assert not [path for path in get_data_home().rglob("*") if path.is_file()]
    # The right one is taken afterwards: nothing was pinned.
    hub.archives["/m/1"] = archive()
    with pinned:
        hub_folder(f"{hub.url}/m/1", name="tfhub:x")


def test_a_module_that_is_not_there_is_reported_with_its_address(hub):
    with pytest.raises(RemoteFileError, match=r"/m/1\?tf-hub-format=compressed answered 404"):
        hub_folder(f"{hub.url}/m/1", name="tfhub:x")


def test_a_local_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the folder has no saved_model\.pb"):
        hub_folder(str(tmp_path), name="tfhub:x")


@pytest.mark.parametrize("modality", ["audio", "image"])
def test_without_the_package_the_error_names_caller_and_extra(monkeypatch, modality):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(ImportError) as caught:
        load_encoder("tfhub:google/yamnet/1", modality)
    assert str(caught.value) == (
        f'{modality.capitalize()}Embedder(encoder="tfhub:...") needs tensorflow-hub: '
        'pip install "skxmodal[tfhub]"'
    )


# With TensorFlow


@pytest.fixture(scope="module")
def tf():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorflow_hub")
        import tensorflow

    return tensorflow


@pytest.fixture(scope="module")
def saved(tf, tmp_path_factory):
    """Saved models with the signatures of YAMNet, VGGish and two kinds of feature vectors."""

    class YAMNetLike(tf.Module):
        """(scores, embeddings, spectrogram) of patches of 15600 samples, half overlapping."""

        def __init__(self):
            self.weights = tf.Variable(tf.random.stateless_normal([15600, 8], [0, 1]) / 100)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, waveform):
            frames = tf.signal.frame(waveform, 15600, 7680)
            embeddings = tf.matmul(frames, self.weights)
            return embeddings[:, :3], embeddings, frames

    class VGGishLike(tf.Module):
        """Embeddings (n, 128) of patches of 0.975 s; none for less."""

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, waveform):
            frames = tf.signal.frame(waveform, 15600, 15360)
            return tf.reduce_mean(tf.reshape(frames[:, :15360], [-1, 128, 120]), 2)

    class FeatureVector(tf.Module):
        """A callable module of the second format."""

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 24, 3], tf.float32)])
        def __call__(self, images):
            return tf.reduce_mean(images, [1, 2])

    class Signature(tf.Module):
        """A module of the first format, which has signatures only."""

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 24, 3], tf.float32)])
        def run(self, images):
            return {"default": tf.reduce_mean(images, [1, 2])}

    root = tmp_path_factory.mktemp("saved")
    modules = {"yamnet": YAMNetLike(), "vggish": VGGishLike(), "vector": FeatureVector()}
    for name, module in modules.items():
        tf.saved_model.save(module, str(root / name))
    signature = Signature()
    tf.saved_model.save(signature, str(root / "old"), signatures={"default": signature.run})
    return root, modules


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "n_features", "step"), [("yamnet", 8, 7680), ("vggish", 128, 15360)]
)
def test_audio_modules_served_by_the_hub_give_their_own_embeddings(
    saved, hub, name, n_features, step
):
    root, modules = saved
    folder = root / name
    hub.archives[f"/google/{name}/1"] = archive(
        [
            (path.relative_to(folder).as_posix(), path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
    )
    with pinned:
        encoder = load_encoder(f"tfhub:{hub.url}/google/{name}/1", "audio")
    assert (encoder.n_features, encoder.sample_rate) == (n_features, 16_000)
    sound = np.random.default_rng(0).normal(0, 0.1, 50_000).astype(np.float32)
    actual = encoder.encode(encoder.windows(sound))
    expected = modules[name](sound)
    expected = (expected[1] if name == "yamnet" else expected).numpy()
    assert len(actual) == 1 + (50_000 - 15_600) // step
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    assert encoder.encode(encoder.windows(sound[:1])).shape == (1, n_features)
    assert hub.asked == [f"/google/{name}/1?tf-hub-format=compressed"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["vector", "old"])
def test_image_modules_get_pictures_of_their_size_between_0_and_1(saved, name):
    encoder = load_encoder(f"tfhub:{saved[0] / name}", "image")
    assert encoder.n_features == 3
    picture = np.zeros((50, 70, 3), np.uint8) + np.array([255, 51, 0], np.uint8)
    windows = encoder.windows(picture)
    assert windows.shape == (1, 32, 24, 3)
    np.testing.assert_allclose(encoder.encode(windows), [[1, 0.2, 0]], atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_module_without_embeddings_is_refused(saved, tf, tmp_path):
    class Scalar(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, waveform):
            return tf.reduce_sum(waveform)

    tf.saved_model.save(Scalar(), str(tmp_path))
    with pytest.raises(ValueError, match=r"must return embeddings \(n, dimension\).*shape \(\)"):
        load_encoder(f"tfhub:{tmp_path}", "audio")
