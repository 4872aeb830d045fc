"""Saved estimators know which version wrote them."""

from __future__ import annotations

import warnings
from typing import Any

from .. import __version__
from ._doc_link import DocLink

_STAMP = "_skxmodal_version"


class VersionWarning(UserWarning):
    """A saved estimator was written by another version of skxmodal.

    Examples
    --------
    >>> from skxmodal.utils import VersionWarning
    >>> issubclass(VersionWarning, UserWarning)
    True
    """


class VersionedState(DocLink):
    """Stamp what pickle, joblib and skops write with the version, and compare it when read.

    Stands before :class:`~sklearn.base.BaseEstimator` among the bases of an estimator. All
    estimators have it, and through it the link of their diagram to the documentation.
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes and the version."""
        state: Any = super().__getstate__()
        return {**state, _STAMP: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the attributes; warn when another version wrote them."""
        state = dict(state)
        written_by = state.pop(_STAMP, None)
        if written_by != __version__:
            # Without the name of the class, so that a whole pipeline is one warning.
            warnings.warn(
                f"this model was saved by skxmodal {written_by or 'of an unknown version'}, and "
                f"this is skxmodal {__version__}: its predictions may differ or fail. Fit it "
                f"again, or load it with the version that saved it.",
                VersionWarning,
                # One place, so that Python shows it once for all parts of a pipeline.
                stacklevel=1,
            )
        parent: Any = super()
        if hasattr(parent, "__setstate__"):
            parent.__setstate__(state)
        else:
            self.__dict__.update(state)
