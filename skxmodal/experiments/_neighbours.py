"""A picture of what is retrieved: sounds with the images found for them, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..inspection import NeighboursDisplay
from ..modalities import concat_modalities
from ..retrieval import CrossModalRetriever
from ._data import Source
from ._stages import Stages
from ._systems import Projected

_N_QUERIES = 3
_N_NEIGHBOURS = 5


def draw_neighbours(
    stages: Stages,
    source: Source,
    system: str,
    joint: Mapping[str, np.ndarray],
    *,
    seed: int,
    data_key: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the drawing as PNG and SVG with a text alternative; ``None`` without media."""

    def compute(folder: Path | None) -> dict[str, np.ndarray]:
        subset = source.load("retrieval", source.first_seed)
        if subset.frame is None:
            return {}
        table = concat_modalities(**joint)
        n_indexed = min(int((~np.isnan(block[:, 0])).sum()) for block in joint.values())
        space = Projected(next(iter(joint.values())).shape[1]).fit(table)
        frame = subset.frame[list(joint)]
        labels = None
        if subset.relevance_labels is None:
            labels = np.asarray(source.target_names, dtype=object)[subset.target]
        display = NeighboursDisplay.from_retriever(
            CrossModalRetriever(FrozenEstimator(space)).fit(table),
            frame,
            frame,
            y_query=labels,
            y_gallery=labels,
            embeddings=table,
            n_queries=_N_QUERIES,
            n_neighbors=min(_N_NEIGHBOURS, n_indexed),
            random_state=seed,
        ).plot()
        return {
            **{kind: np.frombuffer(rendered(display.figure_, kind), np.uint8) for kind in KINDS},
            "alt": np.array(json.dumps(display.describe())),
        }

    found = stages.arrays(
        f"neighbours in the space of {system}",
        {**data_key, "system": system, "seed": seed},
        compute,
    )
    if not found:
        return None
    return {
        **{kind: np.asarray(found[kind]).tobytes() for kind in KINDS},
        "alt": json.loads(str(found["alt"])),
    }


KINDS = ("png", "svg")


def rendered(figure: Any, kind: str) -> bytes:
    """Return the bytes of a figure's file, and let go of the figure."""
    import matplotlib
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    # Fixed ids and no date: same numbers, same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "skxmodal"}):
        figure.savefig(
            file,
            format=kind,
            dpi=150,
            facecolor="white",
            metadata={"Date": None} if kind == "svg" else {"Software": None},
        )
    if kind == KINDS[-1]:
        plt.close(figure)
    return file.getvalue()
