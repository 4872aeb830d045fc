"""The back end that a user's wish means."""

import sys

import pytest
import torch

from skxmodal.encoders import _native_fused
from skxmodal.encoders._backend import resolve_backend

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def resolve(backend, device=CPU, cpu_backends=("ncnn", "torch", "onnx"), **options):
    return resolve_backend(backend, device, cpu_backends=cpu_backends, caller="openl3", **options)


@pytest.fixture
def modules(monkeypatch):
    """All packages installed, as empty modules."""
    for name in ("ncnn", "onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, sys)
    monkeypatch.setattr(_native_fused, "can_fuse", lambda: True)
    return monkeypatch


def test_auto_takes_the_first_that_is_there(modules):
    assert resolve("auto") == "ncnn"
    modules.setitem(sys.modules, "ncnn", None)
    assert resolve("auto") == "torch"
    modules.setattr(_native_fused, "can_fuse", lambda: False)
    assert resolve("auto") == "onnx"
    modules.setitem(sys.modules, "onnx", None)
    assert resolve("auto") == "torch"


@pytest.mark.usefixtures("modules")
def test_auto_is_pytorch_off_the_cpu_and_in_half_precision():
    assert resolve("auto", GPU) == "torch"
    assert resolve("auto", half=True) == "torch"


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("backend", ["torch", "onnx", "ncnn"])
def test_a_wish_is_met(backend):
    assert resolve(backend) == backend


@pytest.mark.usefixtures("modules")
def test_a_wish_that_cannot_be_met_is_refused():
    with pytest.raises(ValueError, match="openl3: backend must be one of 'auto', 'ncnn'"):
        resolve("tf")
    for backend in ("onnx", "ncnn"):
        with pytest.raises(ValueError, match="runs on the CPU, not on 'cuda'"):
            resolve(backend, GPU)
    with pytest.raises(ValueError, match="one of 'auto', 'onnx', 'torch', got 'ncnn'"):
        resolve("ncnn", cpu_backends=("onnx", "torch"))


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(
    ("backend", "package"), [("onnx", "onnx"), ("onnx", "onnxruntime"), ("ncnn", "ncnn")]
)
def test_a_missing_package_is_named_with_its_extra(backend, package, modules):
    modules.setitem(sys.modules, package, None)
    with pytest.raises(ImportError) as error:
        resolve(backend)
    assert str(error.value) == (
        f'openl3 with backend="{backend}" needs {package}: pip install "skxmodal[{backend}]"'
    )
