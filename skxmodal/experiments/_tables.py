"""The tables of a run: what the terminal prints and the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._systems import ALL_DATA, ZERO_SHOT


def tables(results: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """Return every table as rows of text, the first of them the header."""
    return {
        "Table 1: encoders": _encoders(results),
        "Table 2: subsets": _subsets(results),
        "NDCG@30 of cross-modal retrieval": _retrieval(results),
        "Macro F1 on test samples of one modality": _scores(results),
        f"Structure of the joint space{of_first_seed(results)}": _structure(results),
    }


def of_first_seed(results: Mapping[str, Any]) -> str:
    """Say of what is looked into with the first seed that it is no mean, where others are."""
    settings = results["settings"]
    return f" (seed {settings['random_state']})" if settings["repeats"] > 1 else ""


def sentences(results: Mapping[str, Any]) -> list[str]:
    """Return the findings, one sentence each."""
    first, *_ = results["settings"]["systems"]
    pair = results["best_pair"]
    found = [f"The best pair of encoders is {pair['audio']} with {pair['image']}."]
    for target, share in results["zero_shot_share"].items():
        found.append(
            f"Zero-shot {first} keeps {share:.0%} of the best system on {target} "
            f"(no labelled {target} was seen)."
        )
    for target, correlation in results["rank_correlation"].items():
        if correlation is None:
            continue
        found.append(
            f"F1 by class on {target} follows the class frequency among the pairs with a rank "
            f"correlation of {correlation['rho']:.2f} (p = {correlation['p_value']:.2g})"
            f"{of_first_seed(results)}."
        )
    return found


def format_results(results: Mapping[str, Any]) -> str:
    """Lay tables and findings out for the terminal."""
    parts = []
    for title, rows in tables(results).items():
        if title.startswith("Table 1"):
            rows = [row[:-1] for row in rows if row[-1] != "no"]
        parts.append(f"{title}\n\n{_aligned(rows)}")
    notes = [f"Not run: {reason}" for reason in results["not_run"]]
    return "\n\n".join([*parts, "\n".join([*sentences(results), *notes])])


def _encoders(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["encoder", "modality", "dimension", "parameters", "source", "ran"],
        *(
            [
                row["name"],
                row["modality"],
                _count(row["dimension"]),
                _count(row["parameters"]),
                row["source"],
                "yes" if row["used"] else "no",
            ]
            for row in results["encoders"]
        ),
    ]


def _count(number: int | None) -> str:
    """Of embeddings that came as they are, an encoder's size is not known."""
    return "-" if number is None else f"{number:,}"


def _subsets(results: Mapping[str, Any]) -> list[list[str]]:
    roles = {
        "translation": "train translation, unlabelled",
        "retrieval": "choose the encoders",
        "train": "train classifiers",
        "test": "test classifiers",
    }
    return [
        ["subset", "role", "rows", *(f"with {name}" for name in results["best_pair"])],
        *(
            [
                name,
                role,
                *map(_count, (results["n_rows"][name], *results["n_media"][name].values())),
            ]
            for name, role in roles.items()
        ),
    ]


def _retrieval(results: Mapping[str, Any]) -> list[list[str]]:
    directions = list(results["baselines"]["random"])
    found: dict[str, dict[str, list[float]]] = {}
    for row in results["retrieval"]:
        of_pair = found.setdefault(f"{row['audio']} + {row['image']}", {})
        of_pair.setdefault(f"{row['query']} to {row['gallery']}", []).append(row["ndcg"])
    for row in results["baselines"]["untranslated"]:
        of_pair = found.setdefault(f"{row['audio']} + {row['image']}, untranslated", {})
        of_pair.setdefault(f"{row['query']} to {row['gallery']}", []).append(row["ndcg"])
    body = [
        [name, *(f"{sum(values[d]) / len(values[d]):.3f}" for d in directions)]
        for name, values in found.items()
    ]
    chance = [f"{results['baselines']['random'][d]:.3f}" for d in directions]
    return [["encoders", *directions], *body, ["random order", *chance]]


def _scores(results: Mapping[str, Any]) -> list[list[str]]:
    found = {(row["system"], row["target"], row["training"]): row for row in results["scores"]}
    targets = list(dict.fromkeys(target for _, target, _ in found))
    systems = list(dict.fromkeys(system for system, _, _ in found))
    columns = [(target, training) for target in targets for training in (ZERO_SHOT, ALL_DATA)]
    return [
        ["system", *(f"{target} {training}" for target, training in columns)],
        *([system, *(_score(found.get((system, *c))) for c in columns)] for system in systems),
    ]


def _score(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    if row["interval"] is None:
        return f"{row['macro_f1']:.3f}"
    return f"{row['macro_f1']:.3f} ±{row['interval'][1] - row['macro_f1']:.3f}"


def _structure(results: Mapping[str, Any]) -> list[list[str]]:
    rows = [["system", "within class across modalities / between classes", "modality gap"]]
    for system, found in results["analysis"].items():
        clusters = found["clusters"]
        rows.append([system, f"{clusters['class_ratio']:.3f}", f"{clusters['modality_gap']:.3f}"])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if _is_text(rows, column) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _is_text(rows: Sequence[Sequence[str]], column: int) -> bool:
    return column == 0 or any(row[column][:1].isalpha() for row in rows[1:])
