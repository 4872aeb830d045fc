"""Cells of a media table become arrays: sounds mono float32, pictures RGB uint8."""

from ._audio import read_audio
from ._cells import MediaError, as_cells, is_missing
from ._image import read_image

__all__ = ["MediaError", "as_cells", "is_missing", "read_audio", "read_image"]
