"""Training that is kept in a file while it goes on, so that a kill costs a few epochs at most.

One file per training, named by a fingerprint of everything that its result depends on: many
trainings may share a folder, and none takes the file of another. What is drawn before the first
epoch is drawn again from the seed; what an epoch changes is in the file. The file is not a pickle
that could run code: tensors are read by :func:`torch.load` with ``weights_only``, the rest is JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, PassthroughScoring
from skorch.history import History
from torch import distributed

from ._distributed import is_first, n_processes

_MAGIC = b"skxmodal training 1\n"
_DIGEST_BYTES = 32
#: Training goes on for so many times what a write took before the next: at most 5 % of the time.
_PAUSE = 20
#: What skorch's own callbacks remember from epoch to epoch, besides the best weights.
_REMEMBERED = (
    (EarlyStopping, ("misses_", "dynamic_threshold_", "best_epoch_")),
    (PassthroughScoring, ("best_score_",)),
)
_NUMPY = "\0numpy"  # a key that no callback would note in the history


class Checkpoint:
    """The file in which one training is kept.

    Parameters
    ----------
    folder : str or path-like
        Where the file is; made if it is not there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.path: Path | None = None
        self._due = -np.inf

    def restore(self, net: Any, generator: np.random.Generator, fingerprint: str | None) -> int:
        """Bring a network that is ready to be trained to where its training was interrupted.

        Parameters
        ----------
        net : skorch.NeuralNet
            Initialised, and notified of the beginning.
        generator : numpy.random.Generator
            Draws the batches.
        fingerprint : str or None
            Names the file; ``None`` in all processes but the first.

        Returns
        -------
        epoch : int
            How many epochs are done.
        """
        content, error = None, None
        if fingerprint is not None:
            self.path = self.folder / f"translator-{fingerprint[:32]}.checkpoint"
            try:
                check_folder(self.folder)
                self._remove_leftovers()
                content = self._read(net, fingerprint)
            except OSError as found:
                error = found
        # One process reads: all go on from the same epoch, whatever becomes of the file.
        if n_processes() > 1:
            content = _share(content, error, net.device)
        if error is not None:
            raise error
        self._generator, self._fingerprint = generator, fingerprint
        if content is None:
            return 0
        state = _unpack(content)
        _apply(state, net, generator)
        return len(net.history)

    def write(self, net: Any) -> None:
        """Keep the epoch that has just ended, if the last write is long enough ago.

        The first epoch after every start is kept at once: however often training is killed, it
        comes on if it lasts an epoch and a write. Later writes take a twentieth of the time.
        """
        start = time.perf_counter()
        if self.path is None or start < self._due:
            return
        content = _pack(net, self._generator, self._fingerprint)
        if not np.isfinite(self._due):
            _check_readable(content)
        with _naming(self.folder, f"make room there and fit again, {_GOES_ON}"):
            _write_whole(self.path, content)
        end = time.perf_counter()
        self._due = end + _PAUSE * (end - start)

    def remove(self) -> None:
        """Remove the file of a training that has ended."""
        if self.path is None:
            return
        # The result is there: a folder that cannot be written any more is no reason to lose it.
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Remove what a killed process was writing."""
        assert self.path is not None
        for leftover in self.folder.glob(f"{self.path.stem}.*.part"):
            leftover.unlink(missing_ok=True)

    def _read(self, net: Any, fingerprint: str) -> bytes | None:
        """Return the file's content if it can be gone on from; warn if it is damaged."""
        assert self.path is not None
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            _check(_unpack(content), net, fingerprint)
        except _UNREADABLE as error:
            warnings.warn(
                f"{str(self.path)!r} is damaged and not used: training starts anew ({error})",
                stacklevel=2,
            )
            return None
        return content


