"""How a classifier gains from labelled samples of the modality it is tested on."""

from ._curve import TransferCurve
from ._transfer_curve import transfer_curve

__all__ = ["transfer_curve", "TransferCurve"]
