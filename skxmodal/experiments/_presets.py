"""How large an experiment is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """Sizes of one kind of run."""

    rows: dict[str, int] = field(hash=False)  # of each subset, where the data set lets one choose
    n_sizes: int  # points of the transfer curves
    n_draws: int  # draws of each point
    # Most epochs of a translator: when pairs of encoders are compared, and of the best pair.
    pair_epochs: int = 200
    max_epochs: int = 200


SUBSETS = ("translation", "retrieval", "train", "test")

PRESETS = {
    # About a thirtieth of the paper's Table 2: minutes on two cores.
    "quick": Preset(
        dict(zip(SUBSETS, (4500, 900, 1800, 900))), n_sizes=5, n_draws=2, pair_epochs=60
    ),
    # Table 2. An epoch is thirty times as many steps as in the quick preset.
    "paper": Preset(
        dict(zip(SUBSETS, (130_000, 10_000, 16_200, 1_800))),
        n_sizes=10,
        n_draws=1,
        pair_epochs=20,
        max_epochs=80,
    ),
}
