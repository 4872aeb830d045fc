"""Joint projectors: embedding tables in, one joint space out; and the losses of training."""

from typing import Any

from ._cca import CCAProjector
from ._centring import ModalityCentring
from ._contrastive import ContrastiveTranslator
from ._pair_samplers import (
    AgreeingPairs,
    BalancedPairs,
    DPPPairs,
    RematchedPairs,
    make_sampler,
)
from ._pca import PCAProjector
from ._recommended import RematchedProjector, make_recommended_joint
from ._select_pairs import select_pairs

__all__ = [
    "CCAProjector",
    "ContrastiveTranslator",
    "ModalityCentring",
    "PCAProjector",
    "RematchedProjector",
    "make_recommended_joint",
    "AgreeingPairs",
    "BalancedPairs",
    "DPPPairs",
    "RematchedPairs",
    "make_sampler",
    "select_pairs",
]

#: Modules of torch: loaded when first used, so that importing the package does not load torch.
_LOSSES = (
    "InfoNCELoss",
    "MarginLoss",
    "RelevanceLoss",
    "RobustInfoNCELoss",
    "SigmoidLoss",
    "SpectralLoss",
    "TripletLoss",
    "VICRegLoss",
)
__all__ += _LOSSES


def __getattr__(name: str) -> Any:
    """Load the losses on first use."""
    if name in _LOSSES:
        from . import _losses

        return getattr(_losses, name)
    raise AttributeError(f"module 'skxmodal.translation' has no attribute {name!r}")
