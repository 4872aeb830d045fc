"""The API reference lists every public name, and nothing else."""

import importlib
import importlib.util
import pkgutil
from collections import Counter

import pytest

import skxmodal
from skxmodal.__main__ import _parser

from .pages import DOCS


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


API = load(DOCS / "api_list.py").API


def listed(module):
    return [name for _, names in API[module][1] for name in names]


def public_modules():
    found = pkgutil.iter_modules(skxmodal.__path__)
    return {f"skxmodal.{info.name}" for info in found if not info.name.startswith("_")}


def test_every_public_module_is_listed():
    assert set(API) == public_modules()


@pytest.mark.parametrize("module", API)
def test_every_public_name_of_a_module_is_listed_once(module):
    counts = Counter(listed(module))
    assert set(counts) == set(importlib.import_module(module).__all__)
    assert max(counts.values()) == 1


@pytest.mark.parametrize("module", API)
def test_every_listed_name_has_a_docstring(module):
    public = importlib.import_module(module)
    for name in listed(module):
        value = getattr(public, name)
        assert isinstance(value, tuple) or (value.__doc__ or "").strip(), name


def test_the_page_of_commands_has_every_command(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    page = load(DOCS / "_ext" / "generate.py").commands_page()
    for words in ("reproduce", "embed", "fetch weights", "fetch audioset", "encoders"):
        assert f"\nskxmodal {words}\n" in page
    assert "--random-state" in page
    assert _parser().prog == "skxmodal"
