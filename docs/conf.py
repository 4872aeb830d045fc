"""Sphinx configuration: ``make docs`` builds without a network and without warnings."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS / "_ext")]
os.environ.setdefault("MPLBACKEND", "Agg")

import generate  # noqa: E402
from external_objects import external_names, write_inventories  # noqa: E402
from sphinx.ext.intersphinx import resolve_reference_any_inventory  # noqa: E402

import skxmodal  # noqa: E402
from skxmodal.utils._doc_link import documentation_site  # noqa: E402

# One address for both: of these pages, and of the links in estimators' diagrams. The diagrams of
# the gallery link to the pages beside them, wherever they are served.
html_baseurl = documentation_site()
os.environ["SKXMODAL_DOCS"] = ".."

project = "skxmodal"
author = "skxmodal developers"
copyright = "skxmodal developers, BSD-3-Clause"
version = release = skxmodal.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
needs_sphinx = "8.0"
exclude_patterns = ["_build", "_ext", "_templates", "auto_examples/**/*.ipynb"]
templates_path = ["_templates"]
html_static_path = ["_static"]
default_role = "literal"
nitpicky = True
# Names of other projects that the small inventories lack stay text; our own must all be found.
nitpick_ignore_regex = [("py:.*", r"(?!skxmodal\b)[a-z_]+(\.\w+)+")]
show_warning_types = True

# -- pages made from the package: the lists of names, the commands, the changelog ------------------
generate.write_pages(DOCS)
autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {"member-order": "groupwise"}
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

# -- links to other projects -----------------------------------------------------------------------
# The real inventories only where a network is wanted; else small ones, of the names used here.
intersphinx_mapping = write_inventories(
    DOCS / "generated" / "inventories", online=bool(os.environ.get("SKXMODAL_DOCS_ONLINE"))
)
intersphinx_disabled_reftypes = ["std:doc"]

# -- gallery --------------------------------------------------------------------------------------
_run, _left_out = generate.runnable_examples(DOCS.parent / "examples")
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": _run,
    "doc_module": ("skxmodal",),
    "backreferences_dir": "generated/backreferences",
    "image_scrapers": ("matplotlib",),
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
    "write_computation_times": False,
    "plot_gallery": "True",
}
# Examples show the library, not the warnings of others' code while a gallery is made.
warnings.filterwarnings("ignore", category=DeprecationWarning)

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- looks ----------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skxmodal"
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skxmodal"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "install": [], "getting_started": []}
html_context = {"default_mode": "auto"}


def _mark_examples_not_run(app, docname, source):
    """Say on the page of an example that its figures are not there, and why."""
    reason = _left_out.get(docname.rpartition("/")[2])
    if reason and docname.startswith("auto_examples/plot_"):
        note = (
            f".. note::\n\n   This example was not run while these pages were made: {reason}.\n\n"
        )
        if docname.endswith("/plot_audioset_labels"):
            note += (
                ".. figure:: /figures/audioset_labels.png\n"
                "   :alt: Bars of the number of clips of each class; guitar and drums lead.\n\n"
                "   The lists as they are, drawn beforehand; grey: all clips with the class, blue: "
                "those with no other of the eighteen.\n\n"
            )
        head, mark, body = source[0].partition(".. GENERATED FROM PYTHON SOURCE LINES")
        source[0] = head + note + mark + body


def _find_short_name(app, env, node, contnode):
    """Link a public name that is written without its module, such as ``PCAProjector``."""
    target = generate.full_name(node.get("reftarget", ""), external_names())
    if node.get("refdomain") != "py" or target is None:
        return None
    node["reftarget"] = target
    domain = env.get_domain("py")
    link = domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )
    return link or resolve_reference_any_inventory(
        env=env, honor_disabled_refs=False, node=node, contnode=contnode
    )


def setup(app):
    """Connect what is particular to these pages."""
    app.connect("missing-reference", _find_short_name)
    app.connect("source-read", _mark_examples_not_run)
