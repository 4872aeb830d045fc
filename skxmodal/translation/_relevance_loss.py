"""A loss for pairs of which some are labelled: labels say which rows are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ._fused import fused
from ._softmax_loss import Temperature, log_partitions, softmax_gradients


class RelevanceLoss(nn.Module):
    """Cross-entropy of finding relevant rows among the batch, both directions averaged.

    Instead of the partner alone, every row of a relevant label is an answer, in proportion to
    its relevance: ``mean over i of (logsumexp_j u_ij - sum_j t_ij u_ij)`` with ``u`` the
    similarities over the temperature, ``t_ij`` proportional to the relevance of the two labels
    and ``t_ii`` as if it were 1. A row without a label (-1) has its partner only, so that
    without any label this is :class:`InfoNCELoss`. The targets are never formed: sums of the
    vectors of a label do.

    Parameters
    ----------
    relevance : array of shape (n_labels, n_labels) or None, default=None
        How relevant a row of one label is for a row of another, at least 0; it is divided by
        its maximum. Labels are then row numbers. ``None``: the same label only, and labels may
        be any numbers.
    temperature : float, default=0.1
        Similarities are divided by it.
    learn_temperature : bool, default=False
        Whether the temperature is learnt, from the given value on.

    Attributes
    ----------
    needs_labels : bool
        True: :class:`ContrastiveTranslator` hands the labels given to ``fit`` to ``forward``.

    References
    ----------
    .. [1] P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020, equation 2.
    .. [2] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 3.3 (graded relevance between labels).

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import InfoNCELoss, RelevanceLoss
    >>> a, unlabelled = torch.eye(3), torch.tensor([-1, -1, -1])
    >>> loss = RelevanceLoss()(a, a, unlabelled, unlabelled)
    >>> torch.allclose(loss, InfoNCELoss()(a, a))
    True
    """

    needs_labels = True
    relevance: torch.Tensor | None

    def __init__(
        self, relevance: Any = None, temperature: float = 0.1, learn_temperature: bool = False
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.scale = Temperature(temperature, learn_temperature)
        self.register_buffer("relevance", _checked(relevance))

    def forward(
        self,
        a: torch.Tensor,
        b: torch.Tensor,
        labels_a: torch.Tensor,
        labels_b: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors and their labels, a scalar."""
        codes_a, codes_b, relevance = self._look_up(labels_a, labels_b, a.dtype)
        scale = self.scale().to(a.dtype)
        partition = fused(_mean_log_partition, a, b, scale)
        answered = _answers(a, b, codes_a, codes_b, relevance)
        answered = answered + _answers(b, a, codes_b, codes_a, relevance.T)
        return partition - scale * answered / 2

    def _look_up(
        self, labels_a: torch.Tensor, labels_b: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Turn labels into rows of a relevance matrix whose last row, of unlabelled, is 0."""
        labels = torch.cat([labels_a, labels_b])
        if self.relevance is None:
            known, codes = torch.unique(labels, return_inverse=True)
            codes = torch.where(labels < 0, len(known), codes)
            relevance = torch.eye(len(known), dtype=dtype, device=labels.device)
        else:
            relevance = self.relevance.to(dtype)
            if int(labels.max()) >= len(relevance):
                raise ValueError(
                    f"label {int(labels.max())} has no row in a relevance of shape "
                    f"{tuple(relevance.shape)}"
                )
            codes = torch.where(labels < 0, len(relevance), labels)
        relevance = nn.functional.pad(relevance, (0, 1, 0, 1))
        return codes[: len(labels_a)], codes[len(labels_a) :], relevance


def _answers(
    anchors: torch.Tensor,
    others: torch.Tensor,
    codes: torch.Tensor,
    other_codes: torch.Tensor,
    relevance: torch.Tensor,
) -> torch.Tensor:
    """Return the mean over anchors of their similarity to what is relevant for them."""
    n_labels = len(relevance)
    sums = others.new_zeros(n_labels, others.shape[1]).index_add(0, other_codes, others)
    counts = torch.bincount(other_codes, minlength=n_labels).to(others.dtype)
    own = 1 - relevance[codes, other_codes]
    wanted = (relevance @ sums)[codes] + own[:, None] * others
    amount = (relevance @ counts)[codes] + own
    return ((anchors * wanted).sum(dim=1) / amount).mean()


def _mean_log_partition(
    a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor, *, wants_grad: bool
) -> tuple[torch.Tensor, tuple]:
    """Return the mean log sum exp of rows and columns, and its gradients."""
    partitions = log_partitions(a, b, scale)
    loss = (partitions.of_rows + partitions.of_columns).mean() / 2
    if not wants_grad:
        return loss, ()
    half = torch.full_like(partitions.partner, 0.5 / len(a))
    none = torch.zeros_like(half)
    return loss, softmax_gradients(a, b, scale, partitions, half, half, none)


def _checked(relevance: Any) -> torch.Tensor | None:
    """Return a relevance matrix as a tensor of maximum 1."""
    if relevance is None:
        return None
    matrix = np.asarray(relevance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"relevance must be a square matrix, got the shape {matrix.shape}")
    if not np.isfinite(matrix).all() or matrix.min() < 0 or matrix.max() <= 0:
        raise ValueError("relevance must be finite, nowhere negative, and positive somewhere")
    return torch.as_tensor(matrix / matrix.max())
