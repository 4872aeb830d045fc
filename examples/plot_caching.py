"""
Caching and resuming
====================

Encoders are the slow part. A cache keeps every embedding by the content of its clip, and
:func:`~skxmodal.embedders.embed_to_file` writes tables larger than memory, and takes up where it
was stopped.
"""

# %%
# Encode once
# -----------
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skxmodal.datasets import make_instruments
from skxmodal.embedders import AudioEmbedder, embed_to_file, make_embedder

folder = tempfile.TemporaryDirectory()
data = make_instruments(300, classes=4)
embedder = make_embedder(cache=Path(folder.name) / "cache")
seconds = []
for _ in range(2):
    start = time.perf_counter()
    table = embedder.fit_transform(data.frame)
    seconds.append(time.perf_counter() - start)

# %%
# The second time, nothing is encoded
# -----------------------------------
figure, ax = plt.subplots(figsize=(7, 2), layout="constrained")
bars = ax.barh(["first pass", "second pass"], seconds, color=["#0072B2", "#E69F00"])
ax.bar_label(bars, fmt="%.2f s", padding=3)
ax.set(xlabel="seconds for 300 sounds and pictures")
ax.margins(x=0.15)
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Stopped half-way
# ----------------
# The clip in row 200 is broken: the run ends with an error that names it. The rows before it are
# safe, and once the clip is mended a second call goes on from there.
sounds = list(data.frame.audio)
broken = [*sounds[:200], b"no sound at all", *sounds[201:]]
path = Path(folder.name) / "audio-logmel.npy"
try:
    embed_to_file(AudioEmbedder("logmel"), broken, path, chunk_size=50)
except ValueError as error:
    print(error)
embeddings = embed_to_file(AudioEmbedder("logmel"), sounds, path, chunk_size=50)
print(embeddings.shape, "the same:", np.allclose(embeddings, table.filter(like="audio__")))
del embeddings
folder.cleanup()

# %%
# **Takeaway:** with ``cache=`` a grid search, another process or tomorrow's session encodes
# nothing twice, and ``embed_to_file`` survives being stopped.
