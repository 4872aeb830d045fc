"""Matrix products of tensors by the quicker of PyTorch's two libraries.

On a processor PyTorch multiplies matrices by a BLAS, and images with kernels by oneDNN. A
convolution of one pixel is the same product. Intel's BLAS, which PyTorch is built with, leaves
half of an AMD processor unused: 110 GFLOP/s a core where oneDNN does 230 (an EPYC with AVX-512).
"""

from __future__ import annotations

from typing import Any

import torch

# oneDNN packs the others at every call, which takes as long as the product of so many rows gains.
_FEWEST_ROWS = 64


def product(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return ``rows @ others.T``, of ``(n, k)`` and ``(m, k)``, in memory of its own."""
    if len(rows) < _FEWEST_ROWS or not _by_onednn(rows, others):
        return rows @ others.T
    pixels = torch.mkldnn_convolution(
        _as_image(rows), others[:, :, None, None], None, (0, 0), (1, 1), (1, 1), 1
    )
    return _as_rows(pixels)


def product_of_columns(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return ``rows.T @ others``, of ``(n, k)`` and ``(n, m)``: the gradient of a kernel."""
    if not _by_onednn(rows, others):
        return rows.T @ others
    kernel = rows.new_empty((rows.shape[1], others.shape[1], 1, 1))  # only its shape counts
    _, grad, _ = torch.ops.aten.convolution_backward(
        _as_image(rows),
        _as_image(others),
        kernel,
        None,
        *((1, 1), (0, 0), (1, 1)),
        False,
        (0, 0),
        1,
        (False, True, False),
    )
    return grad[:, :, 0, 0]


def _by_onednn(*matrices: torch.Tensor) -> bool:
    """Tell whether oneDNN takes these, and as they are: users may have allowed it fewer bits."""
    onednn: Any = torch.backends.mkldnn
    if not (onednn.is_available() and onednn.enabled) or torch.is_autocast_enabled("cpu"):
        return False
    return onednn.conv.fp32_precision in ("none", "ieee") and all(
        matrix.device.type == "cpu" and matrix.dtype == torch.float32 and matrix.numel() > 0
        for matrix in matrices
    )


def _as_image(rows: torch.Tensor) -> torch.Tensor:
    """Return an image of one column, its channels last: a view of the rows in memory."""
    return rows.contiguous().view(1, len(rows), 1, -1).permute(0, 3, 1, 2)


def _as_rows(image: torch.Tensor) -> torch.Tensor:
    return image.permute(0, 2, 3, 1).reshape(image.shape[2], -1)
