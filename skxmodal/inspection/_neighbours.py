"""NeighboursDisplay: what a sound finds among pictures, and a picture among sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state

from ..media import is_missing, read_audio, read_image
from ..modalities import present_rows, select_modality
from ..utils import check_number
from ._style import COLOURS, WIDTH, arrow, figure_axes, plain

_SAMPLE_RATE = 16_000
_FRAME, _HOP = 512, 128
_DYNAMIC_RANGE_DB = 70.0
_LONGEST_SIDE = 224  # pixels; panels are smaller
_MOST_FRAMES = 400


@dataclass(frozen=True)
class Tile:
    """A cell as it is shown.

    Attributes
    ----------
    modality : str
        Name of the column.
    row : int
        Row of the query table or of the gallery.
    label : str or None
        Class, if known.
    picture : ndarray
        Pixels (h, w, 3), or level in dB of a spectrogram (frequencies, times).
    seconds : float or None
        Length of a sound; ``None`` for a picture.
    """

    modality: str
    row: int
    label: str | None
    picture: np.ndarray
    seconds: float | None = None


class NeighboursDisplay:
    """Queries on the left, what they retrieve on the right, nearest first.

    Sounds are shown as spectrograms, 0 to 8 kHz from bottom to top. Make one by
    :meth:`from_retriever`.

    Parameters
    ----------
    queries : sequence of Tile
        What was searched by.
    neighbours : sequence of sequence of Tile
        What each query found.
    distances : array-like of shape (n_queries, n_neighbors), default=None
        How far away.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes of shape (n_queries, 1 + n_neighbors)
        Queries in the first column.
    ax_ : matplotlib Axes
        The first of them.
    images_ : ndarray of matplotlib AxesImage of shape (n_queries, 1 + n_neighbors)
        What is drawn.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, sections 2.1 and 4.1.
    """

    def __init__(
        self,
        queries: Sequence[Tile],
        neighbours: Sequence[Sequence[Tile]],
        distances: Any = None,
    ) -> None:
        self.queries = queries
        self.neighbours = neighbours
        self.distances = distances

    @classmethod
    def from_retriever(
        cls,
        retriever: Any,
        X_query: Any,
        gallery: Any,
        *,
        y_query: Any = None,
        y_gallery: Any = None,
        embeddings: Any = None,
        directions: Sequence[tuple[str, str]] | None = None,
        n_queries: int = 3,
        n_neighbors: int = 5,
        rows: Sequence[int] | None = None,
        sounds: Sequence[str] = ("audio",),
        sample_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> NeighboursDisplay:
        """Search with a few rows in every direction, and decode what is shown.

        Parameters
        ----------
        retriever : :class:`~skxmodal.retrieval.CrossModalRetriever`
            Fitted on the rows of ``gallery``.
        X_query : DataFrame of shape (n_queries, n_modalities)
            Media table of the queries.
        gallery : DataFrame of shape (n_samples, n_modalities)
            Media table of what was indexed, row by row.
        y_query, y_gallery : array-like, default=None
            Labels; with both, finds are marked as right or wrong. Rows without (-1, ``NaN`` or
            ``None``) are neither.
        embeddings : table of as many rows as ``X_query``, default=None
            What the retriever reads for these rows, when it was fitted on embeddings;
            ``None`` hands it the media.
        directions : sequence of (str, str), default=None
            Pairs (source, target); ``None`` means all of two different modalities.
        n_queries : int, default=3
            How many rows are drawn for each direction.
        n_neighbors : int, default=5
            How many finds are shown.
        rows : sequence of int, default=None
            Which rows of ``X_query`` to show instead of random ones.
        sounds : sequence of str, default=("audio",)
            Which modalities are sounds; all others are pictures.
        sample_rate : float, default=None
            Rate in Hz of sounds that are bare arrays.
        random_state : int, RandomState instance or None, default=None
            For drawing rows.

        Returns
        -------
        display : NeighboursDisplay
        """
        check_number("n_queries", n_queries, integer=True, low=1)
        check_number("n_neighbors", n_neighbors, integer=True, low=1)
        table = X_query if embeddings is None else embeddings
        check_consistent_length(X_query, table, y_query)
        check_consistent_length(gallery, y_gallery)
        present = present_rows(X_query)
        if embeddings is not None:
            # A cell that is there but could not be read has no embedding to search with.
            embedded = present_rows(embeddings)
            present = {name: rows & embedded.get(name, False) for name, rows in present.items()}
        if directions is None:
            names = [name for name in present if name in set(map(str, gallery.columns))]
            directions = [(a, b) for a in names for b in names if a != b]
        random = check_random_state(random_state)
        read = _Reader(tuple(sounds), sample_rate)
        queries: list[Tile] = []
        neighbours: list[list[Tile]] = []
        distances = []
        for source, target in directions:
            if source not in present or not present[source].any():
                raise ValueError(f"no query has the modality {source!r}")
            chosen = np.asarray(
                _draw(np.flatnonzero(present[source]), n_queries, y_query, random)
                if rows is None
                else rows
            )
            for row in chosen:
                if not (0 <= row < len(present[source]) and present[source][row]):
                    raise ValueError(f"row {row} of X_query has no {source} to search with")
            alone = select_modality(_safe_indexing(table, chosen), source)
            far, found = retriever.kneighbors(alone, n_neighbors, target=target)
            distances.append(far)
            for row, indices in zip(chosen, found):
                queries.append(read(X_query, source, int(row), y_query))
                # An approximate index fills up with -1 where it finds fewer.
                neighbours.append(
                    [read(gallery, target, int(i), y_gallery) for i in indices if i >= 0]
                )
        return cls(queries, neighbours, np.concatenate(distances))

    def precision(self) -> float:
        """Return the share of finds whose label is that of their query.

        Returns
        -------
        float
            ``NaN`` when labels are unknown.
        """
        right = [
            tile.label == query.label
            for query, found in zip(self.queries, self.neighbours)
            for tile in found
            if tile.label is not None and query.label is not None
        ]
        return float(np.mean(right)) if right else float("nan")

    def describe(self) -> str:
        """Say in a sentence what the picture shows.

        Returns
        -------
        str
        """
        parts = []
        for query, found in zip(self.queries, self.neighbours):
            if query.label is None or not found:
                continue
            n_right = sum(tile.label == query.label for tile in found)
            parts.append(
                f"the {query.modality} of {query.label} finds {n_right} of {len(found)} "
                f"{found[0].modality} rows of its class"
            )
        text = f"{len(self.queries)} queries with the nearest rows of another modality"
        return f"{text}: {'; '.join(parts)}." if parts else f"{text}."

    def plot(self, ax: Any = None, *, cmap: Any = "magma") -> NeighboursDisplay:
        """Draw one row of tiles for each query.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            ``n_queries`` times ``1 + n_neighbors``; ``None`` makes a new figure.
        cmap : str or Colormap, default="magma"
            Colours of spectrograms.

        Returns
        -------
        self : object
        """
        n_rows = len(self.queries)
        n_columns = 1 + max(len(found) for found in self.neighbours)
        tile = WIDTH / (n_columns + 0.3)
        self.figure_, axes = figure_axes(
            ax,
            "NeighboursDisplay.plot",
            n_rows=n_rows,
            n_columns=n_columns,
            height=n_rows * (tile + 0.28) + 0.4,
        )
        self.axes_ = axes.reshape(n_rows, n_columns)
        self.ax_ = self.axes_[0, 0]
        self.images_ = np.full(self.axes_.shape, None, dtype=object)
        previous = None
        for row, (query, found) in enumerate(zip(self.queries, self.neighbours)):
            for column, one in enumerate([query, *found]):
                axes = self.axes_[row, column]
                self.images_[row, column] = _draw_tile(axes, one, cmap)
                _caption(axes, one, None if column == 0 else query)
            for axes in self.axes_[row, 1 + len(found) :]:
                axes.set_axis_off()
            direction = (query.modality, found[0].modality) if found else None
            if direction is not None and direction != previous:
                self.axes_[row, 0].set_ylabel(arrow(direction), fontsize=9, fontweight="bold")
            previous = direction
        if ax is None:
            marks = "" if np.isnan(self.precision()) else "; ✓ same class, ✗ another class"
            self.figure_.supxlabel(f"left: query, then the nearest{marks}", fontsize=9)
        return self


class _Reader:
    """Turns cells into tiles."""

    def __init__(self, sounds: tuple[str, ...], sample_rate: float | None) -> None:
        self.sounds = sounds
        self.sample_rate = sample_rate

    def __call__(self, table: Any, modality: str, row: int, y: Any) -> Tile:
        """Decode one cell."""
        cell = table[modality].iloc[row] if hasattr(table, "iloc") else table[modality][row]
        label = None if y is None else _label_of(y, row)
        if is_missing(cell):
            raise ValueError(f"row {row} has no {modality} to show")
        if modality in self.sounds:
            samples = read_audio(cell, _SAMPLE_RATE, array_sample_rate=self.sample_rate)
            seconds = len(samples) / _SAMPLE_RATE
            return Tile(modality, row, label, spectrogram(samples), seconds)
        return Tile(modality, row, label, _shrink(read_image(cell)))


def _label_of(y: Any, row: int) -> str | None:
    """Return the label of a row as it is written; ``None`` for a row without."""
    label = y.iloc[row] if hasattr(y, "iloc") else y[row]
    return None if is_missing(label) or label == -1 else str(label)


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Return levels in dB below the loudest, (frequencies, times), lowest frequency first."""
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    hop = max(_HOP, (len(padded) - _FRAME) // _MOST_FRAMES)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2
    levels = 10 * np.log10(np.maximum(power, 1e-12))
    return np.maximum(levels - levels.max(), -_DYNAMIC_RANGE_DB).T.astype(np.float32)


def _shrink(pixels: np.ndarray) -> np.ndarray:
    """Make a picture as small as it is shown, so that the figure stays small."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return np.asarray(image)


def _draw(candidates: np.ndarray, n: int, y: Any, random: np.random.RandomState) -> np.ndarray:
    """Draw rows, of different classes as far as there are any."""
    shuffled = random.permutation(candidates)
    if y is None:
        return shuffled[:n]
    of_new_class = np.zeros(len(shuffled), dtype=bool)
    seen: set[str | None] = {None}
    for place, row in enumerate(shuffled):
        label = _label_of(y, int(row))
        of_new_class[place] = label not in seen
        seen.add(label)
    return np.concatenate([shuffled[of_new_class], shuffled[~of_new_class]])[:n]


def _draw_tile(axes: Any, tile: Tile, cmap: Any) -> Any:
    axes.set_xticks([])
    axes.set_yticks([])
    if tile.seconds is None:
        return axes.imshow(tile.picture)
    return axes.imshow(
        tile.picture,
        origin="lower",
        aspect=tile.picture.shape[1] / tile.picture.shape[0],
        cmap=cmap,
        vmin=-_DYNAMIC_RANGE_DB,
        vmax=0,
    )


def _caption(axes: Any, tile: Tile, query: Tile | None) -> None:
    """Write the label above a tile; sign, colour and width of the frame tell right from wrong."""
    label = plain(tile.label or "")
    if query is None:
        axes.set_title(label or "query", fontsize=8.5, fontweight="bold")
        axes.spines[:].set(linewidth=2.5, color="black")
        return
    if tile.label is None or query.label is None:
        axes.set_title(label, fontsize=8.5)
        return
    right = tile.label == query.label
    colour = COLOURS[0] if right else COLOURS[1]
    axes.set_title(f"{'✓' if right else '✗'} {label}", fontsize=8.5, color=colour)
    axes.spines[:].set(linewidth=3.0 if right else 1.2, color=colour)
