"""
What does translation do?
=========================

A look at the joint space before and after translation: how far the classes of both modalities lie
apart (paper, section 4.3, Figure 4), and a map of the samples in two dimensions.
"""

# %%
# Before and after
# ----------------
# :class:`~skxmodal.translation.PCAProjector` brings both modalities to one width and aligns
# nothing; :class:`~skxmodal.translation.CCAProjector` learns from pairs what they share.
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA

from skxmodal.datasets import make_paired_embeddings
from skxmodal.inspection import ClusterDistanceDisplay
from skxmodal.modalities import melt_modalities
from skxmodal.translation import CCAProjector, PCAProjector

options = {
    "n_features": {"audio": 64, "image": 64},
    "n_classes": 5,
    "noise": 0.3,
    "random_state": 0,
}
pairs = make_paired_embeddings(1500, subset="translation", **options)
test = make_paired_embeddings(300, subset="test", **options)
spaces = {
    "before (PCA)": PCAProjector(16).fit(pairs.frame),
    "after (CCA)": CCAProjector(16).fit(pairs.frame),
}

# %%
# Distances of the clusters
# -------------------------
# A cluster is one class in one modality. After translation, the dark 2 x 2 squares on the diagonal
# are the sounds and the pictures of one class.
names = [test.target_names[label] for label in test.target]
display = ClusterDistanceDisplay.from_estimators(spaces, test.frame, names)
display.plot(sort_by="class")
for title, numbers in display.summary().items():
    print(f"{title}: same class, other modality, at {numbers['class_ratio']:.2f} times the")
    print("    distance of two classes")
plt.show()

# %%
# A map
# -----
# Every sound and every picture is a point. Colours are classes, shapes are modalities; the two
# axes are the leading principal components of the joint table.
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]
X, y, modality = melt_modalities(test.frame, test.target)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.7), layout="constrained")
for ax, (title, space) in zip(axes, spaces.items()):
    points = PCA(2).fit_transform(space.transform(X))
    for label, colour in enumerate(colours):
        for name, marker in (("audio", "o"), ("image", "^")):
            rows = (y == label) & (modality == name)
            ax.scatter(*points[rows].T, s=14, marker=marker, color=colour, alpha=0.7, linewidth=0)
    ax.set(title=title, xlabel="1st component", ylabel="2nd component")
for name, marker in (("audio", "o"), ("image", "^")):
    axes[0].scatter([], [], marker=marker, color="black", label=name)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %%
# **Takeaway:** before translation, sounds and pictures of one class are no nearer to each other
# than to strangers; afterwards they share a place, which is why a classifier of
# sounds reads pictures.
