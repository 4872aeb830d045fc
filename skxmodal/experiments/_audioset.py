"""The paper's own data: AudioSet, as far as its clips are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..datasets import audioset_subsets, fetch_audioset, fetch_audioset_ontology
from ..datasets._audioset_classes import CLASS_NAMES, class_number
from ..metrics import TaxonomyRelevance
from ._data import Source, Subset, file_facts
from ._presets import PRESETS, Preset

_LISTS = ("balanced_train", "eval")


def open_audioset(
    preset: Preset,
    encoders: Mapping[str, Sequence[str]],
    *,
    clips: Any,
    random_state: int,
    n_jobs: int | None,
    verbose: int,
) -> Source:
    """Select the clips with instruments that are at hand, and draw the paper's subsets."""
    lists = [*_LISTS, "unbalanced_train"] if preset is PRESETS["paper"] else list(_LISTS)
    data = fetch_audioset(lists, clips=clips, n_jobs=n_jobs, verbose=verbose)
    subsets = audioset_subsets(data, **preset.rows, random_state=random_state)

    def load(subset: str, seed: int) -> Subset:
        drawn = subsets[subset]
        classified = subset in ("train", "test")
        labels = np.empty(len(drawn.frame), dtype=object)
        labels[:] = [tuple(ids.split()) for ids in drawn.frame["label_ids"].astype(str)]
        numbers = np.array([class_number(ids) for ids in labels])
        counts = np.bincount(numbers[numbers >= 0], minlength=len(CLASS_NAMES)).tolist()
        return Subset(
            drawn.target if classified else np.full(len(labels), -1),
            drawn.frame[["audio", "image"]],
            relevance_labels=labels,
            class_counts={"audio": counts, "image": counts},
        )

    found = {name: file_facts(subsets[name].frame[["audio", "image"]])[0] for name in preset.rows}
    return Source(
        "audioset",
        {name: list(names) for name, names in encoders.items()},
        list(CLASS_NAMES),
        load,
        {"clips": found},
        relevance=TaxonomyRelevance(fetch_audioset_ontology()),
        relevance_name="distance in the ontology of AudioSet",
    )
