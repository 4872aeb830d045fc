"""``transformers:<id or local folder>``: the image, audio or text side of a Hugging Face model."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from ..utils import import_optional
from ._provider_base import ProvidedEncoder, TorchNetwork, equal_pieces
from ._providers import caller_of

_LONGEST_S = 10  # of a piece of sound, where the model sets no length of its own
_SHORTEST_S = 0.1  # a shorter sound is padded: the convolutions of waveform models need 25 ms
_LONGEST_TEXT = 512
# SigLIP's text side was trained on texts padded to its full length, without a mask.
_PADDED_TEXT = ("siglip", "siglip2")


def load(model: str, modality: str, *, name: str, device: Any = "auto") -> ProvidedEncoder:
    """Load one side of a model.

    Parameters
    ----------
    model : str
        Id on the hub or a local folder.
    modality : {"image", "audio", "text"}
        The side.
    name : str
        The whole string.
    device : str or torch.device, default="auto"
        Where it runs.

    Raises
    ------
    ImportError
        When ``transformers`` is not installed.
    ValueError
        When the model has no such side, or the checkpoint does not hold all of its weights.
    """
    transformers = import_optional(
        "transformers", caller=caller_of(name, modality), extra="transformers"
    )
    if Path(model).expanduser().is_dir():
        model = os.fspath(Path(model).expanduser())
    processor_class, encoder_class = {
        "image": ("AutoImageProcessor", TransformersImageEncoder),
        "audio": ("AutoFeatureExtractor", TransformersAudioEncoder),
        "text": ("AutoTokenizer", TransformersTextEncoder),
    }[modality]
    try:
        processor = getattr(transformers, processor_class).from_pretrained(
            model, trust_remote_code=False
        )
        network, report = transformers.AutoModel.from_pretrained(
            model, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"encoder {name!r} cannot be loaded as {modality}: {error}") from error
    return encoder_class(name, processor, network, set(report["missing_keys"]), device)


class _TransformersEncoder(ProvidedEncoder, ABC):
    """One side of a model: its processor, its network, and what becomes of the tokens.

    The vector is the model's own projection where it has one (``get_image_features`` of CLIP),
    else the pooled output it was trained with, else the mean over the tokens.
    """

    def __init__(
        self, name: str, processor: Any, network: Any, missing: set[str], device: Any
    ) -> None:
        self.name = name
        self.processor = processor
        config = network.config
        self._project = getattr(network, f"get_{self.modality}_features", None)
        if self._project is None and config.is_encoder_decoder:
            network = network.get_encoder()
        # A pooling layer that is not in the checkpoint is random and is not used.
        self._pooled = not any("pooler" in key for key in missing)
        random = sorted(key for key in missing if "pooler" not in key)
        if random:
            raise ValueError(
                f"encoder {name!r} cannot be used: the checkpoint lacks {len(random)} of its "
                f"weights, which would be random (the first: {random[0]!r})"
            )
        self.network = TorchNetwork(network, device, caller=f"encoder {name!r}")
        self.config = config
        self.identity = {
            "weights": self.network.digest,
            "preprocessing": _settings(processor),
            "pooling": "own" if self._project or self._pooled else "mean",
        }
        self._prepare()
        probe = self.windows(self._probe())
        self.n_features = int(self.encode(probe).shape[1])

    def _prepare(self) -> None:
        """Find out what the processor does."""

    @abstractmethod
    def _probe(self) -> Any:
        """Return a cell, for the dimension."""

    @abstractmethod
    def windows(self, media: Any) -> np.ndarray:
        """Return what the network takes, one row per piece of a cell."""

    @abstractmethod
    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``."""

    def _run(self, **inputs: np.ndarray) -> np.ndarray:
        """Run the network on named inputs."""
        names = list(inputs)

        def run(*tensors: Any) -> Any:
            given = dict(zip(names, tensors))
            if self._project is not None:
                out = self._project(**given)
                return out if hasattr(out, "dim") else out.pooler_output
            return self._vector(self.network.module(**given), given.get("attention_mask"))

        return self.network(run, *inputs.values())

    def _vector(self, out: Any, mask: Any) -> Any:
        """Return the pooled output, or the mean over tokens (text: those that are no padding)."""
        pooled = getattr(out, "pooler_output", None)
        # The pooled output of text models is a classifier's, trained on pairs of sentences.
        if pooled is not None and self._pooled and self.modality != "text":
            return pooled.flatten(1)
        hidden = out.last_hidden_state
        if hidden.dim() == 4:  # (n, channels, height, width)
            return hidden.mean((2, 3))
        if mask is None or self.modality != "text":
            return hidden.mean(1)
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)


class TransformersImageEncoder(_TransformersEncoder):
    """The image side: CLIP, SigLIP, DINOv2, ViT, ConvNeXt, ..."""

    modality = "image"

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return float32 ``(1, 3, height, width)``, preprocessed as the model wants it."""
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(media))
        return np.asarray(
            self.processor(picture, return_tensors="np")["pixel_values"], dtype=np.float32
        )

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``."""
        return self._run(pixel_values=windows)

    def _probe(self) -> np.ndarray:
        return np.zeros((64, 64, 3), np.uint8)


