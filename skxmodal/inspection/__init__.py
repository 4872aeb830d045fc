"""Displays of the paper's figures: numbers apart from drawing, in scikit-learn's manner.

``from_*`` computes, ``__init__`` stores, ``plot`` draws, and ``describe`` says in a sentence what
the picture shows, for readers who do not see it.
"""

from ._class_report import ClassReportDisplay
from ._clusters import ClusterDistanceDisplay
from ._label_distribution import LabelDistributionDisplay
from ._neighbours import NeighboursDisplay
from ._retrieval import RetrievalDisplay
from ._transfer_curve import TransferCurveDisplay

__all__ = [
    "RetrievalDisplay",
    "TransferCurveDisplay",
    "ClusterDistanceDisplay",
    "ClassReportDisplay",
    "LabelDistributionDisplay",
    "NeighboursDisplay",
]
