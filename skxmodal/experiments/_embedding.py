"""From media to embeddings: one array for every subset, modality and encoder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..embedders import AudioEmbedder, ImageEmbedder, embed_to_file
from ..encoders import load_encoder
from ..media import is_missing
from ._data import Source, Subset, check_subset
from ._stages import Stages, plain

#: So many are embedded at once, each distinct cell only once; more go to a file by chunks.
_FEW_ROWS = 20_000
_EMBEDDERS: dict[str, Any] = {"audio": AudioEmbedder, "image": ImageEmbedder}


@dataclass(frozen=True)
class EmbeddedSubset:
    """A subset in the views of all encoders."""

    blocks: Mapping[tuple[str, str], np.ndarray]  # (modality, encoder) -> (n, width)
    target: np.ndarray
    relevance_labels: Any
    class_counts: Mapping[str, Sequence[int]]

    def n_media(self, pair: Mapping[str, str]) -> dict[str, int]:
        """Count the rows that have each modality, and could be read."""
        return {
            view[0]: int((~np.isnan(np.asarray(self.blocks[view][:, 0]))).sum())
            for view in pair.items()
        }

    def table(self, pair: Mapping[str, str]) -> tuple[np.ndarray, dict[str, int]]:
        """Return the embedding table of one encoder a modality, and its layout."""
        blocks = [self.blocks[modality, encoder] for modality, encoder in pair.items()]
        widths = {name: block.shape[1] for name, block in zip(pair, blocks)}
        table = np.empty((len(self.target), sum(widths.values())), dtype=np.float32)
        start = 0
        for block in blocks:
            table[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        return table, widths


def embed_subset(
    stages: Stages,
    source: Source,
    name: str,
    seed: int,
    *,
    n_jobs: int | None,
    cache: str | os.PathLike | None,
    verbose: int,
) -> EmbeddedSubset:
    """Load a subset and embed its media with every encoder, as one stage."""
    views = [
        (modality, encoder)
        for modality, encoders in source.encoders.items()
        for encoder in encoders
    ]

    def compute(folder: Path | None) -> dict[str, np.ndarray]:
        subset = source.load(name, seed)
        check_subset(source, name, subset)
        arrays = {}
        for number, (modality, encoder) in enumerate(views):
            if subset.frame is None:
                arrays[f"view{number}"] = subset.blocks[modality, encoder]
                continue
            embedder = _EMBEDDERS[modality](
                encoder, n_jobs=n_jobs, cache=cache, on_error="warn", verbose=verbose
            )
            cells = list(subset.frame[modality])
            if folder is None or len(cells) <= _FEW_ROWS:
                arrays[f"view{number}"] = embedder.fit_transform(cells)
            else:
                arrays[f"view{number}"] = embed_to_file(
                    embedder, cells, folder / f"{number}.npy", verbose=verbose
                )
            if np.isnan(arrays[f"view{number}"][:, 0]).all():
                first = next(cell for cell in cells if not is_missing(cell))
                raise ValueError(
                    f"no {modality} cell of the {name} subset of {source.name!r} can be read; the "
                    f"first is {first!r}"
                )
        return {**arrays, "target": subset.target, "notes": _notes(subset)}

    found = stages.arrays(
        f"{name} subset: {len(views)} encoders",
        {
            "source": source.name,
            **source.identity,
            "fingerprints": fingerprints(source),
            "seed": seed if source.draws_pairs or name != "translation" else None,
        },
        compute,
    )
    notes = json.loads(str(found["notes"]))
    return EmbeddedSubset(
        {view: found[f"view{number}"] for number, view in enumerate(views)},
        np.asarray(found["target"]),
        _as_labels(notes["relevance_labels"], found["target"]),
        notes["class_counts"],
    )


def fingerprints(source: Source, pair: Mapping[str, str] | None = None) -> dict[str, str]:
    """By what the embeddings of each encoder are known; of one pair, or of all."""
    chosen = source.encoders if pair is None else {name: [pair[name]] for name in pair}
    return {
        f"{modality}: {encoder}": ""
        if source.embedded
        else load_encoder(encoder, modality).fingerprint
        for modality, encoders in chosen.items()
        for encoder in encoders
    }


def _notes(subset: Subset) -> np.ndarray:
    """What is no array of numbers, as text in an array: it is read without pickle."""
    labels = subset.relevance_labels
    return np.array(
        json.dumps(
            {
                "relevance_labels": None if labels is None else [list(ids) for ids in labels],
                "class_counts": dict(subset.class_counts),
            },
            default=plain,
        )
    )


def _as_labels(lists: list[list[str]] | None, target: np.ndarray) -> Any:
    if lists is None:
        return np.asarray(target)
    labels = np.empty(len(lists), dtype=object)
    labels[:] = [tuple(ids) for ids in lists]
    return labels
