"""How front-ends of native encoders use the machine; what they compute is tested by the parity."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skxmodal.encoders._native_frontend import Spectrogram, cut_windows


def test_products_of_a_front_end_have_one_thread_and_then_as_many_as_before(monkeypatch):
    # Threads of two libraries that wait for each other's made OpenL3 half as fast.
    seen = []

    def numpy_threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    monkeypatch.setattr(Spectrogram, "_log_spectra", lambda *_: seen.append(numpy_threads()))
    spec = Spectrogram(sample_rate=16_000, frame=400, n_fft=512, hop=160, n_frames=96)
    with threadpool_limits(2, user_api="blas"):
        before = numpy_threads()
        spec(np.zeros((5, 15_600), np.float32))  # four at a time
        assert seen == [{1}, {1}]
        assert numpy_threads() == before


@pytest.mark.parametrize("log_offset", [0.001, None])
@pytest.mark.parametrize("n_mels", [64, None])
def test_a_spectrogram_does_not_depend_on_the_windows_beside_it(log_offset, n_mels):
    spec = Spectrogram(16_000, 400, 512, 160, 96, pad_left=7, n_mels=n_mels, log_offset=log_offset)
    windows = np.random.default_rng(0).normal(0, 0.1, (7, 15_600)).astype(np.float32)
    windows *= np.arange(1, 8, dtype=np.float32)[:, np.newaxis]  # each with a maximum of its own
    alone = np.concatenate([spec(window[np.newaxis]) for window in windows])
    np.testing.assert_allclose(spec(windows), alone, rtol=0, atol=1e-4)
    assert spec(windows[:0]).shape == (0, 96, spec.n_bands)


@pytest.mark.parametrize("n_samples", [1, 9, 10, 17, 25])
@pytest.mark.parametrize("every", [1, 2])
def test_windows_follow_each_other_and_end_in_silence(n_samples, every):
    audio = np.arange(1, n_samples * every + 1, dtype=np.float32)[::every]
    windows = cut_windows(audio, 10, 5, 4)
    padded = np.pad(audio, (0, 25 - n_samples))
    np.testing.assert_array_equal(windows, [padded[start : start + 10] for start in (0, 5, 10, 15)])


def test_windows_do_not_let_an_encoder_write_over_a_sound():
    with pytest.raises(ValueError, match="read-only"):
        cut_windows(np.zeros(25, np.float32), 10, 5, 4)[0] = 1
