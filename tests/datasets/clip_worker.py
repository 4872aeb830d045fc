"""A process that downloads clips; run, and killed, by test_audioset_youtube.py.

``clip_worker.py URL HOME YTID ...``: the clips of these videos from 5 to 15 s.
"""

import os
import sys

os.environ["NO_PROXY"] = "*"

import pandas as pd

from skxmodal.datasets import YouTubeClips
from skxmodal.datasets._audioset_clips import attach_media


def main(url, home, *ytids):
    frame = pd.DataFrame({"ytid": ytids, "start": 5.0, "end": 15.0})
    source = YouTubeClips(url, pause=0, backoff=0)
    attach_media(frame, source, data_home=home, n_jobs=2, on_error="ignore")


if __name__ == "__main__":
    main(*sys.argv[1:])
