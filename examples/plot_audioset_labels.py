"""
How often is which instrument labelled?
=======================================

The eighteen instruments of the paper in the official lists of AudioSet (paper, Figure 6): a look
at the imbalance that any training on it inherits.

The lists (2 MB) are downloaded once; behind a firewall, set the environment variable
``SKXMODAL_MIRROR`` to a folder that holds them.
"""

# %%
# The lists, without any clip
# ---------------------------
# :func:`~skxmodal.datasets.classes18` keeps the clips that carry exactly one of the instruments.
import matplotlib.pyplot as plt

from skxmodal.datasets import classes18, fetch_audioset
from skxmodal.inspection import LabelDistributionDisplay

data = fetch_audioset(["balanced_train", "eval"], verbose=0)
kept = classes18(data)
print(f"{len(data.frame):,} clips of instruments, {len(kept.indices):,} of exactly one class")

# %%
# The distribution
# ----------------
display = LabelDistributionDisplay.from_labels(
    kept.target, labels=dict(enumerate(kept.target_names))
).plot()
print(display.describe())
print(f"The most frequent class is {display.imbalance:.1f} times the rarest.")
plt.show()
# sphinx_gallery_thumbnail_path = 'figures/audioset_labels.png'

# %%
# **Takeaway:** even the *balanced* list is not balanced for a given choice of classes: look before
# you train, and see the example on balanced and re-matched pairs for a remedy.
