"""The types that a saved model of skxmodal is made of, for skops.

None of them runs code that a file names: their states are numbers, strings, arrays and one
another. What does not belong here: networks of skorch and PyTorch, whose state is a pickle;
:class:`~skxmodal.encoders.FunctionEncoder`, which holds any function; indexes of faiss, whose
reader was not made for files from strangers.
"""

#: For ``skops.io.load(path, trusted=skxmodal.TRUSTED_TYPES)``.
TRUSTED_TYPES = (
    # Scikit-learn's forests; skops does not take it for granted, as a forged tree may point
    # outside its arrays and crash the process.
    "sklearn.tree._tree.Tree",
    "skxmodal.classification._classifier.ModalityAgnosticClassifier",
    "skxmodal.classification._joint_training.JointTranslationClassifier",
    "skxmodal.classification._joint_translator.JointTranslator",
    "skxmodal.classification._own_blocks.OwnBlocks",
    "skxmodal.embedders._embedders.AudioEmbedder",
    "skxmodal.embedders._embedders.ImageEmbedder",
    "skxmodal.embedders._text.TextEmbedder",
    "skxmodal.encoders._hashing_text.HashingTextEncoder",
    "skxmodal.encoders._hog.HOGEncoder",
    "skxmodal.encoders._logmel.LogMelEncoder",
    "skxmodal.encoders._mfcc.MFCCEncoder",
    "skxmodal.encoders._thumbnail.ThumbnailEncoder",
    "skxmodal.metrics._scorer.RetrievalScorer",
    "skxmodal.metrics._relevance.ExactMatch",
    "skxmodal.retrieval._gallery.Gallery",
    "skxmodal.retrieval._indexes.ExactIndex",
    "skxmodal.retrieval._retriever.CrossModalRetriever",
    "skxmodal.translation._cca.CCAProjector",
    "skxmodal.translation._centring.ModalityCentring",
    "skxmodal.translation._contrastive.ContrastiveTranslator",
    "skxmodal.translation._kernel_features.KernelFeatures",
    "skxmodal.translation._kernel_moments.Moments",
    "skxmodal.translation._pair_samplers.AgreeingPairs",
    "skxmodal.translation._pair_samplers.BalancedPairs",
    "skxmodal.translation._pair_samplers.DPPPairs",
    "skxmodal.translation._rematching.RematchedPairs",
    "skxmodal.translation._pca.PCAProjector",
    "skxmodal.translation._recommended.RematchedProjector",
)
