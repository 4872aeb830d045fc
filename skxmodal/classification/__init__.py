"""Classifiers that take whichever modality a sample happens to have."""

from ._classifier import ModalityAgnosticClassifier

__all__ = ["ModalityAgnosticClassifier"]
