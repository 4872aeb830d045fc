"""One of the processes that train a translator together; writes what it learned to a file."""

import os
import pickle
import sys

import numpy as np
import torch
from skorch.callbacks import Callback

from skxmodal.modalities import concat_modalities
from skxmodal.translation import ContrastiveTranslator


class SmoothSteps(Callback):
    """Let Adam make no steps of gradients that are rounding errors.

    A bias before batch normalisation has no gradient but for those, and Adam divides every
    gradient by its own size: two orders of summation would differ by whole steps.
    """

    def on_train_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["eps"] = 1e-3


def table(*, holes):
    """203 rows that share three causes: no batch can be shared evenly. Also some labels."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(203, 3))
    blocks = {
        name: cause @ rng.normal(size=(3, width)) + 0.3 * rng.normal(size=(203, width))
        for name, width in (("audio", 8), ("image", 6), ("text", 5))
    }
    blocks["image"] += 5
    if holes:
        # A rare modality: shares of batches have few rows of it or none.
        blocks["text"][30:] = np.nan
    else:
        del blocks["text"]
    labels = np.where(rng.random(203) < 0.5, (cause[:, 0] > 0).astype(int), -1)
    return concat_modalities(**blocks).astype(np.float32), labels


def fit(loss, holes, seed=0, **options):
    """Return the translator and what it is made of."""
    translator = ContrastiveTranslator(
        4,
        hidden_dim=16,
        loss=loss,
        batch_size=48,
        max_epochs=12,
        patience=3,
        device="cpu",
        random_state=seed,
        callbacks=[("smooth", SmoothSteps())],
        **options,
    )
    X, y = table(holes=holes)
    translator.fit(X, y)
    return {
        "weights": {
            name: value.numpy().copy()
            for part in (translator.net_.module_, translator.net_.criterion_)
            for name, value in part.state_dict().items()
        },
        "history": [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in translator.history_
        ],
        "joint": pickle.loads(pickle.dumps(translator)).transform(X),
    }


def main(rendezvous, out, rank, n_processes):
    """Join the group, and fit each case."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=int(n_processes)
    )
    found = {}
    for case in CASES:
        found[case] = fit(**CASES[case], distributed=True)
    try:
        fit("margin", False, seed=int(rank), distributed=True)
    except ValueError as error:
        found["other seeds"] = str(error)
    torch.distributed.destroy_process_group()
    with open(f"{out}.{rank}", "wb") as file:
        pickle.dump(found, file)


CASES = {
    "margin": {"loss": "margin", "holes": False},
    "clip": {"loss": "clip", "holes": False},
    "relevance": {"loss": "relevance", "holes": False},
    "holes": {"loss": "sigmoid", "holes": True},
    "float16": {"loss": "infonce", "holes": False, "precision": "float16"},
}

if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    main(*sys.argv[1:])
