"""Readers of the official weight files that run no code of the file and check every array.

Keras' HDF5 files are read in the order of ``layer_names`` and ``weight_names`` (what Keras' own
``load_weights`` does), because automatic names such as ``conv2d_7`` depend on how many layers
the writing process had made before; roles, shapes and dtypes are checked, and names where the
official file has fixed ones.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_INFLATED = 1 << 30
_FRONT_END_LAYER = "spectrogram"  # openl3 <= 0.3 stored its front-end as a layer
_ROLE = re.compile(
    r"(?:^|_)(depthwise_kernel|kernel|W|bias|b|gamma|beta|moving_mean|moving_variance)(?:_\d+)?$"
)
_KERAS_1_ROLES = {"W": "kernel", "b": "bias"}


class WeightFileError(ValueError):
    """A weight file is not the official file of the encoder, or is damaged."""


@dataclass(frozen=True)
class LayerSpec:
    """What a weight file must hold for one layer: ``(role, shape)`` pairs in file order."""

    name: str | None  # None: the official file's name is not fixed
    roles: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def n_values(self) -> int:
        """How many numbers the layer has."""
        return sum(prod(shape) for _, shape in self.roles)


def read_keras_h5(
    path: Path, expected: Sequence[LayerSpec], *, ignored: Sequence[LayerSpec] = ()
) -> list[dict[str, np.ndarray]]:
    """Read a Keras weight file (HDF5, or HDF5 in gzip) layer by layer.

    Parameters
    ----------
    path : Path
        The file.
    expected : sequence of LayerSpec
        The layers, in the order of the file.
    ignored : sequence of LayerSpec, default=()
        Layers that may follow and are not read (a classifier).

    Returns
    -------
    list of dict
        For each expected layer its float32 arrays by role.

    Raises
    ------
    WeightFileError
        When the file is no Keras weight file, or a layer differs in role, shape or dtype.
    """
    import h5py

    with _open_h5(path, h5py) as file:
        layers = _weighted_groups(file, path, h5py)
        if len(layers) not in (len(expected), len(expected) + len(ignored)):
            raise WeightFileError(
                f"{path.name} has {len(layers)} layers with weights, not {len(expected)}"
            )
        arrays: list[dict[str, np.ndarray]] = []
        for (name, group, weight_names), spec in zip(layers, [*expected, *ignored], strict=False):
            if spec.name is not None and name != spec.name:
                raise WeightFileError(
                    f"{path.name}: layer {len(arrays) + 1} is {name!r}, not {spec.name!r}: it is "
                    "the file of another network or of another version of this one"
                )
            arrays.append(_read_layer(path, name, group, weight_names, spec, h5py))
        return arrays[: len(expected)]


def _open_h5(path: Path, h5py: Any) -> Any:
    """Open an HDF5 file that may be inside gzip."""
    with path.open("rb") as file:
        head = file.read(8)
    source: Any = path
    if head.startswith(_GZIP_MAGIC):
        try:
            with gzip.open(path) as stream:
                data = stream.read(_MAX_INFLATED + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise WeightFileError(f"{path.name} is a damaged gzip file: {error}") from error
        if len(data) > _MAX_INFLATED:
            raise WeightFileError(f"{path.name} holds more than {_MAX_INFLATED} bytes")
        head, source = data[:8], io.BytesIO(data)
    if head != _HDF5_MAGIC:
        raise WeightFileError(f"{path.name} is not an HDF5 file")
    try:
        return h5py.File(source, "r")
    except OSError as error:
        raise WeightFileError(f"{path.name} is a damaged HDF5 file: {error}") from error


def _weighted_groups(file: Any, path: Path, h5py: Any) -> list[tuple[str, Any, list[str]]]:
    """List ``(layer name, group, weight names)`` of the layers that have weights."""
    if "layer_names" not in file.attrs and "model_weights" in file:
        file = _hard_member(file, "model_weights", path, h5py)
    if "layer_names" not in file.attrs:
        raise WeightFileError(f"{path.name} has no attribute layer_names: not a Keras weight file")
    layers = []
    for name in _texts(file.attrs["layer_names"]):
        if _FRONT_END_LAYER in name:
            continue
        group = _hard_member(file, name, path, h5py)
        weight_names = _texts(group.attrs.get("weight_names", ()))
        if weight_names:
            layers.append((name, group, weight_names))
    return layers


def _read_layer(
    path: Path, name: str, group: Any, weight_names: list[str], spec: LayerSpec, h5py: Any
) -> dict[str, np.ndarray]:
    """Read one layer's arrays, checked against what is expected."""
    where = f"{path.name}: layer {name!r}"
    if len(weight_names) != len(spec.roles):
        wanted = ", ".join(role for role, _ in spec.roles)
        raise WeightFileError(f"{where} has the weights {weight_names}, not {wanted}")
    arrays = {}
    for weight_name, (role, shape) in zip(weight_names, spec.roles, strict=True):
        if _role_of(weight_name) != role:
            raise WeightFileError(f"{where}: {weight_name!r} stands where the {role} is expected")
        data = _hard_member(group, weight_name, path, h5py)
        if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
            raise WeightFileError(f"{where}: {weight_name!r} is not an array of this file")
        if data.shape != shape or data.dtype != np.float32:
            raise WeightFileError(
                f"{where}: {weight_name!r} is {data.dtype} {data.shape}, not float32 {shape}"
            )
        arrays[role] = finite(data[...], f"{where}: {weight_name!r}")
    return arrays


def _hard_member(group: Any, name: str, path: Path, h5py: Any) -> Any:
    """Return ``group[name]``, refusing links that could lead to another file."""
    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise WeightFileError(f"{path.name}: {name!r} is missing or is a link")
        group = group[part]
    return group


def _texts(values: Any) -> list[str]:
    """Decode an attribute of names."""
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values).tolist()]


def _role_of(weight_name: str) -> str | None:
    """Return which weight of its layer a name means: ``"kernel"``, ``"bias"``, ..."""
    match = _ROLE.search(weight_name.rpartition("/")[2].partition(":")[0])
    return _KERAS_1_ROLES.get(match[1], match[1]) if match else None


def finite(array: np.ndarray, where: str) -> np.ndarray:
    """Return the array, or raise when it holds NaN or infinity."""
    if not np.isfinite(array).all():
        raise WeightFileError(f"{where} holds NaN or infinite values")
    return array


def read_npz(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read named float arrays of an ``.npz`` file as float32; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in shapes if name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightFileError(f"{path.name} is not a readable .npz file: {error}") from error
    return checked(arrays, shapes, path)


def read_torch(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read named tensors of a torch-hub ``.pth`` state dict, with ``weights_only=True``."""
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightFileError(f"{path.name} is not a readable torch file: {error}") from error
    if not isinstance(state, dict):
        raise WeightFileError(f"{path.name} holds a {type(state).__name__}, not a state dict")
    arrays = {k: state[k].numpy() for k in shapes if isinstance(state.get(k), torch.Tensor)}
    return checked(arrays, shapes, path)


def checked(
    arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]], path: Path
) -> dict[str, np.ndarray]:
    """Return the arrays as float32 when every name is there with its shape and is finite."""
    for name, shape in shapes.items():
        if name not in arrays:
            raise WeightFileError(f"{path.name} has no array {name!r}")
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != "f":
            raise WeightFileError(
                f"{path.name}: {name!r} is {array.dtype} {array.shape}, not float {shape}"
            )
        finite(array, f"{path.name}: {name!r}")
    return {name: np.asarray(arrays[name], dtype=np.float32) for name in shapes}
