"""Contrastive losses of paired unit vectors; in-batch negatives.

Each is a module called with the joint vectors of two modalities, ``(n, d)`` and row-aligned:
row ``i`` of one is the partner of row ``i`` of the other, every other row is a negative.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

_BLOCK_ROWS = 512


class _MarginFunction(torch.autograd.Function):
    """The margin loss and its exact gradient, block by block of rows.

    With ``s = a b^T`` the derivative of the loss is a matrix of zeros and constants, so it is
    formed beside the loss and multiplied out at once: no ``n x n`` matrix is ever kept.
    """

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, margin: float) -> torch.Tensor:
        n = len(a)
        positive = (a * b).sum(dim=1)
        scale = 1.0 / (n * (n - 1))
        total = a.new_zeros(())
        grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
        for start in range(0, n, _BLOCK_ROWS):
            rows = slice(start, min(start + _BLOCK_ROWS, n))
            violation = a[rows] @ b.T
            violation += (margin - positive[rows])[:, None]
            violation.clamp_(min=0)
            diagonal = torch.arange(rows.start, rows.stop, device=a.device)
            violation[diagonal - rows.start, diagonal] = 0
            total += violation.sum()
            active = violation.sign_()
            active[diagonal - rows.start, diagonal] = -active.sum(dim=1)
            grad_a[rows] = active @ b
            grad_b += active.T @ a[rows]
        ctx.save_for_backward(grad_a.mul_(scale), grad_b.mul_(scale))
        return total * scale

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        (grad,) = grads
        grad_a, grad_b = ctx.saved_tensors
        return grad * grad_a, grad * grad_b, None


class MarginLoss(nn.Module):
    """``mean over i != j of max(0, margin - s_ii + s_ij)``, with ``s`` the cosine similarity.

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
    """

    def __init__(self, margin: float = 1.0, symmetric: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.symmetric = symmetric

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        loss = _MarginFunction.apply(a, b, self.margin)
        if self.symmetric:
            loss = (loss + _MarginFunction.apply(b, a, self.margin)) / 2
        return loss


class InfoNCELoss(nn.Module):
    """Cross-entropy of finding the partner among the batch, both directions averaged.

    Parameters
    ----------
    temperature : float, default=0.1
        Similarities are divided by it.

    References
    ----------
    .. [1] A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive
       predictive coding", 2018, equation 4.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        logits = a @ b.T / self.temperature
        partner = torch.arange(len(a), device=a.device)
        return (
            nn.functional.cross_entropy(logits, partner)
            + nn.functional.cross_entropy(logits.T, partner)
        ) / 2


def make_loss(loss: str | nn.Module, *, margin: float, temperature: float) -> nn.Module:
    """Return the loss module for a name, or a copy of a module: training may change it."""
    if isinstance(loss, nn.Module):
        return copy.deepcopy(loss)
    makers = {
        "margin": lambda: MarginLoss(margin),
        "symmetric_margin": lambda: MarginLoss(margin, symmetric=True),
        "infonce": lambda: InfoNCELoss(temperature),
    }
    if not isinstance(loss, str) or loss not in makers:
        raise ValueError(
            f"loss must be one of {', '.join(map(repr, makers))} or a torch.nn.Module, got {loss!r}"
        )
    return makers[loss]()
