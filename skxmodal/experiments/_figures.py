"""The paper's figures, drawn from the results of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..inspection import (
    ClassReportDisplay,
    ClusterDistanceDisplay,
    LabelDistributionDisplay,
    RetrievalDisplay,
    TransferCurveDisplay,
)
from ..metrics import ClusterDistances
from ..model_selection import TransferCurve
from ._pairs import DIRECTIONS
from ._tables import of_first_seed


def displays(results: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Yield name, caption, display and options of ``plot`` of every figure, in order."""
    yield (
        "retrieval",
        "Figure 2: cross-modal retrieval of every pair of encoders after translation, with the "
        "expectation of random order and, where two encoders have equal widths, without "
        "translation.",
        retrieval_display(results),
        {},
    )
    yield (
        "transfer",
        "Figure 3: macro F1 on one modality as labelled samples of it are mixed in. SMA and SMI "
        "see that modality alone.",
        transfer_display(results),
        {},
    )
    first, *_ = results["settings"]["systems"]
    seed = of_first_seed(results)
    spaces = "without translation (MMP)"
    if first != "MMP":
        spaces = f"before (MMP) and after translation ({first})"
    for order in ("modality", "class"):
        yield (
            f"clusters-by-{order}",
            f"Figure 4: distances between the centroids of classes in each modality, {spaces}, "
            f"sorted by {order}{seed}.",
            cluster_display(results),
            {"sort_by": order},
        )
    for target in results["analysis"][first]["targets"]:
        yield (
            f"classes-{target}",
            f"Figure 5: F1 by class and confusions of {first} with all data, tested on "
            f"{target}{seed}.",
            class_display(results, first, target),
            {},
        )
    if results["label_distribution"]:
        yield (
            "labels",
            f"Figure 6: class distribution of the translation subset{seed}; labels were not used.",
            label_display(results),
            _scores_beside_counts(results),
        )


def retrieval_display(results: Mapping[str, Any]) -> RetrievalDisplay:
    """Show NDCG of all pairs, by direction."""
    scores: dict[str, dict[tuple[str, str], list[float]]] = {}
    for row in results["retrieval"]:
        of_pair = scores.setdefault(f"{row['audio']} + {row['image']}", {})
        of_pair.setdefault((row["query"], row["gallery"]), []).append(row["ndcg"])
    found = results["baselines"]
    baselines: dict[str, Any] = {
        "random": {pair: found["random"][f"{pair[0]} to {pair[1]}"] for pair in DIRECTIONS}
    }
    for row in found["untranslated"]:
        name = f"{row['audio']} + {row['image']}, untranslated"
        baselines.setdefault(name, {})[row["query"], row["gallery"]] = row["ndcg"]
    return RetrievalDisplay.from_scores(scores, baselines=baselines)


def transfer_display(results: Mapping[str, Any]) -> TransferCurveDisplay:
    """Show the transfer curves, the draws of all seeds together."""
    curves: dict[str, list[TransferCurve]] = {}
    for system in dict.fromkeys(curve["system"] for curve in results["curves"]):
        for target in dict.fromkeys(curve["target"] for curve in results["curves"]):
            same = [
                {name: value for name, value in curve.items() if name not in ("system", "seed")}
                for curve in results["curves"]
                if (curve["system"], curve["target"]) == (system, target)
            ]
            if same:
                joined = {
                    key: np.concatenate([np.array(c[key], dtype=float) for c in same], axis=1)
                    for key in ("scores", "fit_times", "score_times")
                }
                curve = TransferCurve.from_dict({**same[0], **joined})
                curves.setdefault(system, []).append(curve)
    return TransferCurveDisplay.from_curves(curves)


def cluster_display(results: Mapping[str, Any]) -> ClusterDistanceDisplay:
    """Show cluster distances before and after translation."""
    first, *_ = results["settings"]["systems"]
    titles = {"MMP": "PCA (MMP)"}
    titles.setdefault(first, f"translated ({first})")
    names = np.asarray(results["target_names"], dtype=object)
    panels = {}
    for system, title in titles.items():
        found = results["analysis"][system]["clusters"]
        panels[title] = ClusterDistances(
            np.asarray(found["distances"], dtype=float),
            np.asarray(found["centroids"], dtype=float),
            np.asarray(found["modality"]),
            names[np.asarray(found["label"])],
            np.asarray(found["counts"]),
        )
    return ClusterDistanceDisplay.from_distances(panels)


def class_display(results: Mapping[str, Any], system: str, target: str) -> ClassReportDisplay:
    """Show F1 by class and confusions on one modality."""
    found = results["analysis"][system]["targets"][target]
    return ClassReportDisplay(
        {target: np.asarray(found["f1"], dtype=float)},
        {target: np.asarray(found["confusion"])},
        results["target_names"],
    )


def label_display(results: Mapping[str, Any]) -> LabelDistributionDisplay:
    """Show how often each class occurs among the translation pairs, by its sounds."""
    counts = results["label_distribution"]
    return LabelDistributionDisplay(results["target_names"], next(iter(counts.values())))


def _scores_beside_counts(results: Mapping[str, Any]) -> dict[str, Any]:
    """F1 by class, where its correlation with the class counts means something."""
    first, *_ = results["settings"]["systems"]
    modality = next(iter(results["label_distribution"]))
    if results["rank_correlation"][modality] is None:
        return {}
    f1 = results["analysis"][first]["targets"][modality]["f1"]
    return {"per_class_scores": np.asarray(f1, dtype=float)}
