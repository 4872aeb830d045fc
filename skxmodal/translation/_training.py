"""Training on pairs: batches by indexing whole tensors, and the progress of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.helper import predefined_split
from torch.utils.data import Dataset

from ..utils import progress_bar
from ._checkpoint import Checkpoint, KeepTraining
from ._distributed import (
    is_first,
    merge_batch,
    n_processes,
    own_device,
    own_share,
    reduce_gradients,
)
from ._fingerprint import training_fingerprint
from ._network import MIN_BATCH, JointNetwork, PairwiseLoss
from ._training_data import moments_of


class PairDataset(Dataset):
    """Pairs as rows of arrays: pair ``i`` is row ``rows[m][i]`` of block ``m``.

    The blocks may be views of a memory map: only the rows of a batch are read. ``labels`` are
    those of the rows of the table, -1 for none.
    """

    def __init__(
        self,
        blocks: list[np.ndarray],
        rows: list[np.ndarray],
        labels: np.ndarray | None = None,
    ) -> None:
        self.blocks = blocks
        self.rows = rows
        self.labels = labels

    def __len__(self) -> int:
        return len(self.rows[0])

    def __getitem__(self, index: Any) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Return the blocks of the pairs at ``index`` (an int array), and their labels.

        Labels are ``(n, n_modalities)``, as partners chosen by a sampler have labels each; or
        empty, where there are none.
        """
        blocks = tuple(
            torch.from_numpy(np.asarray(block[rows[index]], dtype=np.float32))
            for block, rows in zip(self.blocks, self.rows)
        )
        if self.labels is None:
            return blocks, torch.empty(0)
        labels = np.stack([self.labels[rows[index]] for rows in self.rows], axis=1)
        return blocks, torch.from_numpy(labels)


