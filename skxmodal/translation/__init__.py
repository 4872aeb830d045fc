"""Joint projectors: embedding tables in, one joint space out."""

from ._cca import CCAProjector
from ._contrastive import ContrastiveTranslator
from ._pca import PCAProjector

__all__ = ["CCAProjector", "ContrastiveTranslator", "PCAProjector"]