class KeepTraining(Callback):
    """Write after every epoch; stands last, for the other callbacks to have done their part."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the epoch."""
        self.checkpoint.write(net)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Make the folder, or raise an error that names it."""
    folder = Path(folder)
    with _naming(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


_GOES_ON = "which goes on from the last epoch that is kept"
_UNREADABLE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    pickle.UnpicklingError,
)


@contextmanager
def _naming(folder: Path, remedy: str) -> Iterator[None]:
    """Name the folder in errors of writing to it, and what to do."""
    try:
        yield
    except OSError as error:
        raise type(error)(
            error.errno,
            f"checkpoint: training cannot be kept ({error.strerror or error}): {remedy}",
            str(folder),
        ) from error


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside the goal, then rename: the file is whole or not there."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Another process that begins or ends the same training may have taken it for a leftover;
        # what that one writes is as good.
        with suppress(FileNotFoundError):
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _pack(net: Any, generator: np.random.Generator, fingerprint: str | None) -> bytes:
    """Return what an epoch changes, and its digest."""
    scaler = net._scaler
    about = {
        "fingerprint": fingerprint,
        "history": net.history.to_list(),
        "generator": generator.bit_generator.state,
        "scaler": None if scaler is None else scaler.state_dict(),
        "callbacks": {
            name: {key: getattr(callback, key) for key in keys}
            for name, callback, keys in _remembering(net)
        },
    }
    best = {
        name: callback.best_model_weights_
        for name, callback, _ in _remembering(net)
        if isinstance(callback, EarlyStopping)
    }
    tensors = {
        "module": net.module_.state_dict(),
        "criterion": net.criterion_.state_dict(),
        "optimizer": net.optimizer_.state_dict(),
        "best": best,
    }
    buffer = io.BytesIO()
    torch.save({"about": json.dumps(_to_json(about)), **tensors}, buffer)
    content = buffer.getbuffer()
    return b"".join([_MAGIC, hashlib.sha256(content).digest(), content])


def _unpack(content: bytes) -> dict[str, Any]:
    """Return what :func:`_pack` was given; raise when a byte of it has changed."""
    start = len(_MAGIC) + _DIGEST_BYTES
    body = memoryview(content)[start:]
    if content[:start] != _MAGIC + hashlib.sha256(body).digest():
        raise ValueError("its digest does not fit")
    state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return {**state, **_from_json(json.loads(state.pop("about")))}


def _check_readable(content: bytes) -> None:
    """Raise while it is early when a state is not made of tensors and numbers."""
    try:
        _unpack(content)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"checkpoint cannot keep a loss whose state is more than tensors ({reason}): use "
            "another loss, or checkpoint=None"
        ) from error


def _check(state: dict[str, Any], net: Any, fingerprint: str) -> None:
    """Raise unless all of the state fits the network."""
    if state["fingerprint"] != fingerprint:
        raise ValueError("it is of another training")
    modules = [(state["module"], net.module_), (state["criterion"], net.criterion_)]
    modules += [(weights, net.module_) for weights in state["best"].values() if weights is not None]
    for found, module in modules:
        expected = module.state_dict()
        if found.keys() != expected.keys() or any(
            found[name].shape != tensor.shape or found[name].dtype != tensor.dtype
            for name, tensor in expected.items()
        ):
            raise ValueError("its weights are those of another network")
    groups = net.optimizer_.state_dict()["param_groups"]
    if [g["params"] for g in state["optimizer"]["param_groups"]] != [g["params"] for g in groups]:
        raise ValueError("its optimiser is that of another network")
    shapes = [param.shape for group in net.optimizer_.param_groups for param in group["params"]]
    for index, of_param in state["optimizer"]["state"].items():
        for value in of_param.values():
            if value.shape not in (shapes[index], torch.Size([])):
                raise ValueError("its optimiser is that of another network")
    if [row["epoch"] for row in state["history"]] != list(range(1, len(state["history"]) + 1)):
        raise ValueError("its history has gaps")
    if len(state["history"]) > net.max_epochs or (net._scaler is None) != (state["scaler"] is None):
        raise ValueError("it is of another training")
    for name, _, keys in _remembering(net):
        if state["callbacks"][name].keys() != set(keys):
            raise ValueError("it is of another version of skorch")
    np.random.default_rng(0).bit_generator.state = state["generator"]


def _apply(state: dict[str, Any], net: Any, generator: np.random.Generator) -> None:
    """Give the network, its optimiser, callbacks and batches the state that was kept."""
    net.module_.load_state_dict(state["module"])
    net.criterion_.load_state_dict(state["criterion"])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.history_ = History(state["history"])
    generator.bit_generator.state = state["generator"]
    if state["scaler"] is not None:
        net._scaler.load_state_dict(state["scaler"])
    for name, callback, _ in _remembering(net):
        for key, value in state["callbacks"][name].items():
            setattr(callback, key, value)
        if isinstance(callback, EarlyStopping):
            callback.best_model_weights_ = state["best"][name]


def _remembering(net: Any) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Yield the callbacks that remember something, and what."""
    for name, callback in net.callbacks_:
        for kind, keys in _REMEMBERED:
            if isinstance(callback, kind):
                yield name, callback, keys


def _to_json(value: Any) -> Any:
    """Return what JSON can hold, and which numbers were NumPy's: histories compare as bytes."""
    if isinstance(value, np.generic):
        return {_NUMPY: value.dtype.str, "value": value.item()}
    if isinstance(value, dict):
        return {name: _to_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"checkpoint cannot keep a {type(value).__name__} that a callback notes in the history: "
        "note numbers or text, or use checkpoint=None"
    )


def _from_json(value: Any) -> Any:
    """Return what :func:`_to_json` was given; tuples are lists."""
    if isinstance(value, dict):
        if _NUMPY in value:
            return np.dtype(value[_NUMPY]).type(value["value"])
        return {name: _from_json(part) for name, part in value.items()}
    return [_from_json(part) for part in value] if isinstance(value, list) else value


def _share(content: bytes | None, error: OSError | None, device: str) -> bytes | None:
    """Return what the first process has read, in all that train together."""
    nothing, failed = -1, -2
    size = torch.tensor([failed if error else nothing if content is None else len(content)])
    size = size.to(device)
    distributed.broadcast(size, 0)
    if int(size) == failed and not is_first():
        raise ValueError("checkpoint: the first process, which keeps the training, cannot write it")
    if int(size) < 0:
        return None
    data = torch.empty(int(size), dtype=torch.uint8)
    if content is not None:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    data = data.to(device)
    distributed.broadcast(data, 0)
    return data.cpu().numpy().tobytes()
