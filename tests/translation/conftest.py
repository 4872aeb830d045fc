import numpy as np
import pytest

from skxmodal.modalities import concat_modalities


@pytest.fixture
def pairs():
    """300 pairs of two modalities that share three causes, as an embedding table."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(300, 3))
    return concat_modalities(
        audio=cause @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(300, 8)) + 5,
        image=cause @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(300, 6)),
    ).astype(np.float32)


@pytest.fixture
def noisy():
    """400 pairs of six skewed kinds, half of them wrong: blocks, and the kind of each item."""
    rng = np.random.default_rng(0)
    chance = 1.5 ** -np.arange(6.0)
    chance /= chance.sum()
    heard = rng.choice(6, size=400, p=chance)
    seen = np.where(rng.random(400) < 0.5, rng.choice(6, size=400, p=chance), heard)
    blocks = {
        "audio": rng.normal(size=(6, 10))[heard] + 0.2 * rng.normal(size=(400, 10)),
        "image": rng.normal(size=(6, 8))[seen] + 0.2 * rng.normal(size=(400, 8)),
    }
    return blocks, {"audio": heard, "image": seen}


@pytest.fixture
def triples():
    """400 rows of three modalities that share four causes, as blocks."""
    rng = np.random.default_rng(1)
    cause = rng.normal(size=(400, 4))
    return {
        name: cause @ rng.normal(size=(4, width)) + 0.1 * rng.normal(size=(400, width))
        for name, width in {"audio": 8, "image": 6, "text": 5}.items()
    }
