"""Which encoders there are, and the one place that loads them."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from ._hashing_text import HashingTextEncoder
from ._hog import HOGEncoder
from ._logmel import LogMelEncoder
from ._mfcc import MFCCEncoder
from ._protocol import Encoder
from ._providers import provider_spec
from ._spec import EncoderSpec
from ._thumbnail import ThumbnailEncoder
from ._weights_files import find_native, fingerprint_with, native_specs

_ENTRY_POINTS = "skxmodal.encoders"

_SPECS: dict[tuple[str, str], EncoderSpec] = {}
# By the encoder and whatever else was asked for.
_LOADED: dict[tuple, Encoder] = {}
_LOCK = threading.RLock()
_entry_points_read = False


def _renew_lock() -> None:
    """Give a forked process a free lock: a thread that held it is not there to let it go."""
    global _LOCK
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


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
        if key in _SPECS or _is_native(spec):
            article = "a" if spec.modality == "text" else "an"
            raise ValueError(
                f"there already is {article} {spec.modality} encoder called {spec.name!r}"
            )
        _SPECS[key] = spec


def load_encoder(
    encoder: str | Encoder,
    modality: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: Any = "auto",
    backend: str = "auto",
) -> Encoder:
    """Return the encoder for a string, loaded once per process; an encoder is returned as it is.

    Parameters
    ----------
    encoder : str or Encoder
        A registered name, a variant of one (``"openl3-env-512"``), ``"provider:model"``
        (``"timm:vit_small_patch14_dinov2.lvd142m"``), or an object that follows the
        :class:`Encoder` protocol.
    modality : {"audio", "image", "text"}
        What it must encode.
    weights : str, path-like or None, default=None
        A weight file in the encoder's official format, which is then not compared with the
        published digest; ``None`` fetches and verifies the official file.
    device : str or torch.device, default="auto"
        Where a network runs; ``"auto"`` is the GPU where PyTorch finds one, else the CPU.
        Encoders without a network do not need it.
    backend : {"auto", "torch", "onnx", "ncnn"}, default="auto"
        What runs one of the paper's networks; ``"auto"`` is the fastest that is installed, which
        on a CPU is ncnn for OpenL3 and VGG16, ONNX Runtime for ResNet50, and PyTorch for the
        others. Encoders without a network do not need it.

    Returns
    -------
    encoder : Encoder

    Raises
    ------
    ValueError
        When the name is unknown, the encoder is for another modality, or it cannot use an
        option.
    TypeError
        When it is neither a name nor an encoder.
    ImportError
        When a package that it needs is not installed; names the extra.

    Examples
    --------
    >>> from skxmodal.encoders import load_encoder
    >>> load_encoder("logmel", "audio").n_features
    640
    """
    if not isinstance(encoder, str):
        return _checked(encoder, modality, weights)
    spec = _find_spec(encoder, modality)
    _check_weights(spec, weights)
    given = {"weights": weights, "device": device, "backend": backend}
    options = {name: given[name] for name in spec.options}
    key = (spec, *((name, _identity(name, value)) for name, value in options.items()))
    with _LOCK:
        if key not in _LOADED:
            _LOADED[key] = spec.factory(**options)
        return _LOADED[key]


def spec_of(
    encoder: str | Encoder, modality: str, *, weights: str | os.PathLike[str] | None = None
) -> EncoderSpec:
    """Return what is known of an encoder without loading it.

    Parameters
    ----------
    encoder : str or Encoder
        As in :func:`load_encoder`.
    modality : {"audio", "image", "text"}
        What it must encode.
    weights : str, path-like or None, default=None
        As in :func:`load_encoder`; changes the fingerprint.

    Returns
    -------
    spec : EncoderSpec
        ``n_features`` is 0 and ``fingerprint`` empty where only the loaded encoder tells them.

    Raises
    ------
    ValueError, TypeError
        As :func:`load_encoder`.

    Examples
    --------
    >>> from skxmodal.encoders import spec_of
    >>> spec_of("openl3-env-512", "audio").n_features
    512
    """
    if not isinstance(encoder, str):
        known = _checked(encoder, modality, weights)
        return EncoderSpec(
            known.name,
            modality,
            known.n_features,
            lambda: known,
            provider="object",
            licence="",
            sample_rate=getattr(known, "sample_rate", None),
            fingerprint=known.fingerprint,
        )
    spec = _find_spec(encoder, modality)
    _check_weights(spec, weights)
    if weights is not None:
        return replace(spec, fingerprint=fingerprint_with(encoder, modality, weights))
    return spec


def list_encoders(modality: str | None = None) -> Any:
    """List the encoders that can be asked for by name.

    Parameters
    ----------
    modality : {"audio", "image", "text"} or None, default=None
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
            (
                spec.name,
                spec.modality,
                spec.n_features,
                spec.n_parameters,
                spec.input,
                spec.provider,
                spec.licence,
                spec.source,
                spec.extra,
            )
            for spec in _all_specs()
            if modality in (None, spec.modality)
        ],
        columns=[
            "name",
            "modality",
            "dimension",
            "parameters",
            "input",
            "provider",
            "licence",
            "source",
            "extra",
        ],
    )


