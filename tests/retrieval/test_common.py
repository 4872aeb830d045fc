"""scikit-learn's own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmodal.retrieval import CrossModalRetriever
from skxmodal.translation import PCAProjector


@parametrize_with_checks([CrossModalRetriever(PCAProjector(1, modalities="halves"), 3)])
def test_the_retriever_passes_scikit_learn_s_checks(estimator, check):
    check(estimator)
