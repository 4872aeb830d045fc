"""Draw the figures of the documentation: ``python docs/make_figures.py``."""

from __future__ import annotations

from pathlib import Path

import guide_figures
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from skxmodal.datasets import classes18, fetch_audioset, make_instruments
from skxmodal.encoders import LogMelEncoder
from skxmodal.media import read_audio

FIGURES = Path(__file__).parent / "figures"
N_COLUMNS = 8
THUMB = 112
MARGIN = 104


def main() -> None:
    """Write every figure; AudioSet's lists are downloaded (2 MB) or taken from the mirror."""
    FIGURES.mkdir(exist_ok=True)
    data = make_instruments(18 * N_COLUMNS, subset="retrieval", random_state=7, n_jobs=-1)
    of_class = [np.flatnonzero(data.target == label) for label in range(18)]
    pictures(data, of_class).save(FIGURES / "instruments_pictures.jpg", quality=80, optimize=True)
    spectrograms(data, of_class).savefig(FIGURES / "instruments_spectrograms.jpg", dpi=70)
    audioset_labels().savefig(FIGURES / "audioset_labels.png", dpi=90)
    for name, draw in guide_figures.FIGURES.items():
        draw().savefig(FIGURES / f"{name}.png", dpi=100)


def pictures(data, of_class) -> Image.Image:
    """A sheet of 18 classes x 8 pictures."""
    sheet = Image.new("RGB", (MARGIN + N_COLUMNS * THUMB, 18 * THUMB), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for row, members in enumerate(of_class):
        draw.text((6, row * THUMB + THUMB // 2 - 8), data.target_names[row], "black", font)
        for column, member in enumerate(members[:N_COLUMNS]):
            picture = Image.fromarray(data.frame.image[member]).resize((THUMB, THUMB))
            sheet.paste(picture, (MARGIN + column * THUMB, row * THUMB))
    return sheet


def spectrograms(data, of_class) -> Figure:
    """The log mel spectrograms of the first four of these sounds, as the encoder sees them."""
    encoder = LogMelEncoder()
    figure = Figure(figsize=(11, 15), layout="constrained")
    axes = figure.subplots(9, 8)
    for label, members in enumerate(of_class):
        for column, member in enumerate(members[:4]):
            ax = axes[label // 2, 4 * (label % 2) + column]
            sound = read_audio(data.frame.audio[member], encoder.sample_rate)
            segments = encoder.encode(encoder.windows(sound)).reshape(10, 64)
            ax.imshow(segments.T, origin="lower", aspect="auto", cmap="magma", vmin=-14, vmax=6)
            ax.set_xticks([])
            ax.set_yticks([])
            if column == 0:
                ax.set_title(data.target_names[label], loc="left")
    return figure


def audioset_labels() -> Figure:
    """Clips of AudioSet's balanced and evaluation lists with each of the 18 classes."""
    data = fetch_audioset(["balanced_train", "eval"], verbose=0)
    alone = classes18(data)
    with_label = np.zeros(18, dtype=int)
    for labels in data.target:
        # One label at a time: a clip counts for every class that it carries.
        with_label[np.unique(classes18([(label,) for label in labels]).target)] += 1
    with_one = np.bincount(alone.target, minlength=18)
    order = np.argsort(with_label)
    names = [alone.target_names[label] for label in order]
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    ax = figure.subplots()
    total, only = with_label[order], with_one[order]
    ax.barh(names, total, color="0.82", label="with the class")
    ax.barh(
        names, only, height=0.5, color="tab:blue", label="with the class and no other of the 18"
    )
    for row, (every, one) in enumerate(zip(total, only, strict=True)):
        ax.text(every + 6, row, f"{one} of {every}", va="center", fontsize=8)
    ax.set_xlim(0, 1.12 * total.max())
    ax.set_xlabel(f"clips, of {len(data.frame):,} with an instrument, singing or a tool")
    ax.set_title("AudioSet's balanced and evaluation lists", loc="left")
    ax.legend(loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
