"""Throw random input at everything that reads input, and report whatever is not a named error.

    python tests/fuzz/fuzz.py --minutes 10
    python tests/fuzz/fuzz.py --minutes 1 --only manifest ontology --seed 7

Each target starts from good inputs and damages them. It may succeed, or raise one of the
library's own errors from the library's own code; anything else is a finding, which is printed
with the file that shows it. A hang of 30 seconds ends the run with a traceback.
"""

import argparse
import collections
import faulthandler
import json
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from skxmodal.datasets import Ontology, load_manifest
from skxmodal.datasets._audioset_lists import read_class_labels, read_segments
from skxmodal.encoders import spec_of
from skxmodal.media import MediaError, read_audio, read_image
from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import PCAProjector
from tests.media import corpus

_HANG_S = 30
_MEMORY = 8 << 30
_PACKAGE = str(Path(sys.modules["skxmodal"].__file__).parent)
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
_TEXTS = (
    b"", b'"', b'""', b",", b"\n", b"\r", b"\0", b"#", b"~x", b"~", b"://", b"\xff\xfe",
    b"-1", b"1e999", b"nan", b"99999999999999999999", b"[", b"]", b"{", b"}", b"null", b"true",
    b"\\ud800", b"audio", b"label", b"[" * 5000, b'{"id":' * 3000, "é".encode(), "😀".encode(),
)  # fmt: skip


@dataclass
class Target:
    """Something that reads input: good inputs, how one is read, the errors that it may raise."""

    seeds: list[bytes]
    read: Callable[[bytes, Path], object]
    errors: tuple = (ValueError,)
    tokens: tuple = ()


@dataclass
class Outcome:
    """What became of the inputs of one target."""

    n_read: int = 0
    n_refused: int = 0
    n_inputs: int = 0
    findings: dict = field(default_factory=dict)  # what is wrong -> the first input


def mutated(data, seeds, random_state, tokens=()):
    """Return a damaged copy: some of many small changes, one upon another."""
    data = bytearray(data)
    for _ in range(random_state.geometric(0.5)):
        at = int(random_state.integers(len(data) + 1))
        if random_state.random() < 0.4:
            at = min(at, int(random_state.integers(64)))  # headers are at the start
        size = int(random_state.geometric(0.1))
        change = random_state.integers(9)
        if change == 0 and at < len(data):
            data[at] ^= 1 << random_state.integers(8)
        elif change == 1 and at < len(data):
            data[at] = random_state.integers(256)
        elif change == 2:
            del data[at : at + size]
        elif change == 3:
            data[at:at] = data[at : at + size] * int(random_state.integers(1, 4))
        elif change == 4:
            number = _NUMBERS[random_state.integers(len(_NUMBERS))]
            order = "big" if random_state.random() < 0.5 else "little"
            width = (1, 2, 4, 8)[random_state.integers(4)]
            data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, order)
        elif change == 5:
            known = tokens or _TEXTS
            data[at:at] = known[random_state.integers(len(known))]
        elif change == 6:
            del data[at:]
        elif change == 7:
            other = seeds[random_state.integers(len(seeds))]
            start = int(random_state.integers(len(other) + 1))
            data[at:] = other[start:]
        else:
            data[at : at + size] = random_state.bytes(size)
    return bytes(data)


# --- targets -------------------------------------------------------------------------------


def _read_sound(data, folder):
    if len(data) % 2:
        return read_audio(data, 16_000)
    path = folder / "sound"
    path.write_bytes(data)
    return read_audio(str(path), 16_000)


def _read_picture(data, folder):
    if len(data) % 2:
        return read_image(data)
    path = folder / "picture"
    path.write_bytes(data)
    return read_image(str(path))


def _read_cell(data, folder):
    """Take the input for the name of a file, with a fragment perhaps."""
    path = folder / "good.wav"
    if not path.exists():
        path.write_bytes(corpus.encoded_sound("wav"))
    name = data.decode("utf-8", "surrogateescape")
    if name.startswith("/") or ".." in name or len(name) > 4000:
        name = "good.wav#t=" + name
    return read_audio(f"{folder}/{name}", 16_000)


def _read_manifest(data, folder):
    path = folder / "manifest.csv"
    path.write_bytes(data)
    return load_manifest(path)


def _read_classes(data, folder):
    path = folder / "classes.csv"
    path.write_bytes(data)
    return read_class_labels(path)


def _read_segments(data, folder):
    path = folder / "segments.csv"
    path.write_bytes(data)
    classes = folder / "good-classes.csv"
    classes.write_bytes(_CLASSES)
    return read_segments(path, read_class_labels(classes))


def _read_ontology(data, folder):
    path = folder / "ontology.json"
    path.write_bytes(data)
    return Ontology.from_json(path)


def _read_encoder(data, folder):
    return spec_of(data.decode("utf-8", "replace"), ("audio", "image", "text")[len(data) % 3])


def _read_index(data, folder):
    path = folder / "index.npz"
    path.write_bytes(data)
    return CrossModalRetriever.load(path, _joint())


