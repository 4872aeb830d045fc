"""How relevant one label set is to another.

A relevance is a callable on two lists of *distinct* label sets; scores look up the relevance of
two samples in the table it returns, so that nothing ever has the size queries x gallery.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from ._labels import LabelSet

TOP_LABELS = ("Music", "Musical instrument", "Tools", "Singing")
_BLOCK_ENTRIES = 4_000_000
_AGGREGATES: dict[str, np.ufunc] = {"min": np.minimum, "max": np.maximum, "mean": np.add}


class Relevance(Protocol):
    """What scores expect of a relevance; any function with this signature will do."""

    def __call__(
        self, query_sets: Sequence[LabelSet], gallery_sets: Sequence[LabelSet]
    ) -> np.ndarray:
        """Return non-negative relevances of shape (len(query_sets), len(gallery_sets))."""
        ...


class ExactMatch:
    """Relevance 1 for a shared label, 0 otherwise.

    Examples
    --------
    >>> from skxmodal.metrics import ExactMatch
    >>> ExactMatch()([("cat",), ("cat", "dog")], [("dog",)])
    array([[0.],
           [1.]])
    """

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return "ExactMatch()"

    def __call__(
        self, query_sets: Sequence[LabelSet], gallery_sets: Sequence[LabelSet]
    ) -> np.ndarray:
        """Return the relevance between distinct label sets.

        Parameters
        ----------
        query_sets, gallery_sets : sequence of tuples
            Label sets.

        Returns
        -------
        ndarray of shape (len(query_sets), len(gallery_sets))
            Zeros and ones.
        """
        vocabulary: dict[Hashable, int] = {}
        queries = _membership(query_sets, vocabulary)
        gallery = _membership(gallery_sets, vocabulary)
        width = len(vocabulary)
        queries.resize((len(query_sets), width))
        gallery.resize((len(gallery_sets), width))
        return (queries @ gallery.T).astype(bool).toarray().astype(np.float64)


class TaxonomyRelevance:
    """Relevance that falls with the distance of the labels in a taxonomy.

    ``r = max_distance - d``, where ``d`` is the tree distance of the labels of two samples; a
    distance beyond ``max_distance`` gives 0.

    Parameters
    ----------
    taxonomy : Ontology
        Where the labels lie; ids and names both work as labels.
    max_distance : float, default=21
        The constant C of the paper.
    exclude : sequence of labels, default=("Music", "Musical instrument", "Tools", "Singing")
        Labels to drop first, since nearly every music clip has one of them. Those of the default
        that another taxonomy does not have are passed over; unknown labels in a list of your own
        are an error.
    aggregate : {"min", "mean", "max"}, default="min"
        How the distances of all pairs of labels of two samples become one.
    classes : sequence of labels, default=None
        The label that integer ``i``, or column ``i`` of an indicator matrix, stands for.

    See Also
    --------
    skxmodal.datasets.fetch_audioset_ontology : The taxonomy of the paper.

    References
    ----------
    .. [1] Section 3.3 of H.-H. Wu, M. Fuentes, J. P. Bello, "Exploring modality-agnostic
       representations for music classification", 2021.

    Examples
    --------
    >>> from skxmodal.datasets import Ontology
    >>> from skxmodal.metrics import TaxonomyRelevance
    >>> tree = Ontology.from_edges(
    ...     [("strings", "violin"), ("strings", "cello"), ("winds", "flute")])
    >>> TaxonomyRelevance(tree, max_distance=4)([("violin",)], [("violin",), ("cello", "flute")])
    array([[4., 2.]])
    """

    def __init__(
        self,
        taxonomy: Any,
        max_distance: float = 21,
        exclude: Sequence[Hashable] = TOP_LABELS,
        aggregate: str = "min",
        *,
        classes: Sequence[Hashable] | None = None,
    ) -> None:
        if aggregate not in _AGGREGATES:
            raise ValueError(f"aggregate must be 'min', 'mean' or 'max', got {aggregate!r}.")
        if not max_distance > 0:
            raise ValueError(f"max_distance must be positive, got {max_distance!r}.")
        if isinstance(exclude, str):
            raise TypeError(f"exclude must be a sequence of labels, got the string {exclude!r}.")
        self.taxonomy = taxonomy
        self.max_distance = max_distance
        self.exclude = tuple(exclude)
        self.aggregate = aggregate
        self.classes = None if classes is None else list(classes)
        names = [x for x in self.exclude if x in taxonomy or self.exclude != TOP_LABELS]
        self._excluded = {taxonomy.id_of(label) for label in names}

    def __repr__(self) -> str:
        """Return the parameters."""
        return (
            f"TaxonomyRelevance({self.taxonomy!r}, max_distance={self.max_distance}, "
            f"exclude={self.exclude}, aggregate={self.aggregate!r})"
        )

    def __call__(
        self, query_sets: Sequence[LabelSet], gallery_sets: Sequence[LabelSet]
    ) -> np.ndarray:
        """Return the relevance between distinct label sets.

        Parameters
        ----------
        query_sets, gallery_sets : sequence of tuples
            Label sets, of ids or names.

        Returns
        -------
        ndarray of shape (len(query_sets), len(gallery_sets))
            Relevances between 0 and ``max_distance``.
        """
        queries, query_labels = self._encode(query_sets)
        gallery, gallery_labels = self._encode(gallery_sets)
        between = self.taxonomy.distance_matrix(query_labels, gallery_labels).astype(np.float64)
        distance = _aggregate_pairs(between, queries, gallery, self.aggregate)
        return np.maximum(self.max_distance - distance, 0.0)

    def _encode(self, sets: Sequence[LabelSet]) -> tuple[list[list[int]], list[Any]]:
        """Translate label sets to positions in a list of distinct ids."""
        ids: dict[Any, int] = {}
        known: dict[Hashable, int] = {}
        encoded = []
        for labels in sets:
            positions = []
            for label in labels:
                if label not in known:
                    node = self._id_of(label)
                    known[label] = -1 if node in self._excluded else ids.setdefault(node, len(ids))
                if known[label] >= 0:
                    positions.append(known[label])
            if not positions:
                raise ValueError(
                    f"The label set {list(labels)} is empty once the excluded labels "
                    f"{list(self.exclude)} are dropped: leave out such rows or pass exclude=()."
                )
            encoded.append(sorted(set(positions)))
        return encoded, list(ids)

    def _id_of(self, label: Hashable) -> Any:
        """Return the taxonomy's id of a label."""
        if isinstance(label, float) and label.is_integer() and self.classes is not None:
            # Integers that stood beside NaN, by which numpy turned them into floats.
            label = int(label)
        if self.classes is not None and isinstance(label, int | np.integer):
            if not 0 <= label < len(self.classes):
                raise ValueError(
                    f"The label {label} is no index of the {len(self.classes)} classes."
                )
            return self.taxonomy.id_of(self.classes[int(label)])
        return self.taxonomy.id_of(label)


