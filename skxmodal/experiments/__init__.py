"""The paper's experiment, end to end."""

from ._data import EXPERIMENT_DATASETS
from ._reproduce import reproduce

__all__ = ["EXPERIMENT_DATASETS", "reproduce"]
