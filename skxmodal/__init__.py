"""Train on sounds, predict on pictures: modality-agnostic learning with scikit-learn.

The stages of the data flow are submodules, loaded when first used::

    datasets -> media -> encoders -> embedders -> translation -> classification, retrieval
             -> metrics -> model_selection -> inspection -> experiments
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBMODULES = (
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
    "utils",
)

__all__ = ["TRUSTED_TYPES", "__version__", *_SUBMODULES]


def __getattr__(name: str) -> Any:
    """Load a submodule, or the list for skops, on first use: importing the package is fast."""
    if name in _SUBMODULES:
        return importlib.import_module(f"skxmodal.{name}")
    if name == "TRUSTED_TYPES":
        return importlib.import_module("skxmodal._trusted_types").TRUSTED_TYPES
    raise AttributeError(f"module 'skxmodal' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the lazily loaded submodules too."""
    return sorted(__all__)
