"""A log mel spectrogram of fixed size: the audio encoder that needs no download."""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

_WINDOW_S = 1.0
_FRAME = 400  # samples, 25 ms
_FFT = 512
_N_MELS = 64
_N_SEGMENTS = 10
_FRAMES_PER_SEGMENT = 10
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 8000.0
# The higher half of the bands takes most of the bins, in parts of a size that BLAS works on.
_FILTER_PARTS = (0, 32, 48, 64)
_OFFSET = 1e-6  # added to the power before the logarithm; -60 dB of a full-scale bin


class LogMelEncoder:
    """Log mel spectrogram, 64 bands in 10 segments, with its maths spelled out.

    A sound of ``T`` seconds at 16 kHz is cut into ``ceil(T)`` windows of equal length (so at
    most one second each; one shorter than a frame is padded with zeros). In a window 100 frames
    of 25 ms start at evenly spaced samples. With the Hann window ``w``, the power spectrum
    ``P = |FFT_512(w x)|^2`` and 64 triangular filters ``H`` evenly spaced in
    ``mel = 1127 ln(1 + f / 700)`` from 50 to 8000 Hz, each frame gives ``ln(P H + 1e-6)``; ten
    successive frames are averaged, and the 10 x 64 values are the vector, segment by segment.

    Because frames are spread over the window, a sound shorter than a second is stretched to the
    same 10 segments: a word spoken fast and slowly looks alike.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for
       monosyllabic word recognition", IEEE Trans. ASSP 28(4), 1980 (the filter bank).
    .. [2] D. O'Shaughnessy, "Speech communication", 1987 (the mel scale).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.encoders import LogMelEncoder
    >>> encoder = LogMelEncoder()
    >>> second = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    >>> encoder.encode(encoder.windows(second)).shape
    (1, 640)
    """

    name = "logmel"
    modality = "audio"
    n_features = _N_SEGMENTS * _N_MELS
    fingerprint = "logmel/1"
    sample_rate = 16_000

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return the bands of samples ``(n,)`` by segments, float32 ``(n_windows, 10, 64)``.

        Whoever decodes does this, so that threads or processes share the work, and what they
        hand over is a twenty-fifth of the samples.
        """
        bands = self.bands(media)
        return bands.reshape(-1, _N_SEGMENTS, _FRAMES_PER_SEGMENT, _N_MELS).mean(axis=2)

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode segments ``(n, 10, 64)`` to vectors, float32 ``(n, 640)``."""
        return windows.reshape(-1, self.n_features)

    def bands(self, media: np.ndarray) -> np.ndarray:
        """Return the log mel bands of each frame of samples, float32 ``(n_windows, 100, 64)``."""
        n_windows = max(1, -(-len(media) // round(_WINDOW_S * self.sample_rate)))
        edges = _evenly(0, len(media), n_windows + 1)
        bands = np.empty((n_windows, _N_SEGMENTS * _FRAMES_PER_SEGMENT, _N_MELS), np.float32)
        for window, (start, stop) in zip(bands, pairwise(edges)):
            self._write_bands(media[start:stop], window)
        return bands

    def _write_bands(self, window: np.ndarray, bands: np.ndarray) -> None:
        """Write the log mel bands of at most a second to ``bands``, float32 ``(100, 64)``."""
        from scipy.fft import rfft

        if len(window) < _FRAME:
            window = np.pad(window, (0, _FRAME - len(window)))
        # Zeros up to the length of the transform: scipy's own padding takes longer.
        frames = np.zeros((_N_SEGMENTS * _FRAMES_PER_SEGMENT, _FFT), np.float32)
        # Views of every frame; as_strided makes the same and takes longer than to copy them.
        window = np.ascontiguousarray(window)
        n_starts, step = len(window) - _FRAME + 1, window.itemsize
        every = np.ndarray((n_starts, _FRAME), window.dtype, window, strides=(step, step))
        framed = every[_evenly(0, n_starts - 1, _N_SEGMENTS * _FRAMES_PER_SEGMENT)]
        np.multiply(framed, self._hann, out=frames[:, :_FRAME])
        spectrum = rfft(frames)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        for some, bins, filters in self._filters_by_parts:
            np.matmul(power[:, bins], filters, out=bands[:, some])
        bands += np.float32(_OFFSET)
        np.log(bands, out=bands)

    @cached_property
    def _hann(self) -> np.ndarray:
        """Periodic Hann window."""
        phase = 2 * np.pi * np.arange(_FRAME) / _FRAME
        return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)

    @cached_property
    def _filters(self) -> np.ndarray:
        """Triangular mel filters ``(257, 64)``."""

        def to_mel(hertz: np.ndarray | float) -> np.ndarray:
            return 1127 * np.log1p(np.asarray(hertz) / 700)

        bins = to_mel(np.linspace(0, self.sample_rate / 2, _FFT // 2 + 1))[:, np.newaxis]
        edges = np.linspace(to_mel(_LOWEST_HZ), to_mel(_HIGHEST_HZ), _N_MELS + 2)
        rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
        return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)

    @cached_property
    def _filters_by_parts(self) -> list[tuple[slice, slice, np.ndarray]]:
        """Filters without most of their zeros: bands, the bins that reach them, and these."""
        parts = []
        for start, stop in pairwise(_FILTER_PARTS):
            reached = np.flatnonzero(self._filters[:, start:stop].any(axis=1))
            bins = slice(int(reached[0]), int(reached[-1]) + 1)
            filters = np.ascontiguousarray(self._filters[bins, start:stop])
            parts.append((slice(start, stop), bins, filters))
        return parts


@lru_cache(maxsize=8)
def _evenly(first: int, last: int, n: int) -> np.ndarray:
    """Return ``n`` whole numbers from the first to the last."""
    return np.linspace(first, last, n).round().astype(int)
