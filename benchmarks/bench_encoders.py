"""How fast the native encoders are, against the published ways to run them.

Each row is one encoder, from arrays of decoded media to vectors, in one of its back ends:
its share of the matrix-product peak of the same run, and, where there is one, its ratio to the
reference: YAMNet and VGGish as TensorFlow Hub modules called with one waveform at a time, OpenL3
in Keras in batches of 16, librosa for the front-ends. Weights are random: the arithmetic is the
same. Both sides are measured in turn, round by round, so that a busy machine slows both. All items
over all seconds count, not the median call: Keras' calls are of two kinds, one of which takes
almost twice as long as the other. On a machine that others use, ``--threads 1 --clock cpu``
compares the processor time of one thread. Run::

    python benchmarks/bench_encoders.py --threads 2 --json results.json
    python benchmarks/bench_encoders.py yamnet vggish --reference-python ~/tfenv/bin/python

``--reference-python`` is an interpreter that has tensorflow and tensorflow_hub, librosa, or all
of them; rows whose reference it cannot make are printed without a ratio.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _measure
import numpy as np

CLIPS = 64  # of one second, or pictures, in one call, at most
GFLOP = 120  # of one call, at most, with as many windows as a batch of Keras' has
KERAS_BATCH = 16
SHARE = {"onnx": 0.75, "ncnn": 0.75, "torch": 0.45}  # of the peak, ResNet50 and VGG16
RATIO = {"yamnet audio": 5, "vggish audio": 5, "openl3 audio": 2, "openl3 image": 2}
FRONT_END_RATIO = 5
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Reference:
    """The other process. Rows it has not are ``None``."""

    def __init__(self, python, front_ends, setup):
        script = Path(__file__).with_name("tensorflow_reference.py")
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": str(setup["threads"]),
        }
        self._process = subprocess.Popen(
            [python, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        ready = self._ask({**setup, "front_ends": front_ends})
        self.rows = ready["rows"]
        for reason in ready["missing"]:
            print(f"reference: {reason}")

    def rates(self, row, seconds):
        """Return the items per second of each call."""
        time.sleep(_measure.SETTLE_S)
        answer = self._ask({"row": row, "seconds": seconds})
        return [answer["items"] / duration for duration in answer["seconds"]]

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the reference process ended; run it by hand to see why")
        return json.loads(line)


def rates(function, n_items, seconds, clock):
    """Return the items per second of each call, once the other side's threads are asleep."""
    time.sleep(_measure.SETTLE_S)
    found, start = [], clock()
    while not found or clock() - start < seconds:
        begin = clock()
        function()
        found.append(n_items / (clock() - begin))
    return found


def throughput(paces):
    """Return the items per second of calls of equal size together, from those of each."""
    return statistics.harmonic_mean(paces)


def peak_gflops(clock, seconds=0.15):
    """Return the speeds of a float32 matrix product by the quicker library, in GFLOP/s."""
    found = []
    for call in _measure.products(2048).values():
        call()
        found.append(rates(call, 2 * 2048**3 / 1e9, seconds, clock))
    return max(found, key=statistics.median)


def gflop_per_window(encoder):
    """Return the arithmetic of the convolutions and dense layers, as defined, for one window."""
    import torch
    from torch import nn

    total = 0

    def count(layer, _, output):
        nonlocal total
        total += 2 * output[0].numel() * layer.weight[0].numel()

    network = encoder.network().eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(encoder.example_input()[:1])
    return total / 1e9


def native_class(spec):
    """Return the class of a native encoder."""
    return getattr(importlib.import_module(f"skxmodal.encoders{spec.module}"), spec.class_name)


def random_encoder(spec, backend, folder):
    """Return a native encoder with random weights."""
    base = native_class(spec)
    random = type(base.__name__, (base,), {"_read_weights": lambda self, network: None})
    weights = Path(folder) / f"{spec.name}-{spec.modality}"
    weights.write_bytes(b"random weights")
    return random(weights, backend=backend, **spec.options)


