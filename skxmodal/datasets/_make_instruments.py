"""make_instruments: eighteen instruments heard and seen, synthesised on the spot."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils import Bunch, check_random_state

from ..utils import check_choice, check_number, progress_bar
from ._instruments._classes import AUDIOSET_COUNTS, INSTRUMENTS, Instrument, get_instrument
from ._manifest import manifest_text, write_manifest

_SUBSETS = ("translation", "retrieval", "train", "test")
_ROWS_PER_TASK = 32
# How much of the drawn size comes from the pitch, and of the contrast from the loudness.
_SHARED = 0.85

_DESCR = """\
Instruments
-----------
One-second sounds (16 kHz) and 224 x 224 pictures of the eighteen instrument classes of Wu,
Fuentes and Bello (2021), synthesised and drawn anew from a seed: nothing is downloaded and nothing
was recorded. Both modalities of a row share their causes: a low pitch goes with a large drawing, a
loud sound with a picture of high contrast. Labels carry AudioSet's names and ids, so that its
ontology applies.
"""


@dataclass(frozen=True)
class _Row:
    """What is rendered for one row; equal rows give equal bytes."""

    number: int
    heard: str
    seen: str
    pitch: float
    loudness: float
    size: float
    contrast: float
    difficulty: float
    seed: tuple[int, ...]


def make_instruments(
    n_samples: int = 1800,
    *,
    subset: str = "train",
    classes: int | Sequence[str] = 18,
    pair_noise: float = 0.0,
    skew: float | str = 1.0,
    difficulty: float = 0.5,
    random_state: int | np.random.RandomState | None = 0,
    out: str | os.PathLike | None = None,
    audio_format: str = "wav",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Synthesise paired sounds and pictures of musical instruments; no download.

    Every row has a one-second sound and a picture of one instrument. The four subsets play the
    parts of the paper's Table 2; they are drawn from separate random streams, so no two of them
    share a sample whatever their sizes.

    Parameters
    ----------
    n_samples : int, default=1800
        Number of rows.
    subset : {"translation", "retrieval", "train", "test"}, default="train"
        ``"translation"`` has no labels (``target`` is -1 throughout); it alone heeds
        ``pair_noise`` and ``skew``. The others are labelled and balanced: class counts differ
        by one at most.
    classes : int or sequence of str, default=18
        The instruments' names, or how many of them, in alphabetical order.
    pair_noise : float in [0, 1], default=0.0
        Share of the translation pairs whose picture is drawn independently of the sound: its
        class, size and contrast have nothing to do with it.
    skew : float >= 1 or "audioset", default=1.0
        Ratio between successive class frequencies of the translation subset; ``"audioset"``
        takes the real frequencies of the labels in AudioSet's balanced and evaluation lists.
    difficulty : float in [0, 1], default=0.5
        How strong the nuisances are: noise, reverberation, chords, cut notes and bleeding in the
        sounds; tilt, perspective, clutter, occlusion, light and noise in the pictures.
    random_state : int, RandomState instance or None, default=0
        Same integer, same bytes, whatever ``n_jobs`` and ``out``.
    out : str, path-like or None, default=None
        A folder: samples are written to ``audio/`` and ``image/`` (PNG) as they are made,
        together with ``manifest.csv`` (:func:`load_manifest` reads it back), and the cells of
        the frame are paths. ``None`` keeps arrays in memory (215 kB a row).
    audio_format : {"wav", "flac"}, default="wav"
        Format of the sound files, 16 bit either way.
    n_jobs : int or None, default=None
        Number of processes; ``None`` means 1, -1 all processors.
    verbose : int, default=0
        Positive: a progress bar.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            media table with the columns ``"audio"``, pairs ``(16000, int16 array (16000,))`` or
            paths, and ``"image"``, uint8 arrays ``(224, 224, 3)`` or paths,
        ``target``
            int array ``(n_samples,)``: number of the class, or -1 throughout (translation),
        ``target_names``
            the classes' names, in alphabetical order,
        ``label_ids``
            object array ``(n_samples,)`` of tuples of AudioSet ids, for taxonomy-graded
            relevance; of the sound, in the translation subset too (for analysis only),
        ``causes``
            DataFrame with what each row was made from: ``heard`` and ``seen`` (classes),
            ``pitch``, ``loudness``, ``size`` and ``contrast`` in [0, 1],
        ``DESCR``
            description.

    Raises
    ------
    ValueError, TypeError
        When a parameter is out of its range.
    FileExistsError
        When ``out`` already holds another data set.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 3.1 and Table 2.

    Examples
    --------
    >>> from skxmodal.datasets import make_instruments
    >>> data = make_instruments(4, classes=["flute", "violin"], random_state=0)
    >>> data.frame.shape, data.target_names
    ((4, 2), ['flute', 'violin'])
    >>> rate, samples = data.frame.audio[0]
    >>> rate, samples.shape, data.frame.image[0].shape
    (16000, (16000,), (224, 224, 3))
    """
    import pandas as pd

    check_number("n_samples", n_samples, integer=True, low=1)
    check_choice("subset", subset, _SUBSETS)
    check_number("pair_noise", pair_noise, low=0, high=1)
    check_number("difficulty", difficulty, low=0, high=1)
    check_choice("audio_format", audio_format, ("wav", "flac"))
    instruments = _choose_classes(classes)
    frequency = _frequencies(instruments, skew)

    rows = _plan(
        n_samples,
        subset,
        [instrument.name for instrument in instruments],
        frequency,
        pair_noise=pair_noise,
        difficulty=difficulty,
        random_state=random_state,
    )
    names = [instrument.name for instrument in instruments]
    labelled = subset != "translation"
    target = np.array([names.index(row.heard) if labelled else -1 for row in rows])
    label_ids = np.empty(n_samples, dtype=object)
    label_ids[:] = [(get_instrument(row.heard).audioset_id,) for row in rows]
    files = None
    if out is not None:
        files = _Files(Path(out), subset, audio_format)
        files.prepare(rows, [row.heard if labelled else None for row in rows], label_ids)
    cells = list(
        progress_bar(
            _render_all(rows, files, n_jobs),
            verbose=verbose,
            description=f"making {subset} instruments",
            total=n_samples,
            unit="pair",
        )
    )
    frame = pd.DataFrame(
        {
            "audio": pd.Series([audio for audio, _ in cells], dtype=object),
            "image": pd.Series([image for _, image in cells], dtype=object),
        }
    )
    if files is not None:
        labels = [row.heard if labelled else None for row in rows]
        write_manifest(files.manifest, frame, labels, label_ids)
    columns = ["heard", "seen", "pitch", "loudness", "size", "contrast"]
    return Bunch(
        frame=frame,
        target=target,
        target_names=names,
        label_ids=label_ids,
        causes=pd.DataFrame([{name: getattr(row, name) for name in columns} for row in rows]),
        DESCR=_DESCR,
    )


