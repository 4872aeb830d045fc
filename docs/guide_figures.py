"""The figures of the landing page and of the user guide; ``make_figures.py`` writes them."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.datasets import make_instruments
from skxmodal.embedders import make_embedder
from skxmodal.encoders import LogMelEncoder
from skxmodal.inspection import ClusterDistanceDisplay, NeighboursDisplay, TransferCurveDisplay
from skxmodal.media import read_audio
from skxmodal.modalities import select_modality
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import ContrastiveTranslator, PCAProjector

KINDS = ["cello", "drums", "flute", "piano", "saxophone"]
#: Okabe and Ito's colours: told apart with any kind of colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D00"]
BLUE, ORANGE = "#0072B2", "#D55E00"


@cache
def fitted() -> SimpleNamespace:
    """Fit the joint space that all figures show: unlabelled pairs, labelled sounds."""
    kinds = {"classes": KINDS, "difficulty": 0.2, "n_jobs": -1}
    pairs = make_instruments(1200, subset="translation", **kinds)
    train = make_instruments(200, subset="train", **kinds)
    test = make_instruments(200, subset="test", **kinds)
    embedder = make_embedder(n_jobs=-1).fit(pairs.frame)
    tables = {
        name: embedder.transform(data.frame)
        for name, data in {"pairs": pairs, "train": train, "test": test}.items()
    }
    translator = ContrastiveTranslator(random_state=0).fit(tables["pairs"])
    projector = PCAProjector(random_state=0).fit(tables["pairs"])
    classifier = ModalityAgnosticClassifier(FrozenEstimator(translator), random_state=0)
    classifier.fit(select_modality(tables["train"], "audio"), train.target)
    return SimpleNamespace(
        pairs=pairs,
        train=train,
        test=test,
        embedder=embedder,
        tables=tables,
        translator=translator,
        projector=projector,
        classifier=classifier,
    )


def promise() -> Figure:
    """Train on sounds, predict on pictures: the landing page's picture, all of it computed."""
    run = fitted()
    table = run.tables["test"]
    predicted = run.classifier.predict(select_modality(table, "image"))
    score = np.mean(predicted == run.test.target)
    figure = plt.figure(figsize=(11, 4.3))
    heard = figure.add_gridspec(5, 1, left=0.105, right=0.25, top=0.86, bottom=0.06, hspace=0.25)
    for label, name in enumerate(KINDS):
        row = np.flatnonzero(run.train.target == label)[0]
        ax = figure.add_subplot(heard[label])
        ax.imshow(_spectrogram(run.train.frame.audio[row]), **_SPECTROGRAM)
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", color=COLOURS[label], size=12)
    _heading(figure, 0.178, "train on sounds", "labelled")

    space = figure.add_axes((0.34, 0.06, 0.32, 0.8))
    draw_map(space, run.translator, table, run.test.target, every=1)
    _heading(figure, 0.5, "one joint space", "learned from pairs without labels")

    seen = figure.add_gridspec(3, 3, left=0.75, right=0.99, top=0.86, bottom=0.06, wspace=0.06)
    # Pictures as they come; a wrong answer is shown as such.
    for place in range(9):
        row = place * 7 + 2
        ax = figure.add_subplot(seen[place])
        ax.imshow(run.test.frame.image[row])
        ax.set(xticks=[], yticks=[])
        right = predicted[row] == run.test.target[row]
        text = KINDS[predicted[row]] if right else f"{KINDS[predicted[row]]} (wrong)"
        ax.set_xlabel(text, color=COLOURS[predicted[row]], size=11, labelpad=2)
    _heading(figure, 0.87, "predict on pictures", f"{score:.0%} right, 20% by chance")
    for left in (0.262, 0.675):
        figure.add_artist(_arrow(left, 0.46, left + 0.06))
    return figure


def draw_map(ax, joint, table, target, *, every: int = 1) -> None:
    """Draw joint vectors in two dimensions: colour is the class, shape the modality."""
    parts = {name: joint.transform(select_modality(table, name)) for name in ("audio", "image")}
    plane = PCA(2).fit(np.concatenate(list(parts.values())))
    for name, marker, title in (("audio", "o", "sound"), ("image", "s", "picture")):
        points = plane.transform(parts[name])[::every]
        for label, colour in enumerate(COLOURS):
            of_class = target[::every] == label
            ax.scatter(
                *points[of_class].T,
                s=22,
                marker=marker,
                facecolor=colour if name == "audio" else "none",
                edgecolor=colour,
                linewidth=1.1,
                alpha=0.8,
            )
        face = "0.3" if name == "audio" else "none"
        ax.scatter([], [], marker=marker, facecolor=face, edgecolor="0.3", label=title)
    ax.set(xticks=[], yticks=[])
    ax.legend(loc="best", frameon=True, fontsize=9)


