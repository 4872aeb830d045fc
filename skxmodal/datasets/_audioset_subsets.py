"""The paper's four subsets of AudioSet (Table 2), which share no video."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..utils import check_number
from ._audioset_classes import CLASS_NAMES, class_number, label_codes, spread_tuples

_MEDIA = ("audio", "image")
_ANY = "any instrument"


class SubsetShortfallError(ValueError):
    """There are too few clips for the subsets that were asked for.

    Parameters
    ----------
    message : str
        What is missing.
    table : DataFrame
        One row for each class, and one, "any instrument", for the unbalanced subsets, with the
        columns ``needed``, ``available`` and ``missing`` (clips, each of another video).
    """

    def __init__(self, message: str, table: Any) -> None:
        super().__init__(message, table)
        self.table = table

    def __str__(self) -> str:
        """Return the message, with the rows that fall short."""
        short = self.table[self.table["missing"] > 0]
        return f"{self.args[0]}\n{short.to_string()}"


def audioset_subsets(
    frame: Any,
    translation: int = 130_000,
    retrieval: int = 10_000,
    train: int = 16_200,
    test: int = 1_800,
    random_state: Any = None,
) -> Bunch:
    """Draw the paper's four subsets: no video is in two of them.

    ``train`` and ``test`` have the same number of clips of each of the eighteen classes (see
    :func:`classes18`); ``translation`` and ``retrieval`` are drawn from all other clips, with
    whatever labels they have. A video gives one clip to one subset, and of a table with the
    columns ``audio`` and ``image`` only the rows that have both are drawn.

    Parameters
    ----------
    frame : DataFrame or Bunch
        What :func:`fetch_audioset` returns, or its frame: the columns ``ytid`` and ``label_ids``
        are needed.
    translation, retrieval : int, default=130_000, 10_000
        Sizes of the subsets that train and evaluate the translation.
    train, test : int, default=16_200, 1_800
        Sizes of the subsets that train and evaluate the classifier: multiples of 18. For a
        smaller source, pass smaller numbers, such as a tenth of each.
    random_state : int, RandomState instance or None, default=None
        Which clips are drawn.

    Returns
    -------
    subsets : :class:`~sklearn.utils.Bunch`
        ``translation``, ``retrieval``, ``train`` and ``test``, each a Bunch with

        ``frame``
            the rows drawn, in random order, with a fresh index,
        ``indices``
            int array, their positions in the table given,
        ``target``
            of ``train`` and ``test``: int array, the class; of the others: object array of
            tuples of label ids,
        ``target_names``
            of ``train`` and ``test``: the eighteen names,
        ``label_ids``
            object array of tuples of label ids.

    Raises
    ------
    SubsetShortfallError
        A ``ValueError``: the source is too small. Its ``table`` says for each class how many
        clips are needed, available and missing.
    ValueError, TypeError
        When a size is not possible, or a column is missing.

    References
    ----------
    .. [1] H.-H. Wu et al., "Exploring modality-agnostic representations for music
       classification", 2021, Table 2. https://arxiv.org/abs/2106.01149

    Examples
    --------
    >>> from skxmodal.datasets import audioset_subsets, fetch_audioset
    >>> data = fetch_audioset(["balanced_train", "eval"])  # doctest: +SKIP
    >>> subsets = audioset_subsets(  # doctest: +SKIP
    ...     data, translation=4_000, retrieval=1_000, train=900, test=180, random_state=0)
    >>> subsets.train.frame.shape  # doctest: +SKIP
    (900, 6)
    """
    sizes = {"translation": translation, "retrieval": retrieval, "train": train, "test": test}
    _check_sizes(sizes)
    table, codes, label_sets = label_codes(frame)
    if table is None or "ytid" not in table:
        raise TypeError("frame needs the columns 'ytid' and 'label_ids': see fetch_audioset")
    # In random order from here on: what comes first is drawn first.
    order = check_random_state(random_state).permutation(_complete_rows(table))
    video = _video_numbers(table["ytid"])
    number = np.array([class_number(labels) for labels in label_sets] or [-1])[codes]
    labelled = _first_of_each_video(order[number[order] >= 0], video)
    by_class = [labelled[number[labelled] == label] for label in range(len(CLASS_NAMES))]
    n_test, n_train = test // len(CLASS_NAMES), train // len(CLASS_NAMES)
    used = [rows[: n_test + n_train] for rows in by_class]
    free = order[~np.isin(video[order], video[np.concatenate(used)])]
    others = _first_of_each_video(free, video)
    _check_supply(sizes, [len(rows) for rows in by_class], len(others))
    classified = {
        "train": _mix([rows[n_test:] for rows in used], order),
        "test": _mix([rows[:n_test] for rows in used], order),
    }
    drawn = {
        "translation": others[retrieval : retrieval + translation],
        "retrieval": others[:retrieval],
        **classified,
    }
    subsets = Bunch()
    for name, rows in drawn.items():
        label_ids = spread_tuples(label_sets, codes[rows])
        subsets[name] = Bunch(
            frame=table.iloc[rows].reset_index(drop=True),
            indices=rows,
            target=number[rows] if name in classified else label_ids,
            label_ids=label_ids,
        )
        if name in classified:
            subsets[name].target_names = list(CLASS_NAMES)
    return subsets


def _check_sizes(sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        check_number(name, size, integer=True, low=0)
    n_classes = len(CLASS_NAMES)
    for name in ("train", "test"):
        if sizes[name] % n_classes:
            below = sizes[name] - sizes[name] % n_classes
            raise ValueError(
                f"{name} must be a multiple of {n_classes}, as it has the same number of clips of "
                f"each class, got {sizes[name]}: pass {below} or {below + n_classes}"
            )


def _complete_rows(table: Any) -> np.ndarray:
    """Return the rows that miss no medium."""
    media = [name for name in _MEDIA if name in table]
    return np.flatnonzero(table[media].notna().all(axis=1).to_numpy())


def _video_numbers(ytid: Any) -> np.ndarray:
    import pandas as pd

    return pd.factorize(ytid)[0]


def _first_of_each_video(rows: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Keep the first row of each video, in the order given."""
    return rows[np.sort(np.unique(video[rows], return_index=True)[1])]


def _mix(groups: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Return the rows of all groups in the random order."""
    return order[np.isin(order, np.concatenate(groups))]


def _check_supply(sizes: dict[str, int], by_class: list[int], n_others: int) -> None:
    """Raise if there are too few clips, and say of what."""
    import pandas as pd

    per_class = (sizes["train"] + sizes["test"]) // len(CLASS_NAMES)
    others = sizes["translation"] + sizes["retrieval"]
    table = pd.DataFrame(
        {"needed": [per_class] * len(by_class) + [others], "available": [*by_class, n_others]},
        index=pd.Index([*CLASS_NAMES, _ANY], name="class"),
    )
    table["missing"] = (table["needed"] - table["available"]).clip(lower=0)
    short = table["missing"] > 0
    if not short.any():
        return
    wanted = ", ".join(f"{name}={size}" for name, size in sizes.items())
    remedies = []
    if short[:-1].any():
        remedies.append(
            f"train + test may be {len(CLASS_NAMES) * min(by_class)} here ({min(by_class)} clips "
            "of the rarest class)"
        )
    if short.iloc[-1]:
        remedies.append(f"translation + retrieval may be {n_others} beside them")
    raise SubsetShortfallError(
        f"too few clips for {wanted}: {'; '.join(remedies)}; add lists (fetch_audioset of "
        "'unbalanced_train') or pass smaller sizes. Clips, each of another video:",
        table,
    )
