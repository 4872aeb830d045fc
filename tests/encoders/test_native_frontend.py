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
        spec(np.zeros((2, 15_600), np.float32))
        assert seen == [{1}, {1}]
        assert numpy_threads() == before


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
