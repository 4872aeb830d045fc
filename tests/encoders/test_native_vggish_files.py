"""VGGish's weights in each of its three formats."""

import numpy as np
import pytest
import torch

from skxmodal.encoders._native_files import WeightFileError
from skxmodal.encoders._native_vggish import VGGishEncoder, _kind_of

from . import golden


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [True, False])
def test_the_torch_hub_port_gives_the_same_vectors(tmp_path, zipped):
    weights, state = golden.weights("vggish"), {}
    for entry in golden.spec("vggish")["weights"]:
        if entry.get("torch_name"):
            array = weights[entry["name"]].transpose(entry["torch_transpose"])
            state[entry["torch_name"]] = torch.from_numpy(np.ascontiguousarray(array))
    path = tmp_path / "vggish-10086976.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    encoder = VGGishEncoder(path)
    windows = encoder.windows(golden.golden("vggish").wave("1p0"))

    reference = golden.golden("vggish")["embeddings_1p0"]
    assert np.abs(encoder.encode(windows) - reference).max() <= 2e-5 * np.abs(reference).max()


def test_formats_are_told_apart_by_their_bytes(tmp_path):
    np.savez(tmp_path / "a", x=np.zeros(1))
    torch.save({}, tmp_path / "b")
    torch.save({}, tmp_path / "c", _use_new_zipfile_serialization=False)
    kinds = [_kind_of(tmp_path / name) for name in ("a.npz", "b", "c")]
    kinds.append(_kind_of(golden.REDUCED / "vggish_two_variables_tf1.ckpt"))
    assert kinds == ["npz", "torch", "torch", "checkpoint"]


@pytest.mark.parametrize("data", [b"", b"x", b"<html>not found</html>"])
def test_a_file_of_no_known_format_is_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(WeightFileError, match="neither a TensorFlow V1 checkpoint nor"):
        VGGishEncoder(tmp_path / "a")


def test_an_unknown_postprocessing_is_refused():
    with pytest.raises(ValueError, match='postprocess must be None, "pca" or "quantised"'):
        VGGishEncoder("unused", postprocess="zca")