def media_for(encoder):
    """Return clips of one second or pictures, fewer for a large network."""
    rng = np.random.default_rng(0)
    n = min(CLIPS, max(KERAS_BATCH, int(GFLOP / gflop_per_window(encoder))))
    if encoder.modality == "image":
        return list(rng.integers(0, 256, (n, 224, 224, 3), dtype=np.uint8))
    return list(rng.normal(0, 0.1, (n, encoder.sample_rate)).astype(np.float32))


def encode(encoder, media):
    """Return the vectors of some media."""
    return encoder.encode(np.concatenate([encoder.windows(cell) for cell in media]))


def bench_encoder(spec, references, arguments, folder):
    """Yield one row per back end of an encoder, measured in turn with its reference."""
    name = f"{spec.name} {spec.modality}"
    backends = [
        backend for backend in arguments.backends if backend in native_class(spec).cpu_backends
    ]
    encoders = {backend: random_encoder(spec, backend, folder) for backend in backends}
    if not encoders:
        return
    any_encoder = next(iter(encoders.values()))
    media = media_for(any_encoder)
    windows = sum(len(any_encoder.windows(cell)) for cell in media)
    cost = gflop_per_window(any_encoder) * windows / len(media)
    clock = CLOCKS[arguments.clock]
    measured = {key: [] for key in ("peak", "reference", *backends)}
    for encoder in encoders.values():
        encode(encoder, media)
    with_reference = any(name in reference.rows for reference in references)
    for number in range(arguments.rounds):
        measured["peak"] += peak_gflops(clock)
        for backend, encoder in encoders.items():
            call = lambda e=encoder: encode(e, media)  # noqa: E731
            measured[backend] += rates(call, len(media), arguments.seconds, clock)
        if with_reference:
            reference = references[number % len(references)]
            measured["reference"] += reference.rates(name, arguments.seconds)
    found = {key: throughput(values) for key, values in measured.items() if values}
    peak = statistics.median(measured["peak"])
    for backend in backends:
        row = {
            "row": name,
            "backend": backend,
            "items_per_s": found[backend],
            "gflop_per_item": cost,
            "peak_gflops": peak,
            "share_of_peak": found[backend] * cost / peak,
            "reference_per_s": found.get("reference"),
            "reference_fastest_per_s": max(measured["reference"], default=None),
        }
        if with_reference:
            row["ratio"] = found[backend] / found["reference"]
            row["reference_share_of_peak"] = found["reference"] * cost / peak
        if name in RATIO:
            row["target"] = f"{RATIO[name]}x"
            row["reached"] = row["ratio"] >= RATIO[name] if with_reference else None
        else:
            row["target"] = f"{SHARE[backend]:.0%} of peak"
            row["reached"] = row["share_of_peak"] >= SHARE[backend]
        yield row


def front_end_specs():
    """Return the front-ends by name with the samples of a window."""
    from skxmodal.encoders._native_openl3_audio import FRONT_ENDS
    from skxmodal.encoders._native_vggish import VGGishEncoder
    from skxmodal.encoders._native_yamnet import YAMNetEncoder

    return {
        "yamnet": (YAMNetEncoder.spectrogram, 15_600),
        "vggish": (VGGishEncoder.spectrogram, 15_600),
        "openl3": (FRONT_ENDS["kapre"], 48_000),
    }


def librosa_options(spec):
    """Return what librosa's mel spectrogram is given."""
    return {
        "sr": spec.sample_rate,
        "n_fft": spec.n_fft,
        "hop_length": spec.hop,
        "win_length": spec.frame,
        "n_mels": spec.n_mels,
        "fmin": spec.f_min,
        "fmax": spec.f_max,
    }


def bench_front_ends(names, references, arguments):
    """Yield one row per front-end."""
    rng, clock = np.random.default_rng(0), CLOCKS[arguments.clock]
    for name, (spec, n_samples) in front_end_specs().items():
        row_name = f"front-end {name}"
        if names and name not in names:
            continue
        windows = rng.normal(0, 0.1, (CLIPS, n_samples)).astype(np.float32)
        spec(windows)
        ours, theirs = [], []
        with_reference = any(row_name in reference.rows for reference in references)
        for number in range(arguments.rounds):
            call = lambda s=spec, w=windows: s(w)  # noqa: E731
            ours += rates(call, CLIPS, arguments.seconds / 2, clock)
            if with_reference:
                reference = references[number % len(references)]
                theirs += reference.rates(row_name, arguments.seconds / 2)
        row = {
            "row": row_name,
            "backend": "numpy",
            "items_per_s": throughput(ours),
            "target": f"{FRONT_END_RATIO}x",
            "reached": None,
        }
        if with_reference:
            row["reference_per_s"] = throughput(theirs)
            row["ratio"] = row["items_per_s"] / row["reference_per_s"]
            row["reached"] = row["ratio"] >= FRONT_END_RATIO
        yield row


