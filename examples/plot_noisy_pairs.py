"""
Losses compared under noisy pairs
=================================

In videos, what is heard is often not what is seen. Here a share of the training pairs is wrong on
purpose: which loss of :class:`~skxmodal.translation.ContrastiveTranslator` bears that best?
"""

# %%
# Four losses, three levels of noise
# ----------------------------------
# ``pair_noise`` is the share of pairs whose picture belongs to another sample. The score is NDCG
# of sounds that search pictures, on clean test pairs.
import matplotlib.pyplot as plt

from skxmodal.datasets import make_paired_embeddings
from skxmodal.metrics import make_retrieval_scorer, random_ndcg
from skxmodal.translation import ContrastiveTranslator

options = {
    "n_features": {"audio": 48, "image": 48},
    "n_classes": 6,
    "noise": 0.3,
    "random_state": 0,
}
test = make_paired_embeddings(240, subset="retrieval", **options)
scorer = make_retrieval_scorer("audio", "image")
noises = [0.0, 0.4, 0.8]
scores = {"margin": [], "infonce": [], "sigmoid": [], "robust": []}
for pair_noise in noises:
    pairs = make_paired_embeddings(1000, subset="translation", pair_noise=pair_noise, **options)
    for loss, of_loss in scores.items():
        translator = ContrastiveTranslator(
            16, hidden_dim=64, loss=loss, batch_size=512, max_epochs=30, random_state=0
        )
        of_loss.append(scorer(translator.fit(pairs.frame), test.frame, test.target))

# %%
# The comparison
# --------------
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
for (loss, of_loss), colour, marker in zip(scores.items(), colours, "os^D"):
    ax.plot(noises, of_loss, marker=marker, color=colour, label=loss)
    print(loss, [round(score, 2) for score in of_loss])
chance = random_ndcg(test.target, test.target)
ax.axhline(chance, color="black", linestyle="--", label="random order")
ax.set(xlabel="share of wrong pairs", ylabel="NDCG@30, audio to image", xticks=noises)
ax.legend(frameon=False, ncols=2)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# **Takeaway:** wrong pairs cost every loss a good deal, but not the same: here the margin loss
# stays ahead, and the robust loss loses less than the other softmax losses.
# Compare on data of your own.
