"""Encoders: fixed functions from one sound, one picture or one text to one vector."""

from ._function import FunctionEncoder
from ._hashing_text import HashingTextEncoder
from ._hog import HOGEncoder
from ._logmel import LogMelEncoder
from ._mfcc import MFCCEncoder
from ._protocol import Encoder
from ._registry import list_encoders, load_encoder, register_encoder, spec_of
from ._spec import EncoderSpec
from ._thumbnail import ThumbnailEncoder
from ._weights_files import fetch_weights

__all__ = [
    "Encoder",
    "EncoderSpec",
    "FunctionEncoder",
    "HOGEncoder",
    "HashingTextEncoder",
    "LogMelEncoder",
    "MFCCEncoder",
    "ThumbnailEncoder",
    "fetch_weights",
    "list_encoders",
    "load_encoder",
    "register_encoder",
    "spec_of",
]