class PrecomputedRelevance:
    """Relevance read from a square table.

    Parameters
    ----------
    table : array-like of shape (n_labels, n_labels)
        Non-negative relevance of column labels to row labels. Labels are row numbers, or the
        names of rows and columns if the table is a pandas DataFrame.
    aggregate : {"max", "mean", "min"}, default="max"
        How the relevances of all pairs of labels of two samples become one.

    Examples
    --------
    >>> from skxmodal.metrics import PrecomputedRelevance
    >>> PrecomputedRelevance([[2, 1], [1, 2]])([(0,)], [(0,), (1,)])
    array([[2., 1.]])
    """

    def __init__(self, table: Any, *, aggregate: str = "max") -> None:
        if aggregate not in _AGGREGATES:
            raise ValueError(f"aggregate must be 'min', 'mean' or 'max', got {aggregate!r}.")
        values = np.asarray(table, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] != values.shape[1]:
            raise ValueError(f"The relevance table must be square, got shape {values.shape}.")
        if not np.isfinite(values).all() or (values < 0).any():
            raise ValueError("The relevance table must be finite and non-negative.")
        self.table = table
        self.aggregate = aggregate
        self._values = values
        named = hasattr(table, "columns") and hasattr(table, "index")
        numbers = range(len(values))
        self._rows = _positions_of(table.index if named else numbers, "rows")
        self._columns = _positions_of(table.columns if named else numbers, "columns")

    def __repr__(self) -> str:
        """Return the size of the table."""
        return f"PrecomputedRelevance(<{len(self._values)} labels>, aggregate={self.aggregate!r})"

    def __call__(
        self, query_sets: Sequence[LabelSet], gallery_sets: Sequence[LabelSet]
    ) -> np.ndarray:
        """Return the relevance between distinct label sets.

        Parameters
        ----------
        query_sets, gallery_sets : sequence of tuples
            Label sets.

        Returns
        -------
        ndarray of shape (len(query_sets), len(gallery_sets))
            Relevances.
        """
        rows = [self._positions(labels, self._rows) for labels in query_sets]
        columns = [self._positions(labels, self._columns) for labels in gallery_sets]
        return _aggregate_pairs(self._values, rows, columns, self.aggregate)

    def _positions(self, labels: LabelSet, index: dict[Hashable, int]) -> list[int]:
        """Return where the labels stand in the table."""
        try:
            return [index[label] for label in labels]
        except KeyError as error:
            raise ValueError(
                f"The label {error.args[0]!r} is not in the relevance table of {len(index)} labels."
            ) from None


