"""Losses that compare a partner with others by a margin."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from ..utils._products import product, product_of_columns
from ._fused import fused, similarity_blocks, similarity_tiles


class MarginLoss(nn.Module):
    """The paper's loss: ``mean over i != j of max(0, margin - s_ii + s_ij)``.

    ``s`` is the cosine similarity of the rows. The loss and its exact gradient are computed
    tile by tile: no ``n x n`` matrix is ever kept.

    Parameters
    ----------
    margin : float, default=1.0
        By how much a partner must be more similar than any other row.
    symmetric : bool, default=False
        Also compare within columns of ``s`` (the second modality's rows as anchors) and
        average both.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 2.2 and 3.2.

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import MarginLoss
    >>> a = torch.eye(2)
    >>> MarginLoss(margin=1.5)(a, a).item()
    0.5
    """

    def __init__(self, margin: float = 1.0, symmetric: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.symmetric = symmetric

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        return fused(partial(_margin, margin=self.margin, symmetric=self.symmetric), a, b)


class TripletLoss(nn.Module):
    """``mean of max(0, margin - s_ii + s_ij)`` with ``j`` the semi-hard negative of row ``i``.

    That is the most similar row that is less similar than the partner; where no row is, the
    least similar one. Both directions are averaged. One well-chosen negative a row makes a
    sharper space than all of them do, and suffers more from wrong pairs.

    Parameters
    ----------
    margin : float, default=1.0
        By how much a partner must be more similar than the negative.

    References
    ----------
    .. [1] F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: a unified embedding for face
       recognition and clustering", CVPR 2015, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import TripletLoss
    >>> a = torch.eye(3)
    >>> TripletLoss(margin=1.5)(a, a).item()
    0.5
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        partner = (a * b).sum(dim=1)
        losses = []
        for anchors, others in ((a, b), (b, a)):
            negative = others[_semi_hard(anchors.detach(), others.detach())]
            violation = self.margin - partner + (anchors * negative).sum(dim=1)
            losses.append(violation.clamp(min=0).mean())
        return (losses[0] + losses[1]) / 2


def _margin(
    a: torch.Tensor, b: torch.Tensor, *, margin: float, symmetric: bool, wants_grad: bool
) -> tuple[torch.Tensor, tuple]:
    """Return the margin loss and its gradients.

    The loss is linear in ``s`` where it is not zero, so that the gradient is made of zeros and
    ones, and the loss follows from the gradient: ``sum(active * (s - threshold))`` needs no
    further pass over the block.
    """
    n = len(a)
    threshold = (a * b).sum(dim=1) - margin
    scale = 1.0 / (n * (n - 1) * (2 if symmetric else 1))
    if not wants_grad:
        return _margin_value(a, b, threshold, symmetric) * scale, ()
    n_active = torch.zeros_like(threshold)
    n_active_columns = torch.zeros_like(threshold)
    pull_a = torch.zeros_like(a)
    pull_b = torch.zeros_like(b)
    for rows, columns, tile, partners in similarity_tiles(a, b):
        of_columns = (tile > threshold[columns]).to(tile.dtype) if symmetric else None
        active = tile.gt_(threshold[rows, None])
        partners.zero_()
        n_active[rows] += active.sum(dim=1)
        if of_columns is not None:
            of_columns.diagonal(rows.start - columns.start).zero_()
            n_active_columns[columns] += of_columns.sum(dim=0)
            active += of_columns
        pull_a[rows] += product(active, b[columns].T)
        pull_b[columns] += product_of_columns(active, a[rows])
    n_active += n_active_columns
    total = (a * pull_a).sum() - (n_active * threshold).sum()
    grad_a = pull_a.addcmul_(n_active[:, None], b, value=-1).mul_(scale)
    grad_b = pull_b.addcmul_(n_active[:, None], a, value=-1).mul_(scale)
    return total * scale, (grad_a, grad_b)


def _margin_value(
    a: torch.Tensor, b: torch.Tensor, threshold: torch.Tensor, symmetric: bool
) -> torch.Tensor:
    """Return the sum of all violations."""
    total = a.new_zeros(())
    for rows, columns, tile, partners in similarity_tiles(a, b):
        partners.fill_(-torch.inf)
        total += (tile - threshold[rows, None]).clamp_(min=0).sum()
        if symmetric:
            total += (tile - threshold[columns]).clamp_(min=0).sum()
    return total


@torch.no_grad()
def _semi_hard(anchors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """For each anchor, the most similar other below its partner, else the least similar."""
    partner = (anchors * others).sum(dim=1)
    chosen = torch.empty(len(anchors), dtype=torch.long, device=anchors.device)
    for rows, block, diagonal in similarity_blocks(anchors, others):
        diagonal.fill_(torch.inf)
        least = block.argmin(dim=1)
        below = block.masked_fill_(block >= partner[rows, None], -torch.inf)
        nearest, index = below.max(dim=1)
        chosen[rows] = torch.where(nearest == -torch.inf, least, index)
    return chosen
