"""One of two processes that train a translator together, and keep it; run by test_checkpoint.py.

``checkpoint_worker.py RENDEZVOUS NAME RANK FOUND [FOLDER [EPOCH]]``: interrupted at an epoch.
"""

import hashlib
import json
import sys

import numpy as np
import torch
from skorch.callbacks import Callback

from skxmodal.modalities import concat_modalities
from skxmodal.translation import ContrastiveTranslator, _checkpoint


class Interrupted(RuntimeError):
    """Raised in place of a kill."""


class Watch(Callback):
    """Note the epochs, and interrupt at one."""

    def __init__(self, last):
        self.last = last
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(net.history[-1, "epoch"])
        if self.epochs[-1] == self.last:
            raise Interrupted


def main(rendezvous, name, rank, found, folder=None, last=0):
    """Join the group, fit, and write what was learned."""
    torch.set_num_threads(1)
    _checkpoint._PAUSE = 0
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=2
    )
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(203, 3))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(3, 8)), image=cause @ rng.normal(size=(3, 6))
    )
    watch = Watch(int(last))
    translator = ContrastiveTranslator(
        4,
        hidden_dim=16,
        loss="clip",
        batch_size=48,
        max_epochs=10,
        device="cpu",
        random_state=0,
        callbacks=[watch],
        checkpoint=folder,
        distributed=True,
    )
    try:
        translator.fit(X)
    except Interrupted:
        result = {"interrupted": True}
    except (OSError, ValueError) as error:
        result = {"error": str(error)}
    else:
        result = {
            "joint": hashlib.sha256(translator.transform(X).tobytes()).hexdigest(),
            "losses": [[row["train_loss"], row["valid_loss"]] for row in translator.history_],
            "epochs": watch.epochs,
        }
    with open(f"{found}-{name}-{rank}", "w") as file:
        json.dump(result, file)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
