"""A data set of one's own: the media that a manifest lists, or embeddings of them in a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..datasets import load_manifest
from ..embedders import AudioEmbedder, ImageEmbedder, embed_to_file
from ._data import Source, Subset, file_facts
from ._presets import SUBSETS
from ._stages import make_folder, write_json

_MODALITIES = ("audio", "image")
_INDEX = "index.json"
_KEYS = {"files", "target", "target_names", "subset"}
#: Shares of each class's labelled rows, where the manifest does not assign them itself.
_SHARES = {"retrieval": 0.2, "test": 0.2}
_MIN_PER_CLASS = 6
_MIN_PAIRS = 4  # two to train a translator, two to stop it


def open_manifest(
    path: Path,
    encoders: Mapping[str, Sequence[str]],
    *,
    columns: Mapping[str, str] | None,
    random_state: int,
) -> Source:
    """Make an experiment of a manifest of media."""
    try:
        data = load_manifest(path, modalities=_MODALITIES, columns=columns)
    except FileNotFoundError as error:
        raise ValueError(str(error)) from None
    except OSError as error:
        raise ValueError(f"the manifest {str(path)!r} cannot be read: {error.strerror}") from None
    missing = [name for name in _MODALITIES if name not in data.frame]
    if missing:
        raise ValueError(
            f"the manifest {str(path)!r} has no column {missing[0]!r}: columns={{{missing[0]!r}: "
            f"...}}, or --column {missing[0]}=..., says which it is"
        )
    rows = _assign(data, str(path), random_state)

    def load(subset: str, seed: int) -> Subset:
        chosen = rows[subset]
        return Subset(
            _target(data, subset)[chosen],
            data.frame.iloc[chosen].reset_index(drop=True),
            relevance_labels=None,
            class_counts=_counts(data, chosen, data.frame.notna()),
        )

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files, _ = file_facts(data.frame)
    return Source(
        path.name,
        {name: list(encoders[name]) for name in _MODALITIES},
        data.target_names,
        load,
        {
            "manifest": digest,
            "columns": dict(columns or {}),
            "files": files,
            "split_seed": random_state,
        },
    )


def embed_manifest(
    data: Bunch,
    out: str | os.PathLike,
    *,
    encoders: Mapping[str, Sequence[str]],
    verbose: int = 0,
    **options: Any,
) -> dict[Path, np.ndarray]:
    """Embed the media of a manifest into a folder that :func:`reproduce` takes.

    Parameters
    ----------
    data : Bunch
        From :func:`~skxmodal.datasets.load_manifest`, or any data set with ``frame``, ``target``
        and ``target_names``.
    out : str or path-like
        Folder for ``<modality>-<encoder>.npy``, float32 files of one row per row of the table, and
        ``index.json``, which names encoders, labels and subsets. A run that was ended takes up
        where it stopped.
    encoders : dict of str to sequence of str
        Encoders of ``"audio"`` and ``"image"``.
    verbose : int, default=0
        Positive: progress bars.
    **options
        Parameters of the embedders (``n_jobs=``, ``cache=``, ``on_error=``, ...).

    Returns
    -------
    written : dict of Path to memmap
        The files and what they hold.

    Raises
    ------
    ValueError
        When there is nothing to embed, or the folder holds embeddings of other media.
    """
    folder = Path(out)
    embedders = {"audio": AudioEmbedder, "image": ImageEmbedder}
    views = [
        (modality, encoder)
        for modality in _MODALITIES
        for encoder in encoders.get(modality, ())
        if modality in data.frame
    ]
    if not views:
        raise ValueError(
            "there is nothing to embed: the table has the columns "
            f"{', '.join(map(repr, data.frame.columns))}, encoders are named for "
            f"{', '.join(repr(name) for name in encoders if encoders[name])}"
        )
    # Before the first of them has embedded for hours.
    ready = {
        (name, encoder): embedders[name](encoder, **options).fit(list(data.frame[name]))
        for name, encoder in views
    }
    make_folder(folder)
    media, absent = file_facts(data.frame)
    index = {
        "target": np.asarray(data.target).tolist(),
        "target_names": list(data.target_names),
        "subset": None if getattr(data, "subset", None) is None else list(data.subset),
        "media": media,
    }
    files = _files_of_before(folder / _INDEX, index, data.frame)
    written: dict[Path, np.ndarray] = {}
    for modality, encoder in views:
        path = folder / f"{modality}-{_file_name(encoder)}.npy"
        cells = list(data.frame[modality])
        written[path] = embed_to_file(ready[modality, encoder], cells, path, verbose=verbose)
        entry = {"modality": modality, "encoder": encoder, "file": path.name}
        if entry not in files:
            files.append(entry)
    write_json(folder / _INDEX, {"files": files, **index, "absent": absent})
    return written


def _files_of_before(
    index_file: Path, index: Mapping[str, Any], frame: Any
) -> list[dict[str, Any]]:
    """Return the files of an earlier call for the same rows, with other encoders."""
    if not index_file.exists():
        return []
    before = _read_index(index_file)
    # A file that was not there may have been put there since.
    media, _ = file_facts(frame, set(before.get("absent", ())))
    index = {**index, "media": media}
    if any(before.get(key) != value for key, value in index.items()):
        raise ValueError(
            f"{str(index_file.parent)!r} holds the embeddings of other rows or files: choose "
            "another folder"
        )
    return before["files"]


def _read_index(index_file: Path) -> dict[str, Any]:
    """Read the index of a folder of embeddings."""
    folder = str(index_file.parent)
    try:
        index = json.loads(index_file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder!r} is no folder of embeddings ({error}): write one by skxmodal embed"
        ) from None
    if not isinstance(index, dict) or not _KEYS.issubset(index):
        raise ValueError(
            f"{folder!r} is no folder of embeddings: its {_INDEX} is not what skxmodal embed writes"
        )
    return index


def open_embedded(
    folder: Path, encoders: Mapping[str, Sequence[str]] | None, *, random_state: int
) -> Source:
    """Make an experiment of a folder that :func:`embed_manifest` wrote."""
    index_file = folder / _INDEX
    index = _read_index(index_file)
    found = {
        (row["modality"], row["encoder"]): np.load(folder / row["file"], mmap_mode="r")
        for row in index["files"]
    }
    chosen: dict[str, list[str]] = {}
    for modality in _MODALITIES:
        there = [encoder for name, encoder in found if name == modality]
        chosen[modality] = list(dict.fromkeys((encoders or {}).get(modality) or there))
        missing = [encoder for encoder in chosen[modality] if encoder not in there]
        if missing or not there:
            raise ValueError(
                f"{str(folder)!r} has no {modality} embeddings"
                + (f" by {missing[0]!r}" if missing else "")
            )
    target = np.asarray(index["target"])
    subset = index["subset"] or [""] * len(target)
    data = Bunch(
        target=target,
        target_names=index["target_names"],
        subset=np.array(subset, dtype=object),
        frame=pd.DataFrame(
            {name: ~np.isnan(found[name, chosen[name][0]][:, 0]) for name in _MODALITIES}
        ),
    )
    rows = _assign(data, str(folder), random_state, present=data.frame)

    def load(name: str, seed: int) -> Subset:
        return Subset(
            _target(data, name)[rows[name]],
            blocks={
                (modality, encoder): found[modality, encoder][rows[name]]
                for modality, names in chosen.items()
                for encoder in names
            },
            class_counts=_counts(data, rows[name], data.frame),
        )

    identity = {
        "index": hashlib.sha256(index_file.read_bytes()).hexdigest(),
        "files": [(folder / row["file"]).stat().st_mtime_ns for row in index["files"]],
        "split_seed": random_state,
    }
    return Source(folder.name, chosen, data.target_names, load, identity, embedded=True)


def _assign(
    data: Bunch, place: str, random_state: int, present: Any = None
) -> dict[str, np.ndarray]:
    """Rows of each subset: as the table says, or pairs without and rows with a label, split."""
    if len(data.target_names) < 2:
        raise ValueError(
            f"{place!r} has the labels of {len(data.target_names)} class(es): the experiment tells "
            "two or more apart"
        )
    present = data.frame.notna() if present is None else present
    for modality in _MODALITIES:
        if not present[modality].any():
            raise ValueError(f"{place!r} has no {modality} at all: every row's is missing")
    named = np.asarray(data.subset)
    if (named != "").any():
        unknown = sorted(set(named) - {*SUBSETS, ""})
        if unknown:
            raise ValueError(
                f"{place!r} assigns rows to the subset {unknown[0]!r}; the experiment knows "
                f"{', '.join(map(repr, SUBSETS))}"
            )
        rows = {name: np.flatnonzero(named == name) for name in SUBSETS}
    else:
        paired = present.all(axis=1).to_numpy()
        labelled = np.asarray(data.target) >= 0
        pairs = np.flatnonzero(paired & ~labelled)
        rows = _split(data, place, random_state)
        # Without unlabelled pairs, those of the training subset serve, their labels unseen.
        rows["translation"] = pairs if len(pairs) else rows["train"][paired[rows["train"]]]
    for name in ("retrieval", "test"):
        # Without a label a row can neither be found rightly nor be predicted rightly.
        rows[name] = rows[name][np.asarray(data.target)[rows[name]] >= 0]
    for name in SUBSETS:
        usable, kind, needed = rows[name], "labelled row(s)", 2
        if name == "translation":
            usable = usable[present.all(axis=1).to_numpy()[usable]]
            kind, needed = "pair(s) of both modalities", _MIN_PAIRS
        if len(usable) < needed:
            raise ValueError(
                f"the {name} subset of {place!r} has {len(usable)} {kind}: it needs {needed} or "
                "more"
            )
        for modality in _MODALITIES:
            if not present[modality].to_numpy()[rows[name]].any():
                raise ValueError(
                    f"the {name} subset of {place!r} has no {modality} at all: the experiment "
                    "trains and tests on every modality"
                )
    return rows


def _split(data: Bunch, place: str, random_state: int) -> dict[str, np.ndarray]:
    """Split the labelled rows, every class in the same shares; a file is in one part only."""
    random = np.random.RandomState(random_state)
    group = _groups(data.frame)
    part_of: dict[int, str] = {}
    parts: dict[str, list[int]] = {name: [] for name in ("retrieval", "train", "test")}
    for number, label in enumerate(data.target_names):
        rows = random.permutation(np.flatnonzero(np.asarray(data.target) == number))
        if len(rows) < _MIN_PER_CLASS:
            raise ValueError(
                f"the class {label!r} of {place!r} has {len(rows)} sample(s): the experiment "
                f"needs {_MIN_PER_CLASS} of each class, to choose encoders, to train and to test"
            )
        wanted = {name: max(2, round(share * len(rows))) for name, share in _SHARES.items()}
        wanted["train"] = len(rows)
        for row in rows:
            if group[row] not in part_of:
                part_of[group[row]] = next(name for name, count in wanted.items() if count > 0)
            name = part_of[group[row]]
            wanted[name] -= 1
            parts[name].append(row)
    return {name: np.sort(np.array(rows, dtype=int)) for name, rows in parts.items()}


def _groups(frame: Any) -> np.ndarray:
    """Number rows so that those which share a file have the same number."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n_rows = len(frame)
    first_with: dict[tuple[str, str], int] = {}
    links = []
    for name in frame.columns:
        for row, cell in enumerate(frame[name]):
            if isinstance(cell, (str, os.PathLike)):
                links.append((row, first_with.setdefault((name, os.fspath(cell)), row)))
    pairs = np.array(links, dtype=np.int32).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))
    return connected_components(graph, directed=False)[1]


def _target(data: Bunch, subset: str) -> np.ndarray:
    """The labels that the experiment may see."""
    target = np.asarray(data.target)
    return np.full(len(target), -1) if subset == "translation" else target


def _counts(data: Bunch, rows: np.ndarray, present: Any) -> dict[str, list[int]]:
    """How often each class occurs in each modality; nothing where labels are missing."""
    target = np.asarray(data.target)[rows]
    if (target < 0).any():
        return {}
    return {
        name: np.bincount(
            target[present[name].to_numpy()[rows]], minlength=len(data.target_names)
        ).tolist()
        for name in _MODALITIES
    }


def _file_name(encoder: Any) -> str:
    return "".join(c if c.isalnum() or c in "-._" else "_" for c in str(encoder))
