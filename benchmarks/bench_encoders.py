"""How fast the native encoders are, as a share of the matrix-product peak of the same run.

Random weights: the arithmetic is the same. Run on an idle machine::

    python benchmarks/bench_encoders.py --threads 2
    python benchmarks/bench_encoders.py --tensorflow   # the same networks in Keras/TensorFlow
    python benchmarks/bench_encoders.py --front-ends   # librosa is measured where installed

``--tensorflow`` needs tensorflow and neither torch nor skxmodal, so that it can run in an
environment of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from pathlib import Path

import numpy as np

BATCH = 32


def rate(function, n_items, *, seconds=2.0, at_least=2):
    """Return items per second of a call, the best of a few."""
    function()
    best, start, n = float("inf"), time.perf_counter(), 0
    while n < at_least or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
        n += 1
    return n_items / best


def peak_gflops():
    """Return the speed of a float32 matrix product in torch, in GFLOP/s."""
    import torch

    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return rate(lambda: a @ b, 2 * 2048**3 / 1e9, seconds=0.5, at_least=5)


def gflop_per_window(encoder):
    """Return the arithmetic of the convolutions and dense layers for one window."""
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


def random_encoder(spec, backend, folder):
    """Return a native encoder with random weights."""
    module = importlib.import_module(f"skxmodal.encoders{spec.module}")
    base = getattr(module, spec.class_name)
    random = type(base.__name__, (base,), {"_read_weights": lambda self, network: None})
    weights = Path(folder) / f"{spec.name}-{spec.modality}"
    weights.write_bytes(b"random weights")
    return random(weights, backend=backend, **spec.options)


def windows_for(encoder):
    """Return a batch of random windows."""
    rng = np.random.default_rng(0)
    if encoder.modality == "image":
        images = rng.integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
        return np.concatenate([encoder.windows(image) for image in images])
    size = 48_000 if encoder.sample_rate == 48_000 else encoder.window_size
    return rng.normal(0, 0.1, (BATCH, size)).astype(np.float32)


def bench_networks(names, backends):
    """Print windows per second and the share of the peak."""
    from skxmodal.encoders._native_specs import NATIVE

    print("encoder          backend   GFLOP windows/s  peak GFLOP/s  share of peak")
    with tempfile.TemporaryDirectory() as folder:
        for spec in NATIVE:
            if names and spec.name not in names:
                continue
            for backend in backends:
                encoder = random_encoder(spec, backend, folder)
                windows, cost = windows_for(encoder), gflop_per_window(encoder)
                # The peak before and after: another process may take a core at any time.
                peak = peak_gflops()
                speed = rate(lambda e=encoder, w=windows: e.encode(w), BATCH)
                peak = max(peak, peak_gflops())
                name = f"{spec.name} {spec.modality}"
                share = speed * cost / peak
                print(
                    f"{name:16} {backend:8} {cost:6.2f} {speed:9.1f} {peak:13.0f} {share:14.0%}",
                    flush=True,
                )


def bench_front_ends():
    """Print windows per second of the front-ends, and of librosa's where it is installed."""
    from skxmodal.encoders._native_openl3_audio import FRONT_ENDS
    from skxmodal.encoders._native_vggish import VGGishEncoder
    from skxmodal.encoders._native_yamnet import YAMNetEncoder

    front_ends = {
        "yamnet": (YAMNetEncoder.spectrogram, 15_600),
        "vggish": (VGGishEncoder.spectrogram, 15_600),
        "openl3": (FRONT_ENDS["kapre"], 48_000),
    }
    rng = np.random.default_rng(0)
    for name, (spec, n_samples) in front_ends.items():
        windows = rng.normal(0, 0.1, (BATCH, n_samples)).astype(np.float32)
        ours = rate(lambda w=windows, s=spec: s(w), BATCH)
        line = f"{name:8} {ours:7.0f} windows/s"
        if importlib.util.find_spec("librosa") is not None:
            theirs = rate(lambda w=windows, s=spec: [librosa_logmel(x, s) for x in w], BATCH)
            line += f"   librosa {theirs:6.0f}   ratio {ours / theirs:.1f}"
        print(line, flush=True)


def librosa_logmel(window, spec):
    """Compute a log-mel spectrogram of one window as librosa's users do."""
    import librosa

    mel = librosa.feature.melspectrogram(
        y=window,
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop,
        win_length=spec.frame,
        n_mels=spec.n_mels,
        fmin=spec.f_min,
        fmax=spec.f_max,
        power=1.0,
        center=False,
    )
    return librosa.power_to_db(mel) if spec.log_offset is None else np.log(mel + spec.log_offset)


