"""Diagrams of estimators link to their pages of the documentation."""

import importlib.util
import re
from importlib import metadata
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.embedders import make_embedder
from skxmodal.model_selection._frozen import Projected
from skxmodal.translation import CCAProjector, ModalityCentring
from skxmodal.utils import VersionedState
from skxmodal.utils._doc_link import _declared_site, documentation_site

from ..models import public_estimators

ROOT = Path(__file__).parents[2]
SITE = "https://docs.example.org/skxmodal"


@pytest.fixture
def site(monkeypatch):
    """The address of a site, as somebody sets it who serves the pages."""
    monkeypatch.setenv("SKXMODAL_DOCS", SITE + "/")
    return SITE


@pytest.fixture
def declared(monkeypatch):
    """Set what the installed package declares; nothing is in the environment."""
    monkeypatch.delenv("SKXMODAL_DOCS", raising=False)

    def declare(*addresses):
        found = metadata.metadata("numpy")
        for name in ("Project-URL",):
            del found[name]
        for address in addresses:
            found["Project-URL"] = address
        monkeypatch.setattr(metadata, "metadata", lambda name: found)
        _declared_site.cache_clear()

    yield declare
    _declared_site.cache_clear()


def pages_of_the_reference():
    spec = importlib.util.spec_from_file_location("api_list", ROOT / "docs" / "api_list.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        f"{SITE}/generated/api/{name}.{public}.html"
        for name, (_, sections) in module.API.items()
        for _, names in sections
        for public in names
    }


def link(estimator):
    return estimator.__new__(estimator)._get_doc_link()


@pytest.mark.parametrize("estimator", sorted(public_estimators(), key=lambda found: found.__name__))
def test_every_public_estimator_links_to_its_page_of_the_reference(estimator, site):
    assert link(estimator) in pages_of_the_reference()
    assert link(estimator).endswith(f".{estimator.__name__}.html")


def test_the_diagram_of_a_pipeline_links_to_every_estimator_in_it(site):
    model = make_pipeline(
        make_embedder(), ModalityAgnosticClassifier(ModalityCentring(CCAProjector(4)))
    )
    links = set(re.findall(r'href="([^"#]+)"', estimator_html_repr(model)))
    for name in (
        "embedders.AudioEmbedder",
        "embedders.ImageEmbedder",
        "classification.ModalityAgnosticClassifier",
        "translation.CCAProjector",
    ):
        assert f"{SITE}/generated/api/skxmodal.{name}.html" in links
    assert any(found.startswith("https://scikit-learn.org/") for found in links)


def test_without_a_known_site_there_is_no_link_of_ours(declared):
    declared()
    assert documentation_site() == ""
    assert link(CCAProjector) == ""
    assert '<a class="sk-estimator-doc-link' not in estimator_html_repr(CCAProjector())


def test_with_one_the_diagram_of_a_single_estimator_links_to_its_page(site):
    assert '<a class="sk-estimator-doc-link' in estimator_html_repr(CCAProjector())


def test_the_site_is_the_documentation_among_the_addresses_of_the_package(declared):
    declared("Paper, https://example.org/paper", f"Documentation, {SITE}/")
    assert documentation_site() == SITE
    assert link(CCAProjector).startswith(SITE)


def test_the_environment_comes_before_the_address_of_the_package(declared, monkeypatch):
    declared("Documentation, https://elsewhere.example.org")
    monkeypatch.setenv("SKXMODAL_DOCS", SITE)
    assert documentation_site() == SITE


def test_a_package_that_is_not_installed_declares_no_site(declared, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    declared()
    monkeypatch.setattr(metadata, "metadata", missing)
    assert documentation_site() == ""


def test_what_is_not_public_or_not_ours_has_no_link_of_ours(site):
    class Own(VersionedState, BaseEstimator):
        """An estimator of somebody else, on our base."""

    class Derived(CCAProjector):
        """Likewise."""

    assert link(Own) == link(Derived) == ""
    assert SITE not in link(Projected)
