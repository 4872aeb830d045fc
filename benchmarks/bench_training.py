"""Training of ContrastiveTranslator: time and memory of its step, its loss and its ``fit``.

Run on an idle machine::

    python benchmarks/bench_training.py            # about five minutes on two cores
    python benchmarks/bench_training.py --quick    # fewer rounds, less data
    python benchmarks/bench_training.py --busy     # others are at work on this machine

A comparison alternates its sides within one process and takes medians of rounds. The reference
of a step is the published formulation written plainly: similarities of all rows, a boolean
mask that copies them to ``n x (n - 1)``, ``repeat`` and ``clamp``. The floor is the time that
the step's matrix products alone take at the speed of a large product by the quicker of PyTorch's
libraries, measured in the same rounds. Memory is measured in a process of its own. ``--busy``
counts the processor's time on one thread instead of the wall's, which others at work on the
machine disturb little.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import _measure
import numpy as np
from _measure import median, ratio, row

BATCH, WIDTHS, HIDDEN, JOINT = 4096, (1024, 2048), 256, 128
#: Multiplications and additions of a step: each first layer twice (no gradient of inputs), each
#: second layer and the similarities three times.
STEP_GFLOP = 2e-9 * BATCH * (2 * sum(WIDTHS) * HIDDEN + 3 * 2 * HIDDEN * JOINT + 3 * BATCH * JOINT)
PEAK_SIZE = 2048
#: By the wall's clock, unless ``--busy``.
alternate = _measure.alternate


def published_loss(a, b, margin=1.0):
    """Return the margin loss as it is published, written plainly."""
    import torch

    n = len(a)
    similarity = a @ b.T
    positive = similarity.diagonal().unsqueeze(1).repeat(1, n - 1)
    negative = similarity[~torch.eye(n, dtype=torch.bool)].view(n, n - 1)
    return torch.clamp(margin - positive + negative, min=0).mean()


def plain_network(network):
    """Return the same perceptrons with the same weights, of nothing but torch's layers."""
    import torch
    from torch import nn

    perceptrons = nn.ModuleList()
    for layers in network.perceptrons:
        plain = nn.Sequential(
            nn.Linear(layers[0].in_features, HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.ELU(),
            nn.Linear(HIDDEN, JOINT),
        )
        with torch.no_grad():
            for number in (0, 3):
                plain[number].weight.copy_(layers[number].weight)
                plain[number].bias.copy_(layers[number].bias)
        perceptrons.append(plain)
    return perceptrons


def make_network(moments=None):
    """Return the translation network at the size of the paper."""
    from skxmodal.translation._network import JointNetwork

    moments = moments or tuple((np.zeros(width), 1.0) for width in WIDTHS)
    return JointNetwork(moments, HIDDEN, JOINT, seed=0)


def our_step(blocks, loss="margin"):
    """Return a function that takes one training step, and its network."""
    import torch

    from skxmodal.translation._losses import make_loss
    from skxmodal.translation._network import PairwiseLoss

    network = make_network()
    criterion = PairwiseLoss(make_loss(loss, margin=1.0, temperature=0.1))
    parameters = [*network.parameters(), *criterion.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    labels = torch.arange(BATCH)[:, None].expand(-1, 2) % 100

    def step():
        optimizer.zero_grad(set_to_none=True)
        value = criterion(network(blocks), labels)
        value.backward()
        optimizer.step()
        return value.item()

    return step, network


def plain_step(blocks, network):
    """Return the step of the published formulation with the weights of a network."""
    import torch
    from torch.nn.functional import normalize

    perceptrons = plain_network(network)
    optimizer = torch.optim.Adam(perceptrons.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        a, b = (normalize(layers(block)) for layers, block in zip(perceptrons, blocks))
        value = published_loss(a, b)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def bench_step(rounds: int) -> list[dict]:
    """Compare one training step with the published formulation, and with the floor."""
    import torch

    generator = torch.Generator().manual_seed(0)
    blocks = tuple(torch.randn(BATCH, width, generator=generator) for width in WIDTHS)
    ours, network = our_step(blocks)
    plain = plain_step(blocks, network)
    losses: dict[str, list[float]] = {"ours": [], "plain": []}
    seconds = alternate(
        rounds,
        plain=lambda: losses["plain"].append(plain()),
        ours=lambda: losses["ours"].append(ours()),
        **_measure.products(PEAK_SIZE),
    )
    difference = float(np.abs(np.subtract(losses["ours"], losses["plain"])[:3]).max())
    # The quickest product of the run: the peak is what the machine can do.
    floor = min(seconds["blas"] + seconds["onednn"]) * STEP_GFLOP / (2e-9 * PEAK_SIZE**3)
    step, published = median(seconds["ours"]), median(seconds["plain"])
    return [
        row(
            "step against the published form",
            ratio(seconds, "plain", "ours"),
            4.5,
            6.0,
            unit="x",
            note=f"{step * 1e3:.0f} ms for {published * 1e3:.0f} ms",
        ),
        row(
            "step's loss, difference of first three",
            difference,
            1e-5,
            1e-5,
            smaller=True,
            form=".0e",
        ),
        row(
            "step, share of float32 matrix-product peak",
            100 * floor / step,
            50,
            70,
            unit="%",
            form=".0f",
            note=f"{STEP_GFLOP:.1f} GFLOP in {step * 1e3:.0f} ms, floor {floor * 1e3:.0f} ms "
            f"at {STEP_GFLOP / floor:.0f} GFLOP/s",
        ),
    ]


def bench_losses(rounds: int) -> list[dict]:
    """Compare the step with every other loss with that of the margin loss."""
    import torch

    from skxmodal.translation._losses import LOSSES

    generator = torch.Generator().manual_seed(0)
    blocks = tuple(torch.randn(BATCH, width, generator=generator) for width in WIDTHS)
    seconds = alternate(rounds, **{name: our_step(blocks, name)[0] for name in LOSSES})
    return [
        row(
            f'step with loss="{name}"',
            ratio(seconds, name, "margin"),
            unit="x margin",
            note=f"{median(seconds[name]) * 1e3:.0f} ms",
        )
        for name in LOSSES
        if name != "margin"
    ]


def peak_of_loss(loss: str, n: int) -> float:
    """Return by how many megabytes the loss of ``n`` pairs and its gradients raise the peak."""
    import torch

    from skxmodal.translation._losses import make_loss

    module = make_loss(loss, margin=1.0, temperature=0.1)
    labels = (torch.zeros(n, dtype=torch.long),) * 2 if loss == "relevance" else ()
    used = 0.0
    for size in (256, n):  # libraries and their threads are set up by the first
        a, b = (torch.nn.functional.normalize(torch.randn(size, JOINT)) for _ in range(2))
        a.requires_grad_(), b.requires_grad_()
        with PrivateMemory() as memory:
            module(a, b, *(label[:size] for label in labels)).backward()
        used = memory.peak - memory.before
    return used


def bench_memory(sizes, losses) -> list[dict]:
    """Measure the memory of a loss and its gradients, where n x n would show."""
    rows = []
    for loss in losses:
        for n in sizes:
            used = run_apart("loss-memory", loss, n)
            # Two inputs, their gradients and a few more of that size; some blocks of rows.
            allowed = (12 * n * JOINT + 3 * 2**21) * 4 / 2**20 + 8
            rows.append(
                row(
                    f'loss="{loss}", memory at batch {n}',
                    used,
                    allowed,
                    allowed,
                    smaller=True,
                    unit="MB",
                    form=".0f",
                    note=f"one {n} x {n} matrix has {n * n / 2**18:.0f} MB",
                )
            )
    return rows


def bench_fit(rounds: int, n_pairs: int, n_epochs: int) -> list[dict]:
    """Compare ``fit`` with a hand-written loop over the same step and held-out pairs."""
    from skxmodal.translation import ContrastiveTranslator

    X = np.random.default_rng(0).standard_normal((n_pairs, sum(WIDTHS)), dtype=np.float32)
    translator = ContrastiveTranslator(
        modalities={"audio": WIDTHS[0], "image": WIDTHS[1]},
        max_epochs=n_epochs,
        patience=n_epochs,
        device="cpu",
        random_state=0,
    )
    seconds = alternate(
        rounds,
        loop=lambda: hand_written_loop(X, n_epochs),
        fit=lambda: translator.fit(X),
    )
    return [
        row(
            "fit against a hand-written loop",
            ratio(seconds, "fit", "loop"),
            1.10,
            1.03,
            smaller=True,
            unit="x",
            note=f"{median(seconds['fit']):.1f} s for {median(seconds['loop']):.1f} s, "
            f"{n_pairs} pairs, {n_epochs} epochs",
        )
    ]


def hand_written_loop(X, n_epochs: int) -> None:
    """Train as ``fit`` does, with nothing between the steps."""
    import torch

    from skxmodal.translation._losses import make_loss

    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    n_valid = len(X) // 10
    valid, train = order[:n_valid], order[n_valid:]
    halves = X[:, : WIDTHS[0]], X[:, WIDTHS[0] :]
    sample = X[train[:BATCH]]
    moments = tuple(
        (half.mean(axis=0), float(half.std()))
        for half in (sample[:, : WIDTHS[0]], sample[:, WIDTHS[0] :])
    )
    network = make_network(moments)
    loss = make_loss("margin", margin=1.0, temperature=0.1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def batches(rows):
        for index in np.array_split(rows, -(-len(rows) // BATCH)):
            yield tuple(torch.from_numpy(half[index]) for half in halves)

    for _ in range(n_epochs):
        network.train()
        for blocks in batches(rng.permutation(train)):
            optimizer.zero_grad(set_to_none=True)
            loss(*network(blocks)).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for blocks in batches(valid):
                loss(*network(blocks)).item()


def bench_memmap(n_pairs: int) -> list[dict]:
    """Measure the memory of a fit from a file that is not read into memory."""
    used = run_apart("memmap", n_pairs)
    return [
        row(
            f"fit from a memory map of {n_pairs} pairs, memory",
            used,
            1500,
            500,
            smaller=True,
            unit="MB",
            form=".0f",
            note=f"the file has {n_pairs * 1536 * 4 / 2**20:.0f} MB",
        )
    ]


def peak_of_memmap_fit(n_pairs: int) -> float:
    """Return by how many megabytes a fit from a memory map raises the private memory."""
    from skxmodal.translation import ContrastiveTranslator

    widths = {"audio": 1024, "image": 512}
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shape = (n_pairs, sum(widths.values()))
        path = Path(folder) / "embeddings.npy"
        table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, n_pairs, BATCH):
            block = table[start : start + BATCH]
            block[:] = rng.standard_normal(block.shape, dtype=np.float32)
        del table, block
        table = np.load(path, mmap_mode="r")
        small = ContrastiveTranslator(modalities=widths, max_epochs=1, device="cpu")
        small.fit(table[:64])  # libraries and their threads are set up
        with PrivateMemory() as memory:
            ContrastiveTranslator(
                modalities=widths, max_epochs=1, device="cpu", random_state=0
            ).fit(table)
    return memory.peak - memory.before


class PrivateMemory:
    """Watch the memory of this process that is no page of a file."""

    def __enter__(self) -> PrivateMemory:
        self.before = self.peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, self._now())

    @staticmethod
    def _now() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024


def bench_epoch(n_pairs: int) -> list[dict]:
    """Measure an epoch of the paper's number of pairs, validation included."""
    from skxmodal.translation import ContrastiveTranslator

    X = np.random.default_rng(0).standard_normal((n_pairs, sum(WIDTHS)), dtype=np.float32)
    translator = ContrastiveTranslator(
        modalities={"audio": WIDTHS[0], "image": WIDTHS[1]},
        max_epochs=2,
        device="cpu",
        random_state=0,
    ).fit(X)
    seconds = min(epoch["seconds"] for epoch in translator.history_)
    return [row(f"an epoch of {n_pairs} pairs", seconds, unit="s", form=".1f", note="of the wall")]


def run_apart(*arguments: object) -> float:
    """Measure memory in a process of its own."""
    command = [sys.executable, __file__, "--apart", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Print the table and write it as JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and less data")
    parser.add_argument("--only", nargs="+", help="step, losses, memory, fit, memmap, epoch")
    parser.add_argument("--json", type=Path, default=Path("reports/bench/training.json"))
    parser.add_argument("--apart", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--busy", action="store_true", help="processor time, one thread")
    options = parser.parse_args()
    if options.busy:
        global alternate
        alternate = partial(_measure.alternate, clock=time.process_time)
        torch.set_num_threads(1)
    if options.apart:
        kind, *rest = options.apart
        peak = peak_of_memmap_fit(int(*rest)) if kind == "memmap" else None
        print(peak if peak is not None else peak_of_loss(rest[0], int(rest[1])))
        return
    quick = options.quick
    fused_losses = ("margin", "infonce", "sigmoid")
    parts = {
        "step": lambda: bench_step(5 if quick else 11),
        "losses": lambda: bench_losses(2 if quick else 5),
        "memory": lambda: bench_memory(
            (4096, 16384) if quick else (4096, 16384, 32768), fused_losses
        ),
        "fit": lambda: bench_fit(3 if quick else 5, 20_000 if quick else 40_000, 5),
        "memmap": lambda: bench_memmap(50_000 if quick else 300_000),
        "epoch": lambda: bench_epoch(20_000 if quick else 130_000),
    }
    rows = []
    for name in options.only or parts:
        for line in parts[name]():
            rows.append(line)
            _measure.show(line)
    _measure.write(
        options.json,
        rows,
        threads=torch.get_num_threads(),
        clock="processor" if options.busy else "wall",
    )


if __name__ == "__main__":
    main()
