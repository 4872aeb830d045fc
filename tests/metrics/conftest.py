"""Embeddings and label sets for tests of scores."""

import numpy as np
import pytest

from skxmodal.datasets._ontology import Ontology


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def instruments():
    """A small taxonomy with a class of two parents and a top label of the AudioSet default."""
    return Ontology.from_edges(
        [
            ("Music", "Musical instrument"),
            ("Musical instrument", "strings"),
            ("Musical instrument", "percussion"),
            ("strings", "violin"),
            ("strings", "cello"),
            ("strings", "piano"),
            ("percussion", "piano"),
            ("percussion", "drum"),
            (None, "Animal"),
            ("Animal", "cat"),
        ]
    )
