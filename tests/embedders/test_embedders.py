"""The embedders' own check list: scikit-learn's conventions, on columns of media."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from threadpoolctl import threadpool_info

from skxmodal.embedders import AudioEmbedder, ImageEmbedder, MediaWarning, _ahead
from skxmodal.encoders import _registry, load_encoder
from skxmodal.media import MediaError

GENERAL_CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_valid_tag_types,
    estimator_checks.check_mixin_order,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
]


@pytest.fixture
def bad_cells(cells, tmp_path):
    """A column with a missing file in row 2 and a file that is none in rows 5 and 6."""
    text = tmp_path / "notes.txt"
    text.write_text("no media")
    bad = list(cells)
    bad[2] = str(tmp_path / "nowhere.bin")
    bad[5] = bad[6] = str(text)
    return bad


# Conventions


@pytest.mark.parametrize("check", GENERAL_CHECKS, ids=lambda check: check.__name__)
def test_scikit_learn_s_checks_that_need_no_data_pass(Embedder, check):
    check(Embedder.__name__, Embedder())


def test_parameters_come_back_as_they_were_set(Embedder, tmp_path):
    params = {"encoder": "x", "pooling": "max", "batch_size": 3, "cache": tmp_path, "verbose": 2}
    embedder = Embedder().set_params(**params)
    assert embedder.get_params() | params == embedder.get_params()
    assert clone(embedder).get_params() == embedder.get_params()


def test_fit_returns_the_embedder_itself(Embedder, cells):
    embedder = Embedder()
    assert embedder.fit(cells) is embedder
    assert embedder.fit(cells, np.zeros(len(cells))) is embedder


def test_fit_does_not_decode(Embedder, counting):
    Embedder(counting).fit(["nowhere"])
    assert counting.n_decoded == 0


def test_fit_twice_is_fit_once(Embedder, cells):
    embedder = Embedder().fit(cells)
    before = {name: value for name, value in vars(embedder).items() if name.endswith("_")}
    first = embedder.transform(cells)
    embedder.fit(cells)
    assert {n: v for n, v in vars(embedder).items() if n.endswith("_")} == before
    np.testing.assert_array_equal(embedder.transform(cells), first)


def test_what_is_not_fitted_does_not_transform(Embedder, cells):
    with pytest.raises(NotFittedError):
        Embedder().transform(cells)
    with pytest.raises(NotFittedError):
        Embedder().get_feature_names_out()


def test_output_is_float32_with_one_named_column_a_feature(Embedder, cells, modality):
    embedder = Embedder()
    result = embedder.fit_transform(cells)
    n_features = load_encoder(embedder.encoder, modality).n_features
    assert result.dtype == np.float32
    assert result.shape == (len(cells), n_features)
    assert np.isfinite(result).all()
    assert embedder.get_feature_names_out().tolist() == [str(i) for i in range(n_features)]


@pytest.mark.parametrize(("library", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_makes_tables(Embedder, cells, library, frame):
    embedder = Embedder()
    plain = embedder.fit_transform(cells)
    out = embedder.set_output(transform=library).transform(cells)
    assert isinstance(out, frame)
    assert list(out.columns) == embedder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(out.to_numpy(), plain)


def test_a_pandas_table_keeps_its_index(Embedder, cells):
    column = pd.DataFrame({"x": pd.Series(cells, dtype=object, index=np.arange(len(cells)) + 7)})
    out = Embedder().set_output(transform="pandas").fit_transform(column)
    assert out.index.tolist() == column.index.tolist()


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("encoder", "logmle", ValueError),
        ("encoder", 3, TypeError),
        ("pooling", "median", ValueError),
        ("batch_size", 0, ValueError),
        ("batch_size", 2.5, TypeError),
        ("on_error", "skip", ValueError),
    ],
)
def test_parameters_out_of_range_are_named(Embedder, cells, parameter, value, error):
    with pytest.raises(error, match=parameter):
        Embedder().set_params(**{parameter: value}).fit(cells)


@pytest.mark.parametrize("rate", [0, -8000, float("nan")])
def test_a_sample_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="sample_rate"):
        AudioEmbedder(sample_rate=rate).fit([None])


def test_an_encoder_of_another_modality_is_refused():
    with pytest.raises(ValueError, match="no audio encoder 'hog'"):
        AudioEmbedder("hog").fit([None])
    with pytest.raises(ValueError, match="for audio"):
        ImageEmbedder(load_encoder("logmel", "audio")).fit([None])


# Columns


def test_every_kind_of_column_gives_the_same_rows(Embedder, cells):
    embedder = Embedder()
    expected = embedder.fit_transform(cells)
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    series = pd.Series(array)
    columns = [tuple(cells), array, array[:, None], series, series.to_frame("x")]
    for column in columns:
        np.testing.assert_array_equal(embedder.fit_transform(column), expected)


def test_polars_columns_of_paths_are_columns(Embedder, cells):
    paths = [cell for cell in cells if isinstance(cell, str)] + [None]
    expected = Embedder().fit_transform(paths)
    for column in (pl.Series("x", paths), pl.DataFrame({"x": paths})):
        np.testing.assert_array_equal(Embedder().fit_transform(column), expected)


def test_what_is_no_column_is_refused(Embedder):
    with pytest.raises(TypeError, match="wrap a single sound or picture in a list"):
        Embedder().fit("a.wav")
    with pytest.raises(ValueError, match="one column"):
        Embedder().fit(pd.DataFrame({"a": ["x"], "b": ["y"]}))


def test_no_rows_are_no_rows(Embedder, modality, tmp_path):
    n_features = load_encoder(Embedder().encoder, modality).n_features
    for cache in (None, tmp_path):
        assert Embedder(cache=cache).fit_transform([]).shape == (0, n_features)


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_missing_cells_are_rows_of_nan(Embedder, cells, missing):
    expected = Embedder().fit_transform(cells)
    result = Embedder().fit_transform([missing, *cells, missing])
    assert np.isnan(result[[0, -1]]).all()
    np.testing.assert_array_equal(result[1:-1], expected)


def test_a_column_of_missing_cells_needs_no_encoding(Embedder, counting):
    assert np.isnan(Embedder(counting).fit_transform([None, pd.NA])).all()
    assert counting.batches == []


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_progress_bar_is_shown_when_asked_for(Embedder, cells, capsys, verbose):
    Embedder(verbose=verbose).fit_transform(cells)
    assert ("embedding with" in capsys.readouterr().err) == bool(verbose)


# Invariances


@pytest.mark.parametrize("n_jobs", [None, 2, -1])
@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_batches_and_threads_change_no_bit(Embedder, cells, batch_size, n_jobs):
    expected = Embedder().fit_transform(cells)
    result = Embedder(batch_size=batch_size, n_jobs=n_jobs).fit_transform(cells)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_products_of_numpy_take_one_thread_beside_the_decoders(
    Embedder, counting, cells, n_jobs, monkeypatch
):
    def threads_of_products():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    during = set()
    encode = counting.encode

    def observed(windows):
        during.update(threads_of_products())
        return encode(windows)

    monkeypatch.setattr(counting, "encode", observed)
    before = threads_of_products()
    Embedder(counting, n_jobs=n_jobs).fit_transform(cells)
    assert during <= {1}
    assert threads_of_products() == before


def test_a_subset_of_cells_gives_the_subset_of_rows(Embedder, cells):
    embedder = Embedder().fit(cells)
    expected = embedder.transform(cells)
    for row, cell in enumerate(cells):
        np.testing.assert_array_equal(embedder.transform([cell]), expected[[row]])
    np.testing.assert_array_equal(embedder.transform(cells[2:5]), expected[2:5])


def test_cells_in_another_order_give_the_rows_in_this_order(Embedder, cells):
    embedder = Embedder().fit(cells)
    order = np.random.default_rng(1).permutation(len(cells))
    result = embedder.transform([cells[row] for row in order])
    np.testing.assert_array_equal(result, embedder.transform(cells)[order])


def test_equal_cells_are_embedded_once(Embedder, counting, cells):
    path = cells[0]
    result = Embedder(counting).fit_transform([path, cells[1], Path(path), None, path, cells[1]])
    assert counting.n_decoded == 2
    np.testing.assert_array_equal(result[[0, 1]], result[[2, 5]])
    np.testing.assert_array_equal(result[0], result[4])


def test_the_column_is_left_as_it_was(Embedder, draw_cell):
    cell = draw_cell(0)
    before = pickle.dumps(cell)
    Embedder().fit_transform([cell])
    assert pickle.dumps(cell) == before


def test_pooling_takes_mean_maximum_or_first_window(Embedder, make_counting, draw_cell, modality):
    cell = draw_cell(0, 40)
    values = cell[1] if modality == "audio" else cell.astype(np.float32)
    encoder = make_counting()
    of_windows = encoder.encode(encoder.windows(values))
    assert len(of_windows) > 1
    for pooling, expected in (
        ("mean", of_windows.mean(axis=0)),
        ("max", of_windows.max(axis=0)),
        ("first", of_windows[0]),
    ):
        result = Embedder(make_counting(), pooling=pooling).fit_transform([cell])
        np.testing.assert_array_equal(result, expected[None])


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_memory_is_bounded_however_long_the_column(
    Embedder, counting, draw_cell, n_jobs, monkeypatch
):
    monkeypatch.setattr(_ahead, "_CHUNK_BYTES", 8 * 2000)  # 8 cells
    column = [draw_cell(seed, 2) for seed in range(400)]
    Embedder(counting, batch_size=10, n_jobs=n_jobs).fit_transform(column)
    assert counting.n_encoded == 400
    ahead = 1 if n_jobs == 1 else (2 * n_jobs + 1) * 8
    assert counting.most_waiting <= 10 + ahead


def test_batches_are_no_larger_than_asked(Embedder, counting, cells):
    Embedder(counting, batch_size=4).fit_transform(cells)
    assert max(counting.batches) == 4


# Bad cells


def test_a_bad_cell_raises_with_its_row_and_path(Embedder, bad_cells):
    with pytest.raises(MediaError, match=r"^row 2, '.*nowhere.bin': there is no such file"):
        Embedder().fit_transform(bad_cells)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_bad_cells_are_missing_rows_reported_once(
    Embedder, cells, bad_cells, n_jobs, cached, tmp_path
):
    embedder = Embedder(
        on_error="warn", n_jobs=n_jobs, batch_size=2, cache=tmp_path / "cache" if cached else None
    )
    with pytest.warns(MediaWarning) as record:
        result = embedder.fit(bad_cells).transform(bad_cells)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert re.match(r"3 of 8 cells .* the first: row 2, '.*nowhere.bin'", str(record[0].message))
    assert np.isnan(result[[2, 5, 6]]).all()
    good = [0, 1, 3, 4, 7]
    np.testing.assert_array_equal(result[good], Embedder().fit_transform(cells)[good])


def test_bad_cells_can_be_missing_rows_without_a_word(Embedder, bad_cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = Embedder(on_error="ignore").fit_transform(bad_cells)
    assert np.isnan(result).all(axis=1).tolist() == [row in (2, 5, 6) for row in range(8)]


def test_rows_are_counted_in_the_original_column(Embedder, bad_cells):
    column = [None, bad_cells[0], None, bad_cells[0], bad_cells[2]]
    with pytest.raises(MediaError, match=r"^row 4, "):
        Embedder().fit_transform(column)


# Encoders


def test_an_encoder_of_one_s_own_needs_no_registration(Embedder, counting, cells):
    embedder = Embedder(counting)
    assert embedder.fit_transform(cells).shape == (len(cells), 3)
    assert embedder.n_features_out_ == 3


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda windows: np.zeros((len(windows), 4)), r"an array of shape \(\d+, 4\)"),
        (lambda windows: np.zeros((1, 3)), r"an array of shape \(1, 3\)"),
        (lambda windows: np.full((len(windows), 3), np.nan), "NaN or infinity for row 1"),
        (lambda windows: np.full((len(windows), 3), np.inf), "NaN or infinity for row 1"),
    ],
)
def test_what_an_encoder_returns_is_checked(Embedder, counting, cells, encode, message):
    counting.encode = encode
    with pytest.raises(ValueError, match=f"'statistics' returned .*{message}"):
        Embedder(counting).fit_transform([None, *cells])


def test_a_cell_without_windows_does_not_get_the_row_of_another(
    Embedder, counting, draw_cell, monkeypatch
):
    cut = counting.windows
    made = iter([0, 2])  # as many windows as cells, but not one each
    monkeypatch.setattr(counting, "windows", lambda media: cut(media)[: next(made)])
    with pytest.raises(ValueError, match="'statistics' made no windows of row 0: it must pad"):
        Embedder(counting).fit_transform([draw_cell(0, 40), draw_cell(1, 40)])


def test_an_encoder_s_own_errors_are_not_swallowed(Embedder, counting, cells):
    def broken(windows):
        raise RuntimeError("out of memory")

    counting.encode = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        Embedder(counting, on_error="ignore", n_jobs=2).fit_transform(cells)


def test_a_named_encoder_is_loaded_once_for_all_clones(Embedder, counting, cells, register):
    loads = []
    register("mine", counting, factory=lambda: loads.append(1) or counting)
    embedder = Embedder("mine").fit(cells)
    for _ in range(3):
        clone(embedder).fit_transform(cells)
    assert len(loads) == 1


def test_pickles_hold_no_weights_and_work(Embedder, counting, cells, register, monkeypatch):
    counting.weights = np.zeros(1_000_000)
    register("heavy", counting)
    embedder = Embedder("heavy").fit(cells)
    expected = embedder.transform(cells)
    data = pickle.dumps(embedder)
    assert len(data) < 1000
    # As in another process, which has loaded nothing yet.
    monkeypatch.setattr(_registry, "_LOADED", {})
    np.testing.assert_array_equal(pickle.loads(data).transform(cells), expected)
