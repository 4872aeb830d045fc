"""Losses of the second moments of the joint vectors: no similarity matrix at all."""

from __future__ import annotations

import torch
from torch import nn


class SpectralLoss(nn.Module):
    """The spectral contrastive loss, in its closed form.

    ``-2 radius mean of s_ii + radius^2 mean over i != j of s_ij^2`` for rows scaled to the
    squared length ``radius``. The sum of all squared similarities is the inner product of the
    two modalities' second moments, ``d x d`` each: time and memory grow with ``n d`` only. At
    its minimum the vectors span the leading eigenspace of the graph of which rows are
    partners, which random mispairing blurs less than it moves a margin.

    Parameters
    ----------
    radius : float, default=3.0
        Squared length of the vectors; a larger one spreads them over more dimensions.

    References
    ----------
    .. [1] J. Z. HaoChen, C. Wei, A. Gaidon and T. Ma, "Provable guarantees for self-supervised
       deep learning with spectral contrastive loss", NeurIPS 2021, equation 6.

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import SpectralLoss
    >>> a = torch.eye(2)
    >>> SpectralLoss(radius=1.0)(a, a).item()
    -2.0
    """

    def __init__(self, radius: float = 3.0) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        n = len(a)
        partner = (a * b).sum(dim=1)
        squares = ((a.T @ a) * (b.T @ b)).sum() - partner.square().sum()
        return -2 * self.radius * partner.mean() + self.radius**2 * squares / (n * (n - 1))


class VICRegLoss(nn.Module):
    """Variance, invariance and covariance regularisation: no negatives.

    Partners are drawn together (mean squared difference), every dimension is kept spread (a
    hinge on its standard deviation) and dimensions are decorrelated (squared off-diagonal
    covariances), in each modality by itself. Unit vectors are first scaled by ``sqrt(d)``, so
    that a dimension may have unit variance.

    Parameters
    ----------
    invariance, variance, covariance : float, default=25.0, 25.0, 1.0
        Weights of the three terms.

    References
    ----------
    .. [1] A. Bardes, J. Ponce and Y. LeCun, "VICReg: variance-invariance-covariance
       regularization for self-supervised learning", ICLR 2022, section 4.1.

    Examples
    --------
    >>> import torch
    >>> from skxmodal.translation import VICRegLoss
    >>> a = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> VICRegLoss()(a, a).item()
    0.0
    """

    def __init__(
        self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
    ) -> None:
        super().__init__()
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the loss of row-aligned unit vectors, a scalar."""
        d = a.shape[1]
        a, b = a * d**0.5, b * d**0.5
        loss = self.invariance * nn.functional.mse_loss(a, b)
        for rows in (a, b):
            centred = rows - rows.mean(dim=0)
            covariance = centred.T @ centred / (len(rows) - 1)
            variances = covariance.diagonal()
            # The root has no slope at 0: a collapsed dimension would get an infinite gradient.
            spread = (variances + 1e-4).sqrt()
            off_diagonal = covariance.square().sum() - variances.square().sum()
            loss = loss + self.variance / 2 * (1 - spread).clamp(min=0).mean()
            loss = loss + self.covariance * off_diagonal / d
        return loss
