"""Names of other projects that these pages link to, so that links need no network to build.

Sphinx resolves a name through an inventory, which it would download. With ``SKXMODAL_DOCS_ONLINE``
it does; without, it gets the small inventories written here.
"""

from __future__ import annotations

import zlib
from pathlib import Path

_SKLEARN = "modules/generated/$.html"
_PANDAS = "reference/api/$.html"

#: Project -> (address, {"domain:role name": page}); ``$`` in a page is the name.
PROJECTS = {
    "sklearn": (
        "https://scikit-learn.org/stable/",
        {
            "py:module sklearn": "api/sklearn.html",
            "py:module sklearn.semi_supervised": "api/sklearn.semi_supervised.html",
            "py:class sklearn.base.BaseEstimator": _SKLEARN,
            "py:class sklearn.compose.ColumnTransformer": _SKLEARN,
            "py:class sklearn.decomposition.PCA": _SKLEARN,
            "py:class sklearn.ensemble.RandomForestClassifier": _SKLEARN,
            "py:class sklearn.frozen.FrozenEstimator": _SKLEARN,
            "py:class sklearn.linear_model.LogisticRegression": _SKLEARN,
            "py:class sklearn.metrics.ConfusionMatrixDisplay": _SKLEARN,
            "py:class sklearn.model_selection.GridSearchCV": _SKLEARN,
            "py:class sklearn.model_selection.HalvingGridSearchCV": _SKLEARN,
            "py:class sklearn.model_selection.StratifiedKFold": _SKLEARN,
            "py:class sklearn.model_selection.GroupKFold": _SKLEARN,
            "py:class sklearn.pipeline.Pipeline": _SKLEARN,
            "py:class sklearn.utils.Bunch": _SKLEARN,
            "py:class sklearn.utils.metadata_routing.MetadataRequest": _SKLEARN,
            "py:class sklearn.utils.metadata_routing.MetadataRouter": _SKLEARN,
            "py:class sklearn.multioutput.MultiOutputClassifier": _SKLEARN,
            "py:class sklearn.multiclass.OneVsRestClassifier": _SKLEARN,
            "py:func sklearn.base.clone": _SKLEARN,
            "py:function sklearn.base.clone": _SKLEARN,
            "py:function sklearn.metrics.accuracy_score": _SKLEARN,
            "py:function sklearn.metrics.f1_score": _SKLEARN,
            "py:function sklearn.metrics.ndcg_score": _SKLEARN,
            "py:function sklearn.metrics.make_scorer": _SKLEARN,
            "py:function sklearn.set_config": _SKLEARN,
            "py:function sklearn.model_selection.cross_validate": _SKLEARN,
            "py:function sklearn.model_selection.learning_curve": _SKLEARN,
            "py:function sklearn.model_selection.train_test_split": _SKLEARN,
            "py:function sklearn.metrics.average_precision_score": _SKLEARN,
            "py:class sklearn.feature_extraction.text.HashingVectorizer": _SKLEARN,
            "std:label accuracy_score": "modules/model_evaluation.html#accuracy-score",
            "std:label df_output_transform": "modules/df_output_transform.html",
            "std:label sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
                "auto_examples/miscellaneous/plot_set_output.html"
            ),
            "std:term meta-estimator": "glossary.html#term-meta-estimator",
            "std:label metadata_routing": "metadata_routing.html",
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "py:class numpy.ndarray": "reference/generated/$.html",
            "py:class numpy.memmap": "reference/generated/$.html",
            "py:function numpy.load": "reference/generated/$.html",
        },
    ),
    "scipy": (
        "https://docs.scipy.org/doc/scipy/",
        {"py:class scipy.sparse.csr_array": "reference/generated/$.html"},
    ),
    "tqdm": ("https://tqdm.github.io/docs/", {"py:class tqdm.tqdm": "tqdm/"}),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {
            "py:class pandas.DataFrame": _PANDAS,
            "py:class pandas.Series": _PANDAS,
            "py:function pandas.read_csv": _PANDAS,
        },
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        {
            "py:class matplotlib.figure.Figure": "api/_as_gen/$.html",
            "py:class matplotlib.axes.Axes": "api/_as_gen/$.html",
        },
    ),
    "skorch": (
        "https://skorch.readthedocs.io/en/stable/",
        {"py:class skorch.net.NeuralNet": "net.html", "py:class skorch.NeuralNet": "net.html"},
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {
            "py:class torch.nn.Module": "generated/$.html",
            "py:class torch.device": "tensor_attributes.html#$",
            "py:class torch.Tensor": "tensors.html#$",
        },
    ),
    "joblib": (
        "https://joblib.readthedocs.io/en/stable/",
        {"py:function joblib.parallel_config": "generated/$.html"},
    ),
    "python": (
        "https://docs.python.org/3/",
        {
            "py:class pathlib.Path": "library/pathlib.html#$",
            "py:exception ValueError": "library/exceptions.html#$",
            "py:exception TypeError": "library/exceptions.html#$",
            "py:exception OSError": "library/exceptions.html#$",
            "py:exception ImportError": "library/exceptions.html#$",
            "py:exception FileNotFoundError": "library/exceptions.html#$",
        },
    ),
}


def write_inventories(folder: Path, *, online: bool) -> dict[str, tuple[str, str | None]]:
    """Return ``intersphinx_mapping``; offline, write the files that it names."""
    if online:
        return {name: (address, None) for name, (address, _) in PROJECTS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    mapping: dict[str, tuple[str, str | None]] = {}
    for name, (address, objects) in PROJECTS.items():
        path = folder / f"{name}.inv"
        content = _inventory(name, objects)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        mapping[name] = (address, str(path))
    return mapping


def external_names() -> list[str]:
    """Return the full names of the Python objects above."""
    return [
        key.split(" ")[1]
        for _, objects in PROJECTS.values()
        for key in objects
        if key.startswith("py:")
    ]


def _inventory(project: str, objects: dict[str, str]) -> bytes:
    """Return an inventory in the format of Sphinx, version 2."""
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = []
    for key, page in objects.items():
        role, name = key.split(" ")
        lines.append(f"{name} {role} 1 {page.replace('$', name)} -")
    return head.encode() + zlib.compress("\n".join([*lines, ""]).encode())
