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
