"""
Train on sounds, predict on pictures
====================================

The first pipeline: a table of instruments that are heard and seen, encoders that need no download,
a joint space learned from *pairs without labels*, and one classifier that is taught by labelled
**sounds** alone. Then it looks at pictures, of which it has never seen a labelled one.
"""

# %%
# Pairs without labels, sounds with labels
# ----------------------------------------
# A *media table* has one column per modality; a cell is a path, bytes or an array, and may be
# missing. :func:`~skxmodal.datasets.make_instruments` synthesises one on the spot. The pairs teach
# the joint space and have no label (``-1``); the labelled rows lose their pictures here.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_instruments
from skxmodal.embedders import make_embedder
from skxmodal.inspection import ClassReportDisplay
from skxmodal.modalities import select_modality
from skxmodal.translation import ContrastiveTranslator

instruments = ["cello", "drums", "flute", "piano", "saxophone"]
pairs = make_instruments(600, subset="translation", classes=instruments, difficulty=0.2)
train = make_instruments(150, subset="train", classes=instruments, difficulty=0.2)
test = make_instruments(150, subset="test", classes=instruments, difficulty=0.2)

sounds = select_modality(train.frame, "audio")  # the column "image" is still there, but empty
X = pd.concat([pairs.frame, sounds], ignore_index=True)
y = np.concatenate([pairs.target, train.target])
print(X.notna().sum(), "\nlabelled rows:", (y >= 0).sum())

# %%
# What is in the table
# --------------------
# Sounds (here: their waveforms) and pictures of one instrument each.
figure, axes = plt.subplots(2, 5, figsize=(7, 3.1), layout="constrained")
for column, label in enumerate(range(5)):
    row = np.flatnonzero(test.target == label)[0]
    rate, samples = test.frame.audio[row]
    axes[0, column].plot(np.arange(len(samples)) / rate, samples / 2**15, lw=0.3, color="#0072B2")
    axes[0, column].set(title=test.target_names[label], ylim=(-1, 1), xlabel="seconds")
    axes[0, column].set_yticks([-1, 0, 1] if column == 0 else [])
    axes[1, column].imshow(test.frame.image[row])
    axes[1, column].set_axis_off()
axes[0, 0].set_ylabel("amplitude")
plt.show()

# %%
# One pipeline
# ------------
# Encoders turn cells into vectors (paper, section 2.1), the translator brings the vectors of both
# modalities into one space (section 2.2), and one classifier works there (section 2.3).
model = Pipeline(
    [
        ("embedder", make_embedder(audio="logmel", image="hog")),
        (
            "classifier",
            ModalityAgnosticClassifier(ContrastiveTranslator(random_state=0), random_state=0),
        ),
    ]
)
model.fit(X, y)

# %%
# Predict from whatever a sample has
# ----------------------------------
# ``select_modality`` hides the other column. A guess would be right for one sample in five.
for modality in ("audio", "image"):
    accuracy = model.score(select_modality(test.frame, modality), test.target)
    print(f"accuracy on {modality}: {accuracy:.2f}")
print(f"accuracy on rows with both: {model.score(test.frame, test.target):.2f}")

# %%
# Which instruments are told apart
# --------------------------------
# Above: tested on sounds, as it was trained. Below: tested on pictures, zero-shot.
display = ClassReportDisplay.from_estimator(
    model, test.frame, test.target, labels=range(5), display_labels=test.target_names
).plot()
print(display.describe())
plt.show()

# %%
# **Takeaway:** a joint space turns labels of one modality into a classifier for every modality;
# what it takes are pairs, not more labels.
