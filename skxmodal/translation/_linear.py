"""A linear layer by the quickest products."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ..utils._products import product, product_of_columns


def linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return ``rows @ weight.T + bias``, ``(n, n_in)`` to ``(n, n_out)``."""
    if torch.is_autocast_enabled(rows.device.type):
        return torch.nn.functional.linear(rows, weight, bias)  # which rounds its inputs
    return _Linear.apply(rows, weight, bias)


class _Linear(torch.autograd.Function):
    """A linear layer of which oneDNN does the product and both gradients."""

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(rows, weight)
        return product(rows, weight).add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        (grad,) = grads
        rows, weight = ctx.saved_tensors
        grad_rows = product(grad, weight.T) if ctx.needs_input_grad[0] else None
        return grad_rows, product_of_columns(grad, rows), grad.sum(dim=0)
