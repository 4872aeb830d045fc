"""Numbers that are odd, and results that must not depend on what lies beside them."""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skxmodal.classification import JointTranslationClassifier, ModalityAgnosticClassifier
from skxmodal.modalities import select_modality
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import (
    CCAProjector,
    ContrastiveTranslator,
    ModalityCentring,
    PCAProjector,
    RematchedProjector,
)

from .models import pairs

WIDTHS = {"audio": 7, "image": 5}
TRANSLATOR = ContrastiveTranslator(3, hidden_dim=8, max_epochs=3, random_state=0)
PROJECTORS = {
    "pca": PCAProjector(3, random_state=0),
    "cca": CCAProjector(3),
    "kernel cca": CCAProjector(3, kernel="rbf", n_features=30, random_state=0),
    "contrastive": TRANSLATOR,
    "centring": ModalityCentring(CCAProjector(3)),
    "rematched": RematchedProjector(3, n_features=30, random_state=0),
}
CLASSIFIERS = {
    "classifier": ModalityAgnosticClassifier(CCAProjector(3), LogisticRegression()),
    "passthrough": ModalityAgnosticClassifier(CCAProjector(3), passthrough=True, random_state=0),
    # Small batches: enough steps to learn something.
    "joint classifier": JointTranslationClassifier(
        clone(TRANSLATOR).set_params(batch_size=16, lr=0.02), random_state=0
    ),
}
RETRIEVERS = {
    "retriever": CrossModalRetriever(CCAProjector(3), 3),
    "hubness": CrossModalRetriever(CCAProjector(3), 3, hubness="csls"),
}
ALL = {**PROJECTORS, **CLASSIFIERS, **RETRIEVERS}
each_model = pytest.mark.parametrize("name", ALL)
each_projector = pytest.mark.parametrize("name", PROJECTORS)
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


def made(name, modalities="auto"):
    """Return an unfitted model, for plain arrays where widths are given."""
    model = clone(ALL[name])
    parameters = model.get_params()
    keys = [key for key in parameters if key.rpartition("__")[2] == "modalities"]
    return model.set_params(**dict.fromkeys(keys, modalities))


@functools.cache
def fitted(name):
    return made(name).fit(*pairs())


