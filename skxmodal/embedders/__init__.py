"""Transformers from media to embeddings."""

from ..encoders import list_encoders
from ._column import MediaWarning
from ._embedders import AudioEmbedder, ImageEmbedder, make_embedder
from ._text import TextEmbedder
from ._to_file import embed_to_file

__all__ = [
    "AudioEmbedder",
    "ImageEmbedder",
    "MediaWarning",
    "TextEmbedder",
    "embed_to_file",
    "list_encoders",
    "make_embedder",
]
