"""Classifiers that take whichever modality a sample happens to have."""

from ._classifier import ModalityAgnosticClassifier
from ._joint_training import JointTranslationClassifier

__all__ = ["JointTranslationClassifier", "ModalityAgnosticClassifier"]
