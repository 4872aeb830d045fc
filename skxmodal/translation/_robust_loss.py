"""A loss that gives up on pairs which do not fit: for noisy pairs."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from ._fused import fused
from ._softmax_loss import Temperature, log_partitions, softmax_gradients


class RobustInfoNCELoss(nn.Module):
    """Generalised cross-entropy of finding the partner among the batch: noise-robust InfoNCE.

    ``mean of (1 - p^q) / q`` with ``p`` the probability that InfoNCE gives the partner, both
    directions averaged. Its gradient is that of InfoNCE, each pair weighted by its own
    ``p^q``: pairs that the other pairs contradict, because they were put together by mistake,
    lose their say while training goes on. ``q -> 0`` is :class:`InfoNCELoss`, ``q = 1`` the
    mean absolute error. For tables where many pairs are wrong; on clean pairs it learns more
    slowly from the rare ones.

    Parameters
    ----------
    temperature : float, default=0.2
        Similarities are divided by it.
    q : float in (0, 1], default=0.7
        How fast a pair that does not fit loses its weight.

    References
    ----------
    .. [1] Z. Zhang and M. R. Sabuncu, "Generalized cross entropy loss for training deep neural
       networks with noisy labels", NeurIPS 2018, equation 6.
    .. [2] C.-Y. Chuang et al., "Robust contrastive learning against noisy views", CVPR 2022
       (the same idea of a symmetric, bounded loss).

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import RobustInfoNCELoss
    >>> a = torch.eye(2)
    >>> wrong = RobustInfoNCELoss(q=0.5)(a, a.flip(0))  # InfoNCE is 5 here
    >>> round(wrong.item(), 2)
    1.84
    """

    def __init__(self, temperature: float = 0.2, q: float = 0.7) -> None:
        super().__init__()
        self.temperature = temperature
        self.q = q
        self.scale = Temperature(temperature, learn=False)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        return fused(partial(_robust, q=self.q), a, b, self.scale().to(a.dtype))


def _robust(
    a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor, *, q: float, wants_grad: bool
) -> tuple[torch.Tensor, tuple]:
    """Return the generalised cross-entropy and its gradients."""
    partitions = log_partitions(a, b, scale)
    rows = ((partitions.partner - partitions.of_rows) * q).exp()
    columns = ((partitions.partner - partitions.of_columns) * q).exp()
    loss = (1 - (rows + columns).mean() / 2) / q
    if not wants_grad:
        return loss, ()
    rows, columns = rows * (0.5 / len(a)), columns * (0.5 / len(a))
    return loss, softmax_gradients(a, b, scale, partitions, rows, columns, rows + columns)