class TransformersAudioEncoder(_TransformersEncoder):
    """The audio side: AST, CLAP, Whisper, Wav2Vec2, HuBERT, WavLM, ...

    A model with inputs of one length (AST, CLAP, Whisper) gets pieces of at most that length,
    padded by its own rule. Another gets pieces of at most 10 s as long as they are, without
    padding, so that a vector does not depend on what else is in the batch.
    """

    modality = "audio"

    def _prepare(self) -> None:
        self.sample_rate = int(self.processor.sampling_rate)
        self.input_name = self.processor.model_input_names[0]
        one, two = (
            self._features(np.zeros(self.sample_rate * seconds, np.float32)) for seconds in (1, 2)
        )
        self.fixed = one.shape == two.shape
        self.longest = self._longest() if self.fixed else _LONGEST_S * self.sample_rate
        self.shortest = int(_SHORTEST_S * self.sample_rate)

    def windows(self, media: np.ndarray) -> np.ndarray:
        """Return features of equal shape, or pieces with their number of samples in front."""
        if len(media) < self.shortest:
            media = np.pad(media, (0, self.shortest - len(media)))
        pieces = equal_pieces(media, self.longest)
        if self.fixed:
            return np.concatenate([self._features(piece) for piece in pieces])
        windows = np.zeros((len(pieces), 1 + self.longest), np.float32)
        for window, piece in zip(windows, pieces):
            window[0] = len(piece)
            window[1 : 1 + len(piece)] = piece
        return windows

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``; pieces of one length at a time."""
        if self.fixed:
            return self._encode_features(windows)
        lengths = windows[:, 0].astype(int)
        out: np.ndarray | None = None
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            # One by one through the extractor, which may normalise over what it is given.
            features = [self._features(windows[row, 1 : 1 + length]) for row in rows]
            vectors = self._encode_features(np.concatenate(features))
            if out is None:
                out = np.empty((len(windows), vectors.shape[1]), np.float32)
            out[rows] = vectors
        return np.empty((0, self.n_features), np.float32) if out is None else out

    def _encode_features(self, features: np.ndarray) -> np.ndarray:
        if self.config.model_type == "clap":
            # No piece is above CLAP's length, so none is to be fused from several crops.
            return self._run(
                input_features=features, is_longer=np.zeros((len(features), 1), dtype=bool)
            )
        return self._run(**{self.input_name: features})

    def _features(self, samples: np.ndarray) -> np.ndarray:
        """Return what the extractor makes of one sound."""
        features = self.processor(samples, sampling_rate=self.sample_rate, return_tensors="np")
        return np.asarray(features[self.input_name], dtype=np.float32)

    def _longest(self) -> int:
        """Return the number of samples that inputs of one length stand for."""
        for attribute in ("nb_max_samples", "n_samples"):  # CLAP, Whisper
            if hasattr(self.processor, attribute):
                return int(getattr(self.processor, attribute))
        frames = getattr(self.processor, "max_length", None)  # AST: frames of 10 ms
        return int(frames * self.sample_rate // 100) if frames else _LONGEST_S * self.sample_rate

    def _probe(self) -> np.ndarray:
        return np.zeros(self.sample_rate, np.float32)


class TransformersTextEncoder(_TransformersEncoder):
    """The text side: CLIP, SigLIP, CLAP, BERT and sentence models."""

    modality = "text"

    def _prepare(self) -> None:
        config = getattr(self.config, "text_config", self.config)
        positions = getattr(config, "max_position_embeddings", None) or _LONGEST_TEXT
        # RoBERTa's positions begin behind its padding token; the tokenizer knows.
        self.longest = int(min(positions, self.processor.model_max_length, _LONGEST_TEXT))
        self._padded = self.config.model_type in _PADDED_TEXT

    def windows(self, media: str) -> np.ndarray:
        """Return token numbers ``(1, longest)``, -1 behind the text; a longer text is cut."""
        tokens = self.processor(
            str(media),
            truncation=True,
            max_length=self.longest,
            padding="max_length" if self._padded else False,
        )["input_ids"]
        window = np.full((1, self.longest), -1, np.int64)
        window[0, : len(tokens)] = tokens
        return window

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, n_features)``; texts of one length at a time, without padding."""
        lengths = (windows >= 0).sum(axis=1)
        out: np.ndarray | None = None
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            inputs = {"input_ids": windows[rows, :length]}
            if not self._padded:
                inputs["attention_mask"] = np.ones((len(rows), length), np.int64)
            vectors = self._run(**inputs)
            if out is None:
                out = np.empty((len(windows), vectors.shape[1]), np.float32)
            out[rows] = vectors
        return np.empty((0, self.n_features), np.float32) if out is None else out

    def _probe(self) -> str:
        return "a sound"


def _settings(processor: Any) -> Any:
    """Return what a processor does, as plain values; of a tokenizer, its vocabulary's digest."""
    if hasattr(processor, "get_vocab"):
        import hashlib

        vocabulary = repr(sorted(processor.get_vocab().items())).encode()
        return {
            "tokenizer": type(processor).__name__,
            "sha256": hashlib.sha256(vocabulary).hexdigest(),
        }
    return processor.to_dict()
