"""The reference side of ``bench_encoders.py``: TensorFlow Hub modules, Keras, librosa.

Run by ``bench_encoders.py`` as a process of its own, in any interpreter that has tensorflow and
tensorflow_hub (or librosa); it needs neither torch nor skxmodal. It reads one line of JSON per
request, ``{"row": name, "seconds": s}``, and answers with one, ``{"seconds": [...], "items": n}``:
the durations of repeated calls, and how many clips or images one call takes.

The modules are YAMNet and VGGish as the hub serves them: the graphs of the TensorFlow Model
Garden's export scripts (padding, ``tf.signal`` front-end, patches, network) with random weights,
saved, packed, served on 127.0.0.1 and loaded by ``hub.load(url)``.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

BATCH, KERAS_BATCH = 32, 16
SEPARABLE = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *((1, 512),) * 5)


class Variables:
    """Makes random weights and keeps them, so that a module saves them."""

    def __init__(self, tf):
        self.tf, self.all = tf, []

    def kernel(self, *shape):
        fan_in = int(np.prod(shape[:-1])) if shape[-1] > 1 else shape[0] * shape[1]
        return self._keep(self.tf.random.normal(shape, stddev=(2 / fan_in) ** 0.5))

    def zeros(self, n):
        return self._keep(self.tf.zeros(n))

    def ones(self, n):
        return self._keep(self.tf.ones(n))

    def _keep(self, value):
        self.all.append(self.tf.Variable(value))
        return self.all[-1]


def log_mel_patches(tf, waveform, log_offset, patch_hop):
    """Return the log-mel spectrogram and its patches, as ``features.py`` of YAMNet does."""
    spectrum = tf.abs(tf.signal.stft(waveform, 400, 160, 512))
    mel = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000, 125.0, 7500.0)
    logmel = tf.math.log(tf.matmul(spectrum, mel) + log_offset)
    return logmel, tf.signal.frame(logmel, 96, patch_hop, axis=0)


def pad_waveform(tf, waveform):
    """Pad to one patch at least and to a whole number of hops, as ``features.py`` does."""
    n = tf.shape(waveform)[0]
    extra = tf.maximum(n, 15_600) - 15_600
    hops = tf.cast(tf.math.ceil(extra / 7_680), tf.int32)
    return tf.pad(waveform, [[0, tf.maximum(0, 15_600 - n) + hops * 7_680 - extra]])


def yamnet_module(tf):
    """Return YAMNet as it is exported: (scores, embeddings, log-mel) of a waveform."""
    make = Variables(tf)

    def norm(n):
        return make.ones(n), make.zeros(n), make.zeros(n), make.ones(n)

    layers, n_in = [("conv", 2, make.kernel(3, 3, 1, 32), norm(32))], 32
    for stride, n_out in (*SEPARABLE, (2, 1024), (1, 1024)):
        layers.append(("depthwise", stride, make.kernel(3, 3, n_in, 1), norm(n_in)))
        layers.append(("conv", 1, make.kernel(1, 1, n_in, n_out), norm(n_out)))
        n_in = n_out
    classes = make.kernel(1024, 521), make.zeros(521)

    class YAMNet(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = make.all

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, waveform):
            logmel, patches = log_mel_patches(tf, pad_waveform(tf, waveform), 0.001, 48)
            x = patches[..., tf.newaxis]
            for kind, stride, kernel, statistics in layers:
                convolve = tf.nn.conv2d if kind == "conv" else tf.nn.depthwise_conv2d
                x = convolve(x, kernel, [1, stride, stride, 1], "SAME")
                x = tf.compat.v1.nn.fused_batch_norm(
                    x, *statistics, epsilon=1e-4, is_training=False
                )[0]
                x = tf.nn.relu(x)
            embeddings = tf.reduce_mean(x, [1, 2])
            scores = tf.nn.sigmoid(tf.matmul(embeddings, classes[0]) + classes[1])
            return scores, embeddings, logmel

    return YAMNet()


def vggish_module(tf):
    """Return VGGish as it is exported: embeddings of a waveform."""
    make = Variables(tf)
    blocks, n_in = [], 1
    for widths in ((64,), (128,), (256, 256), (512, 512)):
        blocks.append([])
        for n_out in widths:
            blocks[-1].append((make.kernel(3, 3, n_in, n_out), make.zeros(n_out)))
            n_in = n_out
    dense = [
        (make.kernel(n, m), make.zeros(m)) for n, m in ((12_288, 4096), (4096, 4096), (4096, 128))
    ]

    class VGGish(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = make.all

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, waveform):
            _, patches = log_mel_patches(tf, waveform, 0.01, 96)
            x = patches[..., tf.newaxis]
            for block in blocks:
                for kernel, bias in block:
                    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            x = tf.reshape(x, [-1, 12_288])
            for i, (kernel, bias) in enumerate(dense):
                x = tf.nn.bias_add(tf.matmul(x, kernel), bias)
                x = tf.nn.relu(x) if i < 2 else x
            return x

    return VGGish()


def load_from_hub(tf, name, module, folder):
    """Save, pack and serve a module, and load it by the hub's protocol."""
    import tensorflow_hub as hub

    tf.saved_model.save(module, str(folder / name))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        packed.add(folder / name, ".")
    archive = buffer.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(archive)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    loaded = hub.load(f"http://127.0.0.1:{server.server_port}/google/{name}/1")
    server.shutdown()
    server.server_close()
    return loaded