def line(row):
    """Return a row of the table."""

    def show(key, form):
        return format(row[key], form) if row.get(key) is not None else "-"

    verdict = {True: "PASS", False: "short", None: "-"}[row["reached"]]
    return (
        f"{row['row']:18} {row['backend']:7} {show('items_per_s', '.1f'):>9} "
        f"{show('share_of_peak', '.0%'):>8} {show('reference_per_s', '.1f'):>11} "
        f"{show('reference_share_of_peak', '.0%'):>9} {show('ratio', '.2f'):>6} "
        f"{row['target']:>12} {verdict}"
    )


def format_table(rows, facts):
    """Lay the rows out as reStructuredText."""
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    head = ("encoder", "back end", "items/s", "of the peak", "against", "required", "verdict")
    lines = [f"Measured on: {told}.", "", ".. list-table::", "   :header-rows: 1", ""]
    verdicts = {True: "PASS", False: "SHORT", None: ""}
    for cells in [
        head,
        *(
            (
                row["row"],
                row["backend"],
                f"{row['items_per_s']:.1f}",
                f"{row['share_of_peak']:.0%}" if row.get("share_of_peak") else "",
                f"{row['ratio']:.2f} x" if row.get("ratio") else "",
                row["target"],
                verdicts[row["reached"]],
            )
            for row in rows
        ),
    ]:
        lines.append(f"   * - {cells[0]}")
        lines += [f"     - {cell}".rstrip() for cell in cells[1:]]
    return "\n".join(lines) + "\n"


def main():
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("encoders", nargs="*", help="names; all when empty")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--backends", nargs="+", default=["torch", "onnx", "ncnn"])
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine, with 1 thread"
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument(
        "--processes", type=int, default=3, help="of the reference, whose paces differ, in turn"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of one side in a round")
    parser.add_argument(
        "--reference-python", default=sys.executable, help="an interpreter with tensorflow"
    )
    parser.add_argument("--no-reference", action="store_true")
    parser.add_argument("--only", choices=["networks", "front-ends"])
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument("--table", type=Path, help="write the documentation's table here")
    arguments = parser.parse_args()

    import torch

    from skxmodal.encoders._native_specs import NATIVE

    torch.set_num_threads(arguments.threads)
    references = []
    if not arguments.no_reference:
        front_ends = {
            name: (librosa_options(spec), spec.log_offset, n_samples)
            for name, (spec, n_samples) in front_end_specs().items()
        }
        setup = {
            "threads": arguments.threads,
            "clock": arguments.clock,
            "names": arguments.encoders or sorted({spec.name for spec in NATIVE}),
        }
        references = [
            Reference(arguments.reference_python, front_ends, setup)
            for _ in range(arguments.processes)
        ]
    print(
        f"{'row':18} {'backend':7} {'items/s':>9} {'of peak':>8} {'reference/s':>11} "
        f"{'of peak':>9} {'ratio':>6} {'target':>12}"
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for spec in NATIVE if arguments.only != "front-ends" else ():
            if arguments.encoders and spec.name not in arguments.encoders:
                continue
            for row in bench_encoder(spec, references, arguments, folder):
                rows.append(row)
                print(line(row), flush=True)
            gc.collect()
        if arguments.only != "networks":
            for row in bench_front_ends(arguments.encoders, references, arguments):
                rows.append(row)
                print(line(row), flush=True)
    for reference in references:
        reference.close()
    facts = _measure.machine(threads=arguments.threads, clock=arguments.clock)
    if arguments.json is not None:
        report = {"machine": facts, "rows": rows}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if arguments.table is not None:
        arguments.table.write_text(format_table(rows, facts), "utf-8")


if __name__ == "__main__":
    main()