def _positions_of(labels: Iterable[Hashable], which: str) -> dict[Hashable, int]:
    """Return where each label stands; a label that stands twice has no one relevance."""
    index: dict[Hashable, int] = {}
    for position, label in enumerate(labels):
        if index.setdefault(label, position) != position:
            raise ValueError(f"Two {which} of the relevance table are called {label!r}.")
    return index


def _membership(sets: Sequence[LabelSet], vocabulary: dict[Hashable, int]) -> sparse.csr_array:
    """Return the indicator matrix of sets, adding new labels to the vocabulary."""
    columns = [vocabulary.setdefault(x, len(vocabulary)) for labels in sets for x in labels]
    starts = np.cumsum([0] + [len(labels) for labels in sets])
    return sparse.csr_array(
        (np.ones(len(columns)), np.asarray(columns, dtype=np.int64), starts),
        shape=(len(sets), max(len(vocabulary), 1)),
    )


def _aggregate_pairs(
    values: np.ndarray, rows: list[list[int]], columns: list[list[int]], aggregate: str
) -> np.ndarray:
    """Reduce a table between labels to one between sets of labels."""
    reduce = _AGGREGATES[aggregate].reduceat
    row_starts, flat_rows = _flatten(rows)
    column_starts, flat_columns = _flatten(columns)
    # A block of queries has few of the labels of a large table.
    used, flat_rows = np.unique(flat_rows, return_inverse=True)
    values = values[used]
    # First over the few distinct labels of the gallery sets, then over the rows, in blocks.
    wide = np.empty((len(values), len(columns)))
    step = max(1, _BLOCK_ENTRIES // max(1, len(flat_columns)))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        wide[start : start + step] = reduce(block[:, flat_columns], column_starts, axis=1)
    result = np.empty((len(rows), len(columns)))
    step = max(1, _BLOCK_ENTRIES // max(1, len(flat_rows)))
    for start in range(0, len(columns), step):
        part = wide[:, start : start + step]
        result[:, start : start + step] = reduce(part[flat_rows], row_starts, axis=0)
    if aggregate == "mean":
        result /= np.outer([len(x) for x in rows], [len(x) for x in columns])
    return result


def _flatten(groups: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return where each group starts, and all members in a row."""
    sizes = np.asarray([len(group) for group in groups])
    return np.cumsum(sizes) - sizes, np.asarray([x for group in groups for x in group], dtype=int)
