"""The AudioSet ontology: 632 classes of sound."""

from __future__ import annotations

import os

from ._ontology import Ontology
from ._remote import RemoteFile, fetch_file

AUDIOSET_ONTOLOGY = RemoteFile(
    "https://raw.githubusercontent.com/audioset/ontology/"
    "d417d32bf59c711abb5910fd2f76a0eb44697991/ontology.json",
    digest="sha256:9c685f4403eecc3ca9be37fd7285cf212feaaea6ff7229d3e7ca89e0d1f2d15d",
    licence="CC BY-SA 4.0",
    size=342_780,
)


def fetch_audioset_ontology(
    *, data_home: str | os.PathLike[str] | None = None, download_if_missing: bool = True
) -> Ontology:
    """Load the ontology of AudioSet, at a fixed version.

    Parameters
    ----------
    data_home : path, default=None
        Where files are kept; see :func:`skxmodal.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether a file that is not there may be downloaded.

    Returns
    -------
    Ontology
        632 classes below 7 top classes. Names and ids (``"/m/04szw"``) both work as labels.

    References
    ----------
    .. [1] J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio
       events", ICASSP 2017. The ontology is licensed CC BY-SA 4.0.

    Examples
    --------
    >>> from skxmodal.datasets import fetch_audioset_ontology
    >>> ontology = fetch_audioset_ontology()  # doctest: +SKIP
    >>> ontology.distance("Violin, fiddle", "Cello")  # doctest: +SKIP
    2
    """
    path = fetch_file(
        AUDIOSET_ONTOLOGY, data_home=data_home, download_if_missing=download_if_missing
    )
    return Ontology.from_json(path)
