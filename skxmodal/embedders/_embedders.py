"""AudioEmbedder, ImageEmbedder, and embedders of all modalities side by side."""

from __future__ import annotations

import os
from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted

from ..encoders import Encoder, fetch_weights, load_encoder
from ..encoders._device import parse_device
from ..encoders._lazy import lazy_encoder
from ..encoders._native_specs import native_spec
from ..media import as_cells, read_audio, read_image
from ..utils import VersionedState, check_choice, check_n_jobs, check_number
from ._cache import EmbeddingCache, open_store
from ._column import POOLINGS, Keeper, embed_cells

_ON_ERROR = ("raise", "warn", "ignore")


class _MediaEmbedder(TransformerMixin, VersionedState, BaseEstimator):
    """What embedders of every modality share: cells in, one float32 row per cell out."""

    _modality: str

    # The names that scikit-learn's get_params reads from the subclasses' own __init__.
    encoder: str | Encoder
    pooling: str
    batch_size: int
    device: Any
    backend: str
    weights: str | os.PathLike[str] | None
    n_jobs: int | None
    cache: bool | str | os.PathLike[str] | None
    on_error: str
    verbose: int
    sample_rate: float | None = None  # of cells that are bare arrays, where they are sounds

    def fit(self, X: Any, y: Any = None) -> Any:
        """Load the encoder. Nothing is learned from ``X``, which is not even decoded.

        Parameters
        ----------
        X : column of media
            One-column table, Series, list or array of cells.
        y : ignored

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            When a parameter is out of its range or ``X`` is no column of cells.
        OSError
            When the folder of ``cache`` cannot be used.
        """
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("on_error", self.on_error, _ON_ERROR)
        check_number("batch_size", self.batch_size, integer=True, low=1)
        check_n_jobs(self.n_jobs)
        if self.device != "auto":
            # Also where the encoder has no network: a name that is none is a mistake.
            parse_device(self.device, caller=type(self).__name__)
        if self.sample_rate is not None:
            check_number("sample_rate", self.sample_rate, above=0)
        open_store(self.cache)
        self._cells(X)
        name = self.encoder if self.weights is None else None
        if self.verbose > 0 and isinstance(name, str) and native_spec(name, self._modality):
            # The encoder would fetch them, too, but without a word, and they may be 300 MB.
            fetch_weights(name, self._modality, verbose=self.verbose)
        loaded = load_encoder(self.encoder, self._modality, **self._encoder_options())
        self.n_features_out_ = loaded.n_features
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embed every cell.

        Parameters
        ----------
        X : column of media of length n_samples
            One-column table, Series, list or array of cells; a missing cell is ``None``,
            ``NaN`` or ``pandas.NA``.

        Returns
        -------
        embeddings : float32 array of shape (n_samples, n_features_out)
            One row per cell, whatever its length or size; a missing cell's row is ``NaN``.

        Raises
        ------
        MediaError
            When a cell cannot be read and ``on_error="raise"``; names row and path.
        """
        check_is_fitted(self)
        return self._embed(X)

    def _embed(self, X: Any, keeper: Keeper | None = None) -> np.ndarray:
        """Embed every cell, and keep rows on the way."""
        encoder = lazy_encoder(self.encoder, self._modality, **self._encoder_options())
        store = open_store(self.cache)
        cache = None
        if store is not None:
            cache = EmbeddingCache(store, encoder, self.pooling, self.sample_rate)
        return embed_cells(
            self._cells(X),
            encoder,
            partial(self._read, encoder=encoder),
            pooling=self.pooling,
            batch_size=self.batch_size,
            n_jobs=self.n_jobs,
            on_error=self.on_error,
            verbose=self.verbose,
            cache=cache,
            keeper=keeper,
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the output columns ``"0", "1", ...``.

        In a :class:`~sklearn.compose.ColumnTransformer` with a step called ``"audio"`` they
        become ``audio__0, audio__1, ...``, the layout of an embedding table.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : object array of shape (n_features_out,)
        """
        check_is_fitted(self)
        return np.array([str(column) for column in range(self.n_features_out_)], dtype=object)

    def _encoder_options(self) -> dict[str, Any]:
        """What the loader of encoders takes besides a name."""
        return {"weights": self.weights, "device": self.device, "backend": self.backend}

    def _cells(self, X: Any) -> list:
        """Return the cells of a column, as the cache is to know them."""
        return as_cells(X)

    @abstractmethod
    def _read(self, cell: Any, encoder: Encoder) -> np.ndarray:
        """Decode one cell to what the encoder's ``windows`` takes."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class AudioEmbedder(_MediaEmbedder):
    """Turn a column of sounds into embeddings.

    Parameters
    ----------
    encoder : str or Encoder, default="logmel"
        Name of an encoder (:func:`list_encoders`) or any object with the
        :class:`~skxmodal.encoders.Encoder` protocol.
    sample_rate : float or None, default=None
        Rate in Hz of cells that are bare arrays; files carry their own, and so do cells
        ``(sample_rate, array)``. Without it a bare array is an error.
    pooling : {"mean", "max", "first"}, default="mean"
        How the windows of a long sound become one row.
    batch_size : int, default=32
        Number of windows that are encoded at once. It does not change the result.
    device : str or torch.device, default="auto"
        Where a network runs: ``"auto"`` is the GPU where PyTorch finds one, else the CPU. The
        built-in encoders have no network.
    backend : {"auto", "torch", "onnx", "ncnn"}, default="auto"
        What runs one of the paper's networks: ``"auto"`` is the fastest that is installed, which
        on a CPU is ncnn (extra ``ncnn``) for OpenL3 and VGG16, ONNX Runtime (extra ``onnx``) for
        ResNet50, and PyTorch for the others.
    weights : str, path-like or None, default=None
        A weight file of one's own in the encoder's official format; ``None`` fetches the official
        one and checks its digest.
    n_jobs : int or None, default=None
        Number of threads that decode; ``None`` means 1, -1 all processors. With a pretrained
        network on the CPU they also encode, where PyTorch has as many threads or more. Inside of
        ``joblib.parallel_config(backend="loky")`` they are processes that decode, which
        ``"logmel"`` of many short sounds gains more from.
    cache : None, True, str or path-like, default=None
        Where embeddings are kept, so that a clip is embedded once, however often a grid search,
        another process or the next session asks for it: in a folder, with ``True`` in
        ``"embeddings"`` below :func:`~skxmodal.datasets.get_data_home`, with ``None`` nowhere.
        They are found by the content of the media, not by its path, and by the encoder's
        fingerprint, so that changed files and other encoders get their own.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What becomes of a cell that cannot be read: an error that names row and path, or a
        missing row (``NaN``), all of them reported in one warning or not at all.
    verbose : int, default=0
        Positive: progress bars, also of the download of weights in ``fit``.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.

    See Also
    --------
    ImageEmbedder : The same for pictures.
    make_embedder : Both side by side, for a table with sounds and pictures.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.embedders import AudioEmbedder
    >>> time = np.arange(16000) / 16000
    >>> tone = np.sin(2 * np.pi * 440 * time)
    >>> AudioEmbedder().fit_transform([(16000, tone), None]).shape
    (2, 640)
    """

    _modality = "audio"

    def __init__(
        self,
        encoder: str | Encoder = "logmel",
        *,
        sample_rate: float | None = None,
        pooling: str = "mean",
        batch_size: int = 32,
        device: Any = "auto",
        backend: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        on_error: str = "raise",
        verbose: int = 0,
    ) -> None:
        self.encoder = encoder
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.backend = backend
        self.weights = weights
        self.n_jobs = n_jobs
        self.cache = cache
        self.on_error = on_error
        self.verbose = verbose

    def _read(self, cell: Any, encoder: Any) -> np.ndarray:
        return read_audio(cell, encoder.sample_rate, array_sample_rate=self.sample_rate)


class ImageEmbedder(_MediaEmbedder):
    """Turn a column of pictures into embeddings.

    Parameters
    ----------
    encoder : str or Encoder, default="hog"
        Name of an encoder (:func:`list_encoders`) or any object with the
        :class:`~skxmodal.encoders.Encoder` protocol.
    pooling : {"mean", "max", "first"}, default="mean"
        How the windows of an encoder that cuts pictures become one row.
    batch_size, device, backend, weights, n_jobs, cache, on_error, verbose
        As in :class:`AudioEmbedder`.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.

    See Also
    --------
    AudioEmbedder : The same for sounds.
    make_embedder : Both side by side, for a table with sounds and pictures.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.embedders import ImageEmbedder
    >>> ImageEmbedder().fit_transform([np.eye(64), None]).shape
    (2, 900)
    """

    _modality = "image"

    def __init__(
        self,
        encoder: str | Encoder = "hog",
        *,
        pooling: str = "mean",
        batch_size: int = 32,
        device: Any = "auto",
        backend: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        on_error: str = "raise",
        verbose: int = 0,
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.backend = backend
        self.weights = weights
        self.n_jobs = n_jobs
        self.cache = cache
        self.on_error = on_error
        self.verbose = verbose

    def _read(self, cell: Any, encoder: Encoder) -> np.ndarray:
        return read_image(cell)


def make_embedder(
    audio: str | Encoder | None = "logmel",
    image: str | Encoder | None = "hog",
    text: str | Encoder | None = None,
    **common: Any,
) -> ColumnTransformer:
    """Embed a media table with a column of sounds, a column of pictures, a column of texts.

    Parameters
    ----------
    audio : str, Encoder or None, default="logmel"
        Encoder of the column ``"audio"``; ``None`` leaves the column out.
    image : str, Encoder or None, default="hog"
        Encoder of the column ``"image"``; ``None`` leaves the column out.
    text : str, Encoder or None, default=None
        Encoder of the column ``"text"``, for example ``"hashing"``; ``None`` leaves the column
        out.
    **common
        Parameters of all embedders (``n_jobs=``, ``on_error=``, ...); ``sample_rate=`` goes to
        the :class:`AudioEmbedder` alone.

    Returns
    -------
    embedder : :class:`~sklearn.compose.ColumnTransformer`
        With the steps ``"audio"``, ``"image"`` and ``"text"``, so that a grid over encoders says
        ``{"embedder__audio__encoder": ["logmel", ...]}``. It returns an embedding table, a
        pandas DataFrame with the columns ``audio__0, ..., image__0, ...``.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skxmodal.embedders import make_embedder
    >>> table = pd.DataFrame({"audio": [(16000, np.zeros(16000)), None],
    ...                       "image": [None, np.eye(64)]}, dtype=object)
    >>> make_embedder().fit_transform(table).columns[[0, -1]].tolist()
    ['audio__0', 'image__899']
    """
    from ._text import TextEmbedder

    of_others = {name: value for name, value in common.items() if name != "sample_rate"}
    steps: list[tuple] = []
    if audio is not None:
        steps.append(("audio", AudioEmbedder(audio, **common), ["audio"]))
    if image is not None:
        steps.append(("image", ImageEmbedder(image, **of_others), ["image"]))
    if text is not None:
        steps.append(("text", TextEmbedder(text, **of_others), ["text"]))
    if not steps:
        raise ValueError("make_embedder needs an encoder for audio, image or text")
    return ColumnTransformer(steps).set_output(transform="pandas")
