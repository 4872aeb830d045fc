import numpy as np
import pandas as pd
import pytest

from skxmodal.modalities import concat_modalities, present_rows
from skxmodal.translation import CCAProjector, DPPPairs, select_pairs

LAYOUT = {"audio": 10, "image": 8}


@pytest.fixture
def X(noisy):
    """Pairs; some rows have one modality alone."""
    table = concat_modalities(**noisy[0])
    table.iloc[:100, :10] = np.nan
    return table


def test_select_pairs_returns_a_table_of_the_chosen_rows(noisy):
    X = concat_modalities(**noisy[0])
    chosen = DPPPairs(n_pairs=50).sample_pairs(noisy[0], random_state=1)
    table = select_pairs(X, sampler=DPPPairs(n_pairs=50), random_state=1)
    assert list(table.columns) == list(X.columns)
    np.testing.assert_allclose(table, X.iloc[chosen["audio"]], rtol=1e-6)


def test_select_pairs_leaves_single_rows_out(noisy):
    X = concat_modalities(**noisy[0])
    X.iloc[:100, :10] = np.nan
    table = select_pairs(X, sampler="balanced", random_state=0)
    assert len(table) == 300
    assert all(rows.all() for rows in present_rows(table).values())


def test_a_projector_fitted_on_selected_pairs_takes_the_table(X):
    X.columns = [f"column {i}" for i in range(18)]
    table = select_pairs(X, sampler="balanced", modalities=LAYOUT, random_state=0)
    joint = CCAProjector(3, modalities=LAYOUT).fit(table).transform(X)
    assert joint.shape == (400, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_gives_an_array_of_its_dtype(X, dtype):
    array = X.to_numpy(dtype=dtype)
    pairs = select_pairs(array, sampler="agreement", modalities=LAYOUT, random_state=0)
    assert type(pairs) is np.ndarray
    assert pairs.dtype == dtype
    assert {row.tobytes() for row in pairs} <= {row.tobytes() for row in array[100:]}


def test_each_column_keeps_its_type(X):
    X = X.astype(dict.fromkeys(X.columns[:10], "Float64"))
    X = X.astype(dict.fromkeys(X.columns[10:], np.float32))
    table = select_pairs(X, sampler="dpp", random_state=0)
    pd.testing.assert_series_equal(table.dtypes, X.dtypes)


def test_a_modality_that_no_pair_has_stays_missing(noisy):
    X = concat_modalities(**noisy[0], text=np.full((400, 2), np.nan))
    table = select_pairs(X, sampler="balanced", random_state=0)
    assert list(table.columns) == list(X.columns)
    assert not present_rows(table)["text"].any()


def test_a_table_of_polars_gives_one_of_polars(X):
    polars = pytest.importorskip("polars")
    table = polars.DataFrame(X.to_numpy(), schema=list(X.columns))
    pairs = select_pairs(table, sampler="dpp", random_state=0)
    assert isinstance(pairs, polars.DataFrame)
    assert pairs.columns == table.columns
    assert pairs.to_numpy() == pytest.approx(
        select_pairs(X, sampler="dpp", random_state=0).to_numpy()
    )


def test_a_sampler_of_ones_own_must_return_row_numbers(X):
    class Mask:
        def sample_pairs(self, blocks, random_state=None):
            return {name: ~np.isnan(block[:, 0]) for name, block in blocks.items()}

    with pytest.raises(TypeError, match="must return row numbers"):
        select_pairs(X, sampler=Mask())
