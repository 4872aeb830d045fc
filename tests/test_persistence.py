"""Saved models: what they hold, what they answer elsewhere, and what they cannot do."""

import copy
import functools
import importlib
import io
import json
import multiprocessing
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest

import skxmodal
from skxmodal.embedders import AudioEmbedder
from skxmodal.encoders import FunctionEncoder, load_encoder
from skxmodal.translation import CCAProjector, ContrastiveTranslator, InfoNCELoss
from skxmodal.utils import VersionedState, VersionWarning

from .models import MODELS, answers, digest, fitted, pairs, public_estimators

skops = pytest.importorskip("skops.io")

ROOT = Path(__file__).parents[1]
once = functools.cache(fitted)
each_model = pytest.mark.parametrize("name", MODELS)


def test_every_public_estimator_is_among_the_models():
    seen = set()
    for name in MODELS:
        model, _, _ = once(name)
        seen |= {type(part).__name__ for part in _parts(model)}
    assert {estimator.__name__ for estimator in public_estimators()} <= seen


def _parts(model):
    """Yield an estimator and all that it holds."""
    yield model
    values = list(vars(model).values()) if hasattr(model, "__dict__") else []
    for value in values:
        items = value if isinstance(value, list) else [value]
        for item in items:
            for part in item if isinstance(item, tuple) else [item]:
                if hasattr(part, "get_params") and not isinstance(part, type):
                    yield from _parts(part)


@each_model
def test_skops_keeps_every_answer_and_needs_the_trusted_types_only(name):
    model, X, y = once(name)
    data = skops.dumps(model)
    assert set(skops.get_untrusted_types(data=data)) <= set(skxmodal.TRUSTED_TYPES)
    restored = skops.loads(data, trusted=list(skxmodal.TRUSTED_TYPES))
    assert answers(restored, X, y) == answers(model, X, y)


@each_model
def test_pickle_and_deepcopy_keep_every_answer(name):
    model, X, y = once(name)
    expected = answers(model, X, y)
    assert answers(pickle.loads(pickle.dumps(model)), X, y) == expected
    assert answers(copy.deepcopy(model), X, y) == expected


def test_every_trusted_type_is_needed_by_a_model_and_exists():
    files = [skops.dumps(once(name)[0]) for name in MODELS]
    for encoder, modality in (
        ("logmel", "audio"), ("mfcc", "audio"), ("hog", "image"), ("thumbnail", "image"),
        ("hashing", "text"),
    ):  # fmt: skip
        files.append(skops.dumps(load_encoder(encoder, modality)))
    needed = {name for data in files for name in skops.get_untrusted_types(data=data)}
    # The first versions of skops that are supported take a forest's trees for granted.
    taken_for_granted = {_TREE} & {name for data in files for name in _types_in(data)}
    assert needed | taken_for_granted == set(skxmodal.TRUSTED_TYPES)
    for path in skxmodal.TRUSTED_TYPES:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)


_TREE = "sklearn.tree._tree.Tree"


def _types_in(data):
    """List the types that a file of skops names, trusted or not."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        nodes = _of_kind(json.loads(archive.read("schema.json")), dict)
    return [f"{node['__module__']}.{node['__class__']}" for node in nodes if "__class__" in node]


_ANSWER = """
import json, pickle, sys, warnings
warnings.simplefilter("error")
sys.path.insert(0, sys.argv[1])
from tests.models import digest
with open(sys.argv[2], "rb") as file:
    saved = pickle.load(file)
