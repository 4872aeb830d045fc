"""
Balanced and re-matched pairs
=============================

Pairs from the wild are skewed (many guitars, few banjos) and partly wrong. A *sampler* chooses
which pairs to train on, without any label: :class:`~skxmodal.translation.BalancedPairs` draws
rare kinds more often, :class:`~skxmodal.translation.RematchedPairs` replaces partners.
"""

# %%
# Skewed and noisy pairs
# ----------------------
# Each class is 1.6 times rarer than the one before, and every other pair is wrong. ``causes`` has
# the true class of the sounds, which only this analysis looks at.
import matplotlib.pyplot as plt
import numpy as np

from skxmodal.datasets import make_paired_embeddings
from skxmodal.metrics import make_retrieval_scorer
from skxmodal.translation import BalancedPairs, ContrastiveTranslator, RematchedPairs

options = {
    "n_features": {"audio": 64, "image": 64},
    "n_classes": 6,
    "noise": 0.3,
    "random_state": 0,
}
pairs = make_paired_embeddings(1500, subset="translation", pair_noise=0.5, skew=1.6, **options)
test = make_paired_embeddings(240, subset="retrieval", **options)

# %%
# Which kinds are drawn
# ---------------------
chosen = BalancedPairs(12).sample_pairs(pairs.blocks, random_state=0)
before = np.bincount(pairs.causes, minlength=6)
after = np.bincount(pairs.causes[chosen["audio"]], minlength=6)
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
place = np.arange(6)
ax.bar(place - 0.2, before, 0.4, color="#0072B2", label="pairs as they are")
ax.bar(place + 0.2, after, 0.4, color="#E69F00", hatch="//", label="BalancedPairs")
ax.set_xticks(place, test.target_names)
ax.set(ylabel="training pairs")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# What it does to retrieval
# -------------------------
# A translator takes the sampler as a parameter. Means of three seeds.
samplers = {"as they are": None, "balanced": BalancedPairs(12), "re-matched": RematchedPairs()}
scorer = make_retrieval_scorer("audio", "image")
scores = {}
for name, sampler in samplers.items():
    of_sampler = []
    for seed in range(3):
        translator = ContrastiveTranslator(
            16, hidden_dim=64, max_epochs=30, sampler=sampler, random_state=seed
        )
        of_sampler.append(scorer(translator.fit(pairs.frame), test.frame, test.target))
    scores[name] = np.mean(of_sampler)
figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color="#0072B2")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set(xlabel="NDCG@30, audio to image", xlim=(0, 1))
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# **Takeaway:** a sampler is one parameter of the translator and needs no label, but it is no free
# gift: the rare kinds are drawn more often here, yet retrieval does best with the pairs
# as they are.
# Measure on pairs like your own before you choose one.
