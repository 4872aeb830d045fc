"""The translator that JointTranslationClassifier trains: pairs and labels in one loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..translation import ContrastiveTranslator
from ..translation._contrastive import _choose_device, _moments, _say_nothing
from ..translation._projector import paired_rows


class JointTranslator(ContrastiveTranslator):
    """A :class:`ContrastiveTranslator` that learns from labels at the same time.

    Made by :meth:`prepare`; its parameters are those of an ordinary translator, and it can be
    used as one. Fitted without labels, it is one.
    """

    _alpha = 1.0
    _agreement = 1.0

    @classmethod
    def prepare(
        cls, translator: ContrastiveTranslator, *, alpha: float, agreement: float
    ) -> JointTranslator:
        """Return an unfitted one with the parameters of an ordinary translator."""
        joint = cls(**translator.get_params(deep=False))
        joint._alpha = alpha
        joint._agreement = agreement
        return joint

    def classify(self, name: str, block: np.ndarray) -> np.ndarray:
        """Return the class probabilities of the rows of one modality, ``(n, n_classes)``."""
        import torch

        module = self.net_.module_.eval()
        with torch.inference_mode():
            vectors = torch.from_numpy(self._project(name, block)).to(self.net_.device)
            return module.classify(vectors).double().softmax(dim=1).cpu().numpy()

    @staticmethod
    def _network_classes() -> tuple[type, type]:
        from ._joint_network import JointClassifierNetwork, JointLoss

        return JointClassifierNetwork, JointLoss

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        if self._y is None:
            super()._learn(array, columns, present)
            return
        from ..translation._losses import make_loss
        from ..translation._training import MIN_BATCH, PairDataset

        loss = make_loss(self.loss, margin=self.margin, temperature=self.temperature)
        random_state = check_random_state(self.random_state)
        labels = self._y
        pairs = np.any(list(paired_rows(present, "JointTranslationClassifier").values()), axis=0)
        used = pairs | (labels >= 0)
        self._names = [name for name, rows in present.items() if (rows & used).any()]
        blocks = [array[:, columns[name]] for name in self._names]

        held_out = self._hold_out(pairs, labels, random_state)
        single = np.flatnonzero(used & ~pairs & ~held_out)
        train = [np.flatnonzero(pairs & ~held_out)] * len(blocks)
        if self.sampler is not None:
            train = self._sample_pairs(self._sampler(), blocks, train[0], random_state)
        train = [np.concatenate([rows, single]) for rows in train]
        valid = np.flatnonzero(used & held_out)
        if len(train[0]) < MIN_BATCH or (self.validation_fraction and len(valid) < MIN_BATCH):
            raise ValueError(
                f"{np.count_nonzero(used)} rows with a pair or a label are too few to train on "
                f"and to hold out (validation_fraction={self.validation_fraction})"
            )
        for name, block, rows in zip(self._names, blocks, train):
            n_rows = np.count_nonzero(~np.isnan(block[rows, 0]))
            if n_rows < MIN_BATCH:
                raise ValueError(
                    f"only {n_rows} training rows have the modality {name!r}: give it more, or "
                    "leave its columns out"
                )
        teachers = tuple(
            index
            for index, name in enumerate(self._names)
            if (present[name] & (labels >= 0) & ~held_out).any()
        )
        self._fit_net(
            PairDataset(blocks, train, labels),
            PairDataset(blocks, [valid] * len(blocks), labels) if len(valid) else None,
            {
                "loss": loss,
                "alpha": self._alpha,
                "agreement": self._agreement,
                "teachers": teachers,
            },
            random_state,
        )

    def _hold_out(
        self, pairs: np.ndarray, labels: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Choose the same share of the unlabelled pairs and of each class; never all of one."""
        from ..translation._training import MIN_BATCH

        held_out = np.zeros(len(labels), dtype=bool)
        if not self.validation_fraction:
            return held_out
        for label in np.unique(labels):
            rows = np.flatnonzero((labels == label) & (pairs | (labels >= 0)))
            n_held_out = int(self.validation_fraction * len(rows))
            held_out[random_state.permutation(rows)[:n_held_out]] = True
        n_missing = MIN_BATCH - np.count_nonzero(held_out & pairs)
        if n_missing > 0:
            rows = random_state.permutation(np.flatnonzero(pairs & ~held_out))
            # Those without a label first: a class may have no other row.
            rows = rows[np.argsort(labels[rows] >= 0, kind="stable")]
            held_out[rows[:n_missing]] = True
        return held_out

    def _sampler(self) -> Any:
        """Return the sampler object."""
        if isinstance(self.sampler, str):
            from ..translation._pair_samplers import make_sampler

            return make_sampler(self.sampler)
        return self.sampler

    def _fit_net(
        self, train: Any, valid: Any, criterion: dict[str, Any], random_state: Any
    ) -> None:
        """Train network and classifier, until the loss of what is held out stops falling."""
        import torch
        from skorch.callbacks import EarlyStopping
        from skorch.helper import predefined_split

        from ..translation._training import EpochProgress, PairBatches, TranslationNet
        from ._joint_network import JointClassifierNetwork, JointLoss

        init_seed, batch_seed = random_state.randint(np.iinfo(np.int32).max, size=2)
        progress = EpochProgress(self.max_epochs, self.verbose)
        callbacks: list = [("progress", progress)]
        if valid is not None:
            stop = EarlyStopping(patience=self.patience, load_best=True, sink=_say_nothing)
            callbacks.append(("early_stopping", stop))
        net = TranslationNet(
            JointClassifierNetwork,
            module__moments=tuple(map(_moments, train.blocks, train.rows)),
            module__hidden_dim=self.hidden_dim,
            module__n_components=self.n_components,
            module__seed=int(init_seed),
            module__n_classes=int(train.labels.max()) + 1,
            criterion=JointLoss,
            **{f"criterion__{name}": value for name, value in criterion.items()},
            optimizer=torch.optim.Adam,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            iterator_train=PairBatches,
            iterator_train__shuffle=True,
            iterator_train__seed=int(batch_seed),
            iterator_valid=PairBatches,
            train_split=None if valid is None else predefined_split(valid),
            callbacks=callbacks + list(self.callbacks or []),
            device=_choose_device(self.device),
            precision=self.precision,
            verbose=0,
        )
        net.initialize()
        net.notify("on_train_begin", X=train, y=None)
        try:
            net.fit_loop(train)
        except KeyboardInterrupt:
            # Early stopping raises it; a user's own is not a regular end.
            if valid is None or stop.misses_ < stop.patience:
                raise
        finally:
            progress.close()
        net.notify("on_train_end", X=train, y=None)
        # The held-out rows must not travel with a pickle of the estimator.
        net.set_params(train_split=None)
        self.net_ = net
        shown = ("epoch", "train_loss", "valid_loss", "dur")
        self.history_ = [
            {"seconds" if key == "dur" else key: row[key] for key in shown if key in row}
            for row in net.history
        ]