def ask(model, X):
    """Return what a model says of each row: vectors, probabilities or distances."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    if hasattr(model, "kneighbors"):
        return model.kneighbors(select_modality(X, "audio"), target="image")[0]
    return model.transform(X)


@each_model
def test_a_row_says_the_same_in_a_batch_of_any_size(name):
    model, (X, _) = fitted(name), pairs()
    X = X.iloc[:30]
    whole = ask(model, X)
    for size in (1, 2, 7, 25):
        parts = [ask(model, X.iloc[start : start + size]) for start in range(0, len(X), size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-4, atol=1e-5)


@each_model
def test_rows_in_another_order_say_the_same_in_that_order(name):
    model, (X, _) = fitted(name), pairs()
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(
        ask(model, X.iloc[order]), ask(model, X)[order], rtol=1e-4, atol=1e-5
    )


@each_model
def test_some_rows_say_the_same_as_among_all(name):
    model, (X, _) = fitted(name), pairs()
    some = np.array([3, 17, 42, 80])
    np.testing.assert_allclose(ask(model, X.iloc[some]), ask(model, X)[some], rtol=1e-4, atol=1e-5)


@each_model
def test_another_column_order_within_memory_says_the_same(name):
    model, (X, _) = made(name, WIDTHS), pairs()
    array = X.to_numpy()
    if name in RETRIEVERS:
        pytest.skip("queries of a retriever are chosen by the names of columns here")
    model.fit(np.ascontiguousarray(array), pairs()[1])
    found = [ask(model, make(array)) for make in (np.ascontiguousarray, np.asfortranarray)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)


@each_projector
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int16", "uint8"])
def test_numbers_of_any_type_become_finite_float32(name, dtype):
    X, y = pairs()
    scaled = (X - X.min()) * 10 if dtype.startswith(("int", "uint")) else X
    table = scaled.clip(0, 255).astype(dtype) if "int" in dtype else scaled.astype(dtype)
    joint = made(name).fit(table, y).transform(table)
    assert joint.dtype == np.float32
    assert joint.shape == (len(X), 3)
    assert np.isfinite(joint).all()


@each_projector
def test_float64_and_float32_agree(name):
    X, _ = pairs()
    model = fitted(name)
    np.testing.assert_allclose(
        model.transform(X.astype(np.float64)), model.transform(X), rtol=1e-3, atol=1e-4
    )


@each_classifier
@pytest.mark.parametrize("dtype", ["float64", "float16", "int64"])
def test_classifiers_take_numbers_of_any_type(name, dtype):
    X, y = pairs()
    table = (X * 10).astype(dtype)
    assert made(name).fit(table, y).score(table, y) > 0.6


@each_model
@pytest.mark.parametrize("kind", ["constant", "duplicated", "tiny", "huge"])
def test_odd_columns_give_finite_results(name, kind):
    X, y = pairs()
    if kind == "constant":
        X["audio__2"], X["image__0"] = 3.0, 0.0
    elif kind == "duplicated":
        X["audio__2"], X["image__0"] = X["audio__1"], X["image__1"]
    else:
        X = X * np.float32(1e-12 if kind == "tiny" else 1e12)
    assert np.isfinite(ask(made(name).fit(X, y), X)).all()


@each_model
def test_constant_tables_are_finite_or_an_error_of_ours(name):
    X, y = pairs()
    X.iloc[:] = np.float32(1)
    finite_or_named(lambda: ask(made(name).fit(X, y), X))


@each_model
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_samples_are_finite_or_an_error_of_ours(name, n):
    X, y = pairs()
    y[:2] = 0, 1
    finite_or_named(lambda: ask(made(name).fit(X.iloc[:n], y[:n]), X.iloc[:n]))


def finite_or_named(run):
    """Run; the result is finite, or the error is a ``ValueError`` that says something."""
    try:
        result = run()
    except ValueError as error:
        result, said = np.zeros(0), str(error)
    else:
        said = "nothing, for there is no error"
    assert np.isfinite(result).all()
    assert len(said) > 20


@pytest.mark.parametrize("name", ["pca", "cca", "kernel cca"])
def test_fewer_samples_than_components_are_named(name):
    X, y = pairs()
    with pytest.raises(ValueError, match="n_components=3"):
        made(name).fit(X.iloc[:2], y[:2])


@pytest.mark.parametrize("name", ["classifier", "passthrough", "joint classifier"])
def test_one_class_is_a_named_error_or_that_class(name):
    X, y = pairs()
    if name == "classifier":  # logistic regression has no answer
        with pytest.raises(ValueError, match="only one class"):
            made(name).fit(X, np.zeros_like(y))
    else:
        assert set(made(name).fit(X, np.zeros_like(y)).predict(X)) == {0}


@each_model
def test_a_modality_without_any_row_is_a_named_error_or_left_out(name):
    X, y = pairs()
    X.loc[:, [column for column in X if column.startswith("image")]] = np.nan
    finite_or_named(lambda: made(name).fit(X, y) and np.zeros(1))


@each_model
def test_a_row_of_nothing_is_an_error_that_names_it(name):
    model, (X, _) = fitted(name), pairs()
    X.iloc[5] = np.nan
    with pytest.raises(ValueError, match="row 5"):
        ask(model, X)


@each_model
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_a_named_error_in_fit_and_afterwards(name, value):
    (X, y), model = pairs(), fitted(name)
    X.iloc[5, 0] = value
    with pytest.raises(ValueError, match="infinity"):
        ask(model, X)
    with pytest.raises(ValueError, match="infinity"):
        made(name).fit(X, y)


@each_model
def test_the_largest_numbers_are_finite_or_an_error_of_ours(name):
    model, (X, _) = fitted(name), pairs()
    extreme = X.astype(np.float64)
    extreme.iloc[0] = np.finfo(np.float32).max
    extreme.iloc[1] = np.finfo(np.float64).max
    extreme.iloc[2] = np.finfo(np.float64).tiny
    with np.errstate(all="ignore"):
        finite_or_named(lambda: ask(model, extreme))
        finite_or_named(lambda: ask(model, extreme.iloc[[2, 3]]))


@each_model
def test_four_threads_say_what_one_says(name):
    model, (X, _) = fitted(name), pairs()
    parts = [X.iloc[start : start + 9] for start in range(0, len(X), 9)] * 4
    expected = [ask(model, part).tobytes() for part in parts]
    with ThreadPoolExecutor(4) as threads:
        found = [result.tobytes() for result in threads.map(lambda part: ask(model, part), parts)]
    assert found == expected


@each_model
def test_what_is_asked_changes_neither_the_table_nor_the_model(name):
    model, (X, _) = fitted(name), pairs()
    before, first = X.copy(), ask(model, X)
    ask(model, X.iloc[:3])
    assert X.equals(before)
    np.testing.assert_array_equal(ask(model, X), first)