def _all_specs() -> list[EncoderSpec]:
    """List the built-in encoders, the native ones, and what others registered."""
    own = [spec for spec in _SPECS.values() if spec.provider == "built-in"]
    others = [spec for spec in _SPECS.values() if spec.provider != "built-in"]
    return [*own, *native_specs(), *others]


def _find_spec(name: str, modality: str) -> EncoderSpec:
    """Return what a string means: first what is registered, then natives, then providers."""
    spec = _SPECS.get((modality, name))
    if spec is None and ":" not in name:
        spec = find_native(name, modality)
    if spec is None:
        _read_entry_points()
        spec = _SPECS.get((modality, name))
    if spec is None and ":" in name:
        spec = provider_spec(name, modality)
    if spec is not None:
        return spec
    names = [known.name for known in _all_specs() if known.modality == modality]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"there is no {modality} encoder {name!r}{hint} (known: {', '.join(names)})")


def _is_native(spec: EncoderSpec) -> bool:
    """Tell whether the name is one of a native encoder; the built-in ones are told apart first."""
    return spec.provider != "built-in" and find_native(spec.name, spec.modality) is not None


def _checked(encoder: Any, modality: str, weights: Any) -> Encoder:
    """Return an encoder object that fits, or say why it does not."""
    # A class has the attributes of its instances and would pass for one.
    if isinstance(encoder, type):
        raise TypeError(f"encoder must be an instance: pass {encoder.__name__}(), not the class")
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"encoder must be a name or an object with the Encoder protocol (name, modality, "
            f"n_features, fingerprint, windows, encode), got {type(encoder).__name__}"
        )
    if encoder.modality != modality:
        raise ValueError(
            f"encoder {encoder.name!r} is for {encoder.modality}, it cannot embed {modality}"
        )
    if weights is not None:
        raise ValueError(
            f"weights={str(weights)!r} goes with the name of an encoder: the object "
            f"{encoder.name!r} has its own weights already"
        )
    return encoder


def _check_weights(spec: EncoderSpec, weights: Any) -> None:
    """Refuse a weight file for an encoder that reads none."""
    if weights is not None and "weights" not in spec.options:
        raise ValueError(
            f"encoder {spec.name!r} reads no weight file: leave out weights={str(weights)!r}"
        )


def _identity(option: str, value: Any) -> Any:
    """Return what tells two values of an option apart: of a file, which one in which state."""
    if option != "weights" or value is None:
        return str(value)
    path = Path(value)
    if not path.is_file():
        return str(value)
    state = path.stat()
    return str(path.resolve()), state.st_mtime_ns, state.st_size


def _read_entry_points() -> None:
    """Ask the installed packages for their encoders, once."""
    global _entry_points_read
    with _LOCK:
        if _entry_points_read:
            return
        _entry_points_read = True
        for entry_point in importlib.metadata.entry_points(group=_ENTRY_POINTS):
            try:
                found = entry_point.load()
                for spec in [found] if isinstance(found, EncoderSpec) else found:
                    register_encoder(spec)
            # Whatever is wrong with one package must not take the encoders of the others away.
            except Exception as error:
                warnings.warn(
                    f"the encoders of {entry_point.value!r} (entry point {entry_point.name!r}) are "
                    f"left out: {type(error).__name__}: {error}",
                    UserWarning,
                    stacklevel=2,
                )


_BUILT_IN: tuple[tuple[Any, str, str], ...] = (
    (LogMelEncoder, "16000 Hz", "log mel spectrogram, 64 bands x 10 segments"),
    (MFCCEncoder, "16000 Hz", "Davis and Mermelstein 1980, 24 coefficients x 4 parts"),
    (HOGEncoder, "48 x 48", "Dalal and Triggs 2005"),
    (ThumbnailEncoder, "8 x 8", "Kasutani and Yamada 2001, its grid of colours"),
    (HashingTextEncoder, "text", "Weinberger et al. 2009, words and pieces of words"),
)
for _encoder, _input, _source in _BUILT_IN:
    register_encoder(
        EncoderSpec(
            _encoder.name,
            _encoder.modality,
            _encoder.n_features,
            _encoder,
            input=_input,
            source=_source,
        )
    )
