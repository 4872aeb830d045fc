"""Encoders of other packages, by strings ``provider:model``."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from ..utils import check_choice
from ._backend import BACKENDS
from ._protocol import Encoder
from ._spec import EncoderSpec


@dataclass(frozen=True)
class Provider:
    """Who brings encoders, and what may be said about them.

    Attributes
    ----------
    module : str
        File with ``load(model, modality, **options)``.
    modalities : tuple of str
        What its models encode.
    options : tuple of str
        Which of ``weights`` and ``device`` its ``load`` takes.
    default : str or None
        The model where the string names none.
    example : str
        A string for messages.
    licence : str
        Whose licence holds.
    """

    module: str
    modalities: tuple[str, ...]
    options: tuple[str, ...]
    example: str
    default: str | None = None
    licence: str = "the model's own"


PROVIDERS = {
    "keras": Provider("._provider_keras", ("image",), ("weights",), "keras:ResNet50"),
    "openl3": Provider(
        "._provider_openl3",
        ("audio", "image"),
        (),
        "openl3:mel256-music-512",
        default="",
        licence="CC BY 4.0",
    ),
    "tfhub": Provider("._provider_tfhub", ("audio", "image"), (), "tfhub:google/yamnet/1"),
    "timm": Provider(
        "._provider_timm",
        ("image",),
        ("weights", "device"),
        "timm:vit_small_patch14_dinov2.lvd142m",
    ),
    "transformers": Provider(
        "._provider_transformers",
        ("audio", "image", "text"),
        ("device",),
        "transformers:facebook/dinov2-small",
    ),
}


@cache
def provider_spec(name: str, modality: str) -> EncoderSpec:
    """Return what is known of ``provider:model``, the same object each time.

    Raises
    ------
    ValueError
        When there is no such provider, it has no encoders of the modality, or no model is named.
    """
    key, _, model = name.partition(":")
    provider = PROVIDERS.get(key)
    if provider is None:
        raise ValueError(
            f"there is no {modality} encoder {name!r}: {key!r} is no provider "
            f"(known: {', '.join(PROVIDERS)})"
        )
    if modality not in provider.modalities:
        raise ValueError(
            f"there is no {modality} encoder {name!r}: {key} has encoders of "
            f"{' and '.join(provider.modalities)} only"
        )
    if not model:
        if provider.default is None:
            raise ValueError(
                f"encoder {name!r} names no model; write for example {provider.example!r}"
            )
        model = provider.default
    return EncoderSpec(
        name,
        modality,
        0,
        partial(_load, name, provider, model, modality),
        provider=key,
        licence=provider.licence,
        extra=key,
        options=("weights", "device", "backend"),
    )


def _load(
    name: str,
    provider: Provider,
    model: str,
    modality: str,
    *,
    weights: Any = None,
    device: Any = "auto",
    backend: str = "auto",
) -> Encoder:
    """Let the provider load a model, with the options that it can use; others are errors."""
    options: dict[str, Any] = {}
    if "weights" in provider.options:
        options["weights"] = weights
    elif weights is not None:
        raise ValueError(
            f"encoder {name!r} takes no weight file: name a local folder in the string, not "
            f"weights={str(weights)!r}"
        )
    if "device" in provider.options:
        options["device"] = device
    elif str(device) != "auto":
        raise ValueError(
            f'encoder {name!r} chooses its own device: leave device="auto", not {device!r}'
        )
    check_choice(f"encoder {name!r}: backend", backend, BACKENDS)
    runs_torch = "device" in provider.options
    if backend in ("onnx", "ncnn") or (backend == "torch" and not runs_torch):
        raise ValueError(
            f'encoder {name!r} is run by its own package: leave backend="auto", not {backend!r}'
        )
    module = importlib.import_module(provider.module, package=__package__)
    encoder = module.load(model, modality, name=name, **options)
    encoder.reload_with = {"weights": weights, "device": device, "backend": backend}
    return encoder


def caller_of(name: str, modality: str) -> str:
    """Return how a user wrote an encoder, for messages: the model may be anything."""
    return f'{modality.capitalize()}Embedder(encoder="{name.partition(":")[0]}:...")'
