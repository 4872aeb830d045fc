"""A grid search over 3 x 3 encoders that log every clip they encode; run by test_grid_search.py.

``grid_worker.py CACHE LOG [SECONDS [STALL]]``: every forward pass of a clip is a line of LOG, an
encoder and a clip. A batch takes SECONDS; at batch STALL the process stands still before it.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline

from skxmodal.embedders import make_embedder
from skxmodal.encoders import EncoderSpec, register_encoder
from skxmodal.metrics import make_retrieval_scorer
from skxmodal.translation import PCAProjector

N_CLIPS = 30
BATCH = 4
NAMES = {"audio": ("bark", "mel", "raw"), "image": ("colour", "edge", "pixel")}


class LoggingEncoder:
    """Projects the first values of a clip, the very first of which tells which clip it is."""

    n_features = 6
    sample_rate = 8000
    n_batches = 0  # of all encoders of the process

    def __init__(self, modality, name, log, seconds=0.0, stall=-1):
        self.name, self.modality, self.fingerprint = name, modality, f"{name}/1"
        self.log, self.seconds, self.stall = Path(log), seconds, stall
        seed = sorted(sum(NAMES.values(), ())).index(name)
        self.weights = np.random.default_rng(seed).normal(size=(20, self.n_features))

    def windows(self, media):
        return np.asarray(media, np.float32).ravel()[:20][np.newaxis]

    def encode(self, windows):
        clips = np.rint(windows[:, 0] * (1000 if self.modality == "audio" else 1)).astype(int)
        if LoggingEncoder.n_batches == self.stall:
            print("stalled", flush=True)
            time.sleep(600)
        LoggingEncoder.n_batches += 1
        time.sleep(self.seconds)
        with self.log.open("a") as file:
            file.write("".join(f"{self.name} {clip}\n" for clip in clips))
        return np.stack([window @ self.weights for window in windows])


def media_table():
    """Sounds and pictures whose first value is the number of their row."""
    rng = np.random.default_rng(0)
    sounds, pictures = [], []
    for row in range(N_CLIPS):
        sound = rng.uniform(-0.5, 0.5, 400).astype(np.float32)
        sound[0] = row / 1000
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture[0, 0, 0] = row
        sounds.append((8000, sound))
        pictures.append(picture)
    return pd.DataFrame({"audio": sounds, "image": pictures}), np.arange(N_CLIPS) % 3


def grid_search(cache):
    """Return the search over pairs of encoders, scored both ways."""
    pipeline = Pipeline(
        [
            ("embedder", make_embedder("mel", "pixel", cache=cache, batch_size=BATCH)),
            ("joint", PCAProjector(n_components=2, random_state=0)),
        ]
    )
    return GridSearchCV(
        pipeline,
        {f"embedder__{kind}__encoder": names for kind, names in NAMES.items()},
        scoring={
            "audio_to_image": make_retrieval_scorer("audio", "image"),
            "image_to_audio": make_retrieval_scorer("image", "audio"),
        },
        refit="audio_to_image",
        cv=KFold(3),
        error_score="raise",
    )


def encoders(log, seconds=0.0, stall=-1):
    """Make all encoders."""
    return [
        LoggingEncoder(kind, name, log, seconds, stall)
        for kind, names in NAMES.items()
        for name in names
    ]


def spec(encoder):
    """Return the registry's entry of an encoder."""
    return EncoderSpec(encoder.name, encoder.modality, encoder.n_features, lambda: encoder)


def main(cache, log, seconds=0.0, stall=-1):
    for encoder in encoders(log, float(seconds), int(stall)):
        register_encoder(spec(encoder))
    search = grid_search(cache).fit(*media_table())
    print(search.best_params_, f"{search.best_score_:.6f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
