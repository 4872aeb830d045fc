"""The systems that the paper compares: their joint spaces, and what classifiers make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import confusion_matrix, f1_score

from ..classification import ModalityAgnosticClassifier
from ..metrics import cluster_distances
from ..modalities import melt_modalities, select_modality
from ..model_selection import TransferCurve, transfer_curve
from ..translation import ContrastiveTranslator, PCAProjector, make_recommended_joint
from ..translation._projector import JointProjector
from ._embedding import EmbeddedSubset
from ._pairs import project
from ._presets import Preset
from ._stages import Stages

_LABELLED = ("retrieval", "train", "test")
ZERO_SHOT, ALL_DATA = "zero-shot", "all data"

N_COMPONENTS = 128

#: System -> its joint space, of a seed, the layout of the table and the number of components that
#: a linear method can have. MMP is the paper's baseline, MMT its method (section 2.3), MMR what is
#: recommended here.
SPACES: dict[str, Callable[[int, dict[str, int], int, Preset], Any]] = {
    "MMP": lambda seed, widths, most, preset: PCAProjector(
        min(N_COMPONENTS, most), modalities=widths, random_state=seed
    ),
    "MMT": lambda seed, widths, most, preset: ContrastiveTranslator(
        N_COMPONENTS, max_epochs=preset.max_epochs, modalities=widths, random_state=seed
    ),
    "MMR": lambda seed, widths, most, preset: make_recommended_joint(
        n_components=N_COMPONENTS, random_state=seed
    ).set_params(modalities=widths),
}


@dataclass(frozen=True)
class JointTables:
    """The labelled subsets in the joint space of one system, ``NaN`` where media are missing."""

    retrieval: dict[str, np.ndarray]
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]


class Projected(JointProjector):
    """The joint space of tables that are joint already: hands blocks through."""

    def __init__(self, n_components: int, *, modalities: str | Mapping[str, int] = "auto") -> None:
        self.n_components = n_components
        self.modalities = modalities

    _unit_rows = False

    def _learn(
        self, array: np.ndarray, columns: dict[str, slice], present: dict[str, np.ndarray]
    ) -> None:
        """There is nothing to learn."""

    def _project(self, name: str, block: np.ndarray) -> np.ndarray:
        return np.asarray(block, dtype=np.float32)

    @property
    def _learned(self) -> set[str]:
        return set(self.modalities_)


def fit_space(
    stages: Stages,
    system: str,
    pair: Mapping[str, str],
    subsets: Mapping[str, EmbeddedSubset],
    *,
    preset: Preset,
    seed: int,
    data_key: Mapping[str, Any],
) -> JointTables:
    """Fit one system's joint space without labels, and project the labelled subsets.

    It is fitted on the pairs of the translation subset and, each modality by itself, on the
    training media: a training row lends no pair.
    """

    def compute(folder: Path | None) -> dict[str, np.ndarray]:
        table, widths = _unlabelled(subsets, pair)
        # With fewer training samples than components, the last components would be noise.
        most = min(*widths.values(), *subsets["train"].n_media(pair).values())
        space = SPACES[system](seed, widths, most, preset).fit(table)
        del table
        return {
            f"{name}_{modality}": joint
            for name in _LABELLED
            for modality, joint in project(space, subsets[name], pair).items()
        }

    found = stages.arrays(
        f"joint space of {system}",
        {
            **data_key,
            **pair,
            "system": system,
            "seed": seed,
            "max_epochs": preset.max_epochs,
        },
        compute,
    )
    return JointTables(
        *({modality: found[f"{name}_{modality}"] for modality in pair} for name in _LABELLED)
    )


def _unlabelled(
    subsets: Mapping[str, EmbeddedSubset], pair: Mapping[str, str]
) -> tuple[np.ndarray, dict[str, int]]:
    pairs, widths = subsets["translation"].table(pair)
    train, _ = subsets["train"].table(pair)
    parts = [pairs]
    start = 0
    for width in widths.values():
        block = train[:, start : start + width]
        alone = np.full((int((~np.isnan(block[:, 0])).sum()), train.shape[1]), np.nan, np.float32)
        alone[:, start : start + width] = block[~np.isnan(block[:, 0])]
        parts.append(alone)
        start += width
    return np.concatenate(parts), widths


def curve_of(
    stages: Stages,
    system: str,
    joint: JointTables,
    targets: Mapping[str, np.ndarray],
    *,
    target: str,
    alone: bool,
    preset: Preset,
    seed: int,
    data_key: Mapping[str, Any],
    n_jobs: int | None,
    verbose: int,
) -> TransferCurve:
    """Measure Figure 3's curve of a system on one target modality.

    ``alone``: the single-modality system, which sees no other modality.
    """

    def compute(folder: Path | None) -> dict[str, Any]:
        X_train, widths = _side_by_side(joint.train)
        X_test, _ = _side_by_side(joint.test)
        return transfer_curve(
            _classifier(X_train, widths, seed),
            X_train,
            targets["train"],
            target=target,
            source=() if alone else None,
            X_test=X_test,
            y_test=targets["test"],
            sizes=preset.n_sizes,
            n_repeats=preset.n_draws,
            modalities=widths,
            random_state=seed,
            n_jobs=n_jobs,
            verbose=verbose,
        ).as_dict()

    name = f"SM{target[0].upper()}" if alone else system
    depends = {**data_key, "system": system, "target": target, "alone": alone, "seed": seed}
    depends |= {"sizes": preset.n_sizes, "draws": preset.n_draws}
    return TransferCurve.from_dict(
        stages.record(f"transfer curve of {name} to {target}", depends, compute)
    )


def analyse(
    stages: Stages,
    system: str,
    joint: JointTables,
    targets: Mapping[str, np.ndarray],
    *,
    n_classes: int,
    seed: int,
    data_key: Mapping[str, Any],
) -> dict[str, Any]:
    """Look into a system with all data: clusters, F1 by class, confusions (section 4.3)."""

    def compute(folder: Path | None) -> dict[str, Any]:
        X_train, widths = _side_by_side(joint.train)
        X_test, _ = _side_by_side(joint.test)
        labels = np.arange(n_classes)
        model = _classifier(X_train, widths, seed).fit(X_train, targets["train"])
        per_target = {}
        for target, block in joint.test.items():
            rows = ~np.isnan(np.asarray(block[:, 0]))
            X = select_modality(X_test[rows], target, modalities=widths)
            predicted, true = model.predict(X), targets["test"][rows]
            f1 = f1_score(true, predicted, labels=labels, average=None, zero_division=np.nan)
            per_target[target] = {
                # A class that is neither there nor predicted has none.
                "f1": [None if np.isnan(value) else float(value) for value in f1],
                "confusion": confusion_matrix(true, predicted, labels=labels),
            }
        return {"targets": per_target, "clusters": _clusters(X_test, targets["test"], widths)}

    depends = {**data_key, "system": system, "seed": seed, "n_classes": n_classes}
    return stages.record(f"clusters and confusions of {system}", depends, compute)


def _clusters(X: np.ndarray, y: np.ndarray, widths: dict[str, int]) -> dict[str, Any]:
    X_long, y_long, modality = melt_modalities(X, y, modalities=widths)
    space = Projected(next(iter(widths.values())), modalities=widths).fit(X_long)
    found = cluster_distances(space.transform(X_long), y_long, modality)
    return {
        "distances": found.distances,
        "centroids": found.centroids,
        "modality": found.modality.astype(str),
        "label": found.label,
        "counts": found.counts,
        "class_ratio": found.class_ratio,
        "modality_gap": found.modality_gap,
    }


def _classifier(X: np.ndarray, widths: dict[str, int], seed: int) -> ModalityAgnosticClassifier:
    space = Projected(next(iter(widths.values())), modalities=widths).fit(X)
    return ModalityAgnosticClassifier(FrozenEstimator(space), modalities=widths, random_state=seed)


def _side_by_side(joint: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """Return a joint table with a block for each modality, and its layout."""
    widths = {name: block.shape[1] for name, block in joint.items()}
    return np.concatenate(list(joint.values()), axis=1), widths
