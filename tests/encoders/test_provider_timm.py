"""``timm:`` on a small model with random weights, saved to a local folder."""

import json
import sys

import numpy as np
import pytest

from skxmodal.encoders import load_encoder


@pytest.fixture(scope="module")
def timm():
    """timm, also where torchvision was built for another PyTorch and lacks two operators."""
    torch = pytest.importorskip("torch")
    try:
        import timm
    except ModuleNotFoundError as error:
        pytest.skip(f"timm or what it needs is not installed: {error.name}")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{operator}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
        import timm
    return timm


@pytest.fixture(scope="module")
def folder(timm, tmp_path_factory):
    """A small network with a classifier, as the hub's folders hold it."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=5)
    folder = tmp_path_factory.mktemp("timm")
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "resnet10t",
        "num_classes": 5,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "num_classes": 5,
            "classifier": "fc",
            "first_conv": "conv1.0",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_local_folder_gives_features_after_its_own_preprocessing(timm, folder):
    import torch
    from safetensors.torch import load_file

    encoder = load_encoder(f"timm:{folder}", "image", device="cpu")
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    model = timm.create_model("resnet10t", num_classes=5)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    model.eval().reset_classifier(0)
    pixels = torch.from_numpy((picture.astype(np.float32) / 255 - 0.5) / 0.25)
    with torch.inference_mode():
        expected = model(pixels.permute(2, 0, 1)[None]).numpy()
    actual = encoder.encode(encoder.windows(picture))
    assert actual.shape == (1, encoder.n_features) == (1, 512)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_vector_does_not_depend_on_the_batch(folder):
    encoder = load_encoder(f"timm:{folder}", "image", device="cpu")
    rng = np.random.default_rng(0)
    windows = np.concatenate(
        [
            encoder.windows(rng.integers(0, 256, (70 + 9 * k, 90, 3), dtype=np.uint8))
            for k in range(3)
        ]
    )
    together = encoder.encode(windows)
    alone = np.concatenate([encoder.encode(window[np.newaxis]) for window in windows])
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(together).max()


def test_a_checkpoint_of_one_s_own_is_loaded(folder):
    file = folder / "model.safetensors"
    named = load_encoder("timm:resnet10t", "image", weights=file, device="cpu")
    local = load_encoder(f"timm:{folder}", "image", device="cpu")
    assert named.identity["weights"] == local.identity["weights"]


def test_an_unknown_model_is_refused(timm):
    with pytest.raises(ValueError, match="'timm:no_such_net' cannot be loaded"):
        load_encoder("timm:no_such_net", "image")


def test_a_checkpoint_that_is_not_there_is_named(timm, tmp_path):
    with pytest.raises(ValueError, match="there is no weight file"):
        load_encoder("timm:resnet10t", "image", weights=tmp_path / "none.pth")


def test_without_the_package_the_error_names_caller_and_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError) as caught:
        load_encoder("timm:resnet18", "image")
    assert str(caught.value) == (
        'ImageEmbedder(encoder="timm:...") needs timm: pip install "skxmodal[timm]"'
    )


def test_a_torchvision_of_another_pytorch_is_explained(monkeypatch):

    def fail(name, *args, **kwargs):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("skxmodal.utils._optional.importlib.import_module", fail)
    from skxmodal.encoders._provider_timm import load

    with pytest.raises(
        ImportError, match=r"torchvision does not .*nms does not exist.*install the"
    ):
        load("resnet18", "image", name="timm:resnet18")
