"""A fit that is interrupted and started again ends as if nothing had happened."""

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from skxmodal.classification import JointTranslationClassifier
from skxmodal.translation import ContrastiveTranslator, _checkpoint

TENSORS = ("module", "criterion", "optimizer", "best")
_WORKER = Path(__file__).with_name("checkpoint_worker.py")


class Interrupted(RuntimeError):
    """Raised in place of a kill."""


class InterruptAt(Callback):
    """Interrupt training at the end of an epoch."""

    def __init__(self, epoch, error=Interrupted):
        self.epoch = epoch
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1, "epoch"] == self.epoch:
            raise self.error


class CountEpochs(Callback):
    """Note which epochs are trained."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(net.history[-1, "epoch"])


@pytest.fixture(autouse=True)
def _every_epoch_is_kept(monkeypatch):
    monkeypatch.setattr(_checkpoint, "_PAUSE", 0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "kept" / "here"


def small(**parameters):
    defaults = {
        "n_components": 3,
        "hidden_dim": 16,
        "max_epochs": 12,
        "batch_size": 64,
        "random_state": 0,
    }
    return ContrastiveTranslator(**{**defaults, **parameters})


def interrupt(X, y=None, *, at=6, **parameters):
    """Fit until the end of an epoch, which is not kept any more."""
    with pytest.raises(Interrupted):
        small(callbacks=[InterruptAt(at)], **parameters).fit(X, y)


def fit_counting(X, y=None, **parameters):
    """Return a fitted translator and the epochs that it has trained itself."""
    count = CountEpochs()
    return small(callbacks=[count], **parameters).fit(X, y), count.epochs


def learned(translator, X):
    """Return the bytes of what was learned, times aside."""
    packed = translator.__getstate__()["net_"]
    histories = [
        [{k: v for k, v in row.items() if k not in ("seconds", "dur")} for row in history]
        for history in (translator.history_, packed["history"])
    ]
    weights = [
        (name, array.tobytes())
        for part in ("module_weights", "criterion_weights")
        for name, array in packed[part].items()
    ]
    # repr and not pickle, which tells equal objects from identical ones.
    return translator.transform(X).tobytes(), repr(histories), weights


class LearntScale(torch.nn.Module):
    """A loss with a parameter and a buffer."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight
        self.scale = torch.nn.Parameter(torch.tensor(1.0))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, a, b):
        if self.training:
            self.calls += 1
        distance = self.scale.exp() * (a - b).square().sum(dim=1)
        return self.weight * distance.mean() + self.scale.square()


