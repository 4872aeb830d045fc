"""The data sets on which the experiment runs, all in the same four subsets."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import fetch_audiovisual_digits, make_instruments, make_paired_embeddings
from ..embedders._content import file_state, hash_parts, split_fragment
from ..encoders import load_encoder
from ..metrics import ExactMatch
from ..utils import check_choice
from ._presets import Preset

#: Easier than the default of make_instruments, as there are fewer samples to learn from.
_INSTRUMENT_DIFFICULTY = 0.3
#: Encoders without a download: a grid of pairs that runs anywhere.
_OFFLINE_ENCODERS = {"audio": ["logmel", "mfcc"], "image": ["hog", "thumbnail"]}
#: Widths of the paper's Table 1, for made-up embeddings.
_TABLE_1 = {
    "audio": {"openl3-512": 512, "vggish": 128, "yamnet": 1024},
    "image": {"openl3-512": 512, "vgg16": 512, "resnet50": 2048},
}
_MADE_PAIRS = ("instruments", "digits", "embeddings")  # with as much noise and skew as is wanted
EXPERIMENT_DATASETS = ("instruments", "digits", "audioset", "embeddings")


@dataclass(frozen=True)
class Subset:
    """One of the four parts of a data set.

    Either ``frame`` holds media, or ``blocks`` embeddings by modality and encoder.
    """

    target: np.ndarray  # class numbers, -1 where unlabelled
    frame: Any = None
    blocks: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)
    relevance_labels: Any = None  # of each row, for NDCG; None: the classes
    class_counts: Mapping[str, Sequence[int]] = field(default_factory=dict)  # by modality


@dataclass(frozen=True)
class Source:
    """A data set: how its subsets are loaded, and what the experiment must know beforehand."""

    name: str
    encoders: dict[str, list[str]]
    target_names: list[str]
    load: Callable[[str, int], Subset]  # subset, seed
    identity: dict[str, Any]  # what the data depend on besides subset and seed
    first_seed: int = 0  # of the labelled subsets
    draws_pairs: bool = False  # whether another seed gives other pairs
    embedded: bool = False  # whether the encoders have done their work already
    relevance: Any = field(default_factory=ExactMatch)
    relevance_name: str = "same class"
    not_run: list[str] = field(default_factory=list)


def open_source(
    dataset: str | os.PathLike,
    preset: Preset,
    *,
    encoders: Mapping[str, Sequence[str]] | None,
    pair_noise: float,
    skew: float,
    clips: str | os.PathLike | None,
    columns: Mapping[str, str] | None,
    random_state: int,
    n_jobs: int | None,
    verbose: int,
) -> Source:
    """Find the data set that was asked for; nothing is loaded yet.

    Raises
    ------
    ValueError
        When there is no such data set, or it cannot serve the experiment.
    """
    name, path = os.fspath(dataset), Path(dataset)
    if name in EXPERIMENT_DATASETS and path.exists():
        raise ValueError(
            f"dataset={name!r} is both a data set and something in this folder: write "
            f"'./{name}' for the latter, or go to another folder"
        )
    is_manifest = (path.suffix in (".csv", ".parquet") or path.exists()) and not path.is_dir()
    if not is_manifest and not path.is_dir() and name not in EXPERIMENT_DATASETS:
        names = ", ".join(map(repr, EXPERIMENT_DATASETS))
        raise ValueError(
            f"dataset must be one of {names}, a manifest (CSV or parquet) or a folder written by "
            f"skxmodal embed, got {name!r}"
        )
    for option, given, serves in (
        ("pair_noise", pair_noise != 0, name in _MADE_PAIRS),
        ("skew", skew != 1, name in _MADE_PAIRS),
        ("clips", clips is not None, name == "audioset"),
        ("columns", bool(columns), is_manifest),
    ):
        if given and not serves:
            raise ValueError(f"{option} does not go with dataset={name!r}: leave it out")
    if name == "embeddings":
        source = _embeddings(preset, encoders, pair_noise=pair_noise, skew=skew)
        return replace(source, first_seed=random_state)
    if path.is_dir():
        from ._manifests import open_embedded

        source = open_embedded(path, encoders, random_state=random_state)
        return replace(source, first_seed=random_state)
    if name == "audioset" and clips is None:
        raise ValueError(
            "dataset='audioset' needs clips=: a folder of clips, or 'youtube' to download them"
        )
    chosen, not_run = available_encoders(encoders or _OFFLINE_ENCODERS)
    options: dict[str, Any] = {"pair_noise": pair_noise, "skew": skew, "verbose": verbose}
    if name == "digits":
        source = _digits(chosen, **options)
    elif name == "instruments":
        source = _instruments(preset, chosen, n_jobs=n_jobs, **options)
    elif name == "audioset":
        from ._audioset import open_audioset

        source = open_audioset(
            preset,
            chosen,
            clips=clips,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
    else:
        from ._manifests import open_manifest

        source = open_manifest(path, chosen, columns=columns, random_state=random_state)
    return replace(source, first_seed=random_state, not_run=[*source.not_run, *not_run])


def available_encoders(
    encoders: Mapping[str, Sequence[str]],
) -> tuple[dict[str, list[str]], list[str]]:
    """Load every encoder; leave out, with a sentence, what this machine cannot get.

    Raises
    ------
    ValueError
        When an encoder is unknown, or a modality has none left.
    """
    chosen: dict[str, list[str]] = {}
    not_run = []
    for modality in _OFFLINE_ENCODERS:
        wanted = list(dict.fromkeys(encoders.get(modality) or ()))
        if not wanted:
            raise ValueError(f"encoders must name one or more encoders for {modality!r}")
        chosen[modality] = []
        for encoder in wanted:
            try:
                load_encoder(encoder, modality)
                chosen[modality].append(encoder)
            except (OSError, ImportError) as error:
                not_run.append(f"{encoder} ({modality}): {error}")
        if not chosen[modality]:
            raise ValueError(f"none of the {modality} encoders can be loaded: {'; '.join(not_run)}")
    return chosen, not_run


def _digits(
    encoders: dict[str, list[str]], *, pair_noise: float, skew: float, verbose: int
) -> Source:
    """Spoken and written digits."""

    def load(subset: str, seed: int) -> Subset:
        data = fetch_audiovisual_digits(
            subset, pair_noise=pair_noise, skew=skew, random_state=seed, verbose=verbose
        )
        return Subset(data.target, data.frame)

    return Source(
        "digits",
        encoders,
        [str(digit) for digit in range(10)],
        load,
        {"pair_noise": pair_noise, "skew": skew},
        draws_pairs=True,
    )


def _instruments(
    preset: Preset,
    encoders: dict[str, list[str]],
    *,
    pair_noise: float,
    skew: float,
    n_jobs: int | None,
    verbose: int,
) -> Source:
    """Synthesised instruments."""

    def load(subset: str, seed: int) -> Subset:
        data = make_instruments(
            preset.rows[subset],
            subset=subset,
            difficulty=_INSTRUMENT_DIFFICULTY,
            pair_noise=pair_noise,
            skew=skew,
            random_state=seed,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        counts = {
            modality: data.causes[column].value_counts().reindex(data.target_names, fill_value=0)
            for modality, column in (("audio", "heard"), ("image", "seen"))
        }
        return Subset(
            data.target,
            data.frame,
            class_counts={name: series.tolist() for name, series in counts.items()},
        )

    names = make_instruments(1, subset="train").target_names
    return Source(
        "instruments",
        encoders,
        names,
        load,
        {
            "rows": preset.rows,
            "difficulty": _INSTRUMENT_DIFFICULTY,
            "pair_noise": pair_noise,
            "skew": skew,
        },
        draws_pairs=True,
    )


def _embeddings(
    preset: Preset,
    encoders: Mapping[str, Sequence[str]] | None,
    *,
    pair_noise: float,
    skew: float,
) -> Source:
    """Made-up embeddings with the widths of real encoders, at any size."""
    chosen = {
        name: list(dict.fromkeys((encoders or _TABLE_1).get(name, ())))
        for name in ("audio", "image")
    }
    for modality, names in chosen.items():
        if not names:
            raise ValueError(f"encoders must name one or more encoders for {modality!r}")
        for name in names:
            check_choice(f"encoders[{modality!r}]", name, _TABLE_1[modality])

    def load(subset: str, seed: int) -> Subset:
        blocks: dict[tuple[str, str], np.ndarray] = {}
        data: Any = None
        for modality, names in chosen.items():
            for name in names:
                # The other modality is drawn too, one column of it: the streams stay the same.
                widths = dict.fromkeys(chosen, 1) | {modality: _TABLE_1[modality][name]}
                data = make_paired_embeddings(
                    preset.rows[subset],
                    subset=subset,
                    n_features=widths,
                    pair_noise=pair_noise,
                    skew=skew,
                    view=name,
                    random_state=seed,
                )
                blocks[modality, name] = data.blocks[modality]
        counts = np.bincount(data.causes, minlength=len(data.target_names)).tolist()
        return Subset(data.target, blocks=blocks, class_counts={"audio": counts, "image": counts})

    return Source(
        "embeddings",
        chosen,
        [f"class {number}" for number in range(18)],
        load,
        {"rows": preset.rows, "pair_noise": pair_noise, "skew": skew},
        draws_pairs=True,
        embedded=True,
    )


def file_facts(frame: Any, absent: Collection[int] = ()) -> tuple[str, list[int]]:
    """Hash which files a media table names, and their sizes and times.

    Also return the numbers of the cells, column after column, whose files are not there; those of
    ``absent`` count as such, wherever they are by now.
    """
    parts, not_there = [], []
    for number, cell in enumerate(cell for name in frame.columns for cell in frame[name]):
        if isinstance(cell, (str, os.PathLike)):
            path, fragment = split_fragment(cell)
            state = None if number in absent else file_state(cell)
            if state is None:
                not_there.append(number)
            parts += [os.path.abspath(path), fragment, state or "missing"]
        else:
            parts += ["", "", ""]
    return hash_parts(*parts), not_there


def check_subset(source: Source, name: str, subset: Subset) -> None:
    """Raise when a subset cannot serve: a modality that is not there, a class too small.

    Raises
    ------
    ValueError
        Names the subset, and the class or the modality.
    """
    if subset.frame is not None:
        for modality in source.encoders:
            if modality not in subset.frame or subset.frame[modality].isna().all():
                raise ValueError(
                    f"the {name} subset of {source.name!r} has no {modality} at all: the "
                    "experiment trains and tests on every modality"
                )
    if name == "translation" or (subset.relevance_labels is not None and (subset.target < 0).all()):
        return
    counts = np.bincount(subset.target[subset.target >= 0], minlength=len(source.target_names))
    for label, count in zip(source.target_names, counts):
        if count < 2:
            raise ValueError(
                f"the {name} subset of {source.name!r} has {count} sample(s) of the class "
                f"{label!r}: it needs two or more"
            )
