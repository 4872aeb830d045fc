"""From files to predictions: embedding, the cache, one prediction, the import.

Run on an idle machine::

    python benchmarks/bench_pipelines.py            # about six minutes on two cores
    python benchmarks/bench_pipelines.py --quick    # a tenth of the files

Needs librosa and scikit-image, which are what is compared with (``pip install librosa
scikit-image``). Both sides of a comparison run in turns, and what is printed are medians of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import _measure
import numpy as np
from _measure import ratio, row

alternate = partial(_measure.alternate, 5)


def audio_from_disk(folder: Path, n_files: int) -> list[dict]:
    """Embed one-second WAV files, 48 kHz to 16 kHz, against a loop over librosa.

    What is required is required of the quicker way, processes. They are those of an earlier
    round, as in every call but the first.
    """
    import librosa
    import soundfile
    from joblib import parallel_config

    from skxmodal.embedders import AudioEmbedder

    rng = np.random.default_rng(0)
    paths = []
    for number in range(n_files):
        paths.append(str(folder / f"{number}.wav"))
        soundfile.write(paths[-1], rng.normal(0, 0.1, 48_000).clip(-1, 1), 48_000)
    embedder = AudioEmbedder("logmel", n_jobs=2).fit(paths)

    def with_processes():
        with parallel_config(backend="loky"):
            embedder.transform(paths)

    def with_librosa():
        for path in paths:
            samples, rate = librosa.load(path, sr=16_000)
            mel = librosa.feature.melspectrogram(
                y=samples, sr=rate, n_fft=512, win_length=400, hop_length=160, n_mels=64
            )
            np.log(mel + 1e-6)

    seconds = alternate(
        processes=with_processes,
        threads=lambda: embedder.transform(paths),
        librosa=with_librosa,
    )
    rates = {
        way: f"{n_files / np.median(times):.0f} clips/s, {n_files} files"
        for way, times in seconds.items()
    }
    what = "logmel from 48 kHz WAV against librosa"
    return [
        row(
            f"{what}, two processes",
            ratio(seconds, "librosa", "processes"),
            5,
            10,
            unit="x",
            note=rates["processes"],
        ),
        row(
            f"{what}, two threads",
            ratio(seconds, "librosa", "threads"),
            unit="x",
            note=rates["threads"],
        ),
    ]


def images_from_disk(folder: Path, n_files: int) -> dict:
    """Embed JPEGs of 500 pixels, against a loop over scikit-image."""
    from PIL import Image
    from skimage.color import rgb2gray
    from skimage.feature import hog
    from skimage.io import imread
    from skimage.transform import resize

    from skxmodal.embedders import ImageEmbedder

    rng = np.random.default_rng(0)
    paths = []
    for number in range(n_files):
        coarse = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        paths.append(str(folder / f"{number}.jpg"))
        Image.fromarray(coarse).resize((500, 500), Image.Resampling.BICUBIC).save(paths[-1])
    embedder = ImageEmbedder("hog", n_jobs=2).fit(paths)

    def with_skimage():
        for path in paths:
            grey = resize(rgb2gray(imread(path)), (48, 48), anti_aliasing=True)
            hog(grey, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))

    seconds = alternate(ours=lambda: embedder.transform(paths), skimage=with_skimage)
    rate = n_files / np.median(seconds["ours"])
    return row(
        "hog from 500 px JPEG against scikit-image",
        ratio(seconds, "skimage", "ours"),
        3,
        8,
        unit="x",
        note=f"{rate:.0f} pictures/s",
    )


def networks_from_files(folder: Path, n_files: int) -> list[dict]:
    """Run networks from files, against the same networks fed with ready arrays.

    Two threads decode and encode; those of PyTorch alone encode the arrays.
    """
    import soundfile
    from bench_encoders import random_encoder
    from PIL import Image

    from skxmodal.embedders import AudioEmbedder, ImageEmbedder
    from skxmodal.encoders._native_specs import NATIVE
    from skxmodal.media import read_audio, read_image

    rng = np.random.default_rng(0)
    pictures, sounds = [], {16_000: [], 48_000: []}
    for number in range(n_files):
        pictures.append(str(folder / f"net{number}.jpg"))
        coarse = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(pictures[-1])
        for rate, paths in sounds.items():
            paths.append(str(folder / f"net{number}-{rate}.wav"))
            soundfile.write(paths[-1], rng.normal(0, 0.1, rate).clip(-1, 1), rate)
    specs = {spec.name: spec for spec in NATIVE}
    lines = []
    for name, what, paths in (
        ("resnet50", "500 px JPEG", pictures[: n_files // 4]),
        ("vggish", "48 kHz WAV", sounds[48_000]),
        ("yamnet", "16 kHz WAV", sounds[16_000]),
        ("yamnet", "48 kHz WAV", sounds[48_000]),
    ):
        encoder = random_encoder(specs[name], "torch", folder)
        if encoder.modality == "image":
            embedder, read = ImageEmbedder(encoder, n_jobs=2), read_image
        else:
            embedder = AudioEmbedder(encoder, n_jobs=2)
            read = partial(read_audio, sample_rate=16_000)
        ready = np.concatenate([encoder.windows(read(path)) for path in paths])
        step = embedder.batch_size

        def fed(encoder=encoder, ready=ready, step=step):
            for start in range(0, len(ready), step):
                encoder.encode(ready[start : start + step])

        embedder.fit(paths)
        seconds = _measure.alternate(9, files=partial(embedder.transform, paths), arrays=fed)
        lines.append(
            row(
                f"{name} from {what}, of its rate from arrays",
                100 * ratio(seconds, "arrays", "files"),
                90,
                97,
                unit="%",
                form=".0f",
                note=f"{len(paths) / np.median(seconds['files']):.0f} files/s",
            )
        )
    return lines


def write_clips(folder: Path, n_clips: int) -> list[str]:
    """Write sounds of one second at 16 kHz."""
    import soundfile

    rng = np.random.default_rng(0)
    paths = [str(folder / f"clip{number}.wav") for number in range(n_clips)]
    for path in paths:
        soundfile.write(path, rng.normal(0, 3000, 16_000).astype(np.int16), 16_000)
    return paths


def warm_cache(folder: Path, n_clips: int) -> dict:
    """Pass through a filled cache, against the cold pass that fills it, twice."""
    from skxmodal.embedders import AudioEmbedder

    paths = write_clips(folder, n_clips)
    cold, warm = [], []
    for name in ("cache", "another"):
        embedder = AudioEmbedder("logmel", n_jobs=2, cache=folder / name).fit(paths)
        for seconds in (cold, warm, warm, warm):
            start = time.perf_counter()
            embedder.transform(paths)
            seconds.append(time.perf_counter() - start)
    at_first, then = np.median(cold), np.median(warm)
    return row(
        "warm pass through the cache against the cold one",
        float(at_first / then),
        20,
        50,
        unit="x",
        form=".0f",
        note=f"{n_clips:,} files: {at_first:.1f} s, then {then:.2f} s",
    )


def cost_per_clip(folder: Path, n_clips: int) -> dict:
    """Embed into a file columns of growing length: the cost of a clip stays the same."""
    from skxmodal.embedders import AudioEmbedder, embed_to_file

    paths = write_clips(folder, 2_000)
    embedder = AudioEmbedder("logmel", n_jobs=2).fit(paths)

    def seconds(n):
        column = [paths[position % len(paths)] for position in range(n)]
        start = time.perf_counter()
        embed_to_file(embedder, column, folder / "embeddings.npy")
        duration = time.perf_counter() - start
        (folder / "embeddings.npy").unlink()
        return duration

    # The machine changes its pace within seconds: short columns go before and after a long one.
    short, middle = n_clips // 100, n_clips // 10
    order = [*[short] * 5, middle, n_clips, middle, *[short] * 5]
    rounds = []
    for _ in range(3):
        found = [(n, seconds(n)) for n in order]
        rounds.append(
            {
                n: 1000 * float(np.mean([duration for size, duration in found if size == n])) / n
                for n in (short, middle, n_clips)
            }
        )
    costs = {n: float(np.median([found[n] for found in rounds])) for n in rounds[0]}
    return row(
        f"embedding 1,000 of {n_clips:,} clips to disk, of {n_clips // 100:,}",
        float(np.median([found[n_clips] / found[short] for found in rounds])),
        1.1,
        1.0,
        smaller=True,
        unit="x",
        note=", ".join(f"{n:,}: {cost:.2f} s per 1,000" for n, cost in costs.items()),
    )


def one_prediction() -> dict:
    """Predict one sample with a fitted pipeline, against the sum of its parts."""
    from sklearn.pipeline import Pipeline

    from skxmodal.classification import ModalityAgnosticClassifier
    from skxmodal.datasets import make_instruments
    from skxmodal.embedders import ImageEmbedder, make_embedder
    from skxmodal.modalities import select_modality
    from skxmodal.translation import ContrastiveTranslator

    data = make_instruments(120, classes=6)
    model = Pipeline(
        [
            ("embedder", make_embedder()),
            (
                "classifier",
                ModalityAgnosticClassifier(
                    ContrastiveTranslator(16, max_epochs=5, random_state=0), random_state=0
                ),
            ),
        ]
    ).fit(data.frame, data.target)
    sample = select_modality(data.frame.iloc[:1], "image")
    cells = list(sample["image"])
    embedder = ImageEmbedder("hog").fit(cells)
    classifier = model[-1]
    table = model[0].transform(sample)
    joint = classifier.joint_.transform(table)

    def parts():
        embedder.transform(cells)
        classifier.joint_.transform(table)
        classifier.classifier_.predict(joint)

    def repeat(call):
        return lambda: [call() for _ in range(20)]

    seconds = alternate(whole=repeat(lambda: model.predict(sample)), parts=repeat(parts))
    milliseconds = 1000 * np.median(seconds["whole"]) / 20
    return row(
        "predict for one sample over the sum of its parts",
        ratio(seconds, "whole", "parts"),
        2,
        1.2,
        smaller=True,
        unit="x",
        note=f"{milliseconds:.1f} ms",
    )


def import_time() -> dict:
    """Import the package, above scikit-learn."""

    def run(statement):
        # A pipeline of ours needs what most users import anyway.
        subprocess.run([sys.executable, "-c", statement], check=True)

    seconds = alternate(
        ours=lambda: run("import sklearn, skxmodal"), sklearn=lambda: run("import sklearn")
    )
    above = float(np.median(np.subtract(seconds["ours"], seconds["sklearn"])))
    return row("import skxmodal above import sklearn", above, 0.3, 0.05, smaller=True, unit="s")


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the files")
    parser.add_argument("--json", type=Path, default=Path("reports/bench/pipelines.json"))
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = []
        for measure in (
            lambda: audio_from_disk(folder, 4000 // scale),
            lambda: images_from_disk(folder, 500 // scale),
            lambda: networks_from_files(folder, 512 // min(scale, 4)),
            lambda: warm_cache(folder, 20_000 // scale),
            lambda: cost_per_clip(folder, 100_000 // scale),
            one_prediction,
            import_time,
        ):
            found = measure()
            for line in found if isinstance(found, list) else [found]:
                lines.append(line)
                _measure.show(line)
    _measure.write(options.json, lines)


if __name__ == "__main__":
    main()
