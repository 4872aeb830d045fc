"""The six native encoders against the official code, under the weights of the golden rule."""

import re
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from skxmodal.encoders._native_frontend import mel_matrix
from skxmodal.encoders._native_openl3_audio import OpenL3AudioEncoder
from skxmodal.encoders._native_openl3_image import OpenL3ImageEncoder
from skxmodal.encoders._native_resnet import ResNet50Encoder
from skxmodal.encoders._native_vgg import VGG16Encoder
from skxmodal.encoders._native_vggish import VGGishEncoder
from skxmodal.encoders._native_yamnet import YAMNetEncoder

from . import golden
from .golden import thinned_like

# The "recommended_tolerance" of each specification: front-end absolute, embedding relative to
# the largest value of the reference.
LOGMEL = {"yamnet": 1e-4, "vggish": 1e-5, "openl3_audio": 5e-3}
EMBEDDING = {
    "yamnet": 1e-5,
    "vggish": 2e-5,
    "openl3_audio": 2e-5,
    "openl3_image": 2e-5,
    "resnet50": 1e-5,
    "vgg16": 1e-5,
}
# The bands of this sound above 22 kHz hold nothing but the rounding of TensorFlow's float32 FFT
# (-70 dB, above the floor of -80 dB), which no other FFT repeats.
ROUNDING_OF_AN_EMPTY_BAND = 3e-3

WITH_NCNN = pytest.param(
    "ncnn", marks=pytest.mark.skipif(find_spec("ncnn") is None, reason="ncnn is not installed")
)
OPENL3_AUDIO = re.compile(
    r"(v03_)?emb(?P<size>\d+)_hop(?P<hop>[\d.]+)_(?P<no>no)?center(_(?P<end>kapre|librosa))?_"
    r"(?P<wave>\w+)$"
)
OPENL3_SPECTRUM = re.compile(
    r"(v03_)?db_mel_hop0.5_center(_(?P<end>kapre|librosa))?_(?P<wave>\w+)_windows(?P<which>\d+)$"
)


def keys(encoder, pattern):
    return [key for key in golden.golden(encoder) if re.match(pattern, key)]


def relative_error(actual, reference):
    assert actual.shape == reference.shape
    assert actual.dtype == np.float32
    return np.abs(actual - reference).max() / np.abs(reference).max()


def openl3_audio(match, **options):
    end = match["end"] or "v03"
    return OpenL3AudioEncoder(golden.weight_file("openl3_audio"), front_end=end, **options)


@cache
def vggish():
    """VGGish with its PCA, read once: the file has 288 MB."""
    file = golden.weight_file("vggish")
    return VGGishEncoder(file, postprocess="pca", pca_weights=file)


@pytest.mark.parametrize("encoder", golden.ENCODERS)
def test_the_rule_regenerates_the_weights(encoder):
    arrays = golden.weights(encoder)
    for entry in golden.spec(encoder)["weights"]:
        assert golden.digest(arrays[entry["name"]]) == entry["sha256_16"]


@pytest.mark.parametrize("key", keys("yamnet", "embeddings_"))
def test_yamnet_agrees_with_the_official_code(key):
    encoder = YAMNetEncoder(golden.weight_file("yamnet"))
    reference = golden.golden("yamnet")
    name = key.removeprefix("embeddings_")
    windows = encoder.windows(reference.wave(name))

    logmel = reference[f"logmel_{name}"]
    patches = np.stack([logmel[48 * i : 48 * i + 96] for i in range(len(windows))])
    assert np.abs(encoder.spectrogram(windows) - patches).max() <= LOGMEL["yamnet"]
    assert relative_error(encoder.encode(windows), reference[key]) <= EMBEDDING["yamnet"]


@pytest.mark.parametrize("key", keys("vggish", "embeddings_.*(1p0|2p5|padded)"))
def test_vggish_agrees_with_the_official_code(key, monkeypatch):
    encoder = vggish()
    monkeypatch.setattr(encoder, "postprocess", None)
    reference = golden.golden("vggish")
    name = key.removeprefix("embeddings_")
    windows = encoder.windows(reference.wave(name[:3]))

    difference = encoder.spectrogram(windows) - reference[f"logmel_examples_{name}"]
    assert np.abs(difference).max() <= LOGMEL["vggish"]
    assert relative_error(encoder.encode(windows), reference[key]) <= EMBEDDING["vggish"]


@pytest.mark.parametrize("key", keys("vggish", "postprocessed_uint8_.*(1p0|2p5|padded)"))
def test_vggish_postprocessing_agrees_with_the_official_code(key, monkeypatch):
    reference = golden.golden("vggish")
    name = key.removeprefix("postprocessed_uint8_")
    pca = vggish()

    windows = pca.windows(reference.wave(name[:3]))
    whitened = pca.encode(windows)
    assert relative_error(whitened, reference[f"pca_applied_{name}"]) <= EMBEDDING["vggish"]

    monkeypatch.setattr(pca, "postprocess", "quantised")
    levels = pca.encode(windows)
    exact = (np.clip(whitened, -2, 2) + 2) * 63.75
    clear = np.abs(exact - np.round(exact)) > 1e-3
    clear |= np.abs(whitened) > 2.001
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(levels[clear], reference[key][clear])


