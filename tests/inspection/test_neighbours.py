import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from skxmodal.inspection import NeighboursDisplay
from skxmodal.inspection._neighbours import Tile, spectrogram
from skxmodal.retrieval import CrossModalRetriever

RATE = 16_000


@pytest.fixture(scope="module")
def media(three_classes):
    """Sounds and pictures that stand for the rows: row i is grey of level i."""
    X, _ = three_classes
    sound = np.sin(2 * np.pi * 1000 * np.arange(RATE // 4) / RATE).astype(np.float32)
    return pd.DataFrame(
        {
            "audio": [(RATE, sound) for _ in range(len(X))],
            "image": [np.full((8, 12, 3), row, dtype=np.uint8) for row in range(len(X))],
        },
        dtype=object,
    )


@pytest.fixture(scope="module")
def retriever(three_classes, spaces):
    X, _ = three_classes
    return CrossModalRetriever(FrozenEstimator(spaces["CCA"])).fit(X)


def shown(retriever, three_classes, media, **options):
    X, y = three_classes
    labels = {"y_query": y, "y_gallery": y}
    return NeighboursDisplay.from_retriever(
        retriever, media, media, **{**labels, "embeddings": X, "random_state": 0, **options}
    )


def test_the_finds_are_those_of_the_retriever(retriever, three_classes, media):
    X, _ = three_classes
    display = shown(
        retriever, three_classes, media, rows=[7], directions=[("audio", "image")], n_neighbors=4
    )
    alone = X.iloc[[7]].copy()
    alone.iloc[:, 8:] = np.nan
    distances, found = retriever.kneighbors(alone, 4, target="image")
    assert [tile.row for tile in display.neighbours[0]] == found[0].tolist()
    assert display.distances == pytest.approx(distances)


def test_tiles_show_the_cells_of_their_rows(retriever, three_classes, media):
    display = shown(
        retriever, three_classes, media, rows=[7], directions=[("image", "image")], n_neighbors=2
    ).plot()
    assert np.asarray(display.images_[0, 0].get_array())[0, 0].tolist() == [7, 7, 7]
    nearest = display.neighbours[0][1]
    assert np.asarray(display.images_[0, 2].get_array())[0, 0].tolist() == [nearest.row] * 3


def test_without_directions_each_modality_searches_the_other(retriever, three_classes, media):
    display = shown(retriever, three_classes, media, n_queries=2, n_neighbors=3).plot()
    assert [query.modality for query in display.queries] == ["audio"] * 2 + ["image"] * 2
    assert [found[0].modality for found in display.neighbours] == ["image"] * 2 + ["audio"] * 2
    assert display.axes_.shape == (4, 4)
    named = [axes.get_ylabel() for axes in display.axes_[:, 0]]
    assert named == ["audio → image", "", "image → audio", ""]


def test_queries_are_of_different_classes(retriever, three_classes, media):
    display = shown(retriever, three_classes, media, n_queries=3)
    assert len({query.label for query in display.queries[:3]}) == 3


def test_the_same_seed_draws_the_same_queries(retriever, three_classes, media):
    rows = [
        [query.row for query in shown(retriever, three_classes, media).queries] for _ in range(2)
    ]
    assert rows[0] == rows[1]


def test_right_and_wrong_finds_differ_in_more_than_colour():
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    display = NeighboursDisplay(
        [Tile("audio", 0, "drums", np.zeros((5, 5)), 1.0)],
        [[Tile("image", 1, "drums", pixels), Tile("image", 2, "flute", pixels)]],
    ).plot()
    assert [axes.get_title() for axes in display.axes_[0]] == ["drums", "✓ drums", "✗ flute"]
    assert display.precision() == 0.5
    assert "the audio of drums finds 1 of 2 image rows of its class" in display.describe()


def test_without_labels_nothing_is_right_or_wrong(retriever, three_classes, media):
    display = shown(retriever, three_classes, media, y_query=None, y_gallery=None).plot()
    assert np.isnan(display.precision())
    assert not any("✓" in axes.get_title() for axes in display.axes_.ravel())


def test_a_spectrogram_peaks_at_the_frequency_of_a_tone():
    tone = np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE)
    levels = spectrogram(tone)
    frequency = levels.mean(axis=1).argmax() * RATE / 512
    assert frequency == pytest.approx(2000, abs=RATE / 512)
    assert levels.max() == 0


def test_a_sound_shorter_than_a_frame_has_a_spectrogram():
    assert spectrogram(np.ones(10)).shape == (257, 1)


def test_silence_has_a_spectrogram():
    assert np.isfinite(spectrogram(np.zeros(RATE))).all()


def test_a_direction_that_no_query_has_is_an_error(retriever, three_classes, media):
    with pytest.raises(ValueError, match="no query has the modality 'smell'"):
        shown(retriever, three_classes, media, directions=[("smell", "image")])


def test_a_find_without_the_cell_to_show_is_an_error(retriever, three_classes, media):
    X, _ = three_classes
    gallery = media.assign(image=None)
    with pytest.raises(ValueError, match=r"row [0-9]+ has no image to show"):
        NeighboursDisplay.from_retriever(
            retriever, media, gallery, embeddings=X, directions=[("audio", "image")]
        )


def test_finds_without_a_label_are_neither_right_nor_wrong(retriever, three_classes, media):
    _, y = three_classes
    for missing in (None, -1, float("nan")):
        labels = y.astype(object)
        labels[1:] = missing
        display = shown(
            retriever, three_classes, media, y_query=labels, y_gallery=labels, n_queries=2
        )
        told = {tile.label for found in display.neighbours for tile in found}
        assert told <= {"cello", None}
        assert display.queries[0].label == "cello"


class FindsOne:
    """A retriever whose approximate index finds one row of three."""

    def kneighbors(self, X, n_neighbors, target):
        return np.tile([0.1, np.inf, np.inf], (len(X), 1)), np.tile([4, -1, -1], (len(X), 1))


def test_places_that_an_approximate_index_does_not_fill_stay_empty(three_classes, media):
    display = shown(FindsOne(), three_classes, media, rows=[7], n_neighbors=3)
    assert [[tile.row for tile in found] for found in display.neighbours] == [[4], [4]]


@pytest.mark.parametrize("row", [-1, 0, 500])
def test_a_row_that_cannot_be_shown_is_named(retriever, three_classes, media, row):
    X, _ = three_classes
    queries = media.copy()
    queries.at[0, "audio"] = None
    with pytest.raises(ValueError, match=f"row {row} of X_query has no audio to search with"):
        NeighboursDisplay.from_retriever(
            retriever, queries, media, embeddings=X, rows=[row], directions=[("audio", "image")]
        )
