"""ContrastiveTranslator: the paper's translation network as an estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..utils import check_choice, check_number
from ._projector import JointProjector, paired_rows
from ._training_data import MIN_BATCH, commonest_couple, couple_first, encode_labels, sample_rows


class ContrastiveTranslator(JointProjector):
    """A small network per modality, trained so that partners meet in one space.

    Each modality has a two-layer perceptron (Linear, BatchNorm, ELU, Linear) whose outputs have
    unit length; its inputs are centred and scaled as a whole. It is trained on the rows that
    have two modalities or more, without labels: a row's modalities are partners, the other rows
    of the batch are negatives. Training stops when the loss of held-out pairs has not improved
    for ``patience`` epochs, and the weights of the best epoch are kept.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the joint table.
    hidden_dim : int, default=256
        Width of the hidden layers.
    loss : str or torch.nn.Module, default="margin"
        What training minimises: a name, or a module that is called with two row-aligned
        tensors ``(n, n_components)`` and returns a scalar. Its parameters are trained too.

        - ``"margin"``: the published ``mean over i != j of max(0, margin - s_ii + s_ij)`` with
          the first modality's rows as anchors (:class:`MarginLoss`); best on clean pairs;
        - ``"symmetric_margin"``: the mean of both directions;
        - ``"triplet"``: one semi-hard negative a row (:class:`TripletLoss`);
        - ``"infonce"``: cross-entropy of finding the partner (:class:`InfoNCELoss`);
        - ``"clip"``: the same with a learnt temperature;
        - ``"sigmoid"``: logistic loss of each cell, learnt temperature and bias
          (:class:`SigmoidLoss`);
        - ``"robust"``: cross-entropy that gives up on pairs which do not fit, for noisy pairs
          (:class:`RobustInfoNCELoss`);
        - ``"spectral"``: spectral contrastive loss (:class:`SpectralLoss`);
        - ``"vicreg"``: no negatives (:class:`VICRegLoss`);
        - ``"relevance"``: uses the labels of ``fit`` where there are any
          (:class:`RelevanceLoss`).
    margin : float, default=1.0
        By how much partners must be more similar than others, for ``"margin"``,
        ``"symmetric_margin"`` and ``"triplet"``.
    temperature : float, default=0.1
        Divides the similarities, for ``"infonce"`` and ``"relevance"``; where
        ``"clip"`` and ``"sigmoid"`` start from.
    lr : float, default=1e-3
        Learning rate of Adam.
    batch_size : int, default=4096
        Largest number of pairs in a batch; batches of an epoch are equally large.
    max_epochs : int, default=200
        Most epochs.
    patience : int, default=5
        Epochs without improvement before training stops.
    validation_fraction : float in [0, 1), default=0.1
        Share of the pairs held out; 0 trains for ``max_epochs``.
    sampler : str, object or None, default=None
        Chooses the pairs to train on: a name, or an object with a method ``sample_pairs(blocks,
        random_state)`` that gets the paired rows of each modality, ``{name: array (n_pairs,
        width)}``, and returns row numbers into each, ``{name: int array (n_chosen,)}``; row
        ``i`` of one is the partner of row ``i`` of the others. ``None`` takes the pairs as
        they are. Applied to the training pairs only, never to the held-out ones.
    device : str, default="auto"
        ``"auto"`` is CUDA, else MPS, else the CPU; or any name that PyTorch knows.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        What the network's matrix products are computed in while it is trained; the loss and
        ``transform`` are float32. ``"bfloat16"`` is for GPUs and CPUs that have it,
        ``"float16"`` for older GPUs.
    modalities : "auto", "halves" or dict of str to int, default="auto"
        Which columns belong to which modality, as in :class:`PCAProjector`.
    random_state : int, RandomState instance or None, default=None
        Draws initial weights, held-out pairs and batches. Same seed, same machine: same bytes.
    verbose : int, default=0
        Positive: a progress bar over epochs.
    callbacks : list of skorch callbacks or None, default=None
        Added to the network's own.
    checkpoint : str, path-like or None, default=None
        Folder in which training is kept while it goes on; a fit of the same table with the same
        parameters that was interrupted continues from its last kept epoch and ends with the
        same bytes. Its file is removed when the fit ends; many fits may share a folder. Needs a
        ``random_state``. Of ``loss`` the ``state_dict`` is kept, of ``callbacks`` of your own
        nothing: leave out those that remember something, such as a schedule of learning rates.
        With ``distributed``, the first process writes and reads it for all.
    distributed : bool, default=False
        Whether all processes of PyTorch's default process group (``torchrun``,
        :func:`torch.distributed.init_process_group`) train this one translator. Each calls
        ``fit`` with the same table and seed; of every batch it reads and projects its share,
        on its own GPU if it has one, and has the negatives of the whole batch. All end with
        the weights that one process would have, up to rounding.

    Attributes
    ----------
    modalities_ : dict of str to slice
        The columns of each modality.
    net_ : skorch.NeuralNet
        The trained network.
    history_ : list of dict
        ``epoch``, ``train_loss``, ``valid_loss`` (with held-out pairs) and ``seconds`` of every
        epoch.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : str array
        Names of the columns seen in ``fit``, when they all are strings.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 2.2 and 3.2 (system MMT).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.modalities import concat_modalities, select_modality
    >>> from skxmodal.translation import ContrastiveTranslator
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=(200, 2))
    >>> X = concat_modalities(audio=cause @ rng.normal(size=(2, 5)),
    ...                       image=cause @ rng.normal(size=(2, 4)))
    >>> translator = ContrastiveTranslator(4, max_epochs=20, random_state=0).fit(X)
    >>> heard = translator.transform(select_modality(X, "audio"))
    >>> seen = translator.transform(select_modality(X, "image"))
    >>> bool((heard * seen).sum(axis=1).mean() > 0.5)
    True
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        hidden_dim: int = 256,
        loss: Any = "margin",
        margin: float = 1.0,
        temperature: float = 0.1,
        lr: float = 1e-3,
        batch_size: int = 4096,
        max_epochs: int = 200,
        patience: int = 5,
        validation_fraction: float = 0.1,
        sampler: Any = None,
        device: str = "auto",
        precision: str = "float32",
        modalities: str | Mapping[str, int] = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: list | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        distributed: bool = False,
    ) -> None:
        self.n_components = n_components
        self.hidden_dim = hidden_dim
        self.loss = loss
        self.margin = margin
        self.temperature = temperature
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.sampler = sampler
        self.device = device
        self.precision = precision
        self.modalities = modalities
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.distributed = distributed

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the joint space from rows with several modalities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Embedding table; a row without a modality has ``NaN`` in all of its block.
        y : array of shape (n_samples,) or None, default=None
            Labels, for a loss whose attribute ``needs_labels`` is true; -1, ``NaN`` or ``None``
            for rows without one. Every other loss ignores them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When a parameter is out of range, the modalities cannot be told from the columns,
            too few rows have what the method needs, or training diverges before any epoch is
            good. With ``distributed``, when there is no process group, or its processes do not
            fit the same. With ``checkpoint``, when there is no ``random_state``.
        OSError
            When training cannot be kept in the folder ``checkpoint``.
        """
        self._y = y
        self._checkpoints: list = []
        try:
            if self.distributed:
                from ._distributed import shared_training

                with shared_training():
                    super().fit(X)
            else:
                super().fit(X)
            for checkpoint in self._checkpoints:
                checkpoint.remove()
        finally:
            del self._y, self._checkpoints
        return self

    def _check_parameters(self) -> None:
        check_number("hidden_dim", self.hidden_dim, integer=True, low=1)
        check_number("margin", self.margin, low=0)
        check_number("temperature", self.temperature, above=0)
        check_number("lr", self.lr, above=0)
        check_number("batch_size", self.batch_size, integer=True, low=2)
        check_number("max_epochs", self.max_epochs, integer=True, low=1)
        check_number("patience", self.patience, integer=True, low=1)
        check_number("validation_fraction", self.validation_fraction, low=0, below=1)
        check_choice("precision", self.precision, ("float32", "bfloat16", "float16"))
        named = self.sampler is None or isinstance(self.sampler, str)
        if not named and not hasattr(self.sampler, "sample_pairs"):
            raise TypeError(
                "sampler must be None, a name or an object with a method sample_pairs(blocks, "
                f"random_state), got {self.sampler!r}"
            )
        if self.callbacks is not None and not isinstance(self.callbacks, (list, tuple)):
            raise TypeError(
                f"callbacks must be a list of skorch callbacks or None, got {self.callbacks!r}"
            )
        if self.checkpoint is None:
            return
        if not isinstance(self.checkpoint, (str, os.PathLike)):
            raise TypeError(f"checkpoint must be a folder or None, got {self.checkpoint!r}")
        if self.random_state is None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} needs a random_state: a fit can only be "
                "continued when its seed is known"
            )
        if not self.distributed:
            from ._checkpoint import check_folder

            check_folder(self.checkpoint)

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        from ._losses import make_loss
        from ._training import PairDataset, choose_device

        loss = make_loss(self.loss, margin=self.margin, temperature=self.temperature)
        labels = None
        if getattr(loss, "needs_labels", False):
            labels = encode_labels(self._y, len(array), self.loss)
        sampler = self.sampler
        if isinstance(sampler, str):
            from ._pair_samplers import make_sampler

            sampler = make_sampler(sampler)
        if self.distributed:
            from ._distributed import agree, own_device

            device = own_device(choose_device(self.device))
            random_state = agree(array, self.get_params(deep=False), self.random_state, device)
        else:
            random_state = check_random_state(self.random_state)
        paired = paired_rows(present, type(self).__name__)
        self._names = [name for name, rows in paired.items() if rows.any()]
        blocks = [array[:, columns[name]] for name in self._names]
        couple = commonest_couple(paired)
        rows = np.flatnonzero(np.any(list(paired.values()), axis=0))

        n_valid = 0
        if self.validation_fraction:
            n_valid = max(MIN_BATCH, round(self.validation_fraction * len(rows)))
        if min(len(rows) - n_valid, couple.sum() - min(n_valid, MIN_BATCH)) < MIN_BATCH:
            raise ValueError(
                f"{couple.sum()} rows with the same two modalities are too few: training needs "
                f"{MIN_BATCH} and validation {n_valid} "
                f"(validation_fraction={self.validation_fraction})"
            )
        rows = couple_first(random_state.permutation(rows), couple)
        train = [rows[n_valid:]] * len(blocks)
        if sampler is not None:
            train = self._sample_pairs(sampler, blocks, np.sort(rows[n_valid:]), random_state)
        for name, block, of_block in zip(self._names, blocks, train):
            n_rows = np.count_nonzero(~np.isnan(block[of_block, 0]))
            if n_rows < MIN_BATCH:
                raise ValueError(
                    f"only {n_rows} training pairs have the modality {name!r}: give it more, or "
                    "leave its columns out"
                )
        held_out = [rows[:n_valid]] * len(blocks)
        self._train(
            PairDataset(blocks, train, labels),
            PairDataset(blocks, held_out, labels) if n_valid else None,
            loss,
            random_state,
        )

    def _sample_pairs(
        self,
        sampler: Any,
        blocks: list[np.ndarray],
        rows: np.ndarray,
        random_state: np.random.RandomState,
    ) -> list[np.ndarray]:
        """Let the sampler choose among the training rows; return row numbers of the table."""
        return sample_rows(sampler, dict(zip(self._names, blocks)), rows, random_state)

    def _train(
        self,
        train: Any,
        valid: Any,
        loss: Any,
        random_state: np.random.RandomState,
        *,
        prepare: Callable[[Any], object] | None = None,
        **settings: Any,
    ) -> None:
        """Train the network; ``prepare`` gets its module beforehand, ``settings`` go to skorch."""
        from ._checkpoint import Checkpoint
        from ._training import train_network

        checkpoint = None
        if self.checkpoint is not None:
            checkpoint = Checkpoint(self.checkpoint)
            self._checkpoints.append(checkpoint)
        self.net_, self.history_ = train_network(
            self,
            train,
            valid,
            loss,
            random_state,
            prepare=prepare,
            checkpoint=checkpoint,
            **settings,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes, with plain arrays for the network."""
        state = super().__getstate__()
        if "net_" in state:
            from ._network_state import pack_network

            state["net_"] = pack_network(state["net_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the attributes, and the network from its arrays."""
        super().__setstate__(state)
        if "net_" in state:
            from ._losses import make_loss
            from ._network_state import unpack_network

            module, criterion = self._network_classes()
            self.net_ = unpack_network(
                state["net_"],
                module,
                criterion,
                criterion__loss=make_loss(
                    self.loss, margin=self.margin, temperature=self.temperature
                ),
                lr=self.lr,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                precision=self.precision,
            )

    @staticmethod
    def _network_classes() -> tuple[type, type]:
        """Return the classes of the network and of its loss."""
        from ._network import JointNetwork, PairwiseLoss

        return JointNetwork, PairwiseLoss

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        import torch

        module = self.net_.module_.eval()
        with torch.inference_mode():
            rows = torch.from_numpy(np.require(block, np.float32, ["C", "W"]))
            index = self._names.index(name)
            joint = module.project(index, rows.to(self.net_.device))
        return joint.cpu().numpy()

    @property
    def _learned(self) -> set[str]:
        return set(self._names)