CASES = {
    "margin": {},
    "clip": {"loss": "clip"},
    "sigmoid": {"loss": "sigmoid"},
    "relevance": {"loss": "relevance"},
    "stops early": {"loss": "clip", "lr": 0.05, "max_epochs": 200, "patience": 2},
    "without validation": {"validation_fraction": 0},
    "own loss": {"loss": LearntScale()},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16", "loss": "infonce"},
    "sampler": {"sampler": "dpp"},
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_fit_continues_to_the_same_bytes(pairs, folder, case):
    parameters = CASES[case]
    y = (pairs.to_numpy()[:, 0] > 5).astype(int)
    undisturbed = small(**parameters).fit(pairs, y)
    interrupt(pairs, y, checkpoint=folder, **parameters)
    again, epochs = fit_counting(pairs, y, checkpoint=folder, **parameters)
    assert epochs[0] == 6
    assert learned(again, pairs) == learned(undisturbed, pairs)
    assert list(folder.iterdir()) == []


def test_a_fit_that_is_interrupted_again_and_again_comes_to_the_same_bytes(pairs, folder):
    expected = learned(small().fit(pairs), pairs)
    for epoch in (1, 1, 4, 9, 12):
        interrupt(pairs, at=epoch, checkpoint=folder)
    again, epochs = fit_counting(pairs, checkpoint=folder)
    assert epochs == [12]
    assert learned(again, pairs) == expected


def test_a_fit_whose_last_epoch_is_kept_trains_no_other(pairs, folder, monkeypatch):
    expected = learned(small().fit(pairs), pairs)
    monkeypatch.setattr(_checkpoint.Checkpoint, "remove", lambda self: None)
    small(checkpoint=folder).fit(pairs)
    again, epochs = fit_counting(pairs, checkpoint=folder)
    assert epochs == []
    assert learned(again, pairs) == expected


def test_a_fit_that_had_stopped_early_stops_again(pairs, folder, monkeypatch):
    parameters = {"lr": 0.05, "max_epochs": 200, "patience": 2}
    expected = learned(small(**parameters).fit(pairs), pairs)
    monkeypatch.setattr(_checkpoint.Checkpoint, "remove", lambda self: None)
    small(checkpoint=folder, **parameters).fit(pairs)
    again, epochs = fit_counting(pairs, checkpoint=folder, **parameters)
    assert epochs == []  # the epoch that ends all is not counted, as no callback comes after it
    assert learned(again, pairs) == expected


def test_keeping_a_fit_changes_nothing(pairs, folder):
    kept = small(checkpoint=folder).fit(pairs)
    assert learned(kept, pairs) == learned(small().fit(pairs), pairs)
    assert list(folder.iterdir()) == []


def test_a_fit_stopped_from_the_keyboard_is_kept(pairs, folder):
    with pytest.raises(KeyboardInterrupt):
        small(checkpoint=folder, callbacks=[InterruptAt(6, KeyboardInterrupt)]).fit(pairs)
    assert fit_counting(pairs, checkpoint=folder)[1][0] == 6


OTHERS = {
    "seed": {"random_state": 1},
    "loss": {"loss": "clip"},
    "margin": {"margin": 0.5},
    "epochs": {"max_epochs": 13},
    "width": {"hidden_dim": 17},
    "patience": {"patience": 6},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_fit_with_another_parameter_begins_anew(pairs, folder, other):
    interrupt(pairs, checkpoint=folder)
    _, epochs = fit_counting(pairs, checkpoint=folder, **OTHERS[other])
    assert epochs[0] == 1
    (kept,) = folder.iterdir()
    assert fit_counting(pairs, checkpoint=folder)[1][0] == 6
    assert not kept.exists()


def test_a_fit_of_another_table_begins_anew(pairs, folder):
    interrupt(pairs, checkpoint=folder)
    other = pairs.copy()
    other.iloc[7, 2] += np.float32(1e-3)
    assert fit_counting(other, checkpoint=folder)[1][0] == 1


def test_a_fit_with_other_labels_begins_anew(pairs, folder):
    y = np.arange(len(pairs)) % 3
    interrupt(pairs, y, checkpoint=folder, loss="relevance")
    assert fit_counting(pairs, y[::-1], checkpoint=folder, loss="relevance")[1][0] == 1
    assert fit_counting(pairs, y, checkpoint=folder, loss="relevance")[1][0] == 6


def test_losses_of_ones_own_are_told_apart_by_what_they_hold(pairs, folder):
    interrupt(pairs, checkpoint=folder, loss=LearntScale(2.0))
    assert fit_counting(pairs, checkpoint=folder, loss=LearntScale(3.0))[1][0] == 1
    assert fit_counting(pairs, checkpoint=folder, loss=LearntScale(2.0))[1][0] == 6


def test_a_file_under_the_name_of_another_fit_is_not_taken(pairs, folder):
    interrupt(pairs, checkpoint=folder, random_state=1)
    (theirs,) = folder.iterdir()
    content = theirs.read_bytes()
    interrupt(pairs, checkpoint=folder)
    (ours,) = set(folder.iterdir()) - {theirs}
    ours.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{ours.name}' is damaged .* of another training"):
        again, epochs = fit_counting(pairs, checkpoint=folder)
    assert epochs[0] == 1
    assert learned(again, pairs) == learned(small().fit(pairs), pairs)
    assert list(folder.iterdir()) == [theirs]


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "flipped": lambda content: content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:],
    "a pickle": lambda content: pickle.dumps({"about": "{}"}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_not_used(pairs, folder, damage):
    interrupt(pairs, checkpoint=folder)
    (kept,) = folder.iterdir()
    kept.write_bytes(DAMAGES[damage](kept.read_bytes()))
    with pytest.warns(UserWarning, match=f"{kept.name}' is damaged and not used: training starts"):
        again, epochs = fit_counting(pairs, checkpoint=folder)
    assert epochs[0] == 1
    assert learned(again, pairs) == learned(small().fit(pairs), pairs)
    assert list(folder.iterdir()) == []


class RunsCode:
    """What a pickle can do to its reader."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_forged_file_runs_no_code(pairs, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    interrupt(pairs, checkpoint=folder)
    (kept,) = folder.iterdir()
    torch.save({"about": RunsCode()}, tmp_path / "forged")
    body = (tmp_path / "forged").read_bytes()
    kept.write_bytes(_checkpoint._MAGIC + hashlib.sha256(body).digest() + body)
    with pytest.warns(UserWarning, match="is damaged and not used"):
        small(checkpoint=folder).fit(pairs)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_shape_are_not_taken(pairs, folder, monkeypatch):
    pack = _checkpoint._pack

    def pack_wide(net, generator, fingerprint):
        content = _checkpoint._unpack(pack(net, generator, fingerprint))
        tensors = {"module": {"perceptrons.0.0.weight": torch.zeros(3, 3)}}
        return repack({**content, **tensors})

    monkeypatch.setattr(_checkpoint, "_pack", pack_wide)
    interrupt(pairs, checkpoint=folder)
    monkeypatch.setattr(_checkpoint, "_pack", pack)
    with pytest.warns(UserWarning, match="weights are those of another network"):
        assert fit_counting(pairs, checkpoint=folder)[1][0] == 1


def repack(state):
    """Write a state as the library would, digest included."""
    about = {k: _checkpoint._to_json(v) for k, v in state.items() if k not in TENSORS}
    buffer = io.BytesIO()
    torch.save({"about": json.dumps(about), **{k: state[k] for k in TENSORS}}, buffer)
    body = buffer.getvalue()
    return _checkpoint._MAGIC + hashlib.sha256(body).digest() + body


def test_a_failed_write_leaves_what_was_kept(pairs, folder, monkeypatch):
    interrupt(pairs, checkpoint=folder)
    (kept,) = folder.iterdir()
    content = kept.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"training cannot be kept .No space left.*make room"
    ) as found:
        small(checkpoint=folder).fit(pairs)
    assert found.value.filename == str(folder)
    assert list(folder.iterdir()) == [kept]
    assert kept.read_bytes() == content


def test_what_a_killed_write_has_left_is_removed(pairs, folder):
    interrupt(pairs, checkpoint=folder)
    (kept,) = folder.iterdir()
    (folder / f"{kept.stem}.abc.part").write_bytes(b"half")
    (folder / "translator-other.abc.part").write_bytes(b"of another fit")
    small(checkpoint=folder).fit(pairs)
    assert [path.name for path in folder.iterdir()] == ["translator-other.abc.part"]


def test_two_fits_of_the_same_do_not_disturb_each_other(pairs, folder):
    """One ends, and removes the file and what is being written, while the other goes on."""

    class FitMeanwhile(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "epoch"] in (3, 7):
                small(checkpoint=folder).fit(pairs)

    expected = learned(small().fit(pairs), pairs)
    outer = small(checkpoint=folder, callbacks=[FitMeanwhile()]).fit(pairs)
    assert learned(outer, pairs) == expected
    assert list(folder.iterdir()) == []


def test_a_write_that_another_process_took_for_a_leftover_is_no_error(pairs, folder, monkeypatch):
    fsync = os.fsync

    def steal(handle):
        fsync(handle)
        for part in folder.glob("*.part"):
            part.unlink()

    monkeypatch.setattr(os, "fsync", steal)
    kept = small(checkpoint=folder).fit(pairs)
    assert learned(kept, pairs) == learned(small().fit(pairs), pairs)


def test_writing_takes_a_twentieth_of_the_time_at_most(pairs, folder, monkeypatch):
    monkeypatch.undo()
    clock = [0.0]
    written = []

    def write(path, content):
        written.append(clock[0])
        clock[0] += 1.0

    class Tick(Callback):
        def on_epoch_end(self, net, **kwargs):
            clock[0] += 3.0

    monkeypatch.setattr(_checkpoint.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(_checkpoint, "_write_whole", write)
    small(checkpoint=folder, max_epochs=20, patience=99, callbacks=[Tick()]).fit(pairs)
    assert written == [3.0, 25.0, 47.0]


def test_without_a_seed_no_fit_is_kept(pairs, folder):
    with pytest.raises(ValueError, match=r"checkpoint=.* needs a random_state: a fit can only be"):
        small(checkpoint=folder, random_state=None).fit(pairs)
    assert not folder.exists()


def test_a_checkpoint_that_is_no_folder_is_refused(pairs):
    with pytest.raises(TypeError, match="checkpoint must be a folder or None, got 3"):
        small(checkpoint=3).fit(pairs)


def test_a_folder_that_cannot_be_written_is_named_before_training(pairs, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    count = CountEpochs()
    with pytest.raises(OSError, match=r"training cannot be kept .*: choose another folder"):
        small(checkpoint=file / "below", callbacks=[count]).fit(pairs)
    assert count.epochs == []


def test_a_loss_that_nothing_is_known_of_is_refused(pairs, folder):
    class Opaque:
        def __deepcopy__(self, memo):
            return self

        def __reduce_ex__(self, protocol):
            raise TypeError("cannot pickle it")

    loss = LearntScale()
    loss.part = Opaque()
    with pytest.raises(ValueError, match="recognised again, and nothing is known of"):
        small(checkpoint=folder, loss=loss).fit(pairs)


def test_a_note_that_cannot_be_kept_is_refused(pairs, folder):
    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("note", {1, 2})

    with pytest.raises(ValueError, match="cannot keep a set that a callback notes in the history"):
        small(checkpoint=folder, callbacks=[Note()]).fit(pairs)


def test_a_grid_search_may_share_one_folder(pairs, folder):
    search = GridSearchCV(
        small(checkpoint=folder, max_epochs=3),
        {"lr": [0.01, 0.001]},
        scoring=lambda fitted, X: float(fitted.transform(X)[:, 0].mean()),
        cv=2,
    ).fit(pairs)
    assert learned(search.best_estimator_, pairs)[0]
    assert list(folder.iterdir()) == []


def test_a_kept_fit_is_cloned_and_pickled(pairs, folder):
    fitted = small(checkpoint=folder).fit(pairs)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(pairs), fitted.transform(pairs))
    assert clone(fitted).get_params()["checkpoint"] == folder


@pytest.mark.parametrize("training", [1, 2])
def test_a_joint_classifier_continues_its_translator(pairs, folder, training):
    y = np.where(np.arange(300) % 2, (pairs.to_numpy()[:, 0] > 5).astype(int), -1)

    begun, epochs = [], []

    class Watch(Callback):  # cloned with the translator: what it notes is elsewhere
        def on_train_begin(self, net, **kwargs):
            begun.append(net)

        def on_epoch_end(self, net, **kwargs):
            epochs.append(net.history[-1, "epoch"])
            if len(begun) == training and epochs[-1] == 6:
                raise Interrupted

    def fit(**parameters):
        translator = small(patience=99, **parameters)
        return JointTranslationClassifier(translator, random_state=0).fit(pairs, y)

    expected = fit().predict_proba(pairs)
    with pytest.raises(Interrupted):
        fit(checkpoint=folder, callbacks=[Watch()])
    begun.append(None)
    epochs.clear()
    again = fit(checkpoint=folder, callbacks=[Watch()])
    assert epochs == [*range(6, 13)] + [*range(1, 13)] * (training == 1)
    np.testing.assert_array_equal(again.predict_proba(pairs), expected)
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_processes_that_train_together_continue_from_the_same_epoch(tmp_path):
    def together(name, *options):
        command = [sys.executable, str(_WORKER), str(tmp_path / f"rendezvous-{name}"), name]
        processes = [
            subprocess.Popen(
                [*command, str(rank), str(tmp_path / "found"), *options],
                env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            told = [process.communicate(timeout=100)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        assert [process.returncode for process in processes] == [0, 0], "\n".join(told)
        return [json.loads((tmp_path / f"found-{name}-{rank}").read_text()) for rank in range(2)]

    folder = tmp_path / "kept"
    undisturbed = together("undisturbed")
    assert together("interrupted", str(folder), "6") == [{"interrupted": True}] * 2
    assert len(list(folder.iterdir())) == 1
    again = together("again", str(folder))
    assert [found.pop("epochs")[0] for found in again] == [6, 6]
    assert [found.pop("epochs")[0] for found in undisturbed] == [1, 1]
    assert again == undisturbed
    assert again[0] == again[1]
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    errors = together("refused", str(tmp_path / "file"))
    assert "training cannot be kept" in errors[0]["error"]
    assert "the first process, which keeps the training" in errors[1]["error"]
