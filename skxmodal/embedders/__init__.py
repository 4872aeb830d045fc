"""Transformers from media to embeddings."""

from ..encoders import list_encoders
from ._embedders import AudioEmbedder, ImageEmbedder, make_embedder
from ._stream import MediaWarning

__all__ = ["AudioEmbedder", "ImageEmbedder", "MediaWarning", "list_encoders", "make_embedder"]
