"""A device or a number of workers that cannot be: a sentence that says so, before any work."""

import numpy as np
import pytest

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.embedders import AudioEmbedder, ImageEmbedder, TextEmbedder
from skxmodal.model_selection import transfer_curve
from skxmodal.translation import CCAProjector, ContrastiveTranslator

EMBEDDERS = [AudioEmbedder, ImageEmbedder, TextEmbedder]


@pytest.mark.parametrize("Embedder", EMBEDDERS)
@pytest.mark.parametrize("device", ["abacus", "cpu:x", ""])
def test_a_device_that_is_none_is_refused_even_where_none_is_used(Embedder, device):
    with pytest.raises(ValueError, match=f"{Embedder.__name__}: device must be .* not {device!r}"):
        Embedder(device=device).fit([None])


@pytest.mark.parametrize("Embedder", EMBEDDERS)
def test_no_workers_at_all_are_refused_in_fit(Embedder):
    with pytest.raises(ValueError, match="n_jobs must be None, a number of workers >= 1, or -1"):
        Embedder(n_jobs=0).fit([None])


@pytest.mark.parametrize("n_jobs", [1.5, "2", True])
def test_what_is_no_number_of_workers_is_refused(n_jobs):
    with pytest.raises(TypeError, match="n_jobs must be None, a number of workers"):
        ImageEmbedder(n_jobs=n_jobs).fit([None])


def test_a_curve_without_workers_is_refused(labelled):
    classifier = ModalityAgnosticClassifier(CCAProjector(2))
    with pytest.raises(ValueError, match="n_jobs must be None, a number of workers"):
        transfer_curve(classifier, *labelled, target="image", n_jobs=0)


def test_a_device_that_the_translator_cannot_use_is_named(labelled):
    with pytest.raises(ValueError, match="device='abacus' cannot be used here"):
        ContrastiveTranslator(2, device="abacus").fit(labelled[0])


def test_a_wrong_device_leaves_the_fitted_translator_as_it_was(labelled):
    X, _ = labelled
    translator = ContrastiveTranslator(2, hidden_dim=4, max_epochs=1, device="cpu").fit(X)
    before = translator.transform(X)
    with pytest.raises(ValueError, match="cannot be used here"):
        translator.set_params(device="abacus").fit(X)
    np.testing.assert_array_equal(translator.set_params(device="cpu").transform(X), before)
