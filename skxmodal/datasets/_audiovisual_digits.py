"""Spoken digits heard, written digits seen: a real data set for joint spaces."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..utils import check_choice
from ._pairing import check_pairing, draw_pairs
from ._spoken_digits import _recordings

# Sources of the subsets; no recording and no picture is in two of them.
_TAKES = {
    "translation": range(5, 25),
    "retrieval": range(25, 30),
    "train": range(30, 50),
    "test": range(5),
}
_N_IMAGES = {"translation": 850, "retrieval": 150, "train": 500, "test": 297}

_DESCR = """\
Audiovisual digits
------------------
Real spoken digits (Free Spoken Digit Dataset, CC BY-SA 4.0) beside the written digits bundled
with scikit-learn (UCI ML hand-written digits, test part, CC BY 4.0). Subsets never share a
recording or a picture:

============  ======  ======  ===================================================
subset        sounds  images  rows
============  ======  ======  ===================================================
translation     1200     850  n_pairs unlabelled pairs of a sound and an image
retrieval        300     150  one sound or one image a row, labelled
train           1200     500  one sound or one image a row, labelled
test             300     297  one sound or one image a row, labelled
============  ======  ======  ===================================================
"""


def fetch_audiovisual_digits(
    subset: str = "translation",
    *,
    pair_noise: float = 0.0,
    skew: float = 1.0,
    n_pairs: int = 10_000,
    random_state: int | np.random.RandomState | None = 0,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
) -> Bunch:
    """Load spoken digits together with written digits, as a table of two modalities.

    The translation subset holds *pairs*: each row has the sound and an image of one digit and
    no label, as two streams of one video clip would. The other subsets hold single sounds and
    single images with their labels; a row's other modality is missing (``None``).

    Parameters
    ----------
    subset : {"translation", "retrieval", "train", "test"}, default="translation"
        Which part. The sources (takes 5-24, 25-29, 30-49 and the official test takes 0-4;
        850, 150, 500 and 297 images by a fixed permutation) do not overlap.
    pair_noise : float in [0, 1], default=0.0
        Share of the pairs whose image is drawn independently of the sound.
    skew : float >= 1, default=1.0
        Ratio between successive digit frequencies: 1.5 makes the rarest digit 38 times rarer
        than the most frequent one.
    n_pairs : int, default=10_000
        Number of rows of the translation subset.
    random_state : int, RandomState instance or None, default=0
        Draws the pairs. Only used by the translation subset.
    data_home, download_if_missing, verbose
        As in :func:`fetch_spoken_digits`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            media table with the columns ``"audio"`` (paths of 8 kHz WAV files or ``None``)
            and ``"image"`` (uint8 arrays ``(8, 8)`` or ``None``),
        ``target``
            int array ``(n_samples,)``: the digit, or -1 throughout in the translation subset,
        ``target_names``
            ``["0", ..., "9"]``,
        ``DESCR``
            description and licences.

    Raises
    ------
    ValueError, TypeError
        When a parameter is out of its range.
    RemoteFileError
        When the recordings cannot be obtained.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 3.1 and Table 2 (the roles of the subsets).
    """
    import pandas as pd
    from sklearn.datasets import load_digits

    # Before anything is downloaded.
    check_choice("subset", subset, _TAKES)
    check_pairing(n_pairs=n_pairs, pair_noise=pair_noise, skew=skew)
    files, spoken, _, takes = _recordings(
        data_home=data_home, download_if_missing=download_if_missing, verbose=verbose
    )
    heard = np.isin(takes, list(_TAKES[subset]))
    sounds = np.array([str(f) for f, h in zip(files, heard) if h], dtype=object)
    spoken = spoken[heard]

    bundled = load_digits()
    seen = _image_rows(subset)
    written = bundled.target[seen]
    # The written digits have 17 grey levels, 0-16, ink bright.
    pictures = np.empty(len(seen), dtype=object)
    pictures[:] = list(np.round(bundled.images[seen] * (255 / 16)).astype(np.uint8))

    if subset == "translation":
        sound_rows, image_rows = draw_pairs(
            spoken,
            written,
            n_pairs=n_pairs,
            pair_noise=pair_noise,
            skew=skew,
            random_state=check_random_state(random_state),
        )
        audio, image = sounds[sound_rows], pictures[image_rows]
        target = np.full(n_pairs, -1)
    else:
        audio = np.concatenate([sounds, np.full(len(pictures), None)])
        image = np.concatenate([np.full(len(sounds), None), pictures])
        target = np.concatenate([spoken, written])
    return Bunch(
        frame=pd.DataFrame(
            {"audio": pd.Series(audio, dtype=object), "image": pd.Series(image, dtype=object)}
        ),
        target=target,
        target_names=[str(digit) for digit in range(10)],
        DESCR=_DESCR,
    )


def _image_rows(subset: str) -> np.ndarray:
    """Rows of scikit-learn's written digits that belong to a subset, by a fixed permutation."""
    order = np.random.RandomState(0).permutation(sum(_N_IMAGES.values()))
    start = 0
    for name, count in _N_IMAGES.items():
        if name == subset:
            return order[start : start + count]
        start += count
    raise KeyError(subset)
