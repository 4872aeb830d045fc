"""
Missing modalities at predict
=============================

Some samples have a sound, some a picture, some both. One model serves them all: a row's prediction
is the mean of the class probabilities of the modalities it has.
"""

# %%
# Training rows with holes
# ------------------------
# An embedding table marks what is missing by ``NaN`` in all columns of a modality.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector

options = {
    "n_features": {"audio": 64, "image": 64},
    "n_classes": 6,
    "noise": 1.0,
    "random_state": 0,
}
pairs = make_paired_embeddings(1000, subset="translation", **options)
train = make_paired_embeddings(240, subset="train", **options)
test = make_paired_embeddings(300, subset="test", **options)
heard = select_modality(train.frame[:120], "audio")
seen = select_modality(train.frame[120:], "image")
X = pd.concat([pairs.frame, heard, seen], ignore_index=True)
y = np.concatenate([pairs.target, train.target])
model = ModalityAgnosticClassifier(CCAProjector(16), random_state=0).fit(X, y)

# %%
# One model, four kinds of rows
# -----------------------------
# In the last table each row lost one modality or none, at random.
mixed = test.frame.copy()
kind = np.random.default_rng(0).integers(3, size=len(mixed))
mixed.loc[kind == 0, [name for name in mixed if name.startswith("audio__")]] = np.nan
mixed.loc[kind == 1, [name for name in mixed if name.startswith("image__")]] = np.nan
tables = {
    "sounds alone": select_modality(test.frame, "audio"),
    "pictures alone": select_modality(test.frame, "image"),
    "whatever there is": mixed,
    "both": test.frame,
}
scores = {name: model.score(table, test.target) for name, table in tables.items()}

# %%
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color="#0072B2")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.axvline(1 / 6, color="black", linestyle="--", label="chance")
ax.set(xlabel="accuracy", xlim=(0, 1.1))
ax.invert_yaxis()
figure.legend(loc="outside lower center", frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# **Takeaway:** leave cells empty and predict; nothing is imputed, and a second modality counts
# where there is one.
