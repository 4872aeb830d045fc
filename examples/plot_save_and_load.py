"""
Save and load a model safely
============================

A pickle runs whatever code its author put into it. `skops <https://skops.readthedocs.io>`__ files
do not: they name the types they contain, and load only those that you trust.
``skxmodal.TRUSTED_TYPES`` lists the library's own.
"""

# %%
# A model
# -------
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import skops.io
from sklearn.metrics import ConfusionMatrixDisplay

import skxmodal
from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector

options = {
    "n_features": {"audio": 32, "image": 32},
    "n_classes": 5,
    "noise": 0.5,
    "random_state": 0,
}
pairs = make_paired_embeddings(600, subset="translation", **options)
train = make_paired_embeddings(150, subset="train", **options)
test = make_paired_embeddings(200, subset="test", **options)
X = pd.concat([pairs.frame, select_modality(train.frame, "audio")], ignore_index=True)
y = np.concatenate([pairs.target, train.target])
model = ModalityAgnosticClassifier(CCAProjector(8), random_state=0).fit(X, y)

# %%
# Save, look inside, load
# -----------------------
# What is neither scikit-learn's nor on the list would be named here: do not load a file with types
# that you do not know.
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.skops"
    skops.io.dump(model, path)
    unknown = set(skops.io.get_untrusted_types(file=path)) - set(skxmodal.TRUSTED_TYPES)
    print(f"{path.stat().st_size / 1024:.0f} kB, unknown types: {sorted(unknown)}")
    loaded = skops.io.load(path, trusted=skxmodal.TRUSTED_TYPES)

# %%
# The same model
# --------------
pictures = select_modality(test.frame, "image")
expected, predicted = model.predict(pictures), loaded.predict(pictures)
print("same predictions:", np.array_equal(expected, predicted))
figure, ax = plt.subplots(figsize=(5.5, 4.4), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    expected, predicted, display_labels=test.target_names, cmap="Blues", colorbar=False, ax=ax
)
ax.set(xlabel="predicted after loading", ylabel="predicted before saving")
plt.show()

# %%
# **Takeaway:** share models as skops files; whoever loads one sees its types before anything runs.
