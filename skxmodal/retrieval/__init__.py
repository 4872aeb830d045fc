"""Search across modalities in the joint space."""

from ._retriever import CrossModalRetriever

__all__ = ["CrossModalRetriever"]
