"""
Find pictures by sound
======================

In a joint space, what is near belongs together, whatever its modality. Sounds search pictures
here; listen to the queries below the figure.
"""

# %%
# A joint space and an index
# --------------------------
import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from scipy.io import wavfile
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skxmodal.datasets import make_instruments
from skxmodal.embedders import make_embedder
from skxmodal.inspection import NeighboursDisplay
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import CCAProjector

pairs = make_instruments(500, subset="translation", classes=6)
gallery = make_instruments(120, subset="retrieval", classes=6)
queries = make_instruments(30, subset="test", classes=6)
joint = make_pipeline(make_embedder(), CCAProjector(16, reg=1.0)).fit(pairs.frame)
retriever = CrossModalRetriever(FrozenEstimator(joint)).fit(gallery.frame)

# %%
# Three sounds and what they find
# -------------------------------
# A solid frame and a tick mark a picture of the right instrument, a dashed frame and a cross a
# wrong one.
names = np.array(queries.target_names)
rows = [int(np.flatnonzero(queries.target == label)[0]) for label in (0, 3, 5)]
display = NeighboursDisplay.from_retriever(
    retriever,
    queries.frame,
    gallery.frame,
    y_query=names[queries.target],
    y_gallery=names[gallery.target],
    directions=[("audio", "image")],
    rows=rows,
).plot()
print(display.describe())
plt.show()


# %%
# Listen to them
# --------------
# A notebook, and this page, show an object by its ``_repr_html_``.
class Player:
    """Sounds with their names, as audio players."""

    def __init__(self, sounds):
        self.sounds = sounds

    def _repr_html_(self):
        players = []
        for name, (rate, samples) in self.sounds.items():
            file = io.BytesIO()
            wavfile.write(file, rate, samples)
            data = base64.b64encode(file.getvalue()).decode()
            players.append(
                f'<p>{name}: <audio controls aria-label="sound of {name}" '
                f'src="data:audio/wav;base64,{data}"></audio></p>'
            )
        return "".join(players)


Player({names[queries.target[row]]: queries.frame.audio[row] for row in rows})

# %%
# **Takeaway:** ``kneighbors(sounds, target="image")`` is all there is to a search across
# modalities; the labels are only for marking what was found.
