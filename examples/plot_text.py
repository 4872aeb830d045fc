"""
A third modality: text
======================

Nothing in a joint space is limited to two modalities. Captions join sounds and pictures as a third
column, and a classifier of captions then reads sounds and pictures.
"""

# %%
# A table of three columns
# ------------------------
# The captions are made up of a few words for each instrument. ``"hashing"`` is the text encoder
# that needs no download; it knows words, not what they mean.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_instruments
from skxmodal.embedders import make_embedder
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector

words = {
    "drums": ["a loud drum kit", "sticks on drums", "drums and a beat"],
    "flute": ["a bright flute", "flute in the air", "a silver flute"],
    "piano": ["piano keys", "a grand piano", "piano chords"],
    "violin": ["violin and bow", "a violin solo", "strings of a violin"],
}
rng = np.random.default_rng(0)
options = {"classes": list(words), "difficulty": 0.2}
pairs = make_instruments(400, subset="translation", **options)
train = make_instruments(80, subset="train", **options)
test = make_instruments(80, subset="test", **options)
X_pairs = pairs.frame.assign(text=[rng.choice(words[name]) for name in pairs.causes.heard])
X_train = train.frame.assign(text=[rng.choice(words[name]) for name in train.causes.heard])
X_test = test.frame.assign(text=[rng.choice(words[name]) for name in test.causes.heard])
print(X_pairs.text.head().to_list())

# %%
# Train on captions
# -----------------
# The labelled rows keep their text alone.
X = pd.concat([X_pairs, select_modality(X_train, "text")], ignore_index=True)
y = np.concatenate([pairs.target, train.target])
model = make_pipeline(
    make_embedder(audio="logmel", image="hog", text="hashing"),
    ModalityAgnosticClassifier(CCAProjector(12, reg=1.0), random_state=0),
)
model.fit(X, y)
scores = {
    name: model.score(select_modality(X_test, name), test.target)
    for name in ("text", "audio", "image")
}

# %%
figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color=["#E69F00", "#0072B2", "#0072B2"])
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.axvline(1 / 4, color="black", linestyle="--", label="chance")
ax.set(xlabel="accuracy, trained on captions", ylabel="tested on", xlim=(0, 1.1))
ax.invert_yaxis()
figure.legend(loc="outside lower center", frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# **Takeaway:** a further modality is a further column; pairs bring it into the same joint space.
