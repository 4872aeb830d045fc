"""FunctionEncoder: functions and modules as encoders."""

import copy
import multiprocessing
import os
import pickle
import re

import numpy as np
import pytest

from skxmodal.embedders import AudioEmbedder, ImageEmbedder
from skxmodal.encoders import FunctionEncoder, load_encoder


def mean_colour(pictures):
    return pictures.mean(axis=(1, 2))


def level(sounds):
    return np.abs(sounds).max(axis=1, keepdims=True)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_a_function_gets_windows_of_sound_padded_with_silence():
    seen = []

    def note(sounds):
        seen.append(sounds)
        return sounds[:, :2]

    encoder = FunctionEncoder(note, "audio", sample_rate=8000, window=0.5)
    windows = encoder.windows(np.ones(5000, np.float32))
    assert encoder.encode(windows).shape == (2, encoder.n_features) == (2, 2)
    assert seen[-1].shape == (2, 4000)
    assert seen[-1].dtype == np.float32
    assert (seen[-1].sum(axis=1) == [4000, 1000]).all()


def test_a_function_gets_pictures_of_one_size():
    encoder = FunctionEncoder(mean_colour, "image", size=(10, 20))
    windows = encoder.windows(np.full((40, 7, 3), 9, np.uint8))
    assert windows.shape == (1, 10, 20, 3)
    assert windows.dtype == np.uint8
    np.testing.assert_array_equal(encoder.encode(windows), np.float32([[9, 9, 9]]))


def test_it_is_an_encoder_of_the_embedders():
    audio = AudioEmbedder(FunctionEncoder(level, "audio"), pooling="max")
    sound = np.linspace(0, 1, 40_000)
    np.testing.assert_allclose(audio.fit_transform([(16_000, sound), None]), [[1], [np.nan]])
    image = ImageEmbedder(FunctionEncoder(mean_colour, "image"))
    assert image.fit_transform([np.full((5, 5), 7, np.uint8)]).tolist() == [[7, 7, 7]]


def test_it_is_for_its_modality():
    encoder = FunctionEncoder(level, "audio")
    assert load_encoder(encoder, "audio") is encoder
    with pytest.raises(ValueError, match="'level' is for audio, it cannot embed image"):
        load_encoder(encoder, "image")


def test_a_module_gets_tensors_with_channels_first_and_is_set_to_evaluation(torch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Dropout(0.5),
    )  # fmt: skip
    encoder = FunctionEncoder(module, "image", size=(8, 8), device="cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    actual = encoder.encode(pictures)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = module.eval()(pixels).numpy()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(pictures[:1]), actual[:1], rtol=0, atol=1e-6)


def test_a_module_of_sounds_and_a_function_that_returns_tensors(torch):
    module = torch.nn.Linear(16, 3)
    encoder = FunctionEncoder(module, "audio", sample_rate=16, device="cpu")
    wrapped = FunctionEncoder(
        lambda sounds: module(torch.from_numpy(sounds)), "audio", sample_rate=16
    )
    windows = encoder.windows(np.arange(40, dtype=np.float32))
    np.testing.assert_array_equal(encoder.encode(windows), wrapped.encode(windows))


def encode_in_a_child(encoder, windows, queue):
    queue.put(encoder.encode(windows))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_does_not_wait_for_the_parent_s_threads(torch):
    module = torch.nn.Sequential(torch.nn.Linear(4000, 512), torch.nn.Linear(512, 3))
    encoder = FunctionEncoder(module, "audio", sample_rate=4000, device="cpu")
    windows = np.random.default_rng(0).normal(size=(64, 4000)).astype(np.float32)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = encoder.encode(windows)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=encode_in_a_child, args=(encoder, windows, queue))
        child.start()
        actual = queue.get(timeout=60)
        child.join(timeout=60)
    finally:
        torch.set_num_threads(n_threads)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_no_windows_give_no_vectors():
    encoder = FunctionEncoder(level, "audio")
    assert encoder.encode(np.empty((0, 16_000), np.float32)).shape == (0, 1)


def test_the_fingerprint_of_a_module_is_that_of_its_weights(torch):
    torch.manual_seed(0)
    one, two = torch.nn.Linear(16, 3), torch.nn.Linear(16, 3)
    of_one = FunctionEncoder(one, "audio", sample_rate=16, device="cpu").fingerprint
    of_two = FunctionEncoder(two, "audio", sample_rate=16, device="cpu").fingerprint
    assert of_one != of_two
    two.load_state_dict(one.state_dict())
    again = FunctionEncoder(two, "audio", sample_rate=16, device="cpu").fingerprint
    assert again == of_one


def test_the_fingerprint_of_a_module_follows_its_training(torch):
    module = torch.nn.Sequential(torch.nn.Linear(16, 3), torch.nn.Dropout(0.9))
    encoder = FunctionEncoder(module, "audio", sample_rate=16, device="cpu")
    before = encoder.fingerprint
    assert encoder.fingerprint == before
    module.train()
    with torch.no_grad():
        module[0].weight += 1
    assert encoder.fingerprint != before
    ones = np.ones((1, 16), np.float32)
    np.testing.assert_array_equal(encoder.encode(ones), encoder.encode(ones))


def test_a_function_without_a_fingerprint_is_a_new_one_each_time():
    one, two = (FunctionEncoder(level, "audio") for _ in range(2))
    assert one.fingerprint != two.fingerprint
    assert pickle.loads(pickle.dumps(one)).fingerprint == one.fingerprint


def test_a_fingerprint_of_one_s_own_holds_with_the_input_only():
    def prints(**options):
        return FunctionEncoder(level, "audio", fingerprint="level/1", **options).fingerprint

    assert prints() == prints()
    assert prints() != prints(window=2.0)


def test_a_copy_is_the_same_object():
    encoder = FunctionEncoder(level, "audio")
    assert copy.deepcopy(encoder) is encoder


@pytest.mark.parametrize(
    ("function", "options", "error", "message"),
    [
        (3, {}, TypeError, "function must be callable, got int"),
        (level, {"window": 0}, ValueError, "window must be"),
        (level, {"sample_rate": 0}, ValueError, "sample_rate must be"),
        (np.sum, {}, ValueError, "'sum' must return one row per sample: it made an array of shape"),
        (lambda x: x[:, None], {"name": "f"}, ValueError, "shape (1, 1, 16000) of 1 samples"),
    ],
)
def test_what_cannot_work_is_refused(function, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        FunctionEncoder(function, "audio", **options)


def test_a_module_that_returns_no_tensor_is_refused(torch):
    class Two(torch.nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(ValueError, match="must return a tensor, got tuple: wrap the module"):
        FunctionEncoder(Two(), "audio", device="cpu")


def test_a_function_of_texts_gets_the_texts():
    encoder = FunctionEncoder(
        lambda texts: np.array([[len(text)] for text in texts]), "text", fingerprint="lengths/1"
    )
    windows = np.concatenate([encoder.windows(text) for text in ("drum", "flutes")])
    assert encoder.encode(windows).tolist() == [[4], [6]]


def test_a_module_cannot_read_texts():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="takes tensors, not texts"):
        FunctionEncoder(torch.nn.Identity(), "text")
