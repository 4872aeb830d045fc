"""PyAV's containers, opened in one manner by all of its versions."""

from __future__ import annotations

from typing import Any


def open_container(av: Any, source: Any, **options: Any) -> Any:
    """Open a file for reading; a title or comment in it that is no UTF-8 is no error.

    Parameters
    ----------
    av : module
        PyAV.
    source : str or file
        What to open.
    **options
        Of ``av.open``.
    """
    # PyAV 19 never fails at one, and has no such parameter any more.
    if int(av.__version__.partition(".")[0]) < 19:
        options["metadata_errors"] = "replace"
    return av.open(source, **options)
