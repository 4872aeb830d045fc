"""One look for every progress display."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(iterable: Any = None, *, verbose: int, description: str, **options: Any) -> Any:
    """Wrap ``iterable`` in a progress bar on stderr, shown when ``verbose`` is positive.

    Parameters
    ----------
    iterable : iterable or None
        What is iterated over; ``None`` for a bar advanced by hand.
    verbose : int
        0 shows nothing.
    description : str
        What is being done.
    **options
        Passed to :class:`tqdm.tqdm` (``total=``, ``unit=``, ...).

    Returns
    -------
    bar : tqdm.tqdm
        The iterable bar.

    Examples
    --------
    >>> from skxmodal.utils import progress_bar
    >>> list(progress_bar([1, 2], verbose=0, description="counting"))
    [1, 2]
    """
    from tqdm.auto import tqdm

    # A log file keeps every redraw: there, one every ten seconds will do.
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        iterable,
        desc=description,
        disable=not verbose,
        dynamic_ncols=True,
        leave=False,
        mininterval=interval,
        maxinterval=max(interval, 10.0),
        **options,
    )
