"""The paper's experiment, end to end."""

from ._data import EXPERIMENT_DATASETS
from ._manifests import embed_manifest
from ._reproduce import reproduce
from ._tables import format_results

__all__ = ["EXPERIMENT_DATASETS", "embed_manifest", "format_results", "reproduce"]
