"""One fitted model of every public estimator, and of pipelines of them."""

import hashlib
import importlib
import inspect

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skxmodal.classification import JointTranslationClassifier, ModalityAgnosticClassifier
from skxmodal.embedders import AudioEmbedder, ImageEmbedder, TextEmbedder, make_embedder
from skxmodal.encoders import load_encoder
from skxmodal.metrics import ExactMatch, RetrievalScorer
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import (
    AgreeingPairs,
    BalancedPairs,
    CCAProjector,
    ContrastiveTranslator,
    DPPPairs,
    ModalityCentring,
    PCAProjector,
    RematchedPairs,
    RematchedProjector,
    make_recommended_joint,
)

_PACKAGES = (
    "classification",
    "embedders",
    "inspection",
    "metrics",
    "model_selection",
    "retrieval",
    "translation",
)


def public_estimators():
    """Return the public classes that are estimators."""
    found = set()
    for package in _PACKAGES:
        module = importlib.import_module(f"skxmodal.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) and issubclass(value, BaseEstimator):
                found.add(value)
    return found


def pairs(n=90):
    """Return an embedding table of sounds and pictures with two classes, and the classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    cause = 2 * y[:, None] + rng.normal(size=(n, 3))
    table = concat_modalities(
        audio=cause @ rng.normal(size=(3, 7)) + 0.1 * rng.normal(size=(n, 7)),
        image=cause @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(n, 5)),
    )
    return table.astype(np.float32), y


def media(n=24):
    """Return a media table of sounds and pictures, and two classes."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    sounds = [(8000, 0.1 * rng.normal(size=2000) * (1 + 5 * label)) for label in y]
    pictures = [rng.integers(0, 100 + 100 * label, (16, 16, 3)).astype(np.uint8) for label in y]
    table = pd.DataFrame({"audio": pd.Series(sounds, dtype=object), "image": pictures})
    return table, y


def _translator(**parameters):
    return ContrastiveTranslator(3, hidden_dim=8, max_epochs=2, random_state=0, **parameters)


def _forest_on(joint, **parameters):
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(5, random_state=0)
    return ModalityAgnosticClassifier(joint, forest, random_state=0, **parameters)


#: name -> (maker of an unfitted model, maker of its data)
MODELS = {
    "pca": (lambda: PCAProjector(3, random_state=0), pairs),
    "cca": (lambda: CCAProjector(3), pairs),
    "kernel cca": (lambda: CCAProjector(3, kernel="rbf", n_features=20, random_state=0), pairs),
    "centring": (lambda: ModalityCentring(CCAProjector(3)), pairs),
    "contrastive": (_translator, pairs),
    "clip loss": (lambda: _translator(loss="clip"), pairs),
    "balanced": (lambda: _translator(sampler=BalancedPairs()), pairs),
    "dpp": (lambda: _translator(sampler=DPPPairs(0.5)), pairs),
    "agreeing": (lambda: _translator(sampler=AgreeingPairs()), pairs),
    "rematched pairs": (lambda: _translator(sampler=RematchedPairs()), pairs),
    "rematched": (lambda: RematchedProjector(3, n_features=20, random_state=0), pairs),
    "recommended": (lambda: make_recommended_joint(n_components=3, random_state=0), pairs),
    "frozen": (lambda: FrozenEstimator(_translator().fit(pairs()[0])), pairs),
    "classifier": (lambda: _forest_on(CCAProjector(3)), pairs),
    "passthrough": (lambda: _forest_on(CCAProjector(3), passthrough=True), pairs),
    "joint classifier": (
        lambda: JointTranslationClassifier(_translator(), random_state=0),
        pairs,
    ),
    "retriever": (lambda: CrossModalRetriever(CCAProjector(3), 3), pairs),
    "hubness": (lambda: CrossModalRetriever(PCAProjector(3), 3, hubness="csls"), pairs),
    "scorer": (lambda: RetrievalScorer("audio", "image", relevance=ExactMatch()), pairs),
    "audio embedder": (lambda: AudioEmbedder("mfcc"), lambda: (media()[0][["audio"]], None)),
    "image embedder": (
        lambda: ImageEmbedder(load_encoder("thumbnail", "image")),
        lambda: (media()[0][["image"]], None),
    ),
    "text embedder": (lambda: TextEmbedder("hashing"), lambda: (["a drum", "rain"], None)),
    "whole pipeline": (
        lambda: make_pipeline(
            make_embedder("logmel", "hog"),
            ModalityAgnosticClassifier(CCAProjector(3), LogisticRegression()),
        ),
        media,
    ),
    "whole pipeline of objects": (
        lambda: make_pipeline(
            make_embedder(load_encoder("mfcc", "audio"), load_encoder("hog", "image")),
            _forest_on(_translator()),
        ),
        media,
    ),
}


def fitted(name):
    """Return a fitted model and its data."""
    make, data = MODELS[name]
    X, y = data()
    model = make()
    if hasattr(model, "fit"):
        model.fit(X, y)
    return model, X, y


def answers(model, X, y=None):
    """Return all that a model says of a table, as bytes."""
    if isinstance(model, RetrievalScorer):
        score = model(CCAProjector(3).fit(X), X, y)
        return np.float64(score).tobytes()
    if hasattr(model, "kneighbors"):
        distances, rows = model.kneighbors(select_modality(X, "audio"), target="image")
        return distances.tobytes() + rows.tobytes()
    methods = ("predict", "predict_proba") if hasattr(model, "predict") else ("transform",)
    return b"".join(np.asarray(getattr(model, method)(X)).tobytes() for method in methods)


def digest(model, X, y=None):
    """Return a short name of :func:`answers`."""
    return hashlib.sha256(answers(model, X, y)).hexdigest()[:16]