def before_after() -> Figure:
    """Two-dimensional maps of the same sounds and pictures under two projectors."""
    run = fitted()
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for ax, joint, title in zip(
        axes,
        (run.projector, run.translator),
        ("PCAProjector: modalities side by side", "ContrastiveTranslator: modalities together"),
        strict=True,
    ):
        draw_map(ax, joint, run.tables["test"], run.test.target)
        ax.set_title(title, size=11)
    for label, name in enumerate(KINDS):
        axes[0].scatter([], [], color=COLOURS[label], label=name)
    handles, names = axes[0].get_legend_handles_labels()
    for ax in axes:
        ax.get_legend().remove()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=9)
    return figure


def centroids() -> Figure:
    """Distances between the centroids of classes and modalities, before and after."""
    run = fitted()
    display = ClusterDistanceDisplay.from_estimators(
        {"PCA": run.projector, "translated": run.translator},
        run.tables["test"],
        np.array(KINDS)[run.test.target],
    )
    return display.plot().figure_


def neighbours() -> Figure:
    """Sounds as queries, pictures that they retrieve."""
    run = fitted()
    retriever = CrossModalRetriever(FrozenEstimator(run.translator), n_neighbors=5)
    retriever.fit(run.tables["test"])
    names = np.array(KINDS)[run.test.target]
    display = NeighboursDisplay.from_retriever(
        retriever,
        run.test.frame,
        run.test.frame,
        embeddings=run.tables["test"],
        y_query=names,
        y_gallery=names,
        directions=[("audio", "image"), ("image", "audio")],
        n_queries=2,
        random_state=0,
    )
    return display.plot().figure_


def transfer() -> Figure:
    """Zero-shot to all data, for translated and merely projected embeddings."""
    run = fitted()
    display = TransferCurveDisplay.from_estimators(
        {
            name: ModalityAgnosticClassifier(FrozenEstimator(joint), random_state=0)
            for name, joint in (("MMT", run.translator), ("MMP", run.projector))
        },
        run.tables["train"],
        run.train.target,
        target="image",
        X_test=run.tables["test"],
        y_test=run.test.target,
        sizes=[0, 10, 25, 50, 100, "all"],
        n_repeats=5,
        random_state=0,
        n_jobs=-1,
    )
    return display.plot().figure_


def encoder_views() -> Figure:
    """What the two built-in encoders see of a cello."""
    run = fitted()
    row = np.flatnonzero(run.test.target == 0)[0]
    rate, samples = run.test.frame.audio[row]
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.7), layout="constrained")
    seconds = np.arange(len(samples)) / rate
    axes[0].plot(seconds, samples / 2**15, color=BLUE, linewidth=0.4)
    axes[0].set(title="a sound: 16,000 samples", xlabel="seconds", yticks=[])
    axes[1].imshow(_spectrogram(run.test.frame.audio[row]), **_SPECTROGRAM)
    axes[1].set(title='"logmel": 64 bands x 10', xlabel="time", ylabel="band", xticks=[], yticks=[])
    axes[2].imshow(run.test.frame.image[row])
    axes[2].set(title="a picture: 224 x 224", xticks=[], yticks=[])
    axes[3].imshow(_gradients(run.test.frame.image[row]), cmap="magma")
    axes[3].set(title='"hog": gradients of 48 x 48', xticks=[], yticks=[])
    return figure


def tables() -> Figure:
    """The three tables, and what lies between them."""
    figure = plt.figure(figsize=(11, 3.4))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 11), ylim=(0, 3.4))
    ax.axis("off")
    media = [["audio", "image"], ["a.wav", "a.jpg"], ["b.wav", "missing"], ["missing", "c.png"]]
    embedded = [
        ["audio__0", "...", "image__0", "..."],
        ["0.2", "...", "0.7", "..."],
        ["0.9", "...", "NaN", "NaN"],
        ["NaN", "NaN", "0.1", "..."],
    ]
    joint = [["0", "1", "..."], ["0.61", "-0.22", "..."], ["0.10", "0.83", "..."]]
    joint += [["0.58", "-0.31", "..."]]
    _grid(ax, 0.2, media, 0.85, "media table")
    _grid(ax, 3.55, embedded, 0.8, "embedding table")
    _grid(ax, 8.4, joint, 0.75, "joint table")
    for left, right, name in ((2.0, 3.45, "embedder"), (6.85, 8.3, "translator")):
        ax.annotate("", (right, 1.55), (left, 1.55), arrowprops={"arrowstyle": "->", "lw": 1.6})
        ax.text((left + right) / 2, 1.68, name, ha="center", size=11)
    ax.text(0.2, 0.25, "paths, bytes or arrays", size=10, color="0.3")
    ax.text(3.55, 0.25, "float32; a block of columns a modality", size=10, color="0.3")
    ax.text(8.4, 0.25, "float32, unit rows, no NaN", size=10, color="0.3")
    return figure


