"""Cross-validation with unlabelled rows; how a classifier gains from labelled samples."""

from ._curve import TransferCurve
from ._semi_supervised import SemiSupervisedSplit
from ._transfer_curve import transfer_curve

__all__ = ["SemiSupervisedSplit", "transfer_curve", "TransferCurve"]
