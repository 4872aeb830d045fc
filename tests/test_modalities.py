"""Tables of several modalities: put together, taken apart, and refused when ambiguous."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skxmodal.modalities import (
    concat_modalities,
    find_modalities,
    melt_modalities,
    present_rows,
    select_modality,
)

WIDTHS = {"audio": 3, "image": 2}
PRESENT = {"audio": [True, True, False, False], "image": [True, False, True, False]}
NAN = np.nan


@pytest.fixture
def audio():
    return np.array([[1, 2, 3], [4, 5, 6], [NAN] * 3, [NAN] * 3], dtype=np.float32)


@pytest.fixture
def image():
    return np.array([[7, 8], [NAN] * 2, [9, 10], [NAN] * 2], dtype=np.float32)


@pytest.fixture(params=["pandas", "polars", "numpy"])
def embeddings(request, audio, image):
    """An embedding table of rows with both, the first, the second, no modality; its layout."""
    table = concat_modalities(audio=audio, image=image)
    table.index = [10, 11, 12, 13]
    if request.param == "pandas":
        return table, {}
    if request.param == "polars":
        return pl.from_pandas(table), {}
    return table.to_numpy(), {"modalities": WIDTHS}


@pytest.fixture(params=["pandas", "pandas strings", "polars"])
def media(request):
    """A media table of rows with both, the first, the second, no modality."""
    cells = {"audio": ["a.wav", "b.wav", None, None], "image": ["a.png", None, "c.png", None]}
    if request.param == "polars":
        return pl.DataFrame(cells)
    dtype = object if request.param == "pandas" else "string"
    return pd.DataFrame(cells, dtype=dtype, index=[10, 11, 12, 13])


def values(table):
    return table if isinstance(table, np.ndarray) else table.to_numpy()


def cells(table, name):
    """Return a media column as a list in which every missing cell is None."""
    return [None if cell is None or cell is pd.NA else cell for cell in table[name]]


class TestConcat:
    def test_columns_are_named_by_modality_and_number(self, audio, image):
        table = concat_modalities(audio=audio, image=image)
        assert list(table) == ["audio__0", "audio__1", "audio__2", "image__0", "image__1"]
        np.testing.assert_array_equal(table.to_numpy(), np.hstack([audio, image]))

    def test_float32_stays_float32(self, audio, image):
        assert (concat_modalities(audio=audio, image=image).dtypes == np.float32).all()

    def test_one_float64_block_makes_all_float64(self, audio, image):
        table = concat_modalities(audio=audio, image=image.astype(np.float64))
        assert (table.dtypes == np.float64).all()

    @pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, np.asarray, np.ndarray.tolist])
    def test_blocks_may_be_any_table(self, audio, image, kind):
        table = concat_modalities(audio=kind(audio), image=kind(image))
        np.testing.assert_array_equal(table.to_numpy(), np.hstack([audio, image]))

    def test_the_index_is_that_of_the_first_pandas_block(self, audio, image):
        table = concat_modalities(audio=audio, image=pd.DataFrame(image, index=list("abcd")))
        assert table.index.tolist() == list("abcd")

    def test_the_blocks_are_copied(self, audio):
        table = concat_modalities(audio=audio)
        audio[0, 0] = 99
        assert table.iloc[0, 0] == 1

    @pytest.mark.parametrize(
        ("blocks", "message"),
        [
            ({}, "needs at least one modality"),
            ({"audio": np.ones((2, 1)), "image": None}, "the block of modality 'image' is None"),
            ({"audio": np.ones(2)}, r"modality 'audio' must be 2-D.*\(2,\)"),
            ({"audio": np.ones((2, 0))}, r"'audio' must have numeric columns.*\(2, 0\)"),
            ({"audio": [["a"], ["b"]]}, "'audio' must have numeric columns"),
            ({"audio": [[1.0], [None]]}, "'audio' must have numeric columns.*object"),
            (
                {"audio": np.ones((2, 1)), "image": np.ones((1, 1))},
                r"different numbers of rows, \{'audio': 2, 'image': 1\}",
            ),
            ({"my__audio": np.ones((2, 1))}, "a modality cannot be called 'my__audio'"),
            ({"": np.ones((2, 1))}, "a modality cannot be called ''"),
        ],
    )
    def test_blocks_that_do_not_fit_are_refused(self, blocks, message):
        with pytest.raises(ValueError, match=message):
            concat_modalities(**blocks)


class TestFind:
    def test_prefixes_tell_the_blocks(self, audio, image):
        table = concat_modalities(audio=audio, image=image, text=image)
        expected = {"audio": slice(0, 3), "image": slice(3, 5), "text": slice(5, 7)}
        assert find_modalities(table) == expected
        assert find_modalities(pl.from_pandas(table)) == expected

    def test_a_prefix_ends_at_the_first_separator(self):
        table = pd.DataFrame(np.ones((1, 2)), columns=["audio__pca__0", "audio__pca__1"])
        assert find_modalities(table) == {"audio": slice(0, 2)}

    def test_a_dict_of_widths_is_in_the_order_of_the_columns(self):
        assert find_modalities(np.ones((1, 5)), {"b": 2, "a": 3}) == {
            "b": slice(0, 2),
            "a": slice(2, 5),
        }

    def test_widths_win_over_column_names(self, audio, image):
        table = concat_modalities(audio=audio, image=image)
        assert list(find_modalities(table, {"x": 1, "y": 4})) == ["x", "y"]

    @pytest.mark.parametrize(("n_columns", "middle"), [(2, 1), (5, 3), (6, 3)])
    def test_halves_split_in_the_middle(self, n_columns, middle):
        assert find_modalities(np.ones((1, n_columns)), "halves") == {
            "first": slice(0, middle),
            "second": slice(middle, n_columns),
        }

    @pytest.mark.parametrize(
        ("table", "modalities", "message"),
        [
            (np.ones((1, 4)), "auto", r"without column names.*pass modalities=\{\"audio\""),
            (np.ones(4), "auto", "expected a table of two dimensions, got ndarray"),
            ([[1.0]], "auto", "expected a table of two dimensions, got list"),
            (np.ones((1, 1)), "halves", "'halves' needs two columns"),
            (np.ones((1, 4)), {"audio": 3}, "add up to the 4 columns"),
            (np.ones((1, 4)), {"audio": 4, "image": 0}, "must be positive widths"),
            (np.ones((1, 4)), {}, "must be positive widths"),
            (
                np.ones((1, 4)),
                "thirds",
                "must be 'auto', 'halves' or a dict of widths, got 'thirds'",
            ),
            (np.ones((1, 4)), 2, "must be 'auto', 'halves' or a dict of widths, got 2"),
            (pd.DataFrame({"a__0": [1], "b": [1]}), "auto", "column 'b' has no modality prefix"),
            (pd.DataFrame({"__0": [1]}), "auto", "column '__0' has no modality prefix"),
            (pd.DataFrame({0: [1]}), "auto", "column 0 has no modality prefix"),
            (
                pd.DataFrame({"a__0": [1], "b__0": [1], "a__1": [1]}),
                "auto",
                "the columns of modality 'a' do not lie side by side",
            ),
        ],
    )
    def test_a_table_that_does_not_tell_its_modalities_is_refused(self, table, modalities, message):
        with pytest.raises(ValueError, match=message):
            find_modalities(table, modalities)


class TestPresentRows:
    def test_of_an_embedding_table(self, embeddings):
        table, layout = embeddings
        present = present_rows(table, **layout)
        assert {name: rows.tolist() for name, rows in present.items()} == PRESENT

    def test_of_a_media_table(self, media):
        present = present_rows(media)
        assert {name: rows.tolist() for name, rows in present.items()} == PRESENT

    def test_of_a_memory_mapped_array_longer_than_a_chunk(self, tmp_path):
        table = np.lib.format.open_memmap(
            tmp_path / "table.npy", mode="w+", dtype=np.float32, shape=(9000, 5)
        )
        table[:] = 1
        table[8999, :3] = NAN
        present = present_rows(table, modalities=WIDTHS)
        assert np.flatnonzero(~present["audio"]).tolist() == [8999]
        assert present["image"].all()

    def test_integers_are_always_present(self):
        present = present_rows(np.ones((2, 5), int), modalities=WIDTHS)
        assert present["audio"].all()
        assert present["image"].all()

    @pytest.mark.parametrize("row", [1, 5000])
    @pytest.mark.parametrize("helper", [present_rows, melt_modalities])
    def test_a_row_that_is_partly_nan_is_named(self, row, helper):
        table = np.ones((6000, 5))
        table[row, 3] = NAN
        with pytest.raises(
            ValueError, match=rf"row {row} has NaN in 1 of 2 columns of modality 'image'"
        ):
            helper(table, modalities=WIDTHS)


class TestSelect:
    def test_other_modalities_of_an_embedding_table_become_nan(self, embeddings):
        table, layout = embeddings
        before = values(table).copy()

        selected = select_modality(table, "image", **layout)

        assert type(selected) is type(table)
        assert np.isnan(values(selected)[:, :3]).all()
        np.testing.assert_array_equal(values(selected)[:, 3:], before[:, 3:])
        np.testing.assert_array_equal(values(table), before)
        assert values(selected).dtype == np.float32

    def test_names_and_index_stay(self, embeddings):
        table, layout = embeddings
        selected = select_modality(table, "audio", **layout)
        if not isinstance(table, np.ndarray):
            assert list(selected.columns) == list(table.columns)
        if isinstance(table, pd.DataFrame):
            assert selected.index.tolist() == [10, 11, 12, 13]

    def test_other_modalities_of_a_media_table_become_missing(self, media):
        selected = select_modality(media, "audio")
        assert type(selected) is type(media)
        assert selected.shape == media.shape
        assert cells(selected, "audio") == cells(media, "audio")
        assert cells(selected, "image") == [None] * 4
        assert cells(media, "image") == ["a.png", None, "c.png", None]

    def test_cells_that_are_arrays_and_pairs_stay_the_same_objects(self):
        cell = (8000, np.zeros(3))
        table = pd.DataFrame({"audio": [cell, None], "image": [None, np.zeros((2, 2))]})
        assert select_modality(table, "audio")["audio"][0] is cell

    def test_integers_become_floats(self):
        selected = select_modality(np.ones((1, 5), int), "audio", modalities=WIDTHS)
        np.testing.assert_array_equal(selected, [[1, 1, 1, NAN, NAN]])

    def test_an_unknown_modality_is_refused(self, embeddings, media):
        table, layout = embeddings
        with pytest.raises(ValueError, match="no modality 'video', only audio, image"):
            select_modality(table, "video", **layout)
        with pytest.raises(ValueError, match="no modality 'video', only audio, image"):
            select_modality(media, "video")


class TestMelt:
    def test_of_an_embedding_table_has_a_row_for_each_present_modality(self, embeddings):
        table, layout = embeddings
        melted, y, modality = melt_modalities(table, ["p", "q", "r", "s"], **layout)
        assert type(melted) is type(table)
        assert modality.tolist() == ["audio", "audio", "image", "image"]
        assert y.tolist() == ["p", "q", "p", "r"]
        np.testing.assert_array_equal(
            values(melted),
            [
                [1, 2, 3, NAN, NAN],
                [4, 5, 6, NAN, NAN],
                [NAN, NAN, NAN, 7, 8],
                [NAN, NAN, NAN, 9, 10],
            ],
        )

    # pandas 2 announces what pandas 3 does.
    @pytest.mark.filterwarnings("ignore:The behavior of DataFrame concatenation:FutureWarning")
    def test_of_a_media_table_has_a_row_for_each_present_modality(self, media):
        melted, y, modality = melt_modalities(media, [0, 1, 2, 3])
        assert type(melted) is type(media)
        assert cells(melted, "audio") == ["a.wav", "b.wav", None, None]
        assert cells(melted, "image") == [None, None, "a.png", "c.png"]
        assert y.tolist() == [0, 1, 0, 2]
        assert modality.tolist() == ["audio", "audio", "image", "image"]

    def test_pandas_keeps_the_index_of_each_row(self, audio, image):
        table = concat_modalities(audio=audio, image=image).set_axis([10, 11, 12, 13])
        assert melt_modalities(table)[0].index.tolist() == [10, 11, 10, 12]

    def test_polars_columns_of_objects_can_be_melted(self):
        sound, picture = (8000, np.zeros(3)), np.zeros((2, 2))
        table = pl.DataFrame(
            {
                "audio": pl.Series([sound, None], dtype=pl.Object),
                "image": pl.Series([None, picture], dtype=pl.Object),
            }
        )
        melted, _, _ = melt_modalities(table)
        assert melted["audio"][0] is sound
        assert melted["image"][1] is picture

    @pytest.mark.parametrize("dtype", [object, "string", "category"])
    def test_media_columns_of_any_type_become_objects(self, dtype):
        table = pd.DataFrame({"audio": ["a", None], "image": ["c", "d"]}, dtype=dtype)
        melted, _, _ = melt_modalities(table)
        assert melted.dtypes.tolist() == [object, object]
        assert cells(melted, "audio") == ["a", None, None]
        assert cells(melted, "image") == [None, "c", "d"]

    def test_without_labels_there_are_none(self, embeddings):
        table, layout = embeddings
        assert melt_modalities(table, **layout)[1] is None

    @pytest.mark.parametrize("kind", [pd.Series, pl.Series, np.array, list, tuple])
    def test_labels_may_be_any_column(self, embeddings, kind):
        table, layout = embeddings
        labels = melt_modalities(table, kind([0, 1, 2, 3]), **layout)[1]
        assert isinstance(labels, np.ndarray)
        assert labels.tolist() == [0, 1, 0, 2]

    @pytest.mark.parametrize("n_labels", [3, 5])
    def test_labels_of_another_length_are_refused(self, embeddings, media, n_labels):
        table, layout = embeddings
        for melt in (
            lambda y: melt_modalities(table, y, **layout),
            lambda y: melt_modalities(media, y),
        ):
            with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
                melt(np.zeros(n_labels))

    def test_rows_without_any_modality_melt_to_nothing(self, embeddings):
        table, layout = embeddings
        melted, y, modality = melt_modalities(table[3:], [0], **layout)
        assert values(melted).shape == (0, 5)
        assert y.tolist() == modality.tolist() == []


def test_selecting_and_joining_again_gives_the_table_back(embeddings):
    table, layout = embeddings
    blocks = {
        name: values(select_modality(table, name, **layout))[:, block]
        for name, block in find_modalities(table, layout.get("modalities", "auto")).items()
    }
    np.testing.assert_array_equal(concat_modalities(**blocks).to_numpy(), values(table))


def test_columns_of_media_may_be_called_by_numbers():
    X = pd.DataFrame({0: ["a.wav"], 1: ["b.png"]})
    assert select_modality(X, "1")[[0, 1]].to_numpy().tolist() == [[None, "b.png"]]
    assert X.to_numpy().tolist() == [["a.wav", "b.png"]]
    assert melt_modalities(X)[0].to_numpy().tolist() == [["a.wav", None], [None, "b.png"]]


def test_melting_a_molten_table_changes_nothing(embeddings):
    table, layout = embeddings
    once, y, modality = melt_modalities(table, [0, 1, 2, 3], **layout)
    twice, y_again, modality_again = melt_modalities(once, y, **layout)
    np.testing.assert_array_equal(values(twice), values(once))
    assert y_again.tolist() == y.tolist()
    assert modality_again.tolist() == modality.tolist()


def test_blocks_whose_rows_are_in_another_order_are_not_paired_by_position():
    block = pd.DataFrame(np.eye(3))
    with pytest.raises(ValueError, match="modality 'image' have another index"):
        concat_modalities(audio=block, image=block.iloc[::-1])


def test_embeddings_may_be_objects_with_none_for_what_is_missing():
    array = np.ones((2, 5), dtype=object)
    array[1, :2] = None
    table = pd.DataFrame(
        array, columns=[f"audio__{i}" for i in range(2)] + ["i__0", "i__1", "i__2"]
    )
    for X, layout in ((array, {"audio": 2, "i": 3}), (table, "auto")):
        present = present_rows(X, modalities=layout)
        assert {name: rows.tolist() for name, rows in present.items()} == {
            "audio": [True, False],
            "i": [True, True],
        }
