"""Synthetic embeddings of several modalities, at any size: for benchmarks and tests of scale."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..utils import check_choice, check_number

_SUBSETS = ("translation", "retrieval", "train", "test")
_CHUNK_ROWS = 8192
_N_SHARED = 24  # causes that all modalities of a sample have in common
_N_PRIVATE = 24  # causes of one modality alone
_HIDDEN = 256

_DESCR = """\
Paired embeddings
-----------------
Made up, no media: a sample has a class and shared causes (normal around the class's centre), and
each modality private causes of its own; a fixed random two-layer network turns both into the
embedding of the modality, and noise is added. Subsets come from separate random streams.
"""


def make_paired_embeddings(
    n_samples: int = 1000,
    *,
    subset: str = "train",
    n_features: Mapping[str, int] | None = None,
    n_classes: int = 18,
    class_sep: float = 1.0,
    noise: float = 0.5,
    pair_noise: float = 0.0,
    skew: float = 1.0,
    view: int | str = 0,
    problem: int = 0,
    random_state: int = 0,
    out: str | os.PathLike | None = None,
) -> Bunch:
    """Draw embeddings of two or more modalities that share causes; no media, any size.

    A sample of class ``c`` has shared causes ``z ~ N(class_sep * m_c, I)``; modality ``m`` adds
    private causes ``p_m ~ N(0, I)`` and embeds both as ``W2 tanh(W1 [z, p_m]) + noise * e`` with
    fixed random matrices. What one modality tells about another is thus non-linear and partial,
    as with real encoders.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    subset : {"translation", "retrieval", "train", "test"}, default="train"
        ``"translation"`` has no labels (``target`` is -1 throughout) and alone heeds
        ``pair_noise`` and ``skew``. The others are labelled and balanced.
    n_features : dict of str to int or None, default=None
        Width of each modality, in order; ``None`` is ``{"audio": 1024, "image": 2048}``, the
        paper's YAMNet and ResNet50.
    n_classes : int, default=18
        Number of classes.
    class_sep : float, default=1.0
        Distance of the classes' centres from the origin, per shared cause.
    noise : float, default=0.5
        Standard deviation of the noise of each value; a clean value has about 1.
    pair_noise : float in [0, 1], default=0.0
        Share of the translation pairs whose later modalities belong to another sample.
    skew : float >= 1, default=1.0
        Ratio between successive class frequencies of the translation subset.
    view : int or str, default=0
        Which random networks embed: the same samples seen by another encoder.
    problem : int, default=0
        Which classes' centres and networks: tables of one problem belong together.
    random_state : int, default=0
        Draws the samples. Same integer, same bytes.
    out : str, path-like or None, default=None
        A folder: every modality is written to ``<subset>-<modality>.npy`` in chunks, and
        ``frame`` is ``None``; memory stays flat.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            embedding table, float32 columns ``audio__0 ...``, or ``None`` with ``out``,
        ``blocks``
            dict of name to float32 array ``(n_samples, width)``; memory maps with ``out``,
        ``target``
            int array ``(n_samples,)``: the class, or -1 throughout (translation),
        ``target_names``
            ``["class 0", ...]``,
        ``causes``
            int array ``(n_samples,)``: the class in every subset (for analysis only),
        ``DESCR``
            description.

    Raises
    ------
    ValueError, TypeError
        When a parameter is out of its range.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, Table 2 (the subsets whose sizes it lets one reach).

    Examples
    --------
    >>> from skxmodal.datasets import make_paired_embeddings
    >>> data = make_paired_embeddings(36, n_features={"audio": 8, "image": 6})
    >>> data.frame.shape, len(data.target_names)
    ((36, 14), 18)
    """
    check_number("n_samples", n_samples, integer=True, low=1)
    check_choice("subset", subset, _SUBSETS)
    check_number("n_classes", n_classes, integer=True, low=2)
    check_number("class_sep", class_sep, low=0)
    check_number("noise", noise, low=0)
    check_number("pair_noise", pair_noise, low=0, high=1)
    check_number("skew", skew, low=1, below=np.inf)
    check_number("problem", problem, integer=True, low=0)
    check_number("random_state", random_state, integer=True, low=0)
    widths = dict(n_features or {"audio": 1024, "image": 2048})
    if len(widths) < 2:
        raise ValueError(f"n_features must name two modalities or more, got {widths!r}")
    for name, width in widths.items():
        check_number(f"n_features[{name!r}]", width, integer=True, low=1)

    rng = np.random.default_rng((random_state, _SUBSETS.index(subset)))
    centres = class_sep * np.random.default_rng((problem, len(_SUBSETS))).normal(
        size=(n_classes, _N_SHARED)
    )
    if subset == "translation":
        frequency = float(skew) ** -np.arange(n_classes)
        labels = rng.choice(n_classes, size=n_samples, p=frequency / frequency.sum())
    else:
        pair_noise = 0.0
        labels = rng.permutation(np.resize(np.arange(n_classes), n_samples))
    shared = centres[labels] + rng.normal(size=(n_samples, _N_SHARED))
    mispaired = rng.permutation(n_samples)[: round(pair_noise * n_samples)]

    blocks: dict[str, np.ndarray] = {}
    for number, (name, width) in enumerate(widths.items()):
        sample = np.arange(n_samples)
        if number:
            sample[mispaired] = rng.permutation(sample[mispaired])
        embed = _Network(width, seed=(problem, zlib.crc32(f"{name}/{view}".encode())))
        block = _room_for(out, f"{subset}-{name}", (n_samples, width))
        noises = np.random.default_rng((random_state, _SUBSETS.index(subset), embed.seed[1]))
        private = rng.normal(size=(n_samples, _N_PRIVATE))
        for start in range(0, n_samples, _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            clean = embed(np.hstack([shared[sample[rows]], private[sample[rows]]]))
            clean += noise * noises.standard_normal(clean.shape, dtype=np.float32)
            block[rows] = clean
        blocks[name] = _settle(block, out, f"{subset}-{name}")
    frame: Any = None
    if out is None:
        from ..modalities import concat_modalities

        frame = concat_modalities(**blocks)
    return Bunch(
        frame=frame,
        blocks=blocks,
        target=np.full(n_samples, -1) if subset == "translation" else labels,
        target_names=[f"class {number}" for number in range(n_classes)],
        causes=labels,
        DESCR=_DESCR,
    )


class _Network:
    """The fixed random network that stands for an encoder."""

    def __init__(self, width: int, *, seed: tuple[int, int]) -> None:
        self.seed = seed
        rng = np.random.default_rng(seed)
        n_causes = _N_SHARED + _N_PRIVATE
        self.first = (rng.normal(size=(n_causes, _HIDDEN)) / np.sqrt(n_causes)).astype(np.float32)
        self.second = (rng.normal(size=(_HIDDEN, width)) / np.sqrt(_HIDDEN / 2)).astype(np.float32)

    def __call__(self, causes: np.ndarray) -> np.ndarray:
        return np.tanh(causes.astype(np.float32) @ self.first) @ self.second


def _room_for(out: str | os.PathLike | None, name: str, shape: tuple[int, int]) -> np.ndarray:
    """An empty array, in memory or in a file beside its final place."""
    if out is None:
        return np.empty(shape, dtype=np.float32)
    Path(out).mkdir(parents=True, exist_ok=True)
    partial = Path(out) / f"{name}.npy.part"
    return np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)


def _settle(block: np.ndarray, out: str | os.PathLike | None, name: str) -> np.ndarray:
    """Give a finished file its name, and return it read-only."""
    if out is None:
        return block
    assert isinstance(block, np.memmap)
    block.flush()
    final = Path(out) / f"{name}.npy"
    Path(f"{final}.part").replace(final)
    return np.load(final, mmap_mode="r")