def bench_tensorflow(names, threads):
    """Print the speed of the same networks in Keras/TensorFlow.

    YAMNet and VGGish run as their TensorFlow Hub modules do: a compiled function of one
    waveform, front-end included. OpenL3 runs in batches of 32, without its front-end.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(0)
    if not names or "yamnet" in names:
        second = tf.constant(rng.normal(0, 0.1, 15_600).astype(np.float32))
        for name, network, offset in (
            ("yamnet", keras_yamnet(tf), 0.001),
            ("vggish", keras_vggish(tf), 0.01),
        ):
            call = tf_waveform_function(tf, network, offset)
            speed = rate(lambda c=call, s=second: [c(s) for _ in range(BATCH)], BATCH)
            print(f"{name:16} tensorflow, one waveform at a time {speed:9.1f} windows/s")
    if not names or "openl3" in names:
        for kind, shape in (("audio", (256, 199, 1)), ("image", (224, 224, 3))):
            network = keras_openl3(tf, shape, (8, 8) if kind == "audio" else (7, 7))
            batch = rng.normal(size=(BATCH, *shape)).astype(np.float32)
            call = tf.function(lambda x, n=network: n(x, training=False), autograph=False)
            speed = rate(lambda c=call, b=batch: c(b).numpy(), BATCH)
            print(f"{'openl3 ' + kind:16} tensorflow, batches of 32         {speed:9.1f} windows/s")
            speed = rate(
                lambda n=network, b=batch: n.predict(b, batch_size=BATCH, verbose=0), BATCH
            )
            print(f"{'openl3 ' + kind:16} keras predict, batches of 32      {speed:9.1f} windows/s")


def tf_waveform_function(tf, network, offset):
    """Return the compiled function of one waveform: front-end, patch, network."""
    mel = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000, 125.0, 7500.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)
    def call(waveform):
        spectrum = tf.abs(tf.signal.stft(waveform, 400, 160, 512))
        logmel = tf.math.log(tf.matmul(spectrum, mel) + offset)
        return network(tf.signal.frame(logmel, 96, 48, axis=0)[..., tf.newaxis], training=False)

    return call


def keras_yamnet(tf):
    """Return YAMNet's convolutions in Keras."""
    layers = tf.keras.layers
    rest = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *((1, 512),) * 5)
    model = [tf.keras.Input((96, 64, 1))]

    def normalise():
        return [layers.BatchNormalization(scale=False, epsilon=1e-4), layers.ReLU()]

    model += [layers.Conv2D(32, 3, 2, "same", use_bias=False), *normalise()]
    for stride, width in (*rest, (2, 1024), (1, 1024)):
        model += [layers.DepthwiseConv2D(3, stride, "same", use_bias=False), *normalise()]
        model += [layers.Conv2D(width, 1, use_bias=False), *normalise()]
    return tf.keras.Sequential([*model, layers.GlobalAveragePooling2D()])


def keras_vggish(tf):
    """Return VGGish in Keras."""
    layers = tf.keras.layers
    model = [tf.keras.Input((96, 64, 1))]
    for widths in ((64,), (128,), (256, 256), (512, 512)):
        model += [layers.Conv2D(w, 3, padding="same", activation="relu") for w in widths]
        model.append(layers.MaxPooling2D(2))
    model += [layers.Flatten(), layers.Dense(4096, "relu"), layers.Dense(4096, "relu")]
    return tf.keras.Sequential([*model, layers.Dense(128)])


def keras_openl3(tf, shape, pooling):
    """Return the convolutions of an OpenL3 network in Keras."""
    layers = tf.keras.layers
    model = [tf.keras.Input(shape), layers.BatchNormalization()]
    for width in (64, 128, 256, 512):
        model += [layers.Conv2D(width, 3, padding="same"), layers.BatchNormalization()]
        model += [layers.ReLU(), layers.Conv2D(width, 3, padding="same")]
        if width < 512:
            model += [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(2)]
    return tf.keras.Sequential([*model, layers.MaxPooling2D(pooling), layers.Flatten()])


def main():
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("encoders", nargs="*", help="names; all when empty")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--backends", nargs="+", default=["torch", "onnx"])
    parser.add_argument("--front-ends", action="store_true")
    parser.add_argument("--tensorflow", action="store_true")
    arguments = parser.parse_args()
    if arguments.tensorflow:
        bench_tensorflow(arguments.encoders, arguments.threads)
        return
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.front_ends:
        bench_front_ends()
    else:
        bench_networks(arguments.encoders, arguments.backends)


if __name__ == "__main__":
    main()
