"""
Which sound encoder goes with which image encoder?
==================================================

A joint space is only as good as the two encoders below it. A plain
:class:`~sklearn.model_selection.GridSearchCV` over *pairs* of encoders, scored by how well sounds
find pictures and pictures find sounds (NDCG, paper section 4.1), picks the pair; the chosen joint
space then serves one classifier for both modalities.
"""

# %%
# Sounds and pictures of instruments
# ----------------------------------
# Six of the eighteen instruments, synthesised on the spot. The labels of the first set grade the
# retrieval; no projector ever sees them.
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_instruments
from skxmodal.embedders import make_embedder
from skxmodal.metrics import make_retrieval_scorer, random_ndcg
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector

pairs = make_instruments(360, subset="retrieval", classes=6, random_state=0)
train = make_instruments(120, subset="train", classes=6, random_state=0)
test = make_instruments(120, subset="test", classes=6, random_state=0)
print(pairs.frame.shape, pairs.target_names)

# %%
# Two encoders of one's own
# -------------------------
# The built-in ``"logmel"`` and ``"hog"`` each get a rival. An encoder is any object with four
# attributes and two methods: ``windows`` cuts a decoded cell into pieces, ``encode`` turns a batch
# of pieces into vectors. The ``fingerprint`` names what the vectors depend on; the cache relies on
# it.


class SpectralStatistics:
    """Mean and deviation over time of the energy in 32 bands of equal width: 64 numbers."""

    name, modality, n_features = "spectral-statistics", "audio", 64
    fingerprint = "spectral-statistics/1"
    sample_rate = 16_000

    def windows(self, samples):
        """Cut a sound into one row of frames of 512 samples."""
        n_frames = max(1, len(samples) // 512)
        return np.resize(samples, (1, n_frames, 512))

    def encode(self, windows):
        """Summarise the log-energies of the bands."""
        power = np.abs(np.fft.rfft(windows * np.hanning(512)))[..., 1:] ** 2
        bands = np.log(power.reshape(*power.shape[:2], 32, 8).sum(axis=-1) + 1e-6)
        return np.concatenate([bands.mean(axis=1), bands.std(axis=1)], axis=1)


class ColourHistogram:
    """Share of the pixels in each of 4 x 4 x 4 cells of the colour cube: 64 numbers."""

    name, modality, n_features = "colour-histogram", "image", 64
    fingerprint = "colour-histogram/1"

    def windows(self, pixels):
        """Count the colours; there is nothing to cut."""
        red, green, blue = np.moveaxis(pixels >> 6, -1, 0).astype(int)
        counts = np.bincount((16 * red + 4 * green + blue).ravel(), minlength=64)
        return counts[np.newaxis] / counts.sum()

    def encode(self, windows):
        """Take square roots, which evens out large and small shares."""
        return np.sqrt(windows)


# %%
# The search
# ----------
# The pipeline goes from media to the joint space. The grid has 2 x 2 pairs; the scores are taken
# both ways, on pairs that the projector has not seen. Thanks to ``cache=`` each clip is encoded
# once by each encoder, though the grid asks for it dozens of times.
cache = tempfile.TemporaryDirectory()
folds = StratifiedKFold(3, shuffle=True, random_state=0)
pipeline = Pipeline(
    [
        ("embedder", make_embedder(cache=cache.name)),
        ("joint", CCAProjector(n_components=16, reg=1.0)),
    ]
)
search = GridSearchCV(
    pipeline,
    {
        "embedder__audio__encoder": ["logmel", SpectralStatistics()],
        "embedder__image__encoder": ["hog", ColourHistogram()],
    },
    scoring={
        "audio_to_image": make_retrieval_scorer("audio", "image"),
        "image_to_audio": make_retrieval_scorer("image", "audio"),
    },
    refit="audio_to_image",
    cv=folds,
)
search.fit(pairs.frame, pairs.target)


def name_of(encoder):
    """Name an encoder, given by its name or as an object."""
    return getattr(encoder, "name", encoder)


tried = [
    " + ".join(name_of(params[f"embedder__{kind}__encoder"]) for kind in ("audio", "image"))
    for params in search.cv_results_["params"]
]
print("chosen:", tried[search.best_index_])

# %%
# Train on sounds, predict on pictures
# ------------------------------------
# The chosen joint space, frozen, under one classifier. It is trained on labelled *sounds* alone;
# pictures reach it through the joint space.
classifier = ModalityAgnosticClassifier(FrozenEstimator(search.best_estimator_), random_state=0)
classifier.fit(select_modality(train.frame, "audio"), train.target)
for modality in ("audio", "image"):
    predicted = classifier.predict(select_modality(test.frame, modality))
    print(f"macro F1, {modality}: {f1_score(test.target, predicted, average='macro'):.2f}")

# %%
# The pairs compared
# ------------------
# One dot per direction and fold; the dashed line is what a random order scores, exactly.
tested = [pairs.target[rows] for _, rows in folds.split(pairs.frame, pairs.target)]
chance = np.mean([random_ndcg(labels, labels) for labels in tested])
order = np.argsort(search.cv_results_["mean_test_audio_to_image"])
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for direction, marker, shift in (("audio_to_image", "o", 0.1), ("image_to_audio", "s", -0.1)):
    scores = np.stack([search.cv_results_[f"split{n}_test_{direction}"] for n in range(3)])
    height = np.arange(len(tried)) + shift
    colour = "#0072B2" if shift > 0 else "#D55E00"
    axes.plot(scores[:, order].T, height, ".", color=colour, alpha=0.4)
    label = direction.replace("_", " ")
    axes.plot(scores.mean(axis=0)[order], height, marker, color=colour, label=label)
axes.axvline(chance, color="black", linestyle="--", label="random order")
axes.set(yticks=range(len(tried)), yticklabels=[tried[n] for n in order], xlabel="NDCG@30")
axes.legend(loc="lower right")
cache.cleanup()
plt.show()

# %%
# **Takeaway:** encoders are ordinary hyper-parameters, a cache makes every clip pass through every
# encoder once, and the pair that retrieves best lets a classifier trained on sounds read pictures.
