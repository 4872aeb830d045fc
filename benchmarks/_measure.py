"""What the benchmarks share: sides timed in turns, lines with a verdict, one file of numbers."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "librosa", "scikit-image")


#: What ran before was measured to slow what follows it at once, most likely by its threads.
SETTLE_S = 0.25


def alternate(rounds: int, clock: Callable = time.perf_counter, **calls: Callable) -> dict:
    """Time calls in turns, after one call of each that does not count.

    Each waits for ``SETTLE_S``, so that threads that the one before left behind go to sleep.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            time.sleep(SETTLE_S)
            start = clock()
            call()
            if number:
                seconds[name].append(clock() - start)
    return seconds


def median(values: Iterable[float]) -> float:
    """Return the median as a float."""
    return float(np.median(list(values)))


def ratio(seconds: dict, slow: str, fast: str) -> float:
    """Return the median over rounds of one time divided by another of the same round."""
    return median(np.divide(seconds[slow], seconds[fast]))


def products(size: int) -> dict[str, Callable]:
    """Return products of two large square matrices, by each of PyTorch's libraries."""
    import torch

    from skxmodal.utils._products import product

    square = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    return {"blas": lambda: square @ square, "onednn": lambda: product(square, square)}


def row(
    what: str,
    value: float,
    required: float | None = None,
    aim: float | None = None,
    *,
    smaller: bool = False,
    unit: str = "",
    form: str = ".2f",
    note: str = "",
) -> dict:
    """Return a line of the table; without a requirement it only informs."""
    verdict = ""
    if required is not None and aim is not None:
        sign = -1 if smaller else 1
        verdict = "PASS" if sign * value >= sign * required else "SHORT"
        verdict = "PASS, aim met" if sign * value >= sign * aim else verdict
    return {
        "what": what,
        "value": value,
        "required": required,
        "aim": aim,
        "verdict": verdict,
        "note": note,
        "text": f"{value:{form}} {unit}".strip(),
        "limit": "" if required is None else f"{'<=' if smaller else '>='} {required:{form}}",
    }


def show(line: dict) -> None:
    """Print a line of the table."""
    print(
        f"{line['what']:50s} {line['text']:>12s} {line['limit']:>10s}  "
        f"{line['verdict']:14s} {line['note']}".rstrip(),
        flush=True,
    )


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine(**facts: object) -> dict:
    """Return what was measured on, with further facts."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except ImportError:
            continue
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **versions,
        **facts,
    }


def write(path: Path, rows: list[dict], **facts: object) -> None:
    """Write the lines and the machine as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(**facts), "rows": rows}
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
