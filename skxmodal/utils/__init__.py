"""Small helpers that serve every stage."""

from ._optional import import_optional
from ._progress import progress_bar
from ._validation import check_choice, check_n_jobs, check_number
from ._versioned import VersionedState, VersionWarning

__all__ = [
    "VersionWarning",
    "VersionedState",
    "check_choice",
    "check_n_jobs",
    "check_number",
    "import_optional",
    "progress_bar",
]
