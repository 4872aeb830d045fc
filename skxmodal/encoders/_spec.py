"""What is known of an encoder before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ._protocol import Encoder


@dataclass(frozen=True)
class EncoderSpec:
    """What is known of an encoder before it is loaded.

    Parameters
    ----------
    name : str
        The string by which it is asked for.
    modality : {"audio", "image", "text"}
        What it encodes.
    n_features : int
        Length of its vectors; 0 where only the loaded network tells (``provider:model``).
    factory : callable
        Called with those of the keyword arguments ``weights``, ``device`` and ``backend`` that
        ``options`` names, returns the :class:`Encoder`.
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
    options : tuple of str, default=()
        What the factory takes: any of ``"weights"``, ``"device"`` and ``"backend"``.
    sample_rate : int or None, default=None
        Rate in Hz at which an encoder of sounds wants its samples, where it is known.
    fingerprint : str, default=""
        Identity of the vectors, where it is known before the weights are read; equal
        fingerprints give equal vectors. It is not the text of the loaded encoder's own.

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
    options: tuple[str, ...] = ()
    sample_rate: int | None = None
    fingerprint: str = ""
