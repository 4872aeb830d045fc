"""Which encoders there are, and the one place that loads them."""

from __future__ import annotations

import difflib
import importlib.metadata
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._hog import HOGEncoder
from ._logmel import LogMelEncoder
from ._protocol import Encoder

_ENTRY_POINTS = "skxmodal.encoders"


@dataclass(frozen=True)
class EncoderSpec:
    """What is known of an encoder before it is loaded.

    Parameters
    ----------
    name : str
        The string by which it is asked for.
    modality : {"audio", "image"}
        What it encodes.
    n_features : int
        Length of its vectors.
    factory : callable
        Called without arguments, returns the :class:`Encoder`.
    n_parameters : int, default=0
        Number of trained parameters.
    input : str, default=""
        Sample rate or picture size that it works on.
    provider : str, default="built-in"
        Where the code comes from.
    licence : str, default="BSD-3-Clause"
        Licence of the weights.
    source : str, default=""
        Publication or address.
    extra : str, default=""
        The extra of skxmodal to install, if any.

    Examples
    --------
    >>> from skxmodal.encoders import EncoderSpec, LogMelEncoder
    >>> EncoderSpec("logmel", "audio", 640, LogMelEncoder).provider
    'built-in'
    """

    name: str
    modality: str
    n_features: int
    factory: Callable[..., Encoder]
    n_parameters: int = 0
    input: str = ""
    provider: str = "built-in"
    licence: str = "BSD-3-Clause"
    source: str = ""
    extra: str = ""


_SPECS: dict[tuple[str, str], EncoderSpec] = {}
_LOADED: dict[EncoderSpec, Encoder] = {}
_LOCK = threading.RLock()
_entry_points_read = False


def register_encoder(spec: EncoderSpec) -> None:
    """Make an encoder known by its name.

    A package announces its encoders without being imported through the entry-point group
    ``skxmodal.encoders``; each entry point is an :class:`EncoderSpec` or an iterable of them.

    Parameters
    ----------
    spec : EncoderSpec
        A name of the same modality that is already taken is an error.

    Raises
    ------
    ValueError
        When the name is taken.

    Examples
    --------
    >>> from skxmodal.encoders import EncoderSpec, LogMelEncoder, register_encoder
    >>> register_encoder(EncoderSpec("logmel", "audio", 640, LogMelEncoder))
    Traceback (most recent call last):
    ...
    ValueError: there already is an audio encoder called 'logmel'
    """
    key = (spec.modality, spec.name)
    with _LOCK:
        if key in _SPECS:
            raise ValueError(f"there already is an {spec.modality} encoder called {spec.name!r}")
        _SPECS[key] = spec


def load_encoder(encoder: str | Encoder, modality: str) -> Encoder:
    """Return the encoder for a name, loaded once per process; an encoder is returned as it is.

    Parameters
    ----------
    encoder : str or Encoder
        A registered name, or an object that follows the :class:`Encoder` protocol.
    modality : {"audio", "image"}
        What it must encode.

    Returns
    -------
    encoder : Encoder

    Raises
    ------
    ValueError
        When the name is unknown or the encoder is for another modality.
    TypeError
        When it is neither a name nor an encoder.

    Examples
    --------
    >>> from skxmodal.encoders import load_encoder
    >>> load_encoder("logmel", "audio").n_features
    640
    """
    if isinstance(encoder, str):
        spec = _find_spec(encoder, modality)
        with _LOCK:
            if spec not in _LOADED:
                _LOADED[spec] = spec.factory()
            return _LOADED[spec]
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"encoder must be a name or an object with the Encoder protocol (name, modality, "
            f"n_features, fingerprint, windows, encode), got {type(encoder).__name__}"
        )
    if encoder.modality != modality:
        raise ValueError(
            f"encoder {encoder.name!r} is for {encoder.modality}, it cannot embed {modality}"
        )
    return encoder


def list_encoders(modality: str | None = None) -> Any:
    """List the encoders that can be asked for by name.

    Parameters
    ----------
    modality : {"audio", "image"} or None, default=None
        Only those of one modality.

    Returns
    -------
    table : pandas.DataFrame
        One row per encoder: name, modality, dimension, parameters, input (sample rate or
        picture size), provider, licence, source, and the extra to install.

    Examples
    --------
    >>> from skxmodal.encoders import list_encoders
    >>> list_encoders("image").set_index("name").dimension["hog"].item()
    900
    """
    import pandas as pd

    _read_entry_points()
    return pd.DataFrame(
        [
            {
                "name": spec.name,
                "modality": spec.modality,
                "dimension": spec.n_features,
                "parameters": spec.n_parameters,
                "input": spec.input,
                "provider": spec.provider,
                "licence": spec.licence,
                "source": spec.source,
                "extra": spec.extra,
            }
            for spec in _SPECS.values()
            if modality in (None, spec.modality)
        ]
    )


def _find_spec(name: str, modality: str) -> EncoderSpec:
    spec = _SPECS.get((modality, name))
    if spec is None:
        _read_entry_points()
        spec = _SPECS.get((modality, name))
    if spec is not None:
        return spec
    names = [known for kind, known in _SPECS if kind == modality]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"there is no {modality} encoder {name!r}{hint} (known: {', '.join(names)})")


def _read_entry_points() -> None:
    """Ask the installed packages for their encoders, once."""
    global _entry_points_read
    with _LOCK:
        if _entry_points_read:
            return
        _entry_points_read = True
        for entry_point in importlib.metadata.entry_points(group=_ENTRY_POINTS):
            found = entry_point.load()
            for spec in [found] if isinstance(found, EncoderSpec) else found:
                register_encoder(spec)


register_encoder(
    EncoderSpec(
        "logmel",
        "audio",
        LogMelEncoder.n_features,
        LogMelEncoder,
        input="16000 Hz",
        source="log mel spectrogram, 64 bands x 10 segments",
    )
)
register_encoder(
    EncoderSpec(
        "hog",
        "image",
        HOGEncoder.n_features,
        HOGEncoder,
        input="48 x 48",
        source="Dalal and Triggs 2005",
    )
)
