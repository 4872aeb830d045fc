"""Run the paper's experiment on a data set: numbers, tables, figures, a report."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from joblib import cpu_count

from ..model_selection import TransferCurve
from ..utils import check_choice, check_n_jobs, check_number, import_optional
from ._data import Source, open_source
from ._embedding import EmbeddedSubset, embed_subset, fingerprints
from ._encoders import not_asked_for, table_1
from ._neighbours import draw_neighbours
from ._pairs import K, best_pair, score_baselines, score_pairs
from ._presets import PRESETS, SUBSETS, Preset
from ._stages import Stages, make_folder, package_versions, write_json
from ._summary import rank_correlations, summarise_scores, zero_shot_shares
from ._systems import SPACES, analyse, curve_of, fit_space


def reproduce(
    dataset: str | os.PathLike = "instruments",
    *,
    preset: str = "quick",
    encoders: Mapping[str, Sequence[str]] | None = None,
    systems: Sequence[str] = ("MMT", "MMP", "MMR"),
    pair_noise: float = 0.0,
    skew: float = 1.0,
    clips: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
    repeats: int = 1,
    out: str | os.PathLike | None = None,
    random_state: int = 0,
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, Any]:
    """Run the whole experiment of the paper: train on one modality, test on the other.

    1. Every pair of an audio and an image encoder is translated and scored by cross-modal
       retrieval (NDCG@30 on the retrieval subset); the best pair goes on.
    2. Classifiers are trained on one modality, with ever more labelled samples of the other mixed
       in, and tested on the other. ``SMA`` and ``SMI`` see a single modality, reduced to 128
       principal components; ``MMP`` shares one classifier among the principal components of
       all modalities, ``MMT`` among translated embeddings, and ``MMR``, which goes beyond the
       paper, in the recommended joint space
       (:func:`~skxmodal.translation.make_recommended_joint`).
    3. What translation does: distances between clusters before and after, F1 by class,
       confusions, and how F1 follows the class distribution of the translation subset.

    Parameters
    ----------
    dataset : str or path-like, default="instruments"
        ``"instruments"``: eighteen synthesised instruments, no download; ``"digits"``: real
        spoken and written digits; ``"audioset"``: the paper's data, from ``clips``;
        ``"embeddings"``: made-up embeddings as wide as the real encoders'
        (:func:`~skxmodal.datasets.make_paired_embeddings`). A path: a manifest (CSV or parquet,
        see :func:`~skxmodal.datasets.load_manifest`; a column ``subset`` may name the subset of
        each row), or a folder written by ``skxmodal embed``.
    preset : {"quick", "paper"}, default="quick"
        ``"paper"`` takes the sizes of the paper's Table 2 where the data set allows, and ten
        points a curve; it trains translators for 20 epochs at most to compare pairs of encoders,
        and for 80 with the best pair. ``"quick"`` takes about a thirtieth of the rows, five points
        with two draws each, at most 60 epochs where pairs are compared and 200 for the best.
    encoders : dict of str to sequence of str or None, default=None
        Encoders of ``"audio"`` and of ``"image"``, of which all pairs are compared. ``None``:
        those that need no download. One whose weights or packages cannot be had is left out,
        and the report says so.
    systems : sequence of {"MMT", "MMP", "MMR"}, default=("MMT", "MMP", "MMR")
        Multi-modal systems. The first is the one looked into in step 3, compared with ``"MMP"``.
    pair_noise, skew : float
        How noisy and how skewed the unlabelled pairs are (instruments, digits and embeddings
        only: the pairs of other data are what they are).
    clips : path-like, "youtube" or None, default=None
        AudioSet's clips, for ``dataset="audioset"``, as in
        :func:`~skxmodal.datasets.fetch_audioset`.
    columns : mapping of str to str or None, default=None
        What a manifest calls its columns, as in :func:`~skxmodal.datasets.load_manifest`.
    repeats : int, default=1
        Number of seeds, from ``random_state`` on; with several there are 95 % intervals. A seed
        draws networks, forests and the labelled samples mixed in, and the pairs of data sets
        that are made up or drawn (instruments, digits, embeddings); AudioSet, manifests and
        folders are split once, and their intervals do not cover that.
    out : str, path-like or None, default=None
        Folder for ``report.html``, ``results.json``, ``figures/`` and the finished stages, from
        which a run that was ended continues; ``None`` writes nothing.
    random_state : int, default=0
        First seed: of the pairs, the networks, the draws and the forests.
    cache : path-like or None, default=None
        Folder that keeps embeddings by content, as in
        :class:`~skxmodal.embedders.AudioEmbedder`.
    n_jobs : int or None, default=None
        Number of decoding threads, of processes that make instruments, and of forests fitted at
        the same time.
    verbose : int, default=0
        Positive: progress on stderr.

    Returns
    -------
    results : dict
        Everything that the report shows: ``settings``, ``versions``, ``machine``, ``encoders``
        (Table 1), ``retrieval``, ``baselines`` and ``best_pair`` (Figure 2), ``scores``,
        ``curves`` and ``zero_shot_share`` (Figure 3), ``analysis`` (Figures 4 and 5),
        ``label_distribution`` and ``rank_correlation`` (Figure 6), ``not_run``, ``stages`` and
        ``seconds``.

    Raises
    ------
    ValueError
        When a parameter is out of range or does not go with the data set, or the data cannot
        serve: a class with one sample, a modality that a whole subset lacks.
    RemoteFileError
        When the data cannot be obtained.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021.
    """
    check_choice("preset", preset, PRESETS)
    check_number("pair_noise", pair_noise, low=0, high=1)
    check_number("skew", skew, low=1, below=np.inf)
    check_n_jobs(n_jobs)
    check_number("repeats", repeats, integer=True, low=1)
    check_number("random_state", random_state, integer=True, low=0, high=2**32 - repeats)
    if not systems:
        raise ValueError("systems must name one system or more")
    for system in systems:
        check_choice("systems", system, SPACES)
    systems = tuple(dict.fromkeys(systems))
    if out is not None:
        # Before hours of work, not after.
        import_optional("matplotlib", caller="reproduce(out=...)", extra="plot")
    sizes = PRESETS[preset]
    source = open_source(
        dataset,
        sizes,
        encoders=encoders,
        pair_noise=pair_noise,
        skew=skew,
        clips=clips,
        columns=columns,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    started = time.perf_counter()
    say = _Narrator(verbose)
    folder = None if out is None else Path(out)
    stages = Stages(None if folder is None else folder / "stages", say)
    run = _Run(source, sizes, stages, systems, random_state, repeats, cache, n_jobs, verbose)
    results = {
        "settings": {
            "dataset": source.name,
            "preset": preset,
            "max_epochs": {"comparing pairs": sizes.pair_epochs, "best pair": sizes.max_epochs},
            "pair_noise": pair_noise,
            "skew": skew,
            "columns": dict(columns or {}),
            "encoders": source.encoders,
            "systems": list(systems),
            "repeats": repeats,
            "random_state": random_state,
            "n_neighbors": K,
            "relevance": source.relevance_name,
        },
        "versions": {"python": platform.python_version(), **package_versions()},
        "machine": {"system": platform.system(), "arch": platform.machine(), "cpus": cpu_count()},
        **run.everything(),
        "not_run": [*source.not_run, *not_asked_for(source)],
        "stages": stages.log,
    }
    results["seconds"] = round(time.perf_counter() - started, 1)
    if folder is not None:
        from ._report import write_report

        make_folder(folder)
        # Before anything is drawn: no number is lost for want of a picture.
        write_json(folder / "results.json", results)
        drawing = run.neighbours()
        say("drawing figures and writing the report")
        results["seconds"] = round(time.perf_counter() - started, 1)
        write_json(folder / "results.json", results)
        write_report(results, folder, drawing)
    return results


class _Run:
    """One run of the experiment, part by part in the paper's order."""

    def __init__(
        self,
        source: Source,
        preset: Preset,
        stages: Stages,
        systems: tuple[str, ...],
        first_seed: int,
        repeats: int,
        cache: str | os.PathLike | None,
        n_jobs: int | None,
        verbose: int,
    ) -> None:
        self.source = source
        self.preset = preset
        self.stages = stages
        self.systems = systems
        self.seeds = range(first_seed, first_seed + repeats)
        self.options: dict[str, Any] = {"n_jobs": n_jobs, "verbose": verbose}
        self.cache = cache
        self._embedded: dict[tuple[str, int], EmbeddedSubset] = {}
        # Only the pairs are drawn anew with every seed.
        self.fixed = {
            name: self._embed(name, first_seed) for name in ("retrieval", "train", "test")
        }

    def everything(self) -> dict[str, Any]:
        """Run all parts."""
        rows = []
        for seed in self.seeds:
            translation = self._embed("translation", seed)
            rows += score_pairs(
                self.stages,
                self.source,
                translation,
                self.fixed["retrieval"],
                seed=seed,
                max_epochs=self.preset.pair_epochs,
                data_key=self._data_key(seed),
                verbose=self.options["verbose"],
            )
        pair = best_pair(rows)
        classified = [self._classify(seed, pair) for seed in self.seeds]
        curves = [curve for of_seed in classified for curve in of_seed["curves"]]
        scores = summarise_scores(curves)
        analysis = classified[0]["analysis"]
        subsets = {"translation": self._embed("translation", self.seeds[0]), **self.fixed}
        counts = subsets["translation"].class_counts
        return {
            "target_names": self.source.target_names,
            "n_rows": {name: len(subset.target) for name, subset in subsets.items()},
            "n_media": {name: subset.n_media(pair) for name, subset in subsets.items()},
            "encoders": table_1(self.source),
            "retrieval": rows,
            "baselines": score_baselines(self.source, self.fixed["retrieval"]),
            "best_pair": pair,
            "scores": scores,
            "curves": curves,
            "zero_shot_share": zero_shot_shares(scores, self.systems[0]),
            "analysis": analysis,
            "label_distribution": {name: list(values) for name, values in counts.items()},
            "rank_correlation": rank_correlations(counts, analysis[self.systems[0]]),
        }

    def neighbours(self) -> dict[str, Any] | None:
        """Draw what is retrieved in the space of the first system."""
        return draw_neighbours(
            self.stages,
            self.source,
            self.systems[0],
            self.joint.retrieval,
            seed=self.seeds[0],
            data_key=self._space_key(self.seeds[0], self.pair),
        )

    def _classify(self, seed: int, pair: dict[str, str]) -> dict[str, Any]:
        """Fit the systems of one seed, and measure them."""
        subsets = {**self.fixed, "translation": self._embed("translation", seed)}
        key = self._space_key(seed, pair)
        targets = {name: subsets[name].target for name in ("train", "test")}
        joint = {
            system: fit_space(
                self.stages, system, pair, subsets, preset=self.preset, seed=seed, data_key=key
            )
            for system in dict.fromkeys((*self.systems, "MMP"))
        }
        curves = []
        for target in pair:
            runs = [(f"SM{target[0].upper()}", "MMP", True)]
            runs += [(system, system, False) for system in self.systems]
            for name, space, alone in runs:
                curve = curve_of(
                    self.stages,
                    space,
                    joint[space],
                    targets,
                    target=target,
                    alone=alone,
                    preset=self.preset,
                    seed=seed,
                    data_key=key,
                    **self.options,
                )
                _tell(self.stages, name, curve)
                curves.append({"system": name, "seed": seed, **curve.as_dict()})
        analysis = {}
        if seed == self.seeds[0]:
            self.pair, self.joint = pair, joint[self.systems[0]]
            for system in dict.fromkeys((self.systems[0], "MMP")):
                analysis[system] = analyse(
                    self.stages,
                    system,
                    joint[system],
                    targets,
                    n_classes=len(self.source.target_names),
                    seed=seed,
                    data_key=key,
                )
        return {"curves": curves, "analysis": analysis}

    def _embed(self, name: str, seed: int) -> EmbeddedSubset:
        if not self.source.draws_pairs:
            seed = self.seeds[0]
        if (name, seed) not in self._embedded:
            self._embedded[name, seed] = embed_subset(
                self.stages, self.source, name, seed, cache=self.cache, **self.options
            )
        return self._embedded[name, seed]

    def _space_key(self, seed: int, pair: Mapping[str, str]) -> dict[str, Any]:
        """What the joint spaces of a seed depend on."""
        return {
            **self._data_key(seed),
            "encoders": fingerprints(self.source, pair),
            **pair,
            "max_epochs": self.preset.max_epochs,
        }

    def _data_key(self, seed: int) -> dict[str, Any]:
        """What the embeddings of a seed depend on, besides the encoders."""
        return {
            "source": self.source.name,
            **self.source.identity,
            "subsets": SUBSETS,
            "first_seed": self.seeds[0],
            "data_seed": seed if self.source.draws_pairs else None,
        }


def _tell(stages: Stages, system: str, curve: TransferCurve) -> None:
    first, last = np.round([curve.mean[0], curve.mean[-1]], 3)
    stages.say(f"  {system:<4} {curve.target:<6} {curve.sizes[0]}: {first}, all: {last}")


class _Narrator:
    """Say on stderr what is being done, and how long it has been going on."""

    def __init__(self, verbose: int, stream: TextIO | None = None) -> None:
        self.verbose = verbose
        self.stream = stream
        self.started = time.perf_counter()

    def __call__(self, message: str) -> None:
        if not self.verbose:
            return
        from tqdm.auto import tqdm

        # tqdm's own write keeps an open bar from being torn apart.
        tqdm.write(
            f"[{time.perf_counter() - self.started:6.1f} s] {message}",
            file=self.stream or sys.stderr,
        )
