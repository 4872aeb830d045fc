"""What the losses share: gradients formed beside the value, block by block of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ..utils._products import product

#: A block of similarities has 8 MB: large enough for products near the processor's limit.
BLOCK_ELEMENTS = 2**21
_MIN_BLOCK_ROWS = 32
#: Of 4 MB, and tall: products with it were measured to be quicker than with whole rows.
TILE_ROWS, TILE_COLUMNS = 2048, 512


class FusedFunction(torch.autograd.Function):
    """A scalar loss whose exact gradients are computed in the forward pass.

    With similarities ``s = a b^T`` the gradient of a contrastive loss is ``G b`` and ``G^T a``
    for a matrix ``G`` that is cheap to form from a block of rows of ``s`` while the block is
    at hand. So nothing of ``n x n`` elements is ever kept, and ``s`` is not computed twice.

    ``compute(*tensors, wants_grad=...)`` returns the loss and a gradient for each tensor.
    """

    @staticmethod
    def forward(
        ctx: Any, compute: Callable, wants_grad: bool, *tensors: torch.Tensor
    ) -> torch.Tensor:
        loss, grads = compute(*tensors, wants_grad=wants_grad)
        ctx.save_for_backward(*grads)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        (grad,) = grads
        return None, None, *(grad * saved for saved in ctx.saved_tensors)


def fused(compute: Callable, *tensors: torch.Tensor) -> torch.Tensor:
    """Apply a :class:`FusedFunction`, without gradients where nobody wants them."""
    wants_grad = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if not wants_grad:
        return compute(*(tensor.detach() for tensor in tensors), wants_grad=False)[0]
    return FusedFunction.apply(compute, True, *tensors)


def similarity_blocks(
    a: torch.Tensor, b: torch.Tensor
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Yield rows, their similarities ``a[rows] @ b.T`` and the view of the partners in it.

    The caller may overwrite a block.
    """
    n = len(a)
    n_rows = min(n, max(_MIN_BLOCK_ROWS, BLOCK_ELEMENTS // n))
    for start in range(0, n, n_rows):
        rows = slice(start, min(start + n_rows, n))
        block = product(a[rows], b)
        yield rows, block, block.diagonal(start)


def similarity_tiles(
    a: torch.Tensor, b: torch.Tensor
) -> Iterator[tuple[slice, slice, torch.Tensor, torch.Tensor]]:
    """Yield rows, columns, their similarities ``a[rows] @ b[columns].T`` and the partners in them.

    For losses that need no row as a whole. The caller may overwrite a tile; the view of the
    partners is empty where the tile has none.
    """
    n = len(a)
    for top in range(0, n, TILE_ROWS):
        rows = slice(top, min(top + TILE_ROWS, n))
        for left in range(0, n, TILE_COLUMNS):
            columns = slice(left, min(left + TILE_COLUMNS, n))
            tile = product(a[rows], b[columns])
            yield rows, columns, tile, tile.diagonal(top - left)
