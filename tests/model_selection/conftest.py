"""Tables small enough to fit a classifier in milliseconds."""

import numpy as np
import pytest

from skxmodal.modalities import concat_modalities
from skxmodal.translation import CCAProjector


@pytest.fixture(scope="session")
def pairs():
    """300 rows of three classes with a sound and a picture each, and their labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    cause = 3 * np.eye(3)[y] + rng.normal(size=(300, 3))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(3, 5)), image=cause @ rng.normal(size=(3, 4))
    )
    return X, y


@pytest.fixture(scope="session")
def joint(pairs):
    """A joint space fitted on the first hundred rows."""
    X, _ = pairs
    return CCAProjector(3).fit(X[:100])
