"""The translator that JointTranslationClassifier trains: pairs and labels in one loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..translation import ContrastiveTranslator
from ..translation._projector import paired_rows
from ..translation._training_data import (
    MIN_BATCH,
    commonest_couple,
    couple_first,
    encode_labels,
)

# Part of the learning rate with which labels bend a space that has been learned from pairs.
_GENTLER = 0.3


class JointTranslator(ContrastiveTranslator):
    """A :class:`ContrastiveTranslator` that learns from labels at the same time.

    Made by :meth:`prepare`; its parameters are those of an ordinary translator, and it can be
    used as one. Fitted without labels it is one, and so is a clone of it.
    """

    _alpha = 1.0
    _agreement = 1.0
    _classes: np.ndarray | None = None

    @classmethod
    def prepare(
        cls,
        translator: ContrastiveTranslator,
        *,
        alpha: float,
        agreement: float,
        classes: np.ndarray,
    ) -> JointTranslator:
        """Return an unfitted one with the parameters of an ordinary translator.

        It is fitted with numbers of ``classes`` as labels, -1 for none.
        """
        joint = cls(**translator.get_params(deep=False))
        joint._alpha = alpha
        joint._agreement = agreement
        joint._classes = classes
        return joint

    def classify(self, name: str, block: np.ndarray) -> np.ndarray:
        """Return the class probabilities of the rows of one modality, ``(n, n_classes)``."""
        import torch

        module = self.net_.module_.eval()
        with torch.inference_mode():
            vectors = torch.from_numpy(self._project(name, block)).to(self.net_.device)
            logits = module.classify(vectors) + self.net_.criterion_.frequency.log()
            # Float64 on the CPU: Apple's GPUs have none.
            return logits.cpu().double().softmax(dim=1).numpy()

    @staticmethod
    def _network_classes() -> tuple[type, type]:
        from ._joint_network import JointClassifierNetwork, JointLoss

        return JointClassifierNetwork, JointLoss

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        if self._y is None or self._classes is None:
            super()._learn(array, columns, present)
            return
        if self.distributed:
            raise ValueError(
                "JointTranslationClassifier trains in one process: give it a translator with "
                "distributed=False"
            )
        from ..translation._losses import make_loss
        from ..translation._training import PairDataset

        loss = make_loss(self.loss, margin=self.margin, temperature=self.temperature)
        label_of = self._label_of(loss)
        random_state = check_random_state(self.random_state)
        labels = self._y
        paired = paired_rows(present, "JointTranslationClassifier")
        pairs = np.any(list(paired.values()), axis=0)
        used = pairs | (labels >= 0)
        self._names = [name for name, rows in present.items() if (rows & used).any()]
        blocks = [array[:, columns[name]] for name in self._names]

        held_out = self._hold_out(pairs, commonest_couple(paired), labels, random_state)
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
        n_classes = int(labels.max()) + 1
        counts = np.bincount(labels[labels >= 0], minlength=n_classes)
        start = self._fit_translation(blocks, train, valid, pairs, loss, random_state)
        module, criterion = self._network_classes()
        self._train(
            PairDataset(blocks, train, labels),
            PairDataset(blocks, [valid] * len(blocks), labels) if len(valid) else None,
            loss,
            random_state,
            prepare=start,
            module=module,
            module__n_classes=n_classes,
            criterion=criterion,
            criterion__alpha=self._alpha,
            criterion__agreement=self._agreement,
            criterion__teachers=teachers,
            criterion__frequency=counts / counts.sum(),
            criterion__n_modalities=len(blocks),
            criterion__held_out=len(valid) > 0,
            criterion__label_of=label_of,
            lr=_GENTLER * self.lr,
        )

    def _fit_translation(
        self,
        blocks: list[np.ndarray],
        train: list[np.ndarray],
        valid: np.ndarray,
        pairs: np.ndarray,
        loss: Any,
        random_state: np.random.RandomState,
    ) -> Callable[[Any], object]:
        """Train the translation by itself; return what hands its weights to another network."""
        from ..translation._training import PairDataset

        together = pairs[train[0]]
        train = [rows[together] for rows in train]
        valid = valid[pairs[valid]]
        used = [
            index
            for index, (block, rows) in enumerate(zip(blocks, train))
            if np.count_nonzero(~np.isnan(block[rows, 0])) >= MIN_BATCH
        ]
        there = {index: ~np.isnan(blocks[index][valid, 0]) for index in used}
        couple = commonest_couple(there)
        if len(used) < 2 or couple.sum() < min(MIN_BATCH, len(valid)):
            raise ValueError(
                f"{np.count_nonzero(pairs)} rows with two modalities are too few to train on and "
                f"to hold out (validation_fraction={self.validation_fraction})"
            )
        valid = valid[couple_first(np.arange(len(valid)), couple)]
        blocks = [blocks[index] for index in used]
        labels = self._y if getattr(loss, "needs_labels", False) else None
        label_of = self._label_of(loss)
        if label_of is not None:
            labels = label_of[self._y]
        self._train(
            PairDataset(blocks, [train[index] for index in used], labels),
            PairDataset(blocks, [valid] * len(blocks), labels) if len(valid) else None,
            loss,
            random_state,
        )
        trained = self.net_.module_.perceptrons

        def hand_on(module: Any) -> None:
            for index, perceptron in zip(used, trained):
                module.perceptrons[index].load_state_dict(perceptron.state_dict())

        return hand_on

    def _label_of(self, loss: Any) -> np.ndarray | None:
        """Return what a loss of labels knows each class by; the last is of no class."""
        if self._classes is None or not getattr(loss, "needs_labels", False):
            return None
        return np.append(encode_labels(self._classes, len(self._classes), self.loss), -1)

    def _hold_out(
        self,
        pairs: np.ndarray,
        couple: np.ndarray,
        labels: np.ndarray,
        random_state: np.random.RandomState,
    ) -> np.ndarray:
        """Choose the same share of the unlabelled pairs and of each class; never all of one."""
        held_out = np.zeros(len(labels), dtype=bool)
        if not self.validation_fraction:
            return held_out
        for label in np.unique(labels):
            rows = np.flatnonzero((labels == label) & (pairs | (labels >= 0)))
            n_held_out = int(self.validation_fraction * len(rows))
            held_out[random_state.permutation(rows)[:n_held_out]] = True
        n_missing = MIN_BATCH - np.count_nonzero(held_out & couple)
        if n_missing > 0:
            rows = random_state.permutation(np.flatnonzero(couple & ~held_out))
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
