"""How front-ends of native encoders use the machine; what they compute is tested by the parity."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from skxmodal.encoders._native_frontend import Spectrogram


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
