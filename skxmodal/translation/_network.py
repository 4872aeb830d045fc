"""The translation network: one small perceptron per modality, into one space."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import nn

from ._distributed import BatchNorm, count_everywhere, gather_rows, n_processes
from ._linear import linear
from ._training_data import MIN_BATCH

#: Stands for a vector that is missing. No unit vector has it, nor has a network that diverged.
MISSING = torch.inf


class InputLayer(nn.Linear):
    """A linear layer whose inputs are first centred, and all divided by one scale.

    The layer could learn that. It is done beforehand because inputs far from zero (log
    spectra, rectified features) turn every small step of the weights into a large shift of the
    hidden units, which the running statistics of batch normalisation then trail: the network
    would be judged, and stopped, by statistics that are out of date.

    In training the map is folded into the weights, so that the inputs, by far the largest
    arrays of a step, are read once and never copied.

    The bias stays as it was drawn: batch normalisation takes any constant away, so its gradient
    is zero but for rounding, which Adam would scale up to steps that differ from machine to
    machine.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: np.ndarray, scale: float, n_out: int) -> None:
        super().__init__(len(mean), n_out)
        self.bias.requires_grad_(False)
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def reset_parameters(self) -> None:
        """Leave the weights as they are: nothing is drawn from the global generator."""

    def forward(self, block: torch.Tensor) -> torch.Tensor:
        """Map rows ``(n, width)``."""
        if self.training and not torch.is_autocast_enabled(block.device.type):
            weight = self.weight / self.scale
            return linear(block, weight, self.bias - weight @ self.mean)
        # Every digit counts: what is far from zero is centred before anything is rounded.
        return super().forward((block - self.mean) / self.scale)


class OutputLayer(nn.Linear):
    """A linear layer by the quickest product."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map rows ``(n, hidden_dim)``."""
        return linear(hidden, self.weight, self.bias)


class JointNetwork(nn.Module):
    """A two-layer perceptron per modality: Linear, BatchNorm, ELU, Linear, unit length.

    Parameters
    ----------
    moments : tuple of (mean, scale)
        For each modality, the mean of its inputs ``(width,)`` and their overall scale.
    hidden_dim, n_components : int
        Width of the hidden layer and of the joint space.
    seed : int
        Draws the initial weights, without touching torch's global generator.
    """

    def __init__(
        self,
        moments: tuple[tuple[np.ndarray, float], ...],
        hidden_dim: int,
        n_components: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.n_components = n_components
        generator = torch.Generator().manual_seed(seed)
        self.perceptrons = nn.ModuleList(
            nn.Sequential(
                _draw(InputLayer(mean, scale, hidden_dim), generator),
                BatchNorm(hidden_dim),
                nn.ELU(inplace=True),  # batch normalisation needs its input again, not its output
                _draw(nn.utils.skip_init(OutputLayer, hidden_dim, n_components), generator),
            )
            for mean, scale in moments
        )

    def forward(self, blocks: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
        """Project row-aligned blocks; a row of NaN (a missing modality) becomes ``MISSING``."""
        return [self.project(index, block) for index, block in enumerate(blocks)]

    def project(self, index: int, block: torch.Tensor) -> torch.Tensor:
        """Project the rows of one modality, ``(n, width)`` to ``(n, n_components)``."""
        perceptron = self.perceptrons[index]
        present = ~torch.isnan(block[:, 0])
        shared = self.training and n_processes() > 1
        complete = bool(present.all())
        if complete and not shared:
            return nn.functional.normalize(perceptron(block))
        joint = block.new_full((len(block), self.n_components), MISSING)
        # A single row has no batch statistics; without a vector it teaches nothing this time.
        # Processes that share a batch decide alike, also those that have no row of it.
        n_present = count_everywhere(present) if shared else int(present.sum())
        if n_present >= (MIN_BATCH if self.training else 1):
            rows = block if complete else block[present]
            joint[present] = nn.functional.normalize(perceptron(rows)).to(joint.dtype)
        return joint


class PairwiseLoss(nn.Module):
    """The mean of a loss of two modalities over all pairs of modalities that share rows.

    Every pair of modalities counts by the rows that it has. A loss whose attribute
    ``needs_labels`` is true is also called with the labels of both.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.told = True

    def forward(self, joint: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch, ``labels`` ``(n, n_modalities)`` or empty."""
        # Similarities are sums over many dimensions, and differences of them: float32.
        joint = gather_rows(*(vectors.float() for vectors in joint))
        if getattr(self.loss, "needs_labels", False):
            (labels,) = gather_rows(labels)
        present = [are_there(vectors) for vectors in joint]
        losses, n_rows = [], []
        for first, second in combinations(range(len(joint)), 2):
            both = present[first] & present[second]
            arguments = [joint[first], joint[second]]
            if getattr(self.loss, "needs_labels", False):
                arguments += [labels[:, first], labels[:, second]]
            n_both = len(both)
            if not bool(both.all()):
                n_both = int(both.sum())
                if n_both < MIN_BATCH:
                    continue
                arguments = [argument[both] for argument in arguments]
            losses.append(self.loss(*arguments))
            n_rows.append(n_both)
        # A batch whose modalities never meet teaches nothing, and tells nothing.
        self.told = bool(losses)
        if not losses:
            # It must stay differentiable all the same.
            return sum((v[here] * 0).sum() for v, here in zip(joint, present))  # type: ignore[return-value]
        return mean_by_rows(losses, n_rows)


def are_there(vectors: torch.Tensor) -> torch.Tensor:
    """Tell which joint vectors are not missing; those that are NaN are there."""
    return vectors[:, 0] != MISSING


def mean_by_rows(losses: list[torch.Tensor], n_rows: list[int]) -> torch.Tensor:
    """Return the mean of losses, each of which counts by its rows."""
    total = sum(n_rows)
    return sum(loss * (n / total) for loss, n in zip(losses, n_rows))  # type: ignore[return-value]


def _draw(layer: nn.Linear, generator: torch.Generator) -> nn.Linear:
    """Draw PyTorch's usual initial weights of a linear layer from ``generator``."""
    bound = layer.in_features**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer
