"""The golden vectors: outputs of the official encoders under weights that a rule regenerates.

``../shared/golden`` beside the repository holds them whole; ``tests/data/golden`` a reduced copy
(``python tests/encoders/golden.py`` writes it anew from the whole set).
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WHOLE = ROOT.parent / "shared" / "golden"
REDUCED = ROOT / "tests" / "data" / "golden"
ENCODERS = ("yamnet", "vggish", "openl3_audio", "openl3_image", "resnet50", "vgg16")
_SPECTRUM_STEP = 8  # the reduced copy keeps every eighth band of OpenL3's spectrograms
_PIXEL_STEP = 4


class Golden(Mapping):
    """The arrays of one encoder by their key, from the whole set or the reduced copy."""

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        self._whole = WHOLE.is_dir()
        self._arrays = np.load(WHOLE / f"{encoder}.npz" if self._whole else REDUCED / "arrays.npz")
        self._prefix = "" if self._whole else f"{encoder}/"

    def __getitem__(self, key: str) -> np.ndarray:
        """Return one array."""
        array = self._arrays[self._prefix + key]
        if not self._whole and array.dtype == np.uint8 and array.ndim == 1:
            from PIL import Image

            return np.asarray(Image.open(io.BytesIO(array.tobytes())))
        return array

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return (
            key.removeprefix(self._prefix)
            for key in self._arrays.files
            if key.startswith(self._prefix)
        )

    def __len__(self) -> int:
        """Count the arrays."""
        return sum(1 for _ in self)

    def wave(self, name: str) -> np.ndarray:
        """Return a test sound as float32 in [-1, 1]."""
        return self[f"wave_{name}_int16"].astype(np.float32) / 32768


@cache
def golden(encoder: str) -> Golden:
    """Return the arrays of an encoder."""
    return Golden(encoder)


@cache
def spec(encoder: str) -> dict:
    """Return the description of an encoder: weights, file layout, tables of window counts."""
    if WHOLE.is_dir():
        return json.loads((WHOLE / f"{encoder}.json").read_text("utf-8"))
    return json.loads((REDUCED / "specs.json").read_text("utf-8"))[encoder]


def thinned_like(array: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Drop the bands or pixels that the reduced copy does not have."""
    steps = (-(-a // b) for a, b in zip(array.shape, reference.shape, strict=True))
    return array[tuple(slice(None, None, step) for step in steps)]


def weights(encoder: str) -> dict[str, np.ndarray]:
    """Regenerate the pseudo-random weights of an encoder by the rule of the golden vectors.

    Each tensor has its own generator, seeded by its name; the scale depends on its kind.
    """
    arrays = {}
    for entry in spec(encoder)["weights"]:
        name, shape, kind = entry["name"], tuple(entry["shape"]), entry["kind"]
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        normal = np.random.default_rng(seed).standard_normal(shape)
        if kind == "kernel":
            values = normal * np.sqrt(2.0 / np.prod(shape[:-1]))
        elif kind == "depthwise_kernel":
            values = normal * np.sqrt(2.0 / (shape[0] * shape[1]))
        elif kind == "gamma":
            values = 1.0 + 0.1 * normal
        elif kind == "moving_variance":
            values = 1.0 + 0.1 * np.abs(normal)
        elif kind == "pca_matrix":
            values = normal * entry["scale"]
        else:  # bias, beta, moving_mean, pca_mean
            values = 0.1 * normal
        arrays[name] = values.astype(np.float32)
    return arrays


def digest(array: np.ndarray) -> str:
    """Return the first 16 digits of a tensor's SHA-256, as the specs store it."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()[:16]


def write_weight_file(encoder: str, path: Path, *, first_index: int = 1) -> Path:
    """Write the rule's weights in the official format of the encoder (VGGish: ``.npz``).

    ``first_index`` renumbers OpenL3's automatic layer names, which differ between true files.
    """
    if spec(encoder).get("h5") is None:
        np.savez(path, **weights(encoder))
        return path
    import h5py

    arrays = weights(encoder)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [
            _renumber(layer["name"], first_index).encode()
            for layer in spec(encoder)["h5"]["layers"]
        ]
        for layer in spec(encoder)["h5"]["layers"]:
            group = file.create_group(_renumber(layer["name"], first_index))
            names = [_renumber(name, first_index) for name in layer["weights"]]
            group.attrs["weight_names"] = [n.encode() for n in names] or np.zeros(0)
            for name, original in zip(names, layer["weights"], strict=True):
                group.create_dataset(name, data=arrays[original])
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
    return path


def _renumber(name: str, first_index: int) -> str:
    """Shift the number of an automatic layer name."""
    layer, slash, weight = name.partition("/")
    stem, _, number = layer.rpartition("_")
    automatic = ("batch_normalization", "conv2d", "activation", "max_pooling2d")
    if stem in automatic and first_index != 1:
        layer = f"{stem}_{int(number) + first_index - 1}"
    return layer + slash + weight


_FOLDER = tempfile.TemporaryDirectory(prefix="skxmodal-golden-")
atexit.register(_FOLDER.cleanup)


@cache
def weight_file(encoder: str) -> Path:
    """Return the rule's weights in a file that lasts as long as the process."""
    suffix = ".npz" if spec(encoder).get("h5") is None else ".h5"
    return write_weight_file(encoder, Path(_FOLDER.name) / f"{encoder}{suffix}")


_KEPT = {
    "yamnet": (
        "wave_0p4_int16",
        "wave_1p0_int16",
        "logmel_0p4",
        "logmel_1p0",
        "embeddings_0p4",
        "embeddings_1p0",
        "mel_matrix",
    ),
    "vggish": (
        "wave_0p4_int16",
        "wave_1p0_int16",
        "logmel_examples_0p4_padded_to_15600",
        "logmel_examples_1p0",
        "embeddings_0p4_padded_to_15600",
        "embeddings_1p0",
        "postprocessed_uint8_1p0",
        "pca_applied_1p0",
    ),
    "openl3_audio": (
        "wave_0p4_int16",
        "wave_1p0_int16",
        "mel_matrix_slaney_256x1025",
        "db_mel_hop0.5_center_kapre_0p4_windows0",
        "db_mel_hop0.5_center_librosa_0p4_windows0",
        "db_mel_hop0.5_center_kapre_1p0_windows01",
        "v03_db_mel_hop0.5_center_0p4_windows0",
        "emb6144_hop0.5_center_kapre_0p4",
        "emb6144_hop0.5_center_kapre_1p0",
        "emb512_hop0.1_center_kapre_1p0",
        "emb512_hop0.5_nocenter_kapre_1p0",
        "emb512_hop0.1_center_librosa_1p0",
        "v03_emb512_hop0.5_center_0p4",
        "v03_emb512_hop0.5_center_1p0",
        "v03_emb6144_hop0.5_center_0p4",
    ),
    "openl3_image": (
        "image_a_224x224_uint8",
        "image_c_300x400_uint8",
        "image_d_240x260_uint8",
        "preprocessed_c_300x400",
        "preprocessed_d_240x260",
        "emb8192_a_224x224",
        "emb512_a_224x224",
        "emb512_c_300x400",
        "emb8192_d_240x260",
        "emb512_d_240x260",
    ),
    "resnet50": (
        "image_a_uint8",
        "image_c_300x400_uint8",
        "embedding_image_a",
        "image_c_load_img_224_bilinear_uint8",
        "embedding_image_c_300x400",
        "embedding_image_c_load_img_224_bilinear",
        "preprocessed_image_a_first32x32_BGR",
    ),
    "vgg16": ("image_a_uint8", "embedding_image_a", "preprocessed_image_a_first32x32_BGR"),
}
_KEPT_OF_SPEC = ("h5", "checks", "n_samples_to_frames_patches", "n_samples_to_windows")
_KEPT_OF_WEIGHT = ("name", "shape", "kind", "scale", "sha256_16", "torch_name", "torch_transpose")


def _reduce() -> None:
    """Write the reduced copy."""
    import zipfile

    specs, arrays = {}, {}
    for encoder in ENCODERS:
        whole = spec(encoder)
        specs[encoder] = {key: whole.get(key) for key in _KEPT_OF_SPEC}
        specs[encoder]["weights"] = [
            {key: entry[key] for key in _KEPT_OF_WEIGHT if key in entry}
            for entry in whole["weights"]
        ]
        for key in _KEPT[encoder]:
            arrays[f"{encoder}/{key}"] = _small(key, golden(encoder)[key])
    REDUCED.mkdir(parents=True, exist_ok=True)
    text = json.dumps(specs, separators=(",", ":"))
    (REDUCED / "specs.json").write_text(text + "\n", "utf-8")
    with zipfile.ZipFile(REDUCED / "arrays.npz", "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array))
            # A fixed date: the same arrays give the same file.
            info = zipfile.ZipInfo(f"{name}.npy", (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, buffer.getvalue(), zipfile.ZIP_LZMA)


def _small(key: str, array: np.ndarray) -> np.ndarray:
    """Return an array as the reduced copy keeps it: pictures as PNG, spectra thinned."""
    if "db_mel" in key:
        return array[:, ::_SPECTRUM_STEP]
    if key.startswith("preprocessed") and array.shape[0] == 224:
        return array[::_PIXEL_STEP, ::_PIXEL_STEP]
    if array.dtype == np.uint8 and array.ndim == 3:
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "png", optimize=True)
        return np.frombuffer(buffer.getvalue(), np.uint8)
    return array


if __name__ == "__main__":
    _reduce()
    print(sum(path.stat().st_size for path in REDUCED.iterdir()), "bytes")
