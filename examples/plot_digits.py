"""
From spoken to written digits
=============================

Real data: people speak digits, others write them. A classifier that is taught by labelled
*recordings* reads *handwriting*.

The recordings (Free Spoken Digit Dataset) are downloaded once; behind a firewall, set the
environment variable ``SKXMODAL_MIRROR`` to a folder that holds them. The written digits come with
scikit-learn.
"""

# %%
# Pairs of a spoken and a written digit
# -------------------------------------
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import fetch_audiovisual_digits
from skxmodal.embedders import make_embedder
from skxmodal.inspection import ClassReportDisplay
from skxmodal.translation import CCAProjector

pairs = fetch_audiovisual_digits("translation", n_pairs=1200)
train = fetch_audiovisual_digits("train")
test = fetch_audiovisual_digits("test")

# %%
# Labels of recordings alone
# --------------------------
# The rows of ``train`` and ``test`` have one modality each; the written ones are left out of
# training.
heard = train.frame.audio.notna().to_numpy()
X = pd.concat([pairs.frame, train.frame[heard]], ignore_index=True)
y = np.concatenate([pairs.target, train.target[heard]])
model = make_pipeline(
    make_embedder(audio="mfcc", image="thumbnail"),
    ModalityAgnosticClassifier(CCAProjector(32, reg=1.0), random_state=0),
)
model.fit(X, y)

# %%
# Tested on sounds and on handwriting
# -----------------------------------
display = ClassReportDisplay.from_estimator(model, test.frame, test.target).plot()
print(display.describe())
plt.show()

# %%
# **Takeaway:** pairs of real recordings and real handwriting are enough to read digits that were
# only ever labelled by ear; a guess would be right for one in ten.
