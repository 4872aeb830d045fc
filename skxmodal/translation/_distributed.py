"""Training on several processes: each takes a share of every batch, all take the same step.

The rows that a process reads and projects are its own. Batch statistics are those of the whole
batch, the projected rows of all processes are gathered before the loss, so that every row has
the negatives of the whole batch, and gradients are summed. The step is that of one process with
the same batch, up to rounding. Nothing here is used unless :func:`shared_training` is entered.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import distributed, nn
from torch.autograd.function import once_differentiable

_SHARED: ContextVar[bool] = ContextVar("shared_training", default=False)
_ROWS_COMPARED = 64
#: What may differ between processes: where each computes, and what it tells.
_OWN_PARAMETERS = ("device", "verbose", "callbacks", "sampler", "loss", "random_state")


@contextmanager
def shared_training() -> Iterator[None]:
    """Train together with the other processes of the default process group."""
    if not (distributed.is_available() and distributed.is_initialized()):
        raise ValueError(
            "distributed=True needs a process group: start the script by torchrun, and call "
            "torch.distributed.init_process_group() before fit"
        )
    token = _SHARED.set(True)
    try:
        yield
    finally:
        _SHARED.reset(token)


def n_processes() -> int:
    """Return how many processes train together, 1 outside of :func:`shared_training`."""
    return distributed.get_world_size() if _SHARED.get() else 1


def is_first() -> bool:
    """Tell whether this process speaks for all."""
    return not _SHARED.get() or distributed.get_rank() == 0


def own_share(index: np.ndarray) -> np.ndarray:
    """Return the rows of a batch that are this process's."""
    if n_processes() == 1:
        return index
    return np.array_split(index, n_processes())[distributed.get_rank()]


def own_device(device: str) -> str:
    """Return the GPU of this process where several of a machine would share ``"cuda"``."""
    if device != "cuda" or n_processes() == 1:
        return device
    local = int(os.environ.get("LOCAL_RANK", distributed.get_rank()))
    return f"cuda:{local % torch.cuda.device_count()}"


def agree(
    array: np.ndarray, parameters: dict[str, Any], random_state: Any, device: str
) -> np.random.RandomState:
    """Raise unless all processes fit the same; return a random state that is the same in all."""
    random = check_random_state(random_state)
    if random_state is None:
        seed = torch.tensor([random.randint(np.iinfo(np.int32).max)], device=device)
        distributed.broadcast(seed, 0)
        random = np.random.RandomState(int(seed))
    some = np.linspace(0, len(array) - 1, min(len(array), _ROWS_COMPARED)).astype(int)
    common = {name: repr(v) for name, v in parameters.items() if name not in _OWN_PARAMETERS}
    content = repr((array.shape, sorted(common.items()), random.get_state())).encode()
    digest = hashlib.blake2b(content + array[some].tobytes(), digest_size=7).digest()
    own = torch.tensor([int.from_bytes(digest, "big")], device=device)
    if len(set(torch.stack(_gather_equal(own)).flatten().tolist())) > 1:
        raise ValueError(
            "distributed=True fits one translator on all processes, which here have different "
            "tables, parameters or seeds: give each process the same"
        )
    return random


def sum_everywhere(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum over processes, with its gradient."""
    return _SumEverywhere.apply(tensor)


def count_everywhere(present: torch.Tensor) -> int:
    """Return how many rows are present, in all processes together."""
    total = present.sum()
    distributed.all_reduce(total)
    return int(total)


def gather_rows(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Return the rows of all processes for row-aligned tensors, with their gradients.

    The gradient assumes what follows to be the same in all processes: each has that of its own
    rows already.
    """
    if n_processes() == 1:
        return list(tensors)
    n_rows = torch.tensor([len(tensors[0])], device=tensors[0].device)
    sizes = [int(size) for size in _gather_equal(n_rows)]
    return [_GatherRows.apply(tensor, sizes) for tensor in tensors]


def reduce_gradients(module: nn.Module, criterion: nn.Module) -> None:
    """Sum the network's gradients over processes; those of the loss are the same in all.

    The latter are averaged, so that machines that round differently stay together.
    """
    of_network = [p.grad for p in module.parameters() if p.grad is not None]
    of_loss = [p.grad for p in criterion.parameters() if p.grad is not None]
    for grad in of_loss:
        grad.div_(n_processes())
    grads = of_network + of_loss
    if not grads:
        return
    flat = torch.cat([grad.flatten() for grad in grads])
    distributed.all_reduce(flat)
    for grad, total in zip(grads, flat.split([grad.numel() for grad in grads])):
        grad.copy_(total.view_as(grad))


def merge_batch(loss: float, n_rows: int, device: str) -> tuple[float, int]:
    """Return a loss that all processes note alike, and the rows of the whole batch."""
    # Early stopping must come to the same end everywhere, to the last digit.
    both = torch.tensor([loss / n_processes(), n_rows], dtype=torch.float64, device=device)
    distributed.all_reduce(both)
    return both[0].item(), int(both[1])


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the statistics of the whole batch, however it is shared.

    PyTorch's own is for GPUs only, and for processes that have rows.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise rows ``(n, width)``."""
        if not self.training or n_processes() == 1:
            return super().forward(input)
        rows = input.float()
        sums = sum_everywhere(torch.cat([rows.sum(dim=0), rows.new_tensor([len(rows)])]))
        n_rows = sums[-1].detach()
        mean = sums[:-1] / n_rows
        centred = rows - mean
        variance = sum_everywhere(centred.square().sum(dim=0)) / n_rows
        self._follow(mean.detach(), variance.detach() * n_rows / (n_rows - 1))
        scaled = centred * (variance + self.eps).rsqrt()
        return (scaled * self.weight + self.bias).to(input.dtype)

    def _follow(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        for running, batch in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None and self.momentum is not None:
                running.lerp_(batch, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


class _SumEverywhere(torch.autograd.Function):
    """A sum over processes: every process's gradient reaches every process's summand."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        total = grads[0].clone()
        distributed.all_reduce(total)
        return total


class _GatherRows(torch.autograd.Function):
    """Rows of all processes, of which each keeps the gradient of its own."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, sizes: list[int]) -> torch.Tensor:
        start = sum(sizes[: distributed.get_rank()])
        ctx.own = slice(start, start + len(rows))
        # Collectives take tensors of one shape.
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        return torch.cat([part[:size] for part, size in zip(_gather_equal(padded), sizes)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple:
        return grads[0][ctx.own], None


def _gather_equal(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return the tensors of all processes, which have one shape."""
    parts = [torch.empty_like(tensor) for _ in range(n_processes())]
    distributed.all_gather(parts, tensor)
    return parts
