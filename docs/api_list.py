"""What the API reference lists: every public name once, in the order of the data flow.

A test compares this list with the ``__all__`` of every module.
"""

#: Module -> (what it is, sections); a section is (title, names), an empty title has no heading.
API: dict[str, tuple[str, list[tuple[str, list[str]]]]] = {
    "skxmodal.datasets": (
        "Data sets: each returns a Bunch with a media table in ``frame``.",
        [
            ("Made on the spot", ["make_instruments", "make_paired_embeddings"]),
            ("Downloaded", ["fetch_spoken_digits", "fetch_audiovisual_digits"]),
            (
                "AudioSet",
                [
                    "fetch_audioset",
                    "classes18",
                    "audioset_subsets",
                    "make_clips",
                    "YouTubeClips",
                    "fetch_audioset_ontology",
                    "Ontology",
                    "SubsetShortfallError",
                ],
            ),
            ("Your own", ["load_manifest"]),
            ("Where files are kept", ["get_data_home", "clear_data_home", "RemoteFileError"]),
        ],
    ),
    "skxmodal.media": (
        "Cells of a media table become arrays: sounds mono float32, pictures RGB uint8.",
        [("", ["read_audio", "read_image", "as_cells", "is_missing", "MediaError"])],
    ),
    "skxmodal.encoders": (
        "Encoders: fixed functions from one sound, one picture or one text to one vector.",
        [
            ("By name", ["list_encoders", "load_encoder", "spec_of", "fetch_weights"]),
            ("Your own", ["Encoder", "FunctionEncoder", "EncoderSpec", "register_encoder"]),
            (
                "Built in",
                [
                    "LogMelEncoder",
                    "MFCCEncoder",
                    "HOGEncoder",
                    "ThumbnailEncoder",
                    "HashingTextEncoder",
                ],
            ),
        ],
    ),
    "skxmodal.embedders": (
        "Transformers from media to embeddings.",
        [
            ("", ["AudioEmbedder", "ImageEmbedder", "TextEmbedder", "make_embedder"]),
            ("Encoders by name", ["list_encoders"]),
            ("More than fits in memory", ["embed_to_file"]),
            ("What may go wrong", ["MediaWarning"]),
        ],
    ),
    "skxmodal.modalities": (
        "Embedding tables: one block of columns per modality, missing blocks are ``NaN``.",
        [
            ("", ["concat_modalities", "select_modality", "melt_modalities"]),
            ("Looking inside", ["find_modalities", "present_rows"]),
        ],
    ),
    "skxmodal.translation": (
        "Joint projectors: embedding tables in, one joint space out; and the losses of training.",
        [
            (
                "Projectors",
                [
                    "make_recommended_joint",
                    "ContrastiveTranslator",
                    "CCAProjector",
                    "RematchedProjector",
                    "PCAProjector",
                    "ModalityCentring",
                ],
            ),
            (
                "Choosing pairs",
                [
                    "make_sampler",
                    "select_pairs",
                    "BalancedPairs",
                    "DPPPairs",
                    "AgreeingPairs",
                    "RematchedPairs",
                ],
            ),
            (
                "Losses",
                [
                    "MarginLoss",
                    "TripletLoss",
                    "InfoNCELoss",
                    "RobustInfoNCELoss",
                    "SigmoidLoss",
                    "SpectralLoss",
                    "VICRegLoss",
                    "RelevanceLoss",
                ],
            ),
        ],
    ),
    "skxmodal.classification": (
        "Classifiers that take whichever modality a sample happens to have.",
        [("", ["ModalityAgnosticClassifier", "JointTranslationClassifier"])],
    ),
    "skxmodal.retrieval": ("Search across modalities.", [("", ["CrossModalRetriever"])]),
    "skxmodal.metrics": (
        "Scores of retrieval across modalities, and of the joint space's structure.",
        [
            (
                "Retrieval",
                [
                    "retrieval_ndcg_score",
                    "random_ndcg",
                    "recall_at_k_score",
                    "mean_average_precision_score",
                    "median_rank_score",
                ],
            ),
            ("Scorers", ["make_retrieval_scorer", "RetrievalScorer"]),
            ("Relevance", ["ExactMatch", "TaxonomyRelevance", "PrecomputedRelevance"]),
            ("Structure", ["cluster_distances", "ClusterDistances"]),
        ],
    ),
    "skxmodal.model_selection": (
        "Cross-validation with unlabelled rows; what labelled samples of a modality are worth.",
        [("", ["SemiSupervisedSplit", "transfer_curve", "TransferCurve"])],
    ),
    "skxmodal.inspection": (
        "Displays: ``from_*`` computes, ``plot`` draws, ``describe`` says it in words.",
        [
            (
                "",
                [
                    "RetrievalDisplay",
                    "TransferCurveDisplay",
                    "ClusterDistanceDisplay",
                    "ClassReportDisplay",
                    "LabelDistributionDisplay",
                    "NeighboursDisplay",
                ],
            )
        ],
    ),
    "skxmodal.experiments": (
        "The paper's experiment, end to end.",
        [("", ["reproduce", "format_results", "embed_manifest", "EXPERIMENT_DATASETS"])],
    ),
    "skxmodal.utils": (
        "Small helpers that serve every stage.",
        [
            (
                "",
                ["import_optional", "check_choice", "check_number", "check_n_jobs", "progress_bar"],
            ),
            ("Saved estimators", ["VersionedState", "VersionWarning"]),
        ],
    ),
}
