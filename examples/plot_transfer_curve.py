"""
From zero-shot to all data
==========================

How much is a labelled picture worth to a classifier that already knows sounds? A transfer curve
mixes more and more labelled pictures into the training sounds and tests on pictures alone
(paper, section 4.2, Figure 3).
"""

# %%
# Embeddings, drawn instead of computed
# -------------------------------------
# :func:`~skxmodal.datasets.make_paired_embeddings` draws embeddings of two modalities that share
# causes, without any media.
import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_paired_embeddings
from skxmodal.inspection import TransferCurveDisplay
from skxmodal.translation import CCAProjector, PCAProjector

options = {
    "n_features": {"audio": 64, "image": 64},
    "n_classes": 6,
    "noise": 0.3,
    "random_state": 0,
}
pairs = make_paired_embeddings(1500, subset="translation", **options)
train = make_paired_embeddings(240, subset="train", **options)
test = make_paired_embeddings(240, subset="test", **options)

# %%
# Two joint spaces
# ----------------
# Both are learned from unlabelled pairs and frozen. PCA only brings the modalities to one width;
# CCA translates: it seeks directions in which the two of a pair agree.
systems = {
    name: ModalityAgnosticClassifier(
        FrozenEstimator(joint.fit(pairs.frame)),
        RandomForestClassifier(n_estimators=40, random_state=0),
    )
    for name, joint in {"PCA": PCAProjector(16), "translated": CCAProjector(16)}.items()
}

# %%
# The curves
# ----------
# At 0, no picture has a label; at the right end, all have one. The band is a confidence interval
# over three draws.
display = TransferCurveDisplay.from_estimators(
    systems,
    train.frame,
    train.target,
    X_test=test.frame,
    y_test=test.target,
    target=["image", "audio"],
    sizes=(0, 12, 30, 60, 120, "all"),
    n_repeats=3,
    random_state=0,
).plot()
print(display.describe())
plt.show()

# %%
# **Takeaway:** after translation, no labelled picture is needed to do nearly as well as with all of
# them; without translation, every labelled picture counts.
