"""Data sets: each returns a Bunch with a media table in ``frame``."""

from ._audiovisual_digits import fetch_audiovisual_digits
from ._data_home import clear_data_home, get_data_home
from ._remote import RemoteFileError
from ._spoken_digits import fetch_spoken_digits

__all__ = [
    "RemoteFileError",
    "clear_data_home",
    "fetch_audiovisual_digits",
    "fetch_spoken_digits",
    "get_data_home",
]
