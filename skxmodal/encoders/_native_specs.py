"""The native encoders as the registry lists them, and the strings that mean a variant.

Free of torch: a network is imported when its factory is called.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from ._native_weights import WEIGHTS

_YAMNET = "Plakal and Ellis, YAMNet, TensorFlow Model Garden"
_VGGISH = "Hershey et al. 2017, CNN architectures for large-scale audio classification"
_OPENL3 = "Cramer et al. 2019, Look, listen, and learn more"
_RESNET = "He et al. 2016, Deep residual learning; weights of keras.applications"
_VGG = "Simonyan and Zisserman 2015, Very deep networks; weights of keras.applications"


@dataclass(frozen=True)
class NativeSpec:
    """One native encoder before it is loaded.

    Attributes
    ----------
    name, modality, n_features : str, str, int
        The string by which it is asked for, ``"audio"`` or ``"image"``, the length of a vector.
    n_parameters : int
        Numbers in the part of the weight file that is used, moving statistics included.
    input : str
        Sample rate or size of the picture.
    weights : str
        Key in the table of weight files.
    module, class_name : str
        Where the class is.
    source, licence, provider, extra : str
        For the list of encoders.
    options : dict
        Parameters of the class that make the variant.
    """

    name: str
    modality: str
    n_features: int
    n_parameters: int
    input: str
    weights: str
    module: str
    class_name: str
    source: str
    licence: str
    provider: str = "native"
    extra: str = ""
    options: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def factory(self, weights: Any = None, **runtime: Any) -> Any:
        """Return the encoder.

        Parameters
        ----------
        weights : path-like or None, default=None
            A file in the official format; ``None`` fetches the official one.
        **runtime : device, backend, half, onnx_dir
            As in the encoder's class.
        """
        module = importlib.import_module(self.module, package=__package__)
        return getattr(module, self.class_name)(weights, **self.options, **runtime)


def _yamnet() -> NativeSpec:
    return NativeSpec(
        "yamnet",
        "audio",
        1024,
        3_217_344,
        "16000 Hz",
        weights="yamnet",
        module="._native_yamnet",
        class_name="YAMNetEncoder",
        source=_YAMNET,
        licence=WEIGHTS["yamnet"].licence,
    )


def _vggish(postprocess: str | None = None) -> NativeSpec:
    return NativeSpec(
        "vggish" if postprocess is None else f"vggish-{postprocess}",
        "audio",
        128,
        72_141_184,
        "16000 Hz",
        weights="vggish",
        module="._native_vggish",
        class_name="VGGishEncoder",
        source=_VGGISH,
        licence=WEIGHTS["vggish"].licence,
        options={} if postprocess is None else {"postprocess": postprocess},
    )


def _imagenet(name: str, class_name: str, module: str, dimension: int, size: int) -> NativeSpec:
    return NativeSpec(
        name,
        "image",
        dimension,
        size,
        "224 x 224",
        weights=name,
        module=module,
        class_name=class_name,
        source=_RESNET if name == "resnet50" else _VGG,
        licence=WEIGHTS[name].licence,
    )


# What a part of "openl3-..." may say, and the parameter it sets.
_OPENL3_PARTS = {
    **dict.fromkeys(("linear", "mel128", "mel256"), "input_repr"),
    **dict.fromkeys(("music", "env"), "content_type"),
}
_OPENL3_SIZES = {"audio": ("6144", "512"), "image": ("8192", "512")}
_OPENL3_FRONT_ENDS = ("librosa", "v03")


def _openl3(name: str, modality: str) -> NativeSpec:
    """Return the variant that a string such as ``"openl3-mel128-env-512"`` means."""
    options: dict[str, Any] = {}
    sizes = _OPENL3_SIZES[modality]
    for part in name.split("-")[1:]:
        value: str | int
        if part in _OPENL3_PARTS:
            parameter, value = _OPENL3_PARTS[part], part
        elif part in sizes:
            parameter, value = "embedding_size", int(part)
        elif part in _OPENL3_FRONT_ENDS and modality == "audio":
            parameter, value = "front_end", part
        else:
            known = [*_OPENL3_PARTS, *sizes, *(_OPENL3_FRONT_ENDS if modality == "audio" else ())]
            raise ValueError(
                f"{name!r} is no {modality} encoder: {part!r} is none of {', '.join(known)}"
            )
        if parameter in options:
            raise ValueError(f"{name!r} is no {modality} encoder: it sets {parameter} twice")
        options[parameter] = value
    representation = options.get("input_repr", "mel256")
    content = options.get("content_type", "music")
    key = f"openl3-{modality}-{representation}-{content}"
    return NativeSpec(
        name,
        modality,
        options.get("embedding_size", int(sizes[0])),
        4_689_860 if modality == "audio" else 4_691_020,
        "48000 Hz" if modality == "audio" else "224 x 224",
        weights=key,
        module=f"._native_openl3_{modality}",
        class_name=f"OpenL3{modality.capitalize()}Encoder",
        source=_OPENL3,
        licence=WEIGHTS[key].licence,
        options=options,
    )


NATIVE: tuple[NativeSpec, ...] = (
    _yamnet(),
    _vggish(),
    _openl3("openl3", "audio"),
    _openl3("openl3", "image"),
    _imagenet("resnet50", "ResNet50Encoder", "._native_resnet", 2048, 23_587_712),
    _imagenet("vgg16", "VGG16Encoder", "._native_vgg", 512, 14_714_688),
)


def native_spec(name: str, modality: str) -> NativeSpec | None:
    """Return the native encoder, or variant of one, that a string means.

    Parameters
    ----------
    name : str
        ``"yamnet"``, ``"vggish"``, ``"vggish-pca"``, ``"vggish-quantised"``, ``"resnet50"``,
        ``"vgg16"``, or ``"openl3"`` followed by any of the spectrogram (``linear``, ``mel128``,
        ``mel256``), the content (``music``, ``env``), the dimension and, for audio, the front-end
        (``librosa``, ``v03``), joined by ``"-"``.
    modality : {"audio", "image"}
        What it must encode.

    Returns
    -------
    spec : NativeSpec or None
        ``None`` when the string is not of a native encoder.

    Raises
    ------
    ValueError
        When it is ``"openl3-"`` followed by something unknown.
    """
    for spec in NATIVE:
        if (spec.name, spec.modality) == (name, modality):
            return spec
    if modality == "audio" and name in ("vggish-pca", "vggish-quantised"):
        return _vggish(name.removeprefix("vggish-"))
    if name.startswith("openl3-") and modality in _OPENL3_SIZES:
        return _openl3(name, modality)
    return None
