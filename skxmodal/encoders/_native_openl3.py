"""What OpenL3's two networks share: the file's variants and the stack of convolutions."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ._native_layers import FlattenChannelsLast, KerasBatchNorm

INPUT_REPRESENTATIONS = ("linear", "mel128", "mel256")
CONTENT_TYPES = ("music", "env")


def choice(value: object, options: tuple, what: str) -> None:
    """Raise unless a parameter has one of its values."""
    if value not in options:
        wanted = ", ".join(repr(option) for option in options)
        raise ValueError(f"openl3: {what} must be one of {wanted}, not {value!r}")


def convolutions(n_in: int, pooling: tuple[int, int], *, swap_second: bool) -> nn.Module:
    """Return a network of OpenL3, from the first normalisation to the flattened embedding.

    ``swap_second``: the image network has the second layer's ReLU before its normalisation.
    """
    return nn.Sequential(*_layers(n_in, pooling, swap_second=swap_second))


def _layers(n_in: int, pooling: tuple[int, int], *, swap_second: bool) -> Iterator[nn.Module]:
    """Yield the layers in order; the last convolution has no normalisation or activation."""
    yield KerasBatchNorm(n_in)
    for width in (64, 128, 256, 512):
        yield nn.Conv2d(n_in, width, 3, padding=1)
        yield KerasBatchNorm(width)
        yield nn.ReLU()
        yield nn.Conv2d(width, width, 3, padding=1)
        if width < 512:
            second = [KerasBatchNorm(width), nn.ReLU()]
            yield from reversed(second) if swap_second and width == 64 else second
            yield nn.MaxPool2d(2)
        n_in = width
    yield nn.MaxPool2d(pooling)
    yield FlattenChannelsLast()
