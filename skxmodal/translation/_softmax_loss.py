"""InfoNCE: the cross-entropy of finding the partner among the batch."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn

from ..utils._products import product, product_of_columns
from ._fused import fused, similarity_blocks

_MAX_SCALE = 100.0
#: Logits within +-40 can share one exponential for rows and columns: exp(-80) is a float32 yet.
_SAFE_BOUND = 40.0


class Temperature(nn.Module):
    """A factor of similarities, the inverse of a temperature; fixed or learnable.

    Learnt as a logarithm, and at most 100, as in CLIP.
    """

    log_scale: torch.Tensor

    def __init__(self, temperature: float, learn: bool) -> None:
        super().__init__()
        log_scale = torch.tensor(-math.log(temperature))
        if learn:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self) -> torch.Tensor:
        """Return the factor."""
        if isinstance(self.log_scale, nn.Parameter):
            return self.log_scale.clamp(max=math.log(_MAX_SCALE)).exp()
        return self.log_scale.exp()


class InfoNCELoss(nn.Module):
    """Cross-entropy of finding the partner among the batch, both directions averaged.

    The loss and its exact gradient are computed block by block of rows, in two passes: no
    ``n x n`` matrix is ever kept.

    Parameters
    ----------
    temperature : float, default=0.1
        Similarities are divided by it.
    learn_temperature : bool, default=False
        Whether the temperature is learnt, from the given value on; it stays above 0.01.

    References
    ----------
    .. [1] A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive
       predictive coding", 2018, equation 4.
    .. [2] A. Radford et al., "Learning transferable visual models from natural language
       supervision", ICML 2021, section 2.3 (both directions, learnt temperature).

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import InfoNCELoss
    >>> a = torch.eye(2)
    >>> round(InfoNCELoss(temperature=1.0)(a, a).item(), 4)
    0.3133
    """

    def __init__(self, temperature: float = 0.1, learn_temperature: bool = False) -> None:
        super().__init__()
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.scale = Temperature(temperature, learn_temperature)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        return fused(_infonce, a, b, self.scale().to(a.dtype))


def _infonce(
    a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor, *, wants_grad: bool
) -> tuple[torch.Tensor, tuple]:
    """Return InfoNCE and its gradients."""
    partitions = log_partitions(a, b, scale)
    partner, of_rows, of_columns, _ = partitions
    loss = ((of_rows + of_columns) / 2 - partner).mean()
    if not wants_grad:
        return loss, ()
    half = torch.full_like(partner, 0.5 / len(a))
    return loss, softmax_gradients(a, b, scale, partitions, half, half, 2 * half)


class Partitions(NamedTuple):
    """What both directions of a cross-entropy over the batch need, ``(n,)`` each."""

    #: Logits of the partners.
    partner: torch.Tensor
    #: Log of the sum of exponentials of each row, and of each column, of the logits.
    of_rows: torch.Tensor
    of_columns: torch.Tensor
    #: No logit is larger in magnitude.
    bound: torch.Tensor


def log_partitions(a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor) -> Partitions:
    """Pass over all logits ``scale * a b^T`` once, for their partition functions."""
    a = a * scale
    bound = a.norm(dim=1).max() * b.norm(dim=1).max()
    partner = (a * b).sum(dim=1)
    of_rows = torch.empty_like(partner)
    if bound < _SAFE_BOUND:
        sums = torch.zeros_like(partner)
        for rows, block, _ in similarity_blocks(a, b):
            block.sub_(bound).exp_()
            of_rows[rows] = block.sum(dim=1)
            sums += block.sum(dim=0)
        return Partitions(partner, of_rows.log_() + bound, sums.log_() + bound, bound)
    of_columns = torch.full_like(partner, -torch.inf)
    for rows, block, _ in similarity_blocks(a, b):
        of_columns = torch.logaddexp(of_columns, torch.logsumexp(block, dim=0))
        of_rows[rows] = torch.logsumexp(block, dim=1)
    return Partitions(partner, of_rows, of_columns, bound)


def softmax_gradients(
    a: torch.Tensor,
    b: torch.Tensor,
    scale: torch.Tensor,
    partitions: Partitions,
    row_weight: torch.Tensor,
    column_weight: torch.Tensor,
    partner_weight: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of a weighted cross-entropy for ``a``, ``b`` and ``scale``.

    The derivative by the logits is the softmax of the rows times ``row_weight``, plus that of
    the columns times ``column_weight``, minus ``partner_weight`` on the diagonal.
    """
    _, of_rows, of_columns, bound = partitions
    shared = bool(bound < _SAFE_BOUND)
    if shared:
        row_factor = row_weight * (bound - of_rows).exp()
        column_factor = column_weight * (bound - of_columns).exp()
    grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
    scaled = a * scale
    for rows, block, _ in similarity_blocks(scaled, b):
        if shared:
            block.sub_(bound).exp_().mul_(row_factor[rows, None] + column_factor)
        else:
            columns = (block - of_columns).exp_().mul_(column_weight)
            block.sub_(of_rows[rows, None]).exp_().mul_(row_weight[rows, None]).add_(columns)
        grad_a[rows] = product(block, b.T)
        grad_b += product_of_columns(block, a[rows])
    grad_a.addcmul_(partner_weight[:, None], b, value=-1)
    grad_b.addcmul_(partner_weight[:, None], a, value=-1)
    return grad_a * scale, grad_b * scale, (a * grad_a).sum()
