import sys

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skxmodal.modalities import select_modality
from skxmodal.translation import ContrastiveTranslator


def small(**parameters):
    defaults = {"n_components": 3, "hidden_dim": 16, "max_epochs": 5, "random_state": 0}
    return ContrastiveTranslator(**{**defaults, **parameters})


@pytest.mark.parametrize("loss", ["margin", "symmetric_margin", "infonce"])
def test_training_lowers_the_loss(pairs, loss):
    history = small(loss=loss, max_epochs=30).fit(pairs).history_
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]


def test_a_loss_of_ones_own_is_used(pairs):
    class Repel(torch.nn.Module):
        def forward(self, a, b):
            return (a * b).sum(dim=1).mean()

    fitted = small(loss=Repel(), max_epochs=40, lr=0.01).fit(pairs)
    heard = fitted.transform(select_modality(pairs, "audio"))
    seen = fitted.transform(select_modality(pairs, "image"))
    assert (heard * seen).sum(axis=1).mean() < -0.5


def test_early_stopping_restores_the_best_epoch(pairs):
    fitted = small(max_epochs=200, patience=3, lr=0.05).fit(pairs)
    losses = [row["valid_loss"] for row in fitted.history_]
    assert len(losses) < 200
    best = int(np.argmin(losses))
    again = small(max_epochs=best + 1, patience=200, lr=0.05).fit(pairs)
    np.testing.assert_array_equal(fitted.transform(pairs), again.transform(pairs))


def test_without_validation_every_epoch_is_trained(pairs):
    history = small(validation_fraction=0, max_epochs=7).fit(pairs).history_
    assert [row["epoch"] for row in history] == list(range(1, 8))
    assert "valid_loss" not in history[0]


def test_batches_are_equally_large_and_never_of_one_pair(pairs):
    sizes = []

    class Count(Callback):
        def on_batch_end(self, net, batch=None, training=None, **kwargs):
            if training:
                sizes.append(len(batch[0][0]))

    small(batch_size=269, max_epochs=1, callbacks=[Count()]).fit(pairs)  # 270 training pairs
    assert sizes == [135, 135]


def test_a_sampler_chooses_the_training_pairs(pairs):
    seen = {}

    class FirstHalf:
        def sample_pairs(self, blocks, random_state):
            seen.update({name: block.shape for name, block in blocks.items()})
            half = np.arange(len(blocks["audio"]) // 2)
            return {"audio": half, "image": half}

    fitted = small(sampler=FirstHalf()).fit(pairs)
    assert seen == {"audio": (270, 8), "image": (270, 6)}
    assert not np.array_equal(fitted.transform(pairs), small().fit(pairs).transform(pairs))


def test_a_sampler_may_pair_anew(pairs):
    """Shuffled partners teach nothing: the loss stays where unrelated vectors have it."""

    class Shuffle:
        def sample_pairs(self, blocks, random_state):
            n = len(blocks["audio"])
            return {"audio": np.arange(n), "image": random_state.permutation(n)}

    honest = small(max_epochs=30).fit(pairs).history_[-1]["valid_loss"]
    shuffled = small(max_epochs=30, sampler=Shuffle()).fit(pairs).history_[-1]["valid_loss"]
    assert honest < shuffled - 0.2


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_what_float32_learns(pairs, precision):
    shifted = pairs + 1000  # few digits would not even tell the rows apart
    reference = small(max_epochs=30).fit(shifted).history_[-1]["valid_loss"]
    mixed = small(max_epochs=30, precision=precision).fit(shifted)
    assert mixed.history_[-1]["valid_loss"] == pytest.approx(reference, abs=0.05)
    assert mixed.transform(shifted).dtype == np.float32


def test_mixed_precision_computes_the_loss_in_float32(pairs):
    seen = set()

    class Spy(torch.nn.Module):
        def forward(self, a, b):
            seen.update({a.dtype, b.dtype})
            return (a - b).square().mean()

    small(loss=Spy(), precision="bfloat16").fit(pairs)
    assert seen == {torch.float32}


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_network_of_any_precision_can_be_pickled(pairs, precision):
    import pickle

    fitted = small(precision=precision).fit(pairs)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(pairs), fitted.transform(pairs))


def test_an_interruption_is_not_a_success(pairs):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(callbacks=[Interrupt()]).fit(pairs)


