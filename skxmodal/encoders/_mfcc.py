"""Mel-frequency cepstral coefficients: the classical summary of timbre, without a download."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ._logmel import LogMelEncoder

_N_COEFFICIENTS = 24
_N_PARTS = 4  # quarters of the window
_FRAMES_PER_PART = 25


class MFCCEncoder:
    """Mean and spread of 24 mel-frequency cepstral coefficients in four quarters, 192 values.

    Windows, frames, power spectrum and mel bands are those of :class:`LogMelEncoder` (a sound is
    cut into windows of a second at most, with 100 frames of 25 ms each). The orthonormal DCT-II
    of the 64 log bands of a frame gives its cepstrum, of which coefficients 0 to 23 are kept.
    Of each quarter of the window (25 frames) the vector has the mean of every coefficient and
    then its standard deviation.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for
       monosyllabic word recognition", IEEE Trans. ASSP 28(4), 1980.
    .. [2] G. Tzanetakis and P. Cook, "Musical genre classification of audio signals", IEEE
       Trans. Speech and Audio Processing 10(5), 2002 (means and spreads as features).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.encoders import MFCCEncoder
    >>> encoder = MFCCEncoder()
    >>> second = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    >>> encoder.encode(encoder.windows(second)).shape
    (1, 192)
    """

    name = "mfcc"
    modality = "audio"
    n_features = _N_PARTS * 2 * _N_COEFFICIENTS
    fingerprint = "mfcc/1"
    sample_rate = LogMelEncoder.sample_rate

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return the log mel bands of samples ``(n,)``, float32 ``(n_windows, 100, 64)``."""
        return self._log_mel.bands(media)

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Encode bands ``(n, 100, 64)`` to vectors, float32 ``(n, 192)``."""
        cepstra = windows @ self._cosines
        parts = cepstra.reshape(len(windows), _N_PARTS, _FRAMES_PER_PART, _N_COEFFICIENTS)
        summary = np.stack([parts.mean(axis=2), parts.std(axis=2)], axis=2)
        return summary.reshape(len(windows), self.n_features)

    @cached_property
    def _log_mel(self) -> LogMelEncoder:
        return LogMelEncoder()

    @cached_property
    def _cosines(self) -> np.ndarray:
        """Orthonormal DCT-II of 64 bands, the first 24 columns."""
        from scipy.fft import dct

        return dct(np.eye(64), norm="ortho")[:, :_N_COEFFICIENTS].astype(np.float32)