def keras_openl3(tf, shape, pooling):
    """Return an OpenL3 network in Keras, from the first normalisation to the flattened output."""
    layers = tf.keras.layers
    model = [tf.keras.Input(shape), layers.BatchNormalization()]
    for width in (64, 128, 256, 512):
        model += [layers.Conv2D(width, 3, padding="same"), layers.BatchNormalization()]
        model += [layers.ReLU(), layers.Conv2D(width, 3, padding="same")]
        if width < 512:
            model += [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(2)]
    return tf.keras.Sequential([*model, layers.MaxPooling2D(pooling), layers.Flatten()])


def librosa_calls(specs, names, rng):
    """Return a call per front-end: log-mel of windows one by one, as librosa's users do."""
    import librosa

    def call(options, offset, windows):
        for window in windows:
            mel = librosa.feature.melspectrogram(y=window, power=1.0, center=False, **options)
            _ = librosa.power_to_db(mel) if offset is None else np.log(mel + np.float32(offset))

    calls = {}
    for name, (options, offset, n_samples) in specs.items():
        if name not in names:
            continue
        windows = rng.normal(0, 0.1, (BATCH, n_samples)).astype(np.float32)
        calls[f"front-end {name}"] = lambda a=(options, offset, windows): call(*a), BATCH
    return calls


def tensorflow_calls(threads, names, rng, folder):
    """Return a call per network of the named encoders."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    clips = rng.normal(0, 0.1, (BATCH, 16_000)).astype(np.float32)
    calls = {}
    for name, module in (("yamnet", yamnet_module), ("vggish", vggish_module)):
        if name not in names:
            continue
        model = load_from_hub(tf, name, module(tf), folder)

        def one_at_a_time(model=model):
            for clip in clips:
                output = model(clip)
                (output[1] if isinstance(output, tuple | list) else output).numpy()

        calls[f"{name} audio"] = one_at_a_time, BATCH
    for kind, shape in (("audio", (256, 199, 1)), ("image", (224, 224, 3))):
        if "openl3" not in names:
            break
        network = keras_openl3(tf, shape, (8, 8) if kind == "audio" else (7, 7))
        batch = rng.normal(size=(KERAS_BATCH, *shape)).astype(np.float32)

        def predict(network=network, batch=batch):
            network.predict(batch, batch_size=KERAS_BATCH, verbose=0)

        calls[f"openl3 {kind}"] = predict, KERAS_BATCH
    return calls


def main():
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    setup = json.loads(sys.stdin.readline())
    clock = time.process_time if setup["clock"] == "cpu" else time.perf_counter
    rng = np.random.default_rng(0)
    calls, missing = {}, []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TFHUB_CACHE_DIR"] = str(Path(folder) / "cache")
        for make, arguments in (
            (tensorflow_calls, (setup["threads"], setup["names"], rng, Path(folder))),
            (librosa_calls, (setup["front_ends"], setup["names"], rng)),
        ):
            try:
                calls.update(make(*arguments))
            except ImportError as error:
                missing.append(str(error))
        print(json.dumps({"rows": list(calls), "missing": missing}), file=answers, flush=True)
        warm = set()
        for line in sys.stdin:
            request = json.loads(line)
            function, n_items = calls[request["row"]]
            if request["row"] not in warm:
                function()  # compile, allocate
                warm.add(request["row"])
            durations, start = [], clock()
            while not durations or clock() - start < request["seconds"]:
                begin = clock()
                function()
                durations.append(clock() - begin)
            answer = {"seconds": durations, "items": n_items}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
