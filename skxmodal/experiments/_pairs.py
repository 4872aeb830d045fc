"""Which encoders to translate between: cross-modal retrieval with every pair of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from ..metrics import random_ndcg, retrieval_ndcg_score
from ..translation import ContrastiveTranslator
from ._data import Source
from ._embedding import EmbeddedSubset, fingerprints
from ._stages import Stages

K = 30
DIRECTIONS = (("audio", "image"), ("image", "audio"))


def score_pairs(
    stages: Stages,
    source: Source,
    translation: EmbeddedSubset,
    retrieval: EmbeddedSubset,
    *,
    seed: int,
    max_epochs: int,
    data_key: Mapping[str, Any],
    verbose: int,
) -> list[dict[str, Any]]:
    """Translate between all pairs of encoders, and score the retrieval of partners' classes.

    Returns one row for each pair and direction (paper, section 4.1 and Figure 2).
    """
    rows = []
    for audio, image in product(source.encoders["audio"], source.encoders["image"]):
        pair = {"audio": audio, "image": image}

        def compute(folder: Any, pair: dict[str, str] = pair) -> list[dict[str, Any]]:
            table, widths = translation.table(pair)
            translator = ContrastiveTranslator(
                max_epochs=max_epochs, modalities=widths, random_state=seed, verbose=verbose
            ).fit(table)
            del table
            joint = project(translator, retrieval, pair)
            epochs = len(translator.history_)
            return [
                {**scored, "epochs": epochs}
                for scored in _score_both_ways(joint, retrieval, source.relevance)
            ]

        scored = stages.record(
            f"translating {audio} and {image}",
            {
                **data_key,
                "encoders": fingerprints(source, pair),
                **pair,
                "seed": seed,
                "max_epochs": max_epochs,
            },
            compute,
        )
        rows += [{**pair, **row, "seed": seed} for row in scored]
    return rows


def score_baselines(source: Source, retrieval: EmbeddedSubset) -> dict[str, Any]:
    """Random order, exactly; and embeddings of equal width compared without translation."""
    y = {modality: _labels_of(retrieval, source, modality) for modality in source.encoders}
    chance = {
        f"{query} to {gallery}": float(
            random_ndcg(y[query], y[gallery], relevance=source.relevance, k=K)
        )
        for query, gallery in DIRECTIONS
    }
    untranslated = []
    for audio, image in product(source.encoders["audio"], source.encoders["image"]):
        pair = {"audio": audio, "image": image}
        blocks = {name: retrieval.blocks[name, encoder] for name, encoder in pair.items()}
        if blocks["audio"].shape[1] == blocks["image"].shape[1]:
            rows = _score_both_ways(blocks, retrieval, source.relevance)
            untranslated += [{**pair, **row} for row in rows]
    return {"random": chance, "untranslated": untranslated}


def best_pair(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the pair with the highest mean NDCG over both directions and all seeds."""
    scores: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scores.setdefault((row["audio"], row["image"]), []).append(row["ndcg"])
    audio, image = max(scores, key=lambda pair: float(np.mean(scores[pair])))
    return {"audio": audio, "image": image}


def project(space: Any, subset: EmbeddedSubset, pair: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Project each modality by itself; rows without it are ``NaN``."""
    table, widths = subset.table(pair)
    joint = {}
    start = 0
    for name, width in widths.items():
        block = table[:, start : start + width]
        rows = ~np.isnan(block[:, 0])
        alone = np.full((int(rows.sum()), table.shape[1]), np.nan, dtype=np.float32)
        alone[:, start : start + width] = block[rows]
        projected = np.full((len(table), space.n_components), np.nan, dtype=np.float32)
        if rows.any():
            projected[rows] = space.transform(alone)
        joint[name] = projected
        start += width
    return joint


def _score_both_ways(
    joint: Mapping[str, np.ndarray], subset: EmbeddedSubset, relevance: Any
) -> list[dict[str, Any]]:
    rows = []
    present = {name: np.flatnonzero(~np.isnan(vectors[:, 0])) for name, vectors in joint.items()}
    for query, gallery in DIRECTIONS:
        ndcg = retrieval_ndcg_score(
            np.asarray(joint[query])[present[query]],
            np.asarray(joint[gallery])[present[gallery]],
            subset.relevance_labels[present[query]],
            subset.relevance_labels[present[gallery]],
            relevance=relevance,
            k=K,
        )
        rows.append({"query": query, "gallery": gallery, "ndcg": float(ndcg)})
    return rows


def _labels_of(subset: EmbeddedSubset, source: Source, modality: str) -> Any:
    block = subset.blocks[modality, source.encoders[modality][0]]
    return subset.relevance_labels[~np.isnan(np.asarray(block[:, 0]))]
