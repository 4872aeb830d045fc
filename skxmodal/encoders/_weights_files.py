"""The native encoders in the registry's terms, and their weight files, fetched ahead of time."""

from __future__ import annotations

import json
import os
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._protocol import Encoder
from ._spec import EncoderSpec

if TYPE_CHECKING:
    from skxmodal.datasets._remote import RemoteFile

    from ._native_specs import NativeSpec

MODALITIES = ("audio", "image")


def native_specs() -> list[EncoderSpec]:
    """Return the native encoders, without their variants."""
    from ._native_specs import NATIVE

    return [spec for native in NATIVE if (spec := find_native(native.name, native.modality))]


@cache
def find_native(name: str, modality: str) -> EncoderSpec | None:
    """Return the native encoder or variant of one that a string means, the same object each time.

    Raises
    ------
    ValueError
        When it is ``"openl3-"`` followed by something unknown.
    """
    from ._native_specs import native_spec

    native = native_spec(name, modality)
    if native is None:
        return None
    return EncoderSpec(
        name,
        modality,
        native.n_features,
        partial(_load, native),
        n_parameters=native.n_parameters,
        input=native.input,
        provider=native.provider,
        licence=native.licence,
        source=native.source,
        extra=native.extra,
        options=("weights", "device", "backend"),
        sample_rate=int(native.input.split()[0]) if modality == "audio" else None,
        fingerprint=_fingerprint(native, [_digest(remote) for remote in _files(native)]),
    )


def fingerprint_with(name: str, modality: str, weights: str | os.PathLike[str]) -> str:
    """Return the fingerprint of a native encoder with a weight file of the user's own."""
    from skxmodal.datasets._digests import digest_of

    from ._native_specs import native_spec

    native = native_spec(name, modality)
    if native is None:
        return ""
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"encoder {name!r}: there is no weight file {str(path)!r}")
    own = "sha256:" + digest_of(path, "sha256")
    return _fingerprint(native, [own, *(_digest(remote) for remote in _files(native)[1:])])


def fetch_weights(
    encoder: str,
    modality: str | None = None,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    verbose: int = 0,
) -> dict[str, Path]:
    """Download the official weight files of an encoder and check their digests.

    An encoder fetches its weights when it is first used; this is for a machine that will have no
    network then. A download that was interrupted is continued by the next call.

    Parameters
    ----------
    encoder : str
        Name of a native encoder or of a variant, e.g. ``"yamnet"`` or ``"openl3-env-512"``.
    modality : {"audio", "image"} or None, default=None
        Which of the encoders of that name; ``None`` means all.
    data_home : str, path-like or None, default=None
        As in :func:`~skxmodal.datasets.get_data_home`. The encoders look in the default.
    download_if_missing : bool, default=True
        ``False``: a file that is not there is an error.
    verbose : int, default=0
        Positive: a progress bar.

    Returns
    -------
    files : dict of str to pathlib.Path
        The local files by their address.

    Raises
    ------
    ValueError
        When the encoder has no weights of its own to fetch.
    RemoteFileError
        When a file cannot be downloaded, or is not the one that was published.

    Examples
    --------
    >>> from skxmodal.encoders import fetch_weights
    >>> fetch_weights("logmel")
    Traceback (most recent call last):
    ...
    ValueError: 'logmel' has no weight files to fetch (those that have: yamnet, vggish, ...
    """
    from skxmodal.datasets._remote import fetch_file

    from ._native_specs import NATIVE, native_spec

    wanted: dict[str, RemoteFile] = {}
    errors = []
    for kind in MODALITIES if modality is None else (modality,):
        try:
            native = native_spec(encoder, kind)
        # A variant of one modality need not be one of the other.
        except ValueError as error:
            errors.append(error)
            continue
        if native is not None:
            wanted.update({remote.url: remote for remote in _files(native)})
    if not wanted and errors:
        raise errors[0]
    if not wanted:
        known = ", ".join(dict.fromkeys(native.name for native in NATIVE))
        of_modality = f" for {modality}" if modality else ""
        raise ValueError(
            f"{encoder!r} has no weight files to fetch{of_modality} (those that have: {known})"
        )
    return {
        url: fetch_file(
            remote,
            data_home=data_home,
            download_if_missing=download_if_missing,
            verbose=verbose,
        )
        for url, remote in wanted.items()
    }


def _load(
    native: NativeSpec,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: Any = "auto",
    backend: str = "auto",
) -> Encoder:
    """Make a native encoder on the device that a user's wish means."""
    from ._device import resolve_device

    caller = f"encoder {native.name!r}"
    # These run on the CPU only: to ask for one is to ask for the CPU.
    if backend in ("onnx", "ncnn") and str(device) == "auto":
        device = "cpu"
    return native.factory(weights, device=resolve_device(device, caller=caller), backend=backend)


def _files(native: NativeSpec) -> list[RemoteFile]:
    """List the official files that an encoder reads, the network's own first."""
    from ._native_weights import WEIGHTS

    files = [WEIGHTS[native.weights]]
    if native.options.get("postprocess"):
        files.append(WEIGHTS["vggish-pca"])
    return files


def _digest(remote: RemoteFile) -> str:
    """Return the published digest: all official weights have one."""
    return remote.digest or ""


def _fingerprint(native: NativeSpec, digests: list[str]) -> str:
    """Return what names the vectors: the network, its variant, its weights, this release.

    The release stands for the preprocessing, which only the loaded class knows.
    """
    from skxmodal import __version__

    identity = {
        "encoder": native.class_name,
        "options": native.options,
        "release": __version__,
        "weights": digests,
    }
    return json.dumps(identity, sort_keys=True)
