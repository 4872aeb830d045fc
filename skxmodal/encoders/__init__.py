"""Encoders: fixed functions from one sound or one picture to one vector."""

from ._hog import HOGEncoder
from ._logmel import LogMelEncoder
from ._protocol import Encoder
from ._registry import EncoderSpec, list_encoders, load_encoder, register_encoder

__all__ = [
    "Encoder",
    "EncoderSpec",
    "HOGEncoder",
    "LogMelEncoder",
    "list_encoders",
    "load_encoder",
    "register_encoder",
]
