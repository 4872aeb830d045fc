"""Training on pairs: batches by indexing whole tensors, and the progress of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.utils.data import Dataset

from ..utils import progress_bar

MIN_BATCH = 2  # one pair alone has no negatives, and no batch statistics


class PairDataset(Dataset):
    """Pairs as rows of arrays: pair ``i`` is row ``rows[m][i]`` of block ``m``.

    The blocks may be views of a memory map: only the rows of a batch are read.
    """

    def __init__(self, blocks: list[np.ndarray], rows: list[np.ndarray]) -> None:
        self.blocks = blocks
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows[0])

    def __getitem__(self, index: Any) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Return the blocks of the pairs at ``index`` (an int array), and no target."""
        blocks = tuple(
            torch.from_numpy(np.asarray(block[rows[index]], dtype=np.float32))
            for block, rows in zip(self.blocks, self.rows)
        )
        return blocks, torch.empty(0)


class PairBatches:
    """Iterate over a :class:`PairDataset` in batches of nearly equal size, indexed at once.

    A drop-in for :class:`torch.utils.data.DataLoader` in skorch's ``iterator_train``, without
    its call per sample.
    """

    def __init__(
        self, dataset: PairDataset, *, batch_size: int, shuffle: bool = False, seed: int = 0
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator:
        n_pairs = len(self.dataset)
        order = self._rng.permutation(n_pairs) if self.shuffle else np.arange(n_pairs)
        for index in np.array_split(order, len(self)):
            yield self.dataset[index]

    def __len__(self) -> int:
        n_pairs = len(self.dataset)
        return max(1, min(-(-n_pairs // self.batch_size), n_pairs // MIN_BATCH))


class EpochProgress(Callback):
    """A progress bar over epochs that shows the current losses."""

    def __init__(self, max_epochs: int, verbose: int) -> None:
        self.max_epochs = max_epochs
        self.verbose = verbose

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self._bar = progress_bar(
            verbose=self.verbose, description="translating", total=self.max_epochs, unit="epoch"
        )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance the bar."""
        last = net.history[-1]
        losses = {key: f"{last[key]:.4f}" for key in ("train_loss", "valid_loss") if key in last}
        self._bar.set_postfix(losses, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Close the bar, which is not kept: it could not be pickled."""
        self._bar.close()
        del self._bar
