"""The translation network with a classifier on its joint vectors, and the loss of both."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from torch import nn

from ..translation._network import JointNetwork, PairwiseLoss, are_there, mean_by_rows

# Logits of unit vectors lie within the norms of the weights: too close together to be certain
# of a class, unless they are scaled.
_SCALE = 10.0

_RAREST = 1e-3  # what a class is taken for that no pair seems to have
# How much of an estimate a batch leaves as it is; there are fewer held-out batches.
_MEMORY, _MEMORY_HELD_OUT = 0.9, 0.7
_MOST_WEIGHT = 100.0  # of a held-out pair of the rarest class

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

    def forward(self, blocks: tuple[torch.Tensor, ...]) -> Outputs:  # type: ignore[override]
        """Return joint vectors and logits of each modality; ``NaN`` where it is missing."""
        joint = super().forward(blocks)
        logits = []
        for vectors in joint:
            # Only what is present: the gradient of anything times NaN is NaN.
            present = are_there(vectors)
            scores = vectors.new_full((len(vectors), self.head.out_features), torch.nan)
            scores[present] = self.classify(vectors[present])
            logits.append(scores)
        return joint, logits

    def classify(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the logits of joint vectors, all classes taken for equally frequent."""
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
        Weight of the agreement in pairs without a label.
    teachers : tuple of int
        Modalities with labels.
    frequency : array of shape (n_classes,)
        Share of each class among the labelled samples.
    n_modalities : int
        Number of modalities.
    held_out : bool
        Whether there are held-out rows, which tell better than those learned how many pairs are
        wrong.
    label_of : int array of shape (n_classes + 1,) or None, default=None
        What ``loss`` knows each class by, and -1; ``None`` are the numbers of the classes.

    Notes
    -----
    Every cross-entropy is of logits to which the logarithm of the classes' frequency is added
    (Menon et al., ICLR 2021), so that the logits themselves hold for equally frequent classes,
    whatever the frequencies among labelled samples and among pairs, which differ.

    In a pair, the teacher's classes are a noisy label of the student. What is seen is a mixture:
    a share of pairs is wrong, and then the class is a random one (the forward correction of
    Patrini et al., CVPR 2017). That share and the classes' frequency among pairs are estimated
    by steps of expectation and maximisation, along with the weights. Held-out pairs count by the
    rarity of their class: training goes on after the rare classes, of which there are few right
    pairs, have been learned by heart, and the loss of all pairs would not tell.
    """

    frequency: torch.Tensor
    pair_frequency: torch.Tensor
    wrong: torch.Tensor
    label_of: torch.Tensor | None

    def __init__(
        self,
        loss: nn.Module,
        alpha: float,
        agreement: float,
        teachers: tuple[int, ...],
        frequency: np.ndarray,
        n_modalities: int,
        held_out: bool,
        label_of: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.translation = PairwiseLoss(loss)
        self.alpha = alpha
        self.agreement = agreement
        self.teachers = teachers
        self.held_out = held_out
        n_classes = len(frequency)
        known_by = None if label_of is None else torch.as_tensor(label_of)
        self.register_buffer("label_of", known_by, persistent=False)
        self.register_buffer("frequency", torch.as_tensor(frequency, dtype=torch.float32))
        self.register_buffer("pair_frequency", torch.full((n_modalities, n_classes), 1 / n_classes))
        self.register_buffer("wrong", torch.full((n_modalities, n_modalities), 0.5))

    def forward(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch, labels ``(n, n_modalities)`` with -1 for none."""
        joint, logits = outputs
        # The label of no class is the last, which -1 finds.
        known_by = labels if self.label_of is None else self.label_of[labels]
        total = self.translation(joint, known_by)
        logits = [scores.float() for scores in logits]
        present = [are_there(vectors) for vectors in joint]
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
        return nn.functional.cross_entropy(scores + self.frequency.log(), wanted)

    def _agreement(
        self, logits: list[torch.Tensor], present: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean cross-entropy from teachers to partners, in unlabelled rows."""
        losses, n_rows = [], []
        for teacher, student in permutations(range(len(logits)), 2):
            unknown = (labels[:, teacher] < 0) & (labels[:, student] < 0)
            rows = present[teacher] & present[student] & unknown
            n_unknown = int(rows.sum()) if teacher in self.teachers else 0
            if n_unknown:
                losses.append(self._teach(teacher, student, logits, rows))
                n_rows.append(n_unknown)
        return mean_by_rows(losses, n_rows) if losses else logits[0].new_zeros(())

    def _teach(
        self, teacher: int, student: int, logits: list[torch.Tensor], rows: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross-entropy of one modality with what another says of the same rows."""
        frequency = self.pair_frequency[teacher].clone()
        wrong = self.wrong[teacher, student].clone()
        said = (logits[teacher][rows].detach() + frequency.log()).softmax(dim=1)
        right = (1 - wrong) * (logits[student][rows] + frequency.log()).softmax(dim=1)
        seen = right + wrong * frequency
        losses = -(said * seen.log()).sum(dim=1)
        with torch.no_grad():
            share = 1 - (said * right / seen).sum(dim=1).mean()
        if self.training:
            mean = said.mean(dim=0).clamp(min=_RAREST)
            self.pair_frequency[teacher].lerp_(mean / mean.sum(), 1 - _MEMORY)
            if not self.held_out:
                self.wrong[teacher, student].lerp_(share, 1 - _MEMORY)
            return losses.mean()
        self.wrong[teacher, student].lerp_(share, 1 - _MEMORY_HELD_OUT)
        weights = (said / frequency.clamp(min=1 / _MOST_WEIGHT)).sum(dim=1)
        return (weights * losses).sum() / weights.sum()
