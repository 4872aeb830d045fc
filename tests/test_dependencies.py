"""The oldest versions that are promised are the ones that are tested; none has a known hole."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([\w-]+)==([\d.]+)$", re.MULTILINE)
_BOUND = re.compile(r"^([\w-]+)(?:\[.*\])?>=([\d.]+)")
_BAD = re.compile(r"^([\w-]+) +(\d[\d.]*) +((?:CVE|GHSA)-.*)$", re.MULTILINE)
_TESTED = ("plot", "video", "youtube", "polars", "persist", "ncnn", "dask", "test")


def documentation():
    return (ROOT / "docs" / "dependencies.rst").read_text("utf-8")


KNOWN_BAD = {package: mended for package, mended, _ in _BAD.findall(documentation())}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def pins():
    return dict(_PIN.findall((ROOT / "constraints-oldest.txt").read_text("utf-8")))


def bounds_of(lines):
    return {match[1]: match[2] for match in map(_BOUND.match, lines) if match}


def padded(version):
    """Return a version's numbers without zeros at the end."""
    return tuple(map(int, re.sub(r"(\.0)+$", "", version).split(".")))


def test_the_oldest_versions_are_the_lower_bounds(project, pins):
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in _TESTED for line in extras[extra])]
    bounds = bounds_of(wanted)
    assert set(pins) == set(bounds)
    for name, bound in bounds.items():
        assert padded(pins[name])[: len(padded(bound))] == padded(bound), name


def test_every_dependency_has_its_reason_in_the_documentation(project):
    text = documentation().lower()
    for line in project["dependencies"]:
        assert re.match(r"[\w-]+", line)[0] in text
    for extra in project["optional-dependencies"]:
        assert f"``{extra}``" in text


def test_known_bad_versions_are_listed():
    assert {"pillow", "requests", "skops", "torch", "yt-dlp"} <= set(KNOWN_BAD)


@pytest.mark.parametrize("package", KNOWN_BAD)
def test_no_lower_bound_admits_a_known_bad_version(package, project):
    extras = project["optional-dependencies"].values()
    bounds = bounds_of([*project["dependencies"], *(line for extra in extras for line in extra)])
    assert padded(bounds[package]) >= padded(KNOWN_BAD[package])


@pytest.mark.parametrize("package", KNOWN_BAD)
def test_no_known_bad_version_is_installed(package):
    try:
        installed = version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    assert padded(re.match(r"[\d.]*\d", installed)[0]) >= padded(KNOWN_BAD[package])
