"""Use a small disk that fills up and is mounted read-only; run by test_disk.py as its own root.

``disk_worker.py FOLDER``: mounts a disk of 1 MB in memory there, which nobody else can see.
"""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

from skxmodal.embedders import ImageEmbedder, embed_to_file
from skxmodal.embedders._store import EmbeddingStore


def mount(options, folder):
    """Mount, or mount anew."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)


def refused(function, *arguments, **options):
    """Return the error that is to be expected."""
    try:
        function(*arguments, **options)
    except OSError as error:
        return str(error)
    raise SystemExit("no error was raised")


def main(folder):
    warnings.simplefilter("error")
    disk = Path(folder)
    mount("size=1m", disk)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(400)]
    expected = ImageEmbedder().fit_transform(pictures)  # 1.4 MB
    cached = ImageEmbedder(cache=disk / "cache", batch_size=16).fit(pictures)

    print("cache, full:", refused(cached.transform, pictures))
    n_kept = len(EmbeddingStore(disk / "cache"))
    assert 0 < n_kept < len(pictures), n_kept
    print("file, full:", refused(embed_to_file, ImageEmbedder(), pictures, disk / "image.npy"))
    assert not (disk / "image.npy").exists()

    mount("remount,size=20m", disk)
    assert len(EmbeddingStore(disk / "cache")) >= n_kept
    np.testing.assert_array_equal(cached.transform(pictures), expected)
    np.testing.assert_array_equal(
        embed_to_file(ImageEmbedder(), pictures, disk / "image.npy"), expected
    )

    mount("remount,ro", disk)
    print("cache, read-only:", refused(cached.transform, pictures))
    print("file, read-only:", refused(embed_to_file, ImageEmbedder(), pictures, disk / "new.npy"))
    # What is whole need not be written.
    np.testing.assert_array_equal(
        embed_to_file(ImageEmbedder(), pictures, disk / "image.npy"), expected
    )

    mount("remount,rw", disk)
    np.testing.assert_array_equal(cached.transform([*pictures, pictures[0]])[:-1], expected)
    assert len(EmbeddingStore(disk / "cache")) == len(pictures)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