@pytest.mark.parametrize(
    "key",
    [
        # 21 windows of 20 GFLOP each.
        pytest.param(key, marks=pytest.mark.slow) if "hop0.1" in key and "2p5" in key else key
        for key in keys("openl3_audio", OPENL3_AUDIO)
    ],
)
@pytest.mark.parametrize("backend", ["torch", WITH_NCNN])
def test_openl3_audio_agrees_with_the_official_code(key, backend):
    match = OPENL3_AUDIO.match(key)
    reference = golden.golden("openl3_audio")
    encoder = openl3_audio(
        match,
        embedding_size=int(match["size"]),
        hop_size=float(match["hop"]),
        center=not match["no"],
        backend=backend,
    )
    tolerance = EMBEDDING["openl3_audio"]
    if match["wave"] == "44k1_0p5":
        wave = reference["resampled_48k_resampy0.2.2_kaiser_best"]
        tolerance = ROUNDING_OF_AN_EMPTY_BAND
    else:
        wave = reference.wave(match["wave"])

    embeddings = encoder.encode(encoder.windows(wave))

    assert relative_error(embeddings, reference[key]) <= tolerance


@pytest.mark.parametrize("key", keys("openl3_audio", OPENL3_SPECTRUM))
def test_openl3_spectrograms_agree_with_the_official_code(key):
    match = OPENL3_SPECTRUM.match(key)
    encoder = openl3_audio(match, center=True)
    reference = golden.golden("openl3_audio")
    windows = encoder.windows(reference.wave(match["wave"]))[[int(i) for i in match["which"]]]

    decibels = encoder.spectrogram(windows).transpose(0, 2, 1)[..., np.newaxis]

    difference = thinned_like(decibels, reference[key]) - reference[key]
    assert np.abs(difference).max() <= LOGMEL["openl3_audio"]


@pytest.mark.parametrize("key", keys("openl3_image", r"emb\d+_"))
@pytest.mark.parametrize("backend", ["torch", WITH_NCNN])
def test_openl3_image_agrees_with_the_official_code(key, backend):
    size, _, name = key.removeprefix("emb").partition("_")
    reference = golden.golden("openl3_image")
    encoder = OpenL3ImageEncoder(
        golden.weight_file("openl3_image"), embedding_size=int(size), backend=backend
    )
    window = encoder.windows(reference[f"image_{name}_uint8"])

    if f"preprocessed_{name}" in reference:
        pixels = reference[f"preprocessed_{name}"]
        np.testing.assert_allclose(thinned_like(window[0], pixels), pixels, atol=1e-6)
    assert relative_error(encoder.encode(window), reference[key]) <= EMBEDDING["openl3_image"]


@pytest.mark.parametrize(
    ("encoder_class", "key"),
    [
        (encoder_class, key)
        for encoder_class in (ResNet50Encoder, VGG16Encoder)
        for key in keys(encoder_class.name, "embedding_")
    ],
)
@pytest.mark.parametrize("backend", ["torch", WITH_NCNN])
def test_imagenet_networks_agree_with_keras(encoder_class, key, backend):
    name = encoder_class.name
    reference = golden.golden(name)
    if backend == "ncnn" and (name != "vgg16" or "300x400" in key):
        pytest.skip("ncnn runs VGG16 only, on images of 224 x 224")
    encoder = encoder_class(golden.weight_file(name), backend=backend)
    image = reference[key.removeprefix("embedding_") + "_uint8"]

    embedding = encoder.encode(image[np.newaxis])[0]

    assert relative_error(embedding, reference[key]) <= EMBEDDING[name]


@pytest.mark.parametrize("encoder_class", [ResNet50Encoder, VGG16Encoder])
def test_imagenet_networks_get_the_pixels_that_keras_gives(encoder_class):
    encoder = encoder_class(golden.weight_file(encoder_class.name))
    reference = golden.golden(encoder_class.name)
    pixels = reference["preprocessed_image_a_first32x32_BGR"]

    inputs = encoder._inputs(reference["image_a_uint8"][np.newaxis])

    actual = inputs[0, :, :32, :32].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(actual, pixels, atol=1e-5)


def test_imagenet_networks_resize_as_keras_with_bilinear_interpolation():
    reference = golden.golden("resnet50")
    encoder = ResNet50Encoder(golden.weight_file("resnet50"))

    window = encoder.windows(reference["image_c_300x400_uint8"])

    np.testing.assert_array_equal(window[0], reference["image_c_load_img_224_bilinear_uint8"])


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_openl3_mel_bands_are_those_of_librosa(scale):
    key = f"mel_matrix_{scale}_256x1025"
    reference = golden.golden("openl3_audio")
    if key not in reference:
        pytest.skip("the reduced copy has one of the two matrices")
    end = {"slaney": "kapre", "htk": "v03"}[scale]
    encoder = OpenL3AudioEncoder(golden.weight_file("openl3_audio"), front_end=end)

    matrix = mel_matrix(encoder.spectrogram).T

    np.testing.assert_allclose(matrix, reference[key], atol=1e-6 * reference[key].max())


def test_yamnet_mel_bands_are_those_of_tensorflow():
    # TensorFlow computes the triangles in float32.
    matrix = mel_matrix(YAMNetEncoder.spectrogram)
    np.testing.assert_allclose(matrix, golden.golden("yamnet")["mel_matrix"], atol=2e-5)
