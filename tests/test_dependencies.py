"""The oldest versions that are promised are the ones that are tested."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([\w-]+)==([\d.]+)$", re.MULTILINE)
_BOUND = re.compile(r"^([\w-]+)(?:\[.*\])?>=([\d.]+)")
_TESTED = ("plot", "video", "youtube", "polars", "persist", "test")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def pins():
    return dict(_PIN.findall((ROOT / "constraints-oldest.txt").read_text("utf-8")))


def padded(version):
    """Return a version's numbers without zeros at the end."""
    return tuple(map(int, re.sub(r"(\.0)+$", "", version).split(".")))


def test_the_oldest_versions_are_the_lower_bounds(project, pins):
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in _TESTED for line in extras[extra])]
    bounds = {match[1]: match[2] for match in map(_BOUND.match, wanted) if match}
    assert set(pins) == set(bounds)
    for name, bound in bounds.items():
        assert padded(pins[name])[: len(padded(bound))] == padded(bound), name


def test_every_dependency_has_its_reason_in_the_documentation(project):
    text = (ROOT / "docs" / "dependencies.rst").read_text("utf-8").lower()
    for line in project["dependencies"]:
        assert re.match(r"[\w-]+", line)[0] in text
    for extra in project["optional-dependencies"]:
        assert f"``{extra}``" in text
