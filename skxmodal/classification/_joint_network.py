"""The translation network with a classifier on its joint vectors, and the loss of both."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from torch import nn

from ..translation._network import JointNetwork, PairwiseLoss

# Logits of unit vectors lie within the norms of the weights: too close together to be certain
# of a class, unless they are scaled.
_SCALE = 10.0

_RAREST = 1e-4  # what a class is taken for that no unlabelled row seems to have

Outputs = tuple[list[torch.Tensor], list[torch.Tensor]]


class JointClassifierNetwork(JointNetwork):
    """A translation network and one linear layer, which reads the joint vectors of any modality.

    Parameters
    ----------
    moments, hidden_dim, n_components, seed
        As for :class:`JointNetwork`.
    n_classes : int
        Number of classes.
    """

    def __init__(
        self,
        moments: tuple[tuple[np.ndarray, float], ...],
        hidden_dim: int,
        n_components: int,
        seed: int,
        n_classes: int,
    ) -> None:
        super().__init__(moments, hidden_dim, n_components, seed)
        self.head = nn.utils.skip_init(nn.Linear, n_components, n_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, blocks: tuple[torch.Tensor, ...]) -> Outputs:
        """Return joint vectors and logits of each modality; ``NaN`` where it is missing."""
        joint = super().forward(blocks)
        logits = []
        for vectors in joint:
            # Only what is present: the gradient of anything times NaN is NaN.
            present = ~torch.isnan(vectors[:, 0])
            scores = vectors.new_full((len(vectors), self.head.out_features), torch.nan)
            scores[present] = self.classify(vectors[present])
            logits.append(scores)
        return joint, logits

    def classify(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the logits of joint vectors, ``(n, n_classes)``."""
        return self.head(_SCALE * vectors)


class JointLoss(nn.Module):
    """Translation, classification, and agreement about what has no label.

    Parameters
    ----------
    loss : torch.nn.Module
        Contrastive loss of two modalities.
    alpha : float
        Weight of the cross-entropy of labelled samples.
    agreement : float
        Weight of the cross-entropy between what a modality with labels (the teacher) says of an
        unlabelled row and what its partner says.
    teachers : tuple of int
        Modalities with labels.
    """

    def __init__(
        self, loss: nn.Module, alpha: float, agreement: float, teachers: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.translation = PairwiseLoss(loss)
        self.alpha = alpha
        self.agreement = agreement
        self.teachers = teachers

    def forward(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch, labels ``(n, n_modalities)`` with -1 for none."""
        joint, logits = outputs
        total = self.translation(joint, labels)
        logits = [scores.float() for scores in logits]
        present = [~torch.isnan(scores[:, 0]) for scores in logits]
        if self.alpha:
            total = total + self.alpha * self._classification(logits, present, labels)
        if self.agreement:
            total = total + self.agreement * self._agreement(logits, present, labels)
        return total

    def _classification(
        self, logits: list[torch.Tensor], present: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean cross-entropy over all labelled samples."""
        known = [here & (labels[:, index] >= 0) for index, here in enumerate(present)]
        scores = torch.cat([scores[rows] for scores, rows in zip(logits, known)])
        if not len(scores):
            return scores.sum()
        wanted = torch.cat([labels[rows, index] for index, rows in enumerate(known)])
        return nn.functional.cross_entropy(scores, wanted)

    def _agreement(
        self, logits: list[torch.Tensor], present: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean cross-entropy from teachers to partners, in unlabelled rows.

        The student's logits are adjusted by the frequency of each class among what the teacher
        says (Menon et al., ICLR 2021): where pairs are skewed and wrong ones among them, the
        frequent classes would otherwise be right about everything.
        """
        losses = []
        for teacher, student in permutations(range(len(logits)), 2):
            unknown = (labels[:, teacher] < 0) & (labels[:, student] < 0)
            rows = present[teacher] & present[student] & unknown
            if teacher in self.teachers and bool(rows.any()):
                target = logits[teacher][rows].detach().softmax(dim=1)
                frequency = target.mean(dim=0).clamp(min=_RAREST)
                adjusted = logits[student][rows] + frequency.log()
                losses.append(nn.functional.cross_entropy(adjusted, target))
        return torch.stack(losses).mean() if losses else logits[0].new_zeros(())