def _choose_classes(classes: int | Sequence[str]) -> list[Instrument]:
    if isinstance(classes, str):
        raise TypeError(f"classes must be a number or a list of names, got {classes!r}")
    if not isinstance(classes, (Sequence, np.ndarray)):
        check_number("classes", classes, integer=True, low=2, high=len(INSTRUMENTS))
        return list(INSTRUMENTS[: int(classes)])
    chosen = sorted({get_instrument(name).name for name in classes})
    if len(chosen) < 2:
        raise ValueError(f"classes must name two instruments or more, got {list(classes)!r}")
    return [get_instrument(name) for name in chosen]


def _frequencies(instruments: list[Instrument], skew: float | str) -> np.ndarray:
    """Probability of each class in the translation subset."""
    if isinstance(skew, str):
        check_choice("skew", skew, ("audioset",))
        frequency = np.array([AUDIOSET_COUNTS[instrument.name] for instrument in instruments])
    else:
        check_number("skew", skew, low=1, below=np.inf)
        frequency = float(skew) ** -np.arange(len(instruments))
    return frequency / frequency.sum()


def _plan(
    n_samples: int,
    subset: str,
    names: list[str],
    frequency: np.ndarray,
    *,
    pair_noise: float,
    difficulty: float,
    random_state: int | np.random.RandomState | None,
) -> list[_Row]:
    """Draw the classes and the causes of every row, and a seed for what is rendered of it."""
    if isinstance(random_state, (int, np.integer)):
        check_number("random_state", random_state, integer=True, low=0)
        seed = int(random_state)
    else:
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    stream = (seed, _SUBSETS.index(subset))
    rng = np.random.default_rng(stream)
    if subset == "translation":
        heard = rng.choice(len(names), size=n_samples, p=frequency)
    else:
        heard = rng.permutation(np.resize(np.arange(len(names)), n_samples))
        pair_noise = 0.0
    seen = heard.copy()
    pitch, loudness, other_pitch, other_loudness = rng.random((4, n_samples))
    seen_pitch, seen_loudness = pitch.copy(), loudness.copy()
    noisy = rng.permutation(n_samples)[: round(pair_noise * n_samples)]
    seen[noisy] = rng.choice(len(names), size=len(noisy), p=frequency)
    seen_pitch[noisy], seen_loudness[noisy] = other_pitch[noisy], other_loudness[noisy]
    size = _SHARED * (1 - seen_pitch) + (1 - _SHARED) * rng.random(n_samples)
    contrast = _SHARED * seen_loudness + (1 - _SHARED) * rng.random(n_samples)
    return [
        _Row(
            number,
            names[heard[number]],
            names[seen[number]],
            float(pitch[number]),
            float(loudness[number]),
            float(size[number]),
            float(contrast[number]),
            float(difficulty),
            (*stream, number),
        )
        for number in range(n_samples)
    ]


