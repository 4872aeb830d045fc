"""Optional packages: imported, or named together with the extra that installs them."""

import json
import sys

import pytest

from skxmodal.utils import import_optional

CALLER = 'AudioEmbedder(backend="onnx")'


def test_an_installed_module_is_returned():
    assert import_optional("json", caller=CALLER, extra="onnx") is json


def test_a_submodule_is_returned():
    assert import_optional("json.decoder", caller=CALLER, extra="onnx") is json.decoder


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("onnxruntime", "onnxruntime"),
        ("tensorflow_hub", "tensorflow-hub"),
        ("polars.selectors", "polars"),
    ],
)
def test_a_hidden_module_is_named_with_its_caller_and_extra(monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as error:
        import_optional(module, caller=CALLER, extra="onnx")
    assert str(error.value) == (
        f'AudioEmbedder(backend="onnx") needs {package}: pip install "skxmodal[onnx]"'
    )


def test_a_module_that_does_not_exist_reads_the_same():
    with pytest.raises(ImportError) as error:
        import_optional("no_such_module", caller="this test", extra="all")
    assert str(error.value) == 'this test needs no-such-module: pip install "skxmodal[all]"'


def test_a_module_that_is_installed_but_broken_says_so(monkeypatch, tmp_path):
    (tmp_path / "broken_package.py").write_text("raise ImportError('operator does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as error:
        import_optional("broken_package", caller="this test", extra="all")
    assert str(error.value) == (
        "this test needs broken_package, which is installed but does not import "
        '(operator does not exist); try: pip install --upgrade "skxmodal[all]"'
    )