print(json.dumps({name: digest(*rest) for name, rest in saved.items()}))
"""


def test_a_pickle_answers_the_same_in_another_process(tmp_path):
    path = tmp_path / "models.pickle"
    path.write_bytes(pickle.dumps({name: once(name) for name in MODELS}))
    found = subprocess.run(
        [sys.executable, "-c", _ANSWER, str(ROOT), str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(found.stdout) == {name: digest(*once(name)) for name in MODELS}


@pytest.mark.slow
def test_models_work_in_processes_of_joblib(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    names = ["contrastive", "classifier", "joint classifier", "retriever", "whole pipeline"]
    parallel = joblib.Parallel(n_jobs=2, backend="loky")
    found = parallel(joblib.delayed(digest)(*once(name)) for name in names)
    assert found == [digest(*once(name)) for name in names]


@pytest.mark.slow
def test_models_work_in_spawned_processes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    names = ["contrastive", "classifier", "whole pipeline"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap(digest, [once(name) for name in names])
    assert found == [digest(*once(name)) for name in names]


def test_every_public_estimator_is_stamped_with_the_version():
    for estimator in public_estimators():
        assert issubclass(estimator, VersionedState)


@each_model
def test_a_model_of_another_version_is_one_warning_that_names_both(name, monkeypatch):
    model, _, _ = once(name)
    monkeypatch.setattr("skxmodal.utils._versioned.__version__", "0.0.1")
    saved = pickle.dumps(model)
    monkeypatch.undo()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        pickle.loads(saved)
    (message,) = (str(warning.message) for warning in caught)
    assert "saved by skxmodal 0.0.1" in message
    assert f"this is skxmodal {skxmodal.__version__}" in message


def test_a_model_without_a_stamp_is_a_warning():
    model = CCAProjector(3)
    with pytest.warns(VersionWarning, match="of an unknown version"):
        model.__setstate__({"n_components": 2})
    assert model.n_components == 2


def test_the_same_version_says_nothing():
    assert pickle.loads(pickle.dumps(CCAProjector(3))).n_components == 3


def test_a_saved_translator_holds_no_pickle_within():
    model, _, _ = once("contrastive")
    state = model.__getstate__()["net_"]
    assert not _of_kind(state, bytes)
    assert set(map(type, _of_kind(state, object))) <= {
        dict, list, tuple, str, int, float, bool, np.ndarray, np.float64, np.float32, type(None)
    }  # fmt: skip


def _of_kind(value, kind):
    """List what a state is made of."""
    children = ()
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, (list, tuple)):
        children = value
    found = [value] if isinstance(value, kind) else []
    return found + [part for child in children for part in _of_kind(child, kind)]


def test_a_restored_network_is_that_of_the_estimator():
    model, _, _ = once("clip loss")
    restored = pickle.loads(pickle.dumps(model))
    ours, theirs = (one.net_.criterion_.state_dict() for one in (model, restored))
    assert set(ours) == set(theirs)
    assert ours
    assert all(bool((ours[key] == theirs[key]).all()) for key in ours)
    assert [row["train_loss"] for row in restored.net_.history] == [
        row["train_loss"] for row in model.net_.history
    ]


def test_restoring_a_network_draws_nothing_from_the_global_generator():
    import torch

    saved = pickle.dumps(once("contrastive")[0])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    pickle.loads(saved)
    assert bool((torch.get_rng_state() == before).all())


def test_a_network_trained_elsewhere_is_read_where_its_device_is_missing():
    model, X, _ = once("contrastive")
    state = model.__getstate__()
    state["net_"]["device"] = "cuda:7"
    restored = ContrastiveTranslator.__new__(ContrastiveTranslator)
    restored.__setstate__(state)
    assert answers(restored, X) == answers(model, X)


def test_a_loss_module_of_ones_own_survives_pickle():
    X, _ = pairs()
    model = ContrastiveTranslator(
        3, hidden_dim=8, max_epochs=2, random_state=0, loss=InfoNCELoss(0.2, learn_temperature=True)
    ).fit(X)
    assert answers(pickle.loads(pickle.dumps(model)), X) == answers(model, X)


def test_partial_fit_goes_on_after_a_round_trip():
    X, _ = pairs()
    first = CCAProjector(3).partial_fit(X.iloc[:45])
    restored = skops.loads(skops.dumps(first), trusted=list(skxmodal.TRUSTED_TYPES))
    expected = first.partial_fit(X.iloc[45:]).transform(X)
    np.testing.assert_array_equal(restored.partial_fit(X.iloc[45:]).transform(X), expected)


def _shout(sounds):
    print("code ran")
    return sounds[:, :1]


def test_skops_refuses_a_model_that_holds_a_function():
    model = AudioEmbedder(FunctionEncoder(_shout, "audio", fingerprint="shout"))
    data = skops.dumps(model)
    with pytest.raises(Exception, match=r"UntrustedTypesFound|Untrusted types found"):
        skops.loads(data, trusted=list(skxmodal.TRUSTED_TYPES))


def test_skops_refuses_a_live_network_whose_state_is_a_pickle():
    """Skorch keeps a pickle in its state: trusting its class would be trusting any code."""
    model, _, _ = once("contrastive")
    data = skops.dumps({"net": model.net_})
    untrusted = set(skops.get_untrusted_types(data=data)) - set(skxmodal.TRUSTED_TYPES)
    assert "skxmodal.translation._training.TranslationNet" in untrusted


@pytest.mark.parametrize(
    "name",
    [
        "transformers:{folder}?trust_remote_code=True",
        "transformers:{folder} trust_remote_code=True",
        "transformers:{folder}#trust_remote_code=1",
        "transformers:{folder}:trust_remote_code=True",
        "transformers:{folder},trust_remote_code=True",
        "transformers:{folder}",
    ],
)
def test_no_encoder_string_runs_code_of_a_model(tmp_path, name):
    pytest.importorskip("transformers")
    folder, ran = tmp_path / "model", tmp_path / "ran"
    folder.mkdir()
    auto = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Evil: pass\n")
    with pytest.raises((ValueError, ImportError)):
        load_encoder(name.format(folder=folder), "image")
    assert not ran.exists()


def test_a_saved_model_imports_nothing_but_what_it_is_made_of(tmp_path):
    """A model that names a module of its own is refused before the module is looked for."""
    data = skops.dumps(CCAProjector(3))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["__module__"] = "antigravity"
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(Exception, match="antigravity"):
        skops.loads(forged.getvalue(), trusted=list(skxmodal.TRUSTED_TYPES))
    assert "antigravity" not in sys.modules
