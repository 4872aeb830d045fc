"""Contrastive losses by name.

Each is a module called with the joint vectors of two modalities, ``(n, d)`` and row-aligned:
row ``i`` of one is the partner of row ``i`` of the other, every other row is a negative. A
loss whose attribute ``needs_labels`` is true also gets the labels of both, -1 for none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import nn

from ._margin_loss import MarginLoss, TripletLoss
from ._relevance_loss import RelevanceLoss
from ._robust_loss import RobustInfoNCELoss
from ._sigmoid_loss import SigmoidLoss
from ._softmax_loss import InfoNCELoss
from ._spectral_loss import SpectralLoss, VICRegLoss

#: name -> maker, called with the margin and the temperature of the estimator.
LOSSES: dict[str, Callable[[float, float], nn.Module]] = {
    "margin": lambda margin, _: MarginLoss(margin),
    "symmetric_margin": lambda margin, _: MarginLoss(margin, symmetric=True),
    "triplet": lambda margin, _: TripletLoss(margin),
    "infonce": lambda _, temperature: InfoNCELoss(temperature),
    "clip": lambda _, temperature: InfoNCELoss(temperature, learn_temperature=True),
    "sigmoid": lambda _, temperature: SigmoidLoss(temperature),
    "robust": lambda *_: RobustInfoNCELoss(),
    "spectral": lambda *_: SpectralLoss(),
    "vicreg": lambda *_: VICRegLoss(),
    "relevance": lambda _, temperature: RelevanceLoss(temperature=temperature),
}


def make_loss(loss: str | nn.Module, *, margin: float, temperature: float) -> nn.Module:
    """Return the loss module for a name, or a copy of a module: training may change it."""
    if isinstance(loss, nn.Module):
        return copy.deepcopy(loss)
    if not isinstance(loss, str) or loss not in LOSSES:
        known = ", ".join(map(repr, LOSSES))
        raise ValueError(f"loss must be one of {known} or a torch.nn.Module, got {loss!r}")
    return LOSSES[loss](margin, temperature)