_MANIFEST = (
    b"audio,image,label,label_ids,subset\n"
    b'a.wav,,dog,/m/1 /m/2,train\n"b,c.wav",d.png,"cat ""big""",,test\n,~/e.png,,,\n'
)
_CLASSES = b'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n'
_SEGMENTS = (
    b"# Segments csv created Sun Mar  5 10:54:31 2017\n"
    b"# num_ytids=3, num_segs=3, num_unique_labels=2, num_positive_labels=4\n"
    b"# YTID, start_seconds, end_seconds, positive_labels\n"
    b'--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/m/05zppz"\n'
    b'--BfvyPmVMo, 20.000, 30.000, "/m/09x0r"\n--U7joUcTCo, 0.000, 10.000, "/m/05zppz"\n'
)
_ONTOLOGY = json.dumps(
    [
        {"id": "/m/1", "name": "Sound", "child_ids": ["/m/2", "/m/3"], "restrictions": []},
        {"id": "/m/2", "name": "Music", "child_ids": []},
        {"id": "/m/3", "name": "Speech", "child_ids": ["/m/4"]},
        {"id": "/m/4", "name": "Whisper", "child_ids": []},
    ]
).encode()
_ENCODERS = tuple(
    b"logmel mfcc hog thumbnail hashing openl3 openl3-env-512 openl3-music-6144 vggish yamnet "
    b"vgg19 resnet50 timm:resnet18 transformers:a/b tfhub:google/yamnet/1 keras:ResNet50 : - "
    b"_ / .. trust_remote_code=True ? # @ -512 -linear -mel256 http://127.0.0.1/x".split()
)
_FRAGMENTS = tuple(b"#t= good.wav , . 0 1 0.1 npt: - e9 nan inf ; % %20 & #t=0,1 1e400".split())


def _joint():
    table = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    return PCAProjector(2, modalities="halves").fit(table)


def _index_seeds():
    table = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        seeds = []
        for hubness in (None, "csls"):
            retriever = CrossModalRetriever(
                PCAProjector(2, modalities="halves"), 2, hubness=hubness
            ).fit(table)
            seeds.append(retriever.save(Path(folder) / "index").read_bytes())
    return seeds


def make_targets(*, containers=True):
    """Return the targets by name."""
    with tempfile.TemporaryDirectory() as folder:
        media = corpus.sources(folder, containers=containers)
    sounds = [content for _, modality, content in media if modality == "audio"]
    sounds += [content for _, content, _ in corpus.odd_sounds() if len(content) < 50_000]
    pictures = [content for _, modality, content in media if modality == "image"]
    pictures += [content for _, content, _ in corpus.odd_pictures() if len(content) < 50_000]
    return {
        "sounds": Target(sounds, _read_sound, (MediaError,)),
        "pictures": Target(pictures, _read_picture, (MediaError,)),
        "cells": Target([b"good.wav", b"good.wav#t=0,0.1"], _read_cell, (MediaError,), _FRAGMENTS),
        "manifest": Target([_MANIFEST], _read_manifest),
        "classes": Target([_CLASSES], _read_classes),
        "segments": Target([_SEGMENTS], _read_segments),
        "ontology": Target([_ONTOLOGY], _read_ontology),
        "encoders": Target(list(_ENCODERS[:16]), _read_encoder, (ValueError,), _ENCODERS),
        "index": Target(_index_seeds(), _read_index),
    }


# --- running -------------------------------------------------------------------------------


def problem_with(error, target):
    """Say why an error is a finding; ``None`` when it is the library's own."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    kind = type(error).__name__
    if not isinstance(error, target.errors):
        return f"{kind} from {Path(last.filename).name}:{last.lineno}"
    if not last.filename.startswith(_PACKAGE):
        return f"{kind} not named by the library, from {Path(last.filename).name}:{last.lineno}"
    return None


def fuzz(target, *, seconds=None, n_inputs=None, seed=0, keep=None):
    """Damage and read inputs for a time, or a number of them; return the outcome."""
    random_state = np.random.default_rng(seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stop = None if seconds is None else time.monotonic() + seconds
        while (stop is None or time.monotonic() < stop) and outcome.n_inputs != n_inputs:
            good = target.seeds[random_state.integers(len(target.seeds))]
            data = mutated(good, target.seeds, random_state, target.tokens)
            outcome.n_inputs += 1
            if keep is not None:  # what crashes the interpreter is still there afterwards
                (keep / "last").write_bytes(data)
            faulthandler.dump_traceback_later(_HANG_S, exit=True)
            try:
                target.read(data, Path(scratch))
                outcome.n_read += 1
            except Exception as error:
                problem = problem_with(error, target)
                if problem is None:
                    outcome.n_refused += 1
                else:
                    outcome.findings.setdefault(problem, data)
            finally:
                faulthandler.cancel_dump_traceback_later()
    return outcome


def main(arguments=None):
    """Run from the command line; the exit status is the number of findings, at most 99."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    parser.add_argument("--only", nargs="+", metavar="TARGET", help="some of the targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="a folder")
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    targets = make_targets()
    names = options.only or list(targets)
    options.keep.mkdir(parents=True, exist_ok=True)
    # Turn about, so that a run that is cut short has tried everything.
    n_rounds = max(1, round(options.minutes / 2))
    share = options.minutes * 60 / len(names) / n_rounds
    total = {name: Outcome() for name in names}
    for number in range(n_rounds):
        for name in names:
            found = fuzz(
                targets[name], seconds=share, seed=options.seed + number, keep=options.keep
            )
            total[name].n_read += found.n_read
            total[name].n_refused += found.n_refused
            total[name].n_inputs += found.n_inputs
            total[name].findings = {**found.findings, **total[name].findings}
    n_findings = collections.Counter()
    for name, outcome in total.items():
        print(
            f"{name:10s} {outcome.n_inputs:8d} inputs: {outcome.n_read} read, "
            f"{outcome.n_refused} refused, {len(outcome.findings)} findings",
            flush=True,
        )
        for number, (problem, data) in enumerate(outcome.findings.items()):
            path = options.keep / f"{name}-{number}"
            path.write_bytes(data)
            print(f"    {problem}: {path}")
            n_findings[name] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MB, {sum(n_findings.values())} findings")
    return min(99, sum(n_findings.values()))


if __name__ == "__main__":
    sys.exit(main())
