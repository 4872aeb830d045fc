"""Small helpers that serve every stage."""

from ._optional import import_optional
from ._progress import progress_bar
from ._validation import check_choice, check_number

__all__ = ["check_choice", "check_number", "import_optional", "progress_bar"]
