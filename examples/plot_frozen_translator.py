"""
A frozen translator, a new classifier
=====================================

A joint space is learned once, from pairs. Later tasks reuse it: wrapped into scikit-learn's
:class:`~sklearn.frozen.FrozenEstimator` it is never fitted again, and only a small classifier is.
"""

# %%
# Learn the joint space once
# --------------------------
import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.modalities import select_modality
from skxmodal.translation import CCAProjector

options = {
    "n_features": {"audio": 64, "image": 64},
    "n_classes": 6,
    "noise": 0.5,
    "random_state": 0,
}
pairs = make_paired_embeddings(1500, subset="translation", **options)
train = make_paired_embeddings(180, subset="train", **options)
test = make_paired_embeddings(300, subset="test", **options)
joint = FrozenEstimator(CCAProjector(16).fit(pairs.frame))

# %%
# Change the classifier
# ---------------------
# Each is trained on labelled sounds, and tested on sounds and on pictures.
classifiers = {
    "random forest": RandomForestClassifier(50, random_state=0),
    "logistic regression": LogisticRegression(max_iter=1000),
    "nearest neighbours": KNeighborsClassifier(15),
}
scores = {"audio": [], "image": []}
for classifier in classifiers.values():
    model = ModalityAgnosticClassifier(joint, classifier)
    model.fit(select_modality(train.frame, "audio"), train.target)
    for name, of_modality in scores.items():
        of_modality.append(model.score(select_modality(test.frame, name), test.target))

# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for (name, of_modality), shift, colour in zip(scores.items(), (-0.2, 0.2), ("#0072B2", "#E69F00")):
    places = [place + shift for place in range(3)]
    bars = ax.barh(places, of_modality, 0.38, color=colour, label=f"tested on {name}")
    ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set_yticks(range(3), list(classifiers))
ax.set(xlabel="accuracy, trained on sounds", xlim=(0, 1.1))
ax.invert_yaxis()
figure.legend(loc="outside lower center", ncols=2, frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# **Takeaway:** pairs teach the translator once; a new task then costs one small classifier, and
# works for both modalities.