class PairBatches:
    """Iterate over a :class:`PairDataset` in batches of nearly equal size, indexed at once.

    A drop-in for :class:`torch.utils.data.DataLoader` in skorch's ``iterator_train``, without
    its call per sample. Of processes that train together, each gets its share of every batch.
    A generator as ``seed`` is drawn from: whoever has it knows the state of the batches.
    """

    def __init__(
        self,
        dataset: PairDataset,
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int | np.random.Generator = 0,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator:
        n_pairs = len(self.dataset)
        order = self._rng.permutation(n_pairs) if self.shuffle else np.arange(n_pairs)
        for index in np.array_split(order, len(self)):
            yield self.dataset[own_share(index)]

    def __len__(self) -> int:
        n_pairs = len(self.dataset)
        return max(1, min(-(-n_pairs // self.batch_size), n_pairs // MIN_BATCH))


class TranslationNet(NeuralNet):
    """A skorch network with mixed precision: the network in few digits, the loss in float32.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`skorch.NeuralNet`.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        What matrix products of the network are computed in. Weights stay float32. Gradients
        of ``"float16"`` are scaled up for the way back, as most would be rounded to zero.
    """

    def __init__(self, *args: Any, precision: str = "float32", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.precision = precision

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network, in the precision asked for."""
        if self.precision == "float32":
            return super().infer(x, **fit_params)
        dtype = getattr(torch, self.precision)
        with torch.autocast(torch.device(self.device).type, dtype=dtype):
            return super().infer(x, **fit_params)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start with a fresh scale of gradients."""
        super().on_train_begin(net, **kwargs)
        self._scaler = None
        if self.precision == "float16":
            self._scaler = torch.amp.GradScaler(torch.device(self.device).type)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Forget the scale of gradients."""
        super().on_train_end(net, **kwargs)
        del self._scaler

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one step; one of infinite gradients is left out."""
        if self._scaler is None:
            return super().train_step(batch, **fit_params)
        self._set_training(True)
        self.optimizer_.zero_grad(set_to_none=True)
        inputs, labels = batch
        predicted = self.infer(inputs, **fit_params)
        loss = self.get_loss(predicted, labels, X=inputs, training=True)
        self._scaler.scale(loss).backward()
        self._merge_gradients()
        self._scaler.step(self.optimizer_)
        self._scaler.update()
        return {"loss": loss, "y_pred": predicted}

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """Add up the gradients of processes that train together."""
        super().on_grad_computed(net, **kwargs)
        self._merge_gradients()

    def _merge_gradients(self) -> None:
        if n_processes() > 1:
            reduce_gradients(self.module_, self.criterion_)

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """Note the loss and the size of the whole batch, where processes share it."""
        super().on_batch_end(net, **kwargs)
        if n_processes() > 1:
            prefix = "train" if kwargs["training"] else "valid"
            names = f"{prefix}_loss", f"{prefix}_batch_size"
            loss, n_rows = (self.history[-1, "batches", -1, name] for name in names)
            for name, value in zip(names, merge_batch(loss, n_rows, self.device)):
                self.history.record_batch(name, value)
        # A mean over what is held out is one over batches that have a loss.
        if not (kwargs["training"] or getattr(self.criterion_, "told", True)):
            self.history.record_batch("valid_batch_size", 0)


class Diverged(ValueError):
    """The loss of an epoch is not finite."""


class StopDiverged(Callback):
    """End a training whose loss is not finite: weights that are NaN stay so."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at the loss that training is judged by."""
        last = net.history[-1]
        name = "valid_loss" if "valid_loss" in last else "train_loss"
        if not np.isfinite(last[name]):
            raise Diverged(
                f"training diverged in epoch {last['epoch']}, its {name} is {last[name]}: lower "
                f"lr, which is {net.lr:g} here"
            )


class EpochProgress(Callback):
    """A progress bar over epochs that shows the current losses."""

    def __init__(self, max_epochs: int, verbose: int) -> None:
        self.max_epochs = max_epochs
        self.verbose = verbose if is_first() else 0

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

    def skip(self, n_epochs: int) -> None:
        """Advance the bar by epochs that are done."""
        self._bar.update(n_epochs)

    def close(self) -> None:
        """Close the bar, which is not kept: it could not be pickled."""
        self._bar.close()
        del self._bar


def train_network(
    translator: Any,
    train: PairDataset,
    valid: PairDataset | None,
    loss: torch.nn.Module,
    random_state: np.random.RandomState,
    *,
    prepare: Callable[[Any], object] | None = None,
    checkpoint: Checkpoint | None = None,
    **settings: Any,
) -> tuple[TranslationNet, list[dict[str, Any]]]:
    """Train a network as a translator's parameters say.

    Parameters
    ----------
    translator : ContrastiveTranslator
        Its parameters are read.
    train, valid : PairDataset
        To train on, and held out (or ``None``).
    loss : torch.nn.Module
        Trained in place.
    random_state : RandomState
        Draws the initial weights and the batches.
    prepare : callable or None, default=None
        Gets the module beforehand.
    checkpoint : Checkpoint or None, default=None
        Where training is kept, and goes on from.
    **settings
        Of the network, instead of the translator's own.

    Returns
    -------
    net : TranslationNet
        Trained.
    history : list of dict
        Losses and seconds of every epoch.

    Raises
    ------
    Diverged
        When the loss of the first epoch is not finite, or that of any where nothing is held out.
    """
    init_seed, batch_seed = map(int, random_state.randint(np.iinfo(np.int32).max, size=2))
    generator = np.random.default_rng(batch_seed)
    progress = EpochProgress(translator.max_epochs, translator.verbose)
    callbacks: list = [("progress", progress), ("stop_diverged", StopDiverged())]
    if valid is not None:
        stop = EarlyStopping(patience=translator.patience, load_best=True, sink=_say_nothing)
        callbacks.append(("early_stopping", stop))
    callbacks += translator.callbacks or []
    if checkpoint is not None:
        callbacks.append(("keep_training", KeepTraining(checkpoint)))
    net = TranslationNet(
        **{
            "module": JointNetwork,
            "module__moments": tuple(map(moments_of, train.blocks, train.rows)),
            "module__hidden_dim": translator.hidden_dim,
            "module__n_components": translator.n_components,
            "module__seed": init_seed,
            "criterion": PairwiseLoss,
            "criterion__loss": loss,
            "optimizer": torch.optim.Adam,
            "optimizer__fused": True,
            "lr": translator.lr,
            "max_epochs": translator.max_epochs,
            "batch_size": translator.batch_size,
            "iterator_train": PairBatches,
            "iterator_train__shuffle": True,
            "iterator_train__seed": generator,
            "iterator_valid": PairBatches,
            "train_split": None if valid is None else predefined_split(valid),
            "callbacks": callbacks,
            "device": own_device(choose_device(translator.device)),
            "precision": translator.precision,
            "verbose": 0,
            **settings,
        }
    )
    net.initialize()
    if prepare is not None:
        prepare(net.module_)
    fingerprint = None
    if checkpoint is not None and is_first():
        fingerprint = training_fingerprint(
            translator.get_params(deep=False),
            {**settings, "batch_seed": batch_seed},
            net,
            (train, valid),
        )
    net.notify("on_train_begin", X=train, y=None)
    try:
        n_done = 0
        if checkpoint is not None:
            n_done = checkpoint.restore(net, generator, fingerprint)
            progress.skip(n_done)
        net.fit_loop(train, epochs=net.max_epochs - n_done)
    except KeyboardInterrupt:
        # skorch's early stopping raises it; a user's is not a regular end (net.fit takes it
        # for one and would return a half-trained network).
        if not any(
            isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience
            for _, callback in net.callbacks_
        ):
            raise
    except Diverged as error:
        if valid is None or not stop.best_epoch_:
            raise
        warnings.warn(
            f"{error}; the weights of epoch {stop.best_epoch_} are kept",
            ConvergenceWarning,
            stacklevel=2,
        )
    finally:
        progress.close()
    net.notify("on_train_end", X=train, y=None)
    # The held-out pairs must not travel with a pickle of the estimator.
    net.set_params(train_split=None)
    # What was set: a generator that has been drawn from would be odd to find there.
    net.iterator_train__seed = batch_seed
    history = [
        {
            "epoch": row["epoch"],
            "train_loss": row["train_loss"],
            **({"valid_loss": row["valid_loss"]} if valid is not None else {}),
            "seconds": row["dur"],
        }
        for row in net.history
    ]
    return net, history


def choose_device(device: str) -> str:
    """Resolve ``"auto"``; raise for a device that this machine or PyTorch lacks."""
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device={device!r} cannot be used here: {reason}") from None
    return device


def _say_nothing(message: str) -> None:
    """Swallow skorch's message of having stopped early: ``history_`` tells."""
