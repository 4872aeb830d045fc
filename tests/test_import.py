"""Importing the package is fast because it imports almost nothing."""

import subprocess
import sys

import pytest

_HEAVY = ("torch", "skorch", "matplotlib", "pandas", "polars", "onnxruntime", "tensorflow", "faiss")


def modules_after(statement):
    script = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_imports_nothing_heavy():
    assert modules_after("import skxmodal").isdisjoint({*_HEAVY, "sklearn"})


@pytest.mark.parametrize(
    "stage",
    [
        "datasets",
        "media",
        "encoders",
        "embedders",
        "modalities",
        "translation",
        "classification",
        "retrieval",
        "metrics",
        "model_selection",
        "inspection",
        "experiments",
    ],
)
def test_importing_a_stage_imports_no_torch_and_nothing_optional(stage):
    found = modules_after(f"import skxmodal\nskxmodal.{stage}")
    assert found.isdisjoint(set(_HEAVY) - {"pandas"})


def test_every_stage_exports_what_it_says():
    import skxmodal

    for stage in skxmodal._SUBMODULES:
        module = getattr(skxmodal, stage)
        assert all(hasattr(module, name) for name in module.__all__), stage


def test_an_unknown_name_is_an_attribute_error():
    import skxmodal

    with pytest.raises(AttributeError, match="no attribute 'translate'"):
        skxmodal.translate
