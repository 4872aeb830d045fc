"""Table 1 of the paper: the encoders that there are, and those that take part in a run."""

from __future__ import annotations

from typing import Any

from ..embedders import list_encoders
from ..encoders import load_encoder, spec_of
from ._data import Source


def table_1(source: Source) -> list[dict[str, Any]]:
    """Return the registered encoders, and which of them took part."""
    listed = list_encoders()
    listed = listed[listed["modality"].isin(list(source.encoders))]
    rows = [
        {
            **{name: row[name] for name in ("name", "modality", "dimension", "parameters")},
            "source": row["source"],
            "licence": row["licence"],
            "used": row["name"] in source.encoders[row["modality"]],
        }
        for row in listed.to_dict("records")
    ]
    known = {(row["modality"], row["name"]) for row in rows}
    for modality, names in source.encoders.items():
        unlisted = [name for name in names if (modality, name) not in known]
        rows += [_row_of_unlisted(source, modality, name) for name in unlisted]
    return rows


def not_asked_for(source: Source) -> list[str]:
    """Return a sentence on the encoders of Table 1 that took no part, if there are any."""
    failed = {line.partition(": ")[0] for line in source.not_run}
    names = [
        f"{row['name']} ({row['modality']})"
        for row in table_1(source)
        if not row["used"] and row["parameters"]
    ]
    left_out = [name for name in names if name not in failed]
    if not left_out:
        return []
    return [f"not asked for (their weights must be downloaded): {', '.join(left_out)}"]


def _row_of_unlisted(source: Source, modality: str, name: str) -> dict[str, Any]:
    """What Table 1 says of an encoder that is a variant, or a provider's, or a folder's."""
    row: dict[str, Any] = {"name": name, "modality": modality}
    row |= {"dimension": None, "parameters": None, "source": "", "licence": "", "used": True}
    if not source.embedded:
        spec = spec_of(name, modality)
        row |= {"source": spec.source, "licence": spec.licence, "parameters": spec.n_parameters}
        row["dimension"] = load_encoder(name, modality).n_features
    return row
