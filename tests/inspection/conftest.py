"""Figures are drawn without a screen, and closed after each test."""

import matplotlib
import numpy as np
import pytest

from skxmodal.modalities import concat_modalities
from skxmodal.translation import CCAProjector, PCAProjector


@pytest.fixture(autouse=True)
def pyplot():
    """The pyplot module, on a backend that draws into memory."""
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")
    matplotlib.use(before)


@pytest.fixture(scope="session")
def three_classes():
    """Rows with a sound and a picture of one of three classes, and their labels."""
    rng = np.random.default_rng(0)
    y = np.repeat(["cello", "drums", "flute"], 60)
    cause = 4 * np.eye(3)[np.repeat([0, 1, 2], 60)] + rng.normal(size=(180, 3))
    X = concat_modalities(
        audio=cause @ rng.normal(size=(3, 8)), image=cause @ rng.normal(size=(3, 6))
    )
    return X, y


@pytest.fixture(scope="session")
def spaces(three_classes):
    """Fitted joint spaces: unrelated components, and correlated ones."""
    X, _ = three_classes
    return {"PCA": PCAProjector(3).fit(X), "CCA": CCAProjector(3).fit(X)}