def test_a_batch_with_one_row_of_a_rare_modality_is_survived(pairs):
    pairs["text__0"], pairs["text__1"] = pairs["audio__0"], pairs["audio__1"]
    pairs.iloc[12:, -2:] = np.nan
    fitted = small(batch_size=16, validation_fraction=0, max_epochs=30).fit(pairs)
    assert np.isfinite(fitted.transform(pairs)).all()


def test_a_modality_without_training_pairs_is_named(pairs):
    pairs["text__0"] = np.nan
    pairs.iloc[0, -1] = 1.0
    with pytest.raises(ValueError, match="training pairs have the modality 'text'"):
        small().fit(pairs)


def test_pickles_carry_no_training_data(pairs):
    import pickle

    n_bytes = len(pickle.dumps(small().fit(pairs)))
    many = pairs.loc[pairs.index.repeat(20)]
    assert len(pickle.dumps(small().fit(many))) < n_bytes + 1000


def test_global_random_state_is_left_alone(pairs):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    small().fit(pairs)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_far_from_zero_inputs_train_as_well_as_centred_ones(pairs):
    shifted = pairs + 1000
    near = small(max_epochs=30).fit(pairs).history_[-1]["valid_loss"]
    far = small(max_epochs=30).fit(shifted).history_[-1]["valid_loss"]
    assert far < near + 0.05


def test_memory_map_gives_the_same_as_an_array(pairs, tmp_path):
    widths = {"audio": 8, "image": 6}
    array = pairs.to_numpy()
    mapped = np.memmap(tmp_path / "x.dat", dtype=np.float32, mode="w+", shape=array.shape)
    mapped[:] = array
    np.testing.assert_array_equal(
        small(modalities=widths).fit(mapped).transform(mapped),
        small(modalities=widths).fit(array).transform(array),
    )


def test_grid_search_over_the_translator_in_a_pipeline(pairs):
    from sklearn.preprocessing import FunctionTransformer

    def alignment(estimator, X, y=None):
        heard = estimator.transform(select_modality(X, "audio"))
        seen = estimator.transform(select_modality(X, "image"))
        return (heard * seen).sum(axis=1).mean()

    pipeline = make_pipeline(FunctionTransformer(), small())
    grid = {"contrastivetranslator__max_epochs": [1, 20]}
    search = GridSearchCV(pipeline, grid, scoring=alignment, cv=3).fit(pairs)
    assert search.best_params_ == {"contrastivetranslator__max_epochs": 20}


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("hidden_dim", 0, "hidden_dim must be an integer >= 1"),
        ("margin", -1, "margin must be a number >= 0"),
        ("temperature", 0, "temperature must be a number > 0"),
        ("lr", 0, "lr must be a number > 0"),
        ("batch_size", 1, "batch_size must be an integer >= 2"),
        ("max_epochs", 0, "max_epochs must be an integer >= 1"),
        ("patience", 0, "patience must be an integer >= 1"),
        ("validation_fraction", 1, "validation_fraction must be a number >= 0 and < 1"),
        ("loss", "hinge", "loss must be one of 'margin'"),
        ("callbacks", print, "callbacks must be a list of skorch callbacks or None"),
        ("sampler", 3, "sampler must be None, a name or an object with a method sample_pairs"),
        ("precision", "float8", "precision must be one of 'float32', 'bfloat16', 'float16'"),
        ("device", "abacus", "device='abacus' cannot be used here"),
    ],
)
def test_bad_parameters_are_named(pairs, parameter, value, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**{parameter: value}).fit(pairs)


def test_too_few_pairs_for_validation_is_an_error(pairs):
    with pytest.raises(ValueError, match="3 rows with the same two modalities are too few"):
        small().fit(pairs.iloc[:3])
    assert small(validation_fraction=0).fit(pairs.iloc[:3]).history_


_MEMORY_SCRIPT = """
import resource, sys
import numpy as np
import sklearn.utils, skorch, torch  # the libraries are not what is measured
import skorch.callbacks
from skxmodal.translation import ContrastiveTranslator
rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 640 + 324), dtype=np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
t = ContrastiveTranslator(modalities={"audio": 640, "image": 324}, max_epochs=2, random_state=0)
t.fit(X).transform(X)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is reported in kilobytes on Linux")
def test_fit_and_transform_of_20000_rows_peak_below_600_megabytes():
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", _MEMORY_SCRIPT], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 600
