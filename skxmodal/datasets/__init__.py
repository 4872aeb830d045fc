"""Data sets: each returns a Bunch with a media table in ``frame``."""

from ._audioset import fetch_audioset
from ._audioset_classes import classes18
from ._audioset_subsets import SubsetShortfallError, audioset_subsets
from ._audioset_youtube import YouTubeClips
from ._audiovisual_digits import fetch_audiovisual_digits
from ._data_home import clear_data_home, get_data_home
from ._fetch_ontology import fetch_audioset_ontology
from ._make_clips import make_clips
from ._make_instruments import make_instruments
from ._make_paired_embeddings import make_paired_embeddings
from ._manifest import load_manifest
from ._ontology import Ontology
from ._remote import RemoteFileError
from ._spoken_digits import fetch_spoken_digits

__all__ = [
    "Ontology",
    "RemoteFileError",
    "SubsetShortfallError",
    "YouTubeClips",
    "audioset_subsets",
    "classes18",
    "clear_data_home",
    "fetch_audioset",
    "fetch_audioset_ontology",
    "fetch_audiovisual_digits",
    "fetch_spoken_digits",
    "get_data_home",
    "load_manifest",
    "make_clips",
    "make_instruments",
    "make_paired_embeddings",
]
