"""The readers of weight files: by order, checked, and running nothing that the file says."""

import gzip
import re

import h5py
import numpy as np
import pytest
import torch

from skxmodal.encoders._native_checkpoint import read_tf_checkpoint
from skxmodal.encoders._native_files import (
    LayerSpec,
    WeightFileError,
    read_keras_h5,
    read_npz,
    read_torch,
)
from skxmodal.encoders._native_openl3_audio import OpenL3AudioEncoder
from skxmodal.encoders._native_resnet import ResNet50Encoder
from skxmodal.encoders._native_yamnet import YAMNetEncoder

from . import golden

LAYERS = [
    LayerSpec("conv", (("kernel", (3, 3, 1, 2)), ("bias", (2,)))),
    LayerSpec(None, (("gamma", (2,)), ("beta", (2,)))),
]
CHECKPOINT = golden.REDUCED / "vggish_two_variables_tf1.ckpt"
VARIABLES = {"vggish/conv1/weights": (3, 3, 1, 64), "vggish/conv1/biases": (64,)}


def write(path, layers):
    """Write a Keras weight file of ``[(layer, {weight: array})]``."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, weights in layers:
            group = file.create_group(name)
            group.attrs["weight_names"] = [w.encode() for w in weights] or np.zeros(0)
            for weight, array in weights.items():
                group.create_dataset(weight, data=array)
    return path


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in [(3, 3, 1, 2), 2, 2, 2]]
    return [
        ("input_1", {}),
        ("conv", {"conv/kernel:0": arrays[0], "conv/bias:0": arrays[1]}),
        ("bn_17", {"bn_17/gamma:0": arrays[2], "bn_17/beta:0": arrays[3]}),
    ]


def test_layers_are_read_in_the_order_of_the_file(tmp_path, layers):
    conv, norm = read_keras_h5(write(tmp_path / "a.h5", layers), LAYERS)
    np.testing.assert_array_equal(conv["kernel"], layers[1][1]["conv/kernel:0"])
    np.testing.assert_array_equal(norm["beta"], layers[2][1]["bn_17/beta:0"])


def test_names_of_keras_1_are_understood(tmp_path, layers):
    kernel, bias = layers[1][1].values()
    layers[1] = ("conv", {"conv_W_1:0": kernel, "conv_b_1:0": bias})
    conv, _ = read_keras_h5(write(tmp_path / "a.h5", layers), LAYERS)
    np.testing.assert_array_equal(conv["bias"], bias)


def test_a_whole_saved_model_is_understood(tmp_path, layers):
    write(tmp_path / "weights.h5", layers)
    with h5py.File(tmp_path / "weights.h5") as source, h5py.File(tmp_path / "a.h5", "w") as goal:
        source.copy(source, goal, "model_weights")
    assert len(read_keras_h5(tmp_path / "a.h5", LAYERS)) == 2


def test_the_spectrogram_layer_of_old_openl3_files_is_skipped(tmp_path, layers):
    layers.insert(1, ("melspectrogram_1", {"melspectrogram_1/real_kernels:0": np.ones(3)}))
    assert len(read_keras_h5(write(tmp_path / "a.h5", layers), LAYERS)) == 2


def test_gzip_is_read_without_unpacking_by_hand(tmp_path, layers):
    path = write(tmp_path / "a.h5", layers)
    packed = tmp_path / "a.h5.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(
        read_keras_h5(packed, LAYERS)[0]["kernel"], read_keras_h5(path, LAYERS)[0]["kernel"]
    )


def _rename(layers):
    layers[1] = ("convolution", layers[1][1])


def _reshape(layers):
    layers[1][1]["conv/kernel:0"] = layers[1][1]["conv/kernel:0"].reshape(1, 9, 1, 2)


def _to_float64(layers):
    layers[2][1]["bn_17/beta:0"] = np.zeros(2)


def _put_nan(layers):
    layers[2][1]["bn_17/beta:0"][0] = np.nan


def _swap_weights(layers):
    layers[2] = ("bn_17", dict(reversed(layers[2][1].items())))


def _drop_layer(layers):
    del layers[2]


def _drop_weight(layers):
    del layers[2][1]["bn_17/beta:0"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_rename, "layer 1 is 'convolution', not 'conv'"),
        (_reshape, "'conv/kernel:0' is float32 (1, 9, 1, 2), not float32 (3, 3, 1, 2)"),
        (_to_float64, "'bn_17/beta:0' is float64 (2,), not float32 (2,)"),
        (_put_nan, "'bn_17/beta:0' holds NaN"),
        (_swap_weights, "'bn_17/beta:0' stands where the gamma is expected"),
        (_drop_layer, "has 1 layers with weights, not 2"),
        (_drop_weight, "not gamma, beta"),
    ],
)
def test_a_file_of_another_network_is_refused(tmp_path, layers, damage, message):
    damage(layers)
    with pytest.raises(WeightFileError, match=re.escape(message)):
        read_keras_h5(write(tmp_path / "a.h5", layers), LAYERS)


def test_a_link_to_another_file_is_refused(tmp_path, layers):
    write(tmp_path / "other.h5", layers)
    path = write(tmp_path / "a.h5", layers)
    with h5py.File(path, "a") as file:
        del file["conv"]["conv/kernel:0"]
        file["conv"]["conv/kernel:0"] = h5py.ExternalLink("other.h5", "/conv/conv/kernel:0")
    with pytest.raises(WeightFileError, match="is missing or is a link"):
        read_keras_h5(path, LAYERS)


def test_an_array_stored_in_another_file_is_refused(tmp_path, layers):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8))
    path = write(tmp_path / "a.h5", layers)
    with h5py.File(path, "a") as file:
        del file["bn_17/bn_17/beta:0"]
        file["bn_17"].create_dataset(
            "bn_17/beta:0", (2,), np.float32, external=[(str(secret), 0, 8)]
        )
    with pytest.raises(WeightFileError, match="is not an array of this file"):
        read_keras_h5(path, LAYERS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not an HDF5 file"),
        (b"<html>404</html>", "is not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "is a damaged HDF5 file"),
        (gzip.compress(b"x" * 100)[:-9], "is a damaged gzip file"),
        (gzip.compress(b"not HDF5"), "is not an HDF5 file"),
    ],
)
def test_what_is_no_hdf5_file_is_refused(tmp_path, data, message):
    (tmp_path / "a.h5").write_bytes(data)
    with pytest.raises(WeightFileError, match=message):
        read_keras_h5(tmp_path / "a.h5", LAYERS)


def test_hdf5_without_layer_names_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(WeightFileError, match="not a Keras weight file"):
        read_keras_h5(tmp_path / "a.h5", LAYERS)


def test_a_missing_file_is_named():
    with pytest.raises(WeightFileError, match=r"there is no weight file 'nowhere\.h5'"):
        YAMNetEncoder("nowhere.h5")


def test_the_file_of_another_encoder_is_refused():
    with pytest.raises(WeightFileError, match="layers with weights, not 54"):
        YAMNetEncoder(golden.weight_file("openl3_audio"))


def test_the_older_resnet_file_of_the_same_name_is_told_apart(tmp_path):
    network = object.__new__(ResNet50Encoder)
    n_layers = len(network._file_layers(network.network()))
    old = [("conv1", {"conv1/kernel:0": np.zeros((7, 7, 3, 64), np.float32)})]
    old += [(f"res{i}", {"x:0": np.zeros(1, np.float32)}) for i in range(n_layers - 1)]
    with pytest.raises(WeightFileError, match=r"'conv1', not 'conv1_conv': .* another version"):
        ResNet50Encoder(write(tmp_path / "a.h5", old))


@pytest.mark.parametrize("suffix", [".h5", ".h5.gz"])
def test_openl3_loads_by_order_whatever_the_numbers_of_its_layers(tmp_path, suffix):
    plain = OpenL3AudioEncoder(golden.weight_file("openl3_audio"), embedding_size=512)
    path = golden.write_weight_file("openl3_audio", tmp_path / f"a{suffix}", first_index=9)
    renumbered = OpenL3AudioEncoder(path, embedding_size=512)
    windows = plain.windows(golden.golden("openl3_audio").wave("0p4"))
    np.testing.assert_array_equal(renumbered.encode(windows), plain.encode(windows))


def test_a_checkpoint_written_by_tensorflow_is_read():
    arrays = read_tf_checkpoint(CHECKPOINT, VARIABLES)
    for entry in golden.spec("vggish")["weights"]:
        if entry["name"] in VARIABLES:
            assert golden.digest(arrays[entry["name"]]) == entry["sha256_16"]


def test_a_checkpoint_without_a_wanted_variable_is_refused():
    with pytest.raises(WeightFileError, match="has no array 'vggish/fc2/weights'"):
        read_tf_checkpoint(CHECKPOINT, {**VARIABLES, "vggish/fc2/weights": (4096, 128)})


def test_a_checkpoint_variable_of_another_size_is_refused():
    with pytest.raises(WeightFileError, match="has 64 numbers, not shape"):
        read_tf_checkpoint(CHECKPOINT, {"vggish/conv1/biases": (32,)})


def test_a_damaged_checkpoint_raises_its_own_error_and_nothing_else(tmp_path):
    whole = CHECKPOINT.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "a.ckpt"
    refused = 0
    for trial in range(300):
        data = bytearray(whole)
        if trial % 3 == 0:
            data = data[: rng.integers(len(data))]
        else:
            # Most of the file is numbers; the structure is at the end.
            first = 0 if trial % 3 == 1 else len(data) - 400
            for position in rng.integers(first, len(data), 4):
                data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_tf_checkpoint(path, VARIABLES)
        except WeightFileError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torch_hub_file_is_read_without_unpickling_objects(tmp_path, zipped):
    path = tmp_path / "a.pth"
    state = {"features.0.weight": torch.ones(2, 3), "extra": torch.zeros(1)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    arrays = read_torch(path, {"features.0.weight": (2, 3)})
    np.testing.assert_array_equal(arrays["features.0.weight"], np.ones((2, 3)))


class _Harmful:
    def __reduce__(self):
        return print, ("a weight file ran code",)


def test_a_torch_file_that_runs_code_is_refused(tmp_path, capsys):
    torch.save({"w": _Harmful()}, tmp_path / "a.pth")
    with pytest.raises(WeightFileError, match="is not a readable torch file"):
        read_torch(tmp_path / "a.pth", {"w": (1,)})
    assert capsys.readouterr().out == ""


def test_an_npz_file_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([_Harmful()], dtype=object))
    with pytest.raises(WeightFileError, match=r"is not a readable \.npz file"):
        read_npz(tmp_path / "a.npz", {"w": (1,)})


def test_an_npz_array_of_another_shape_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.zeros(3))
    with pytest.raises(WeightFileError, match=re.escape("'w' is float64 (3,), not float (2,)")):
        read_npz(tmp_path / "a.npz", {"w": (2,)})
