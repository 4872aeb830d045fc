"""The Free Spoken Digit Dataset: six speakers say each digit fifty times."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ..utils import check_choice
from ._archives import fetch_zip
from ._remote import SPOKEN_DIGITS

_CONTENTS = "sha256:1971de6d210a657fc0b609a5bb473095188386d232f7540824707d103ddfcd5d"
_TEST_TAKES = range(5)
_SUBSETS = {"train": range(5, 50), "test": _TEST_TAKES, "all": range(50)}

_DESCR = """\
Free Spoken Digit Dataset
-------------------------
3,000 recordings (WAV, 8 kHz, mono) of the English digits 0-9 by six speakers, fifty takes
each, trimmed to near minimal silence. Takes 0-4 are the official test set, 5-49 the training
set. By Zohar Jackson and contributors, CC BY-SA 4.0,
https://github.com/Jakobovski/free-spoken-digit-dataset
"""


def fetch_spoken_digits(
    subset: str = "train",
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
) -> Bunch:
    """Load the Free Spoken Digit Dataset (16 MB), downloaded on first use.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The official split: takes 0-4 of each speaker and digit are the test set.
    data_home : str, path-like or None, default=None
        As in :func:`get_data_home`.
    download_if_missing : bool, default=True
        ``False``: raise instead of downloading.
    verbose : int, default=0
        Positive: a progress bar while downloading.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``frame``
            media table with the column ``"audio"`` (paths of WAV files),
        ``target``
            int array ``(n_samples,)``, the digit,
        ``target_names``
            ``["0", ..., "9"]``,
        ``speaker``, ``take``
            str and int arrays ``(n_samples,)``,
        ``DESCR``
            description and licence.

    Raises
    ------
    ValueError
        When there is no such subset.
    RemoteFileError
        When the data cannot be obtained or are not what was expected.

    References
    ----------
    .. [1] Z. Jackson et al., "Free Spoken Digit Dataset", commit 26eb9aa.
       https://github.com/Jakobovski/free-spoken-digit-dataset
    """
    import pandas as pd

    check_choice("subset", subset, _SUBSETS)
    files, digits, speakers, takes = _recordings(
        data_home=data_home, download_if_missing=download_if_missing, verbose=verbose
    )
    chosen = np.isin(takes, list(_SUBSETS[subset]))
    return Bunch(
        frame=pd.DataFrame({"audio": [str(f) for f, c in zip(files, chosen) if c]}),
        target=digits[chosen],
        target_names=[str(digit) for digit in range(10)],
        speaker=speakers[chosen],
        take=takes[chosen],
        DESCR=_DESCR,
    )


def _recordings(
    *, data_home: str | os.PathLike | None, download_if_missing: bool, verbose: int
) -> tuple[list[Path], np.ndarray, np.ndarray, np.ndarray]:
    """Return files, digits, speakers and takes, in the order of (digit, speaker, take)."""
    folder = fetch_zip(
        SPOKEN_DIGITS,
        members="recordings/*.wav",
        contents=_CONTENTS,
        data_home=data_home,
        download_if_missing=download_if_missing,
        verbose=verbose,
    )
    parsed = []
    for file in folder.glob("recordings/*.wav"):
        digit, speaker, take = file.stem.split("_")
        parsed.append((int(digit), speaker, int(take), file))
    parsed.sort()
    digits, speakers, takes, files = zip(*parsed)
    return list(files), np.array(digits), np.array(speakers), np.array(takes)
