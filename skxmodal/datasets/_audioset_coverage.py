"""How much of a list of clips is there: counts by layout, by reason and by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

_LABELS = ("label", "label_names", "label_ids")
_SEPARATORS = {"label_names": "; ", "label_ids": " "}


class Coverage(dict):
    """What :func:`attach_media` reports: a dict whose ``str`` is a table to read.

    Keys
    ----
    n_clips, n_audio, n_image, n_both, n_missing : int
        How many rows there are, and have what.
    layouts : dict of str to int
        Files used, by the form of their names.
    reasons : dict of str to int
        Rows without sound or picture, by what is wrong.
    files : dict of str to int
        Files that were not used.
    rows : DataFrame
        Rows without sound or picture: ``ytid``, ``start``, ``audio``, ``image`` (whether it is
        there), ``reason`` and ``detail``.
    classes : DataFrame or None
        For each class ``n_clips``, ``n_audio`` and ``n_image``; ``None`` without labels.
    """

    def __str__(self) -> str:
        lines = [
            f"{self['n_clips']} clips: {self['n_audio']} with sound, {self['n_image']} with a "
            f"picture, {self['n_both']} with both, {self['n_missing']} with neither"
        ]
        for title, key in (("layout", "layouts"), ("missing", "reasons"), ("not used", "files")):
            lines += [f"  {title:<9}{n:>8}  {name}" for name, n in self[key].items()]
        return "\n".join(lines)


def summarise(
    frame: Any,
    audio: Sequence[str | None],
    image: Sequence[str | None],
    problems: Sequence[tuple[str, str] | None],
    layouts: Counter,
    files: Counter,
) -> Coverage:
    """Count what is there.

    ``problems`` holds, for every row that lacks something, the reason and what is to say of it.
    """
    import pandas as pd

    has_audio = np.array([cell is not None for cell in audio], dtype=bool)
    has_image = np.array([cell is not None for cell in image], dtype=bool)
    lacking = np.flatnonzero(~(has_audio & has_image)).tolist()
    noted = [problems[row] or ("no file", "") for row in lacking]
    rows = pd.DataFrame(
        {
            "ytid": np.asarray(frame["ytid"], dtype=object)[lacking],
            "start": np.asarray(frame["start"], dtype=float)[lacking],
            "audio": has_audio[lacking],
            "image": has_image[lacking],
            "reason": [reason for reason, _ in noted],
            "detail": [detail for _, detail in noted],
        },
        index=lacking,
    )
    return Coverage(
        n_clips=len(has_audio),
        n_audio=int(has_audio.sum()),
        n_image=int(has_image.sum()),
        n_both=int((has_audio & has_image).sum()),
        n_missing=int((~has_audio & ~has_image).sum()),
        layouts=dict(layouts.most_common()),
        reasons=dict(Counter(reason for reason, _ in noted).most_common()),
        files=dict(files.most_common()),
        rows=rows,
        classes=_by_class(frame, has_audio, has_image),
    )


def _by_class(frame: Any, has_audio: np.ndarray, has_image: np.ndarray) -> Any:
    """Count clips, sounds and pictures of each class; a clip counts for all that it carries."""
    import pandas as pd

    column = next((name for name in _LABELS if name in frame.columns), None)
    if column is None:
        return None
    texts, codes = np.unique(
        np.asarray(frame[column], dtype=object).astype(str), return_inverse=True
    )
    separator = _SEPARATORS.get(column)
    names = [text.split(separator) if separator else [text] for text in texts]
    per_text = np.stack(
        [
            np.bincount(codes, weights=weights, minlength=len(texts)).astype(int)
            for weights in (np.ones(len(codes)), has_audio, has_image)
        ],
        axis=1,
    )
    counts: dict[str, np.ndarray] = {}
    for classes, numbers in zip(names, per_text):
        for name in filter(None, classes):
            counts[name] = counts.get(name, 0) + numbers
    columns = ["n_clips", "n_audio", "n_image"]
    table = pd.DataFrame.from_dict(counts, orient="index", columns=columns)
    return table.sort_index().rename_axis("class")
