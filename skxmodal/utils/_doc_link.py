"""Links from the diagram of an estimator to its page of the documentation."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

_VARIABLE = "SKXMODAL_DOCS"
_PAGE = "{site}/generated/api/{module}.{name}.html"


def documentation_site() -> str:
    """Return where the built documentation is, without a slash at its end; "" where nowhere.

    The environment variable ``SKXMODAL_DOCS``, for pages that you built and serve yourself; else
    the address called "Documentation" among the project's addresses in ``pyproject.toml``.
    """
    return (os.environ.get(_VARIABLE) or _declared_site()).rstrip("/")


@cache
def _declared_site() -> str:
    """Return the address that the installed package declares."""
    from importlib import metadata  # slow to import, and needed for diagrams alone

    try:
        declared = metadata.metadata(__name__.partition(".")[0]).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    for line in declared:
        label, _, address = line.partition(",")
        if label.strip().lower() == "documentation":
            return str(address.strip())
    return ""


class DocLink:
    """Give scikit-learn the page of a public estimator, for the "?" in its diagram.

    scikit-learn reads the three attributes below from every estimator. Estimators that are not
    public have no page, and nothing has one where no documentation is known: then there is no
    "?", rather than a dead link.
    """

    _doc_link_module = "skxmodal"
    _doc_link_template = "{page}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """Return what fills the template."""
        site = documentation_site()
        public = _public_module(type(self))
        if not site or public is None:
            return {"page": ""}
        page = _PAGE.format(site=site, module=public, name=type(self).__name__)
        return {"page": page}


def _public_module(estimator: type) -> str | None:
    """Return the module that offers a class under its name; ``None`` where none does."""
    parts = estimator.__module__.split(".")
    private = [part.startswith("_") for part in parts]
    name = ".".join(parts[: private.index(True)] if any(private) else parts)
    module: Any = sys.modules.get(name)
    is_offered = estimator.__name__ in getattr(module, "__all__", ())
    return name if is_offered and getattr(module, estimator.__name__) is estimator else None