def ndcg_discount() -> Figure:
    """What one relevant item among irrelevant ones is worth, by its rank."""
    rank = np.arange(1, 31)
    figure, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    ax.bar(rank, 1 / np.log2(rank + 1), color=BLUE)
    ax.set(xlabel="rank of the only relevant item", ylabel="NDCG@30", xlim=(0, 31))
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def losses() -> Figure:
    """How the losses weigh one row of similarities, by that of the true partner."""
    import torch

    from skxmodal.translation import InfoNCELoss, MarginLoss, RobustInfoNCELoss

    grid = np.linspace(-1, 1, 81)
    rng = np.random.default_rng(0)
    others = rng.normal(size=(256, 32))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
    named = {
        "margin": MarginLoss(),
        "infonce": InfoNCELoss(),
        "robust": RobustInfoNCELoss(),
    }
    for (name, loss), colour, style in zip(named.items(), COLOURS, ("-", "--", "-."), strict=False):
        values = []
        for similarity in grid:
            # The partner of every row at exactly this cosine.
            away = rng.normal(size=others.shape)
            away -= (away * others).sum(axis=1, keepdims=True) * others
            away /= np.linalg.norm(away, axis=1, keepdims=True)
            partner = similarity * others + np.sqrt(1 - similarity**2) * away
            with torch.no_grad():
                values.append(float(loss(torch.tensor(others), torch.tensor(partner))))
        values = (np.array(values) - min(values)) / (max(values) - min(values))
        ax.plot(grid, values, color=colour, linestyle=style, linewidth=2, label=name)
    ax.set(xlabel="cosine of the partners", ylabel="loss, scaled to [0, 1]")
    ax.legend()
    ax.spines[["top", "right"]].set_visible(False)
    return figure


#: File name -> what draws it.
FIGURES = {
    "promise": promise,
    "before_after": before_after,
    "centroids": centroids,
    "neighbours": neighbours,
    "transfer": transfer,
    "encoder_views": encoder_views,
    "tables": tables,
    "ndcg_discount": ndcg_discount,
    "losses": losses,
}

_SPECTROGRAM = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -14, "vmax": 6}


def _spectrogram(cell) -> np.ndarray:
    """Return what the encoder "logmel" makes of a sound, bands by time."""
    encoder = LogMelEncoder()
    sound = read_audio(cell, encoder.sample_rate)
    return encoder.encode(encoder.windows(sound)).reshape(10, 64).T


def _gradients(picture: np.ndarray) -> np.ndarray:
    """Return the strength of the gradients of a 48 x 48 picture, which "hog" counts in cells."""
    grey = np.asarray(Image.fromarray(picture).convert("L").resize((48, 48)), dtype=float)
    return np.hypot(*np.gradient(np.sqrt(grey)))


def _heading(figure, x: float, title: str, below: str) -> None:
    figure.text(x, 0.95, title, ha="center", size=14, weight="bold")
    figure.text(x, 0.895, below, ha="center", size=10, color="0.35")


def _arrow(left: float, height: float, right: float) -> FancyArrowPatch:
    figure = plt.gcf()
    return FancyArrowPatch(
        (left, height),
        (right, height),
        transform=figure.transFigure,
        arrowstyle="-|>",
        mutation_scale=22,
        linewidth=2.2,
        color="0.25",
    )


def _grid(ax, left: float, rows: list[list[str]], width: float, title: str) -> None:
    """Draw a table with its title."""
    height = 0.45
    ax.text(left, 2.95, title, size=13, weight="bold")
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    for row, cells in enumerate([rows[0], *frame.to_numpy()]):
        for column, text in enumerate(cells):
            empty = text in ("missing", "NaN")
            colour = "0.85" if row == 0 else "#F6D9C4" if empty else "#DCE9F5"
            x, y = left + column * width, 2.3 - row * height
            ax.add_patch(
                FancyBboxPatch(
                    (x, y), width - 0.06, height - 0.07, boxstyle="round,pad=0.01", color=colour
                )
            )
            ax.text(x + width / 2 - 0.03, y + 0.19, text, ha="center", va="center", size=9.5)
