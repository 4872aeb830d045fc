"""The sigmoid loss: every cell of the similarity matrix is a yes-no question."""

from __future__ import annotations

import torch
from torch import nn

from ..utils._products import product, product_of_columns
from ._fused import fused, similarity_blocks
from ._softmax_loss import Temperature


class SigmoidLoss(nn.Module):
    """Logistic loss of telling partners from others, with learnable temperature and bias.

    ``mean over i of sum over j of log(1 + exp(-z_ij (s_ij / temperature + bias)))`` with
    ``z_ij`` = 1 for partners and -1 for others. The loss and its exact gradient are computed
    block by block of rows: no ``n x n`` matrix is ever kept.

    Parameters
    ----------
    temperature : float, default=0.1
        Similarities are divided by it; the initial value.
    bias : float, default=-10.0
        Added to the logits; the initial value, which makes partners rare from the start.
    learn_temperature : bool, default=True
        Whether temperature and bias are learnt.

    References
    ----------
    .. [1] X. Zhai, B. Mustafa, A. Kolesnikov and L. Beyer, "Sigmoid loss for language image
       pre-training", ICCV 2023, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import SigmoidLoss
    >>> a = torch.eye(2)
    >>> round(SigmoidLoss(temperature=0.1, bias=-5.0)(a, a).item(), 4)
    0.0134
    """

    bias: torch.Tensor

    def __init__(
        self, temperature: float = 0.1, bias: float = -10.0, learn_temperature: bool = True
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.scale = Temperature(temperature, learn_temperature)
        if learn_temperature:
            self.bias = nn.Parameter(torch.tensor(float(bias)))
        else:
            self.register_buffer("bias", torch.tensor(float(bias)))

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        return fused(_sigmoid, a, b, self.scale().to(a.dtype), self.bias.to(a.dtype))


def _sigmoid(
    a: torch.Tensor,
    b: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    *,
    wants_grad: bool,
) -> tuple[torch.Tensor, tuple]:
    """Return the sigmoid loss and its gradients."""
    n = len(a)
    total = a.new_zeros(())
    slope = a.new_zeros(())
    grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
    scaled = a * scale
    for rows, block, partners in similarity_blocks(scaled, b):
        block.add_(bias)
        # log(1 + exp(-u)) = log(1 + exp(u)) - u: partners differ from others by their logit.
        total += nn.functional.softplus(block).sum() - partners.sum()
        if wants_grad:
            block.sigmoid_()
            partners.sub_(1)
            slope += block.sum()
            grad_a[rows] = product(block, b.T)
            grad_b += product_of_columns(block, a[rows])
    loss = total / n
    if not wants_grad:
        return loss, ()
    return loss, (
        grad_a * (scale / n),
        grad_b * (scale / n),
        (a * grad_a).sum() / n,
        slope / n,
    )