@dataclass(frozen=True)
class _Files:
    """Where the samples of one subset are written."""

    folder: Path
    subset: str
    audio_format: str

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.csv"

    def audio(self, number: int) -> Path:
        return self.folder / "audio" / f"{self.subset}-{number:06d}.{self.audio_format}"

    def image(self, number: int) -> Path:
        return self.folder / "image" / f"{self.subset}-{number:06d}.png"

    def prepare(self, rows: list[_Row], labels: list[str | None], label_ids: np.ndarray) -> None:
        """Make the folders; refuse to mix with another data set that is there already."""
        frame = {
            "audio": [str(self.audio(row.number)) for row in rows],
            "image": [str(self.image(row.number)) for row in rows],
        }
        if self.manifest.exists():
            import pandas as pd

            wanted = manifest_text(self.folder, pd.DataFrame(frame), labels, label_ids)
            if self.manifest.read_text("utf-8") != wanted:
                raise FileExistsError(
                    f"{str(self.folder)!r} already holds another data set: choose another folder"
                )
        for name in ("audio", "image"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)


def _render_all(
    rows: list[_Row], files: _Files | None, n_jobs: int | None
) -> Iterator[tuple[Any, Any]]:
    """Render in order, a few rows a task; processes, because drawing holds Python's lock."""
    tasks = [rows[start : start + _ROWS_PER_TASK] for start in range(0, len(rows), _ROWS_PER_TASK)]
    if effective_n_jobs(n_jobs) == 1 or len(tasks) == 1:
        for task in tasks:
            yield from _render_some(task, files)
        return
    parallel = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")
    for cells in parallel(delayed(_render_some)(task, files) for task in tasks):
        yield from cells


def _render_some(rows: list[_Row], files: _Files | None) -> list[tuple[Any, Any]]:
    return [_render(row, files) for row in rows]


def _render(row: _Row, files: _Files | None) -> tuple[Any, Any]:
    """Make one sound and one picture: arrays, or the paths of files."""
    from ._instruments._picture import render_picture
    from ._instruments._sound import SAMPLE_RATE, render_sound

    sound_rng, picture_rng = (np.random.default_rng((*row.seed, part)) for part in (0, 1))
    sound = render_sound(
        row.heard,
        pitch=row.pitch,
        loudness=row.loudness,
        difficulty=row.difficulty,
        rng=sound_rng,
    )
    samples = np.round(sound * 32767).astype(np.int16)
    picture = render_picture(
        row.seen,
        size=row.size,
        contrast=row.contrast,
        difficulty=row.difficulty,
        rng=picture_rng,
    )
    if files is None:
        return (SAMPLE_RATE, samples), picture
    import soundfile
    from PIL import Image

    audio, image = files.audio(row.number), files.image(row.number)
    # Under another name first: a file that is there is whole.
    partial_audio, partial_image = (path.with_name(path.name + ".part") for path in (audio, image))
    soundfile.write(
        partial_audio, samples, SAMPLE_RATE, format=files.audio_format, subtype="PCM_16"
    )
    partial_audio.replace(audio)
    Image.fromarray(picture).save(partial_image, format="PNG", compress_level=1)
    partial_image.replace(image)
    return str(audio), str(image)
