"""A trained network as plain arrays, and back: what a saved translator holds.

The network object itself can be saved only as a pickle of its parts, which runs whatever code
a file names. Arrays run nothing, do not depend on the layout of skorch's or PyTorch's classes,
and can be read on a machine without the device they were trained on.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def pack_network(net: Any) -> dict[str, Any]:
    """Return the weights and settings of a trained network, without optimiser and callbacks.

    Parameters
    ----------
    net : skorch.NeuralNet
        Trained.

    Returns
    -------
    packed : dict
        Of arrays, numbers and strings.
    """
    criterion = net.get_params_for("criterion")
    return {
        "module_options": dict(net.get_params_for("module")),
        "module_weights": _arrays(net.module_),
        "criterion_options": {name: v for name, v in criterion.items() if name != "loss"},
        "criterion_weights": _arrays(net.criterion_),
        "history": [
            {name: value for name, value in row.items() if name != "batches"}
            for row in net.history.to_list()
        ],
        "device": str(net.device),
    }


def unpack_network(packed: dict[str, Any], module: type, criterion: type, **settings: Any) -> Any:
    """Return the network that :func:`pack_network` was given.

    Parameters
    ----------
    packed : dict
        What :func:`pack_network` returned.
    module, criterion : type
        Classes of the network and of its loss.
    **settings
        Other settings of the network; ``criterion__loss`` must be among them.

    Returns
    -------
    net : skorch.NeuralNet
    """
    import torch
    from skorch.history import History

    from ._training import PairBatches, TranslationNet

    net = TranslationNet(
        module,
        criterion=criterion,
        optimizer=torch.optim.Adam,
        iterator_train=PairBatches,
        iterator_valid=PairBatches,
        train_split=None,
        device=_device_here(packed["device"]),
        verbose=0,
        **{f"module__{name}": value for name, value in packed["module_options"].items()},
        **{f"criterion__{name}": value for name, value in packed["criterion_options"].items()},
        **settings,
    )
    net.initialize()
    _load(net.module_, packed["module_weights"])
    _load(net.criterion_, packed["criterion_weights"])
    net.module_.eval()
    net.history_ = History(packed["history"])
    return net


def _arrays(module: Any) -> dict[str, np.ndarray]:
    return {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()}


def _load(module: Any, arrays: dict[str, np.ndarray]) -> None:
    import torch

    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def _device_here(device: str) -> str:
    """Return the device, or the CPU where it is not there."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError):
        return "cpu"
    return device
