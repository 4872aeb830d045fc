"""Taxonomies of classes: names, ids, and how far apart two classes lie in the tree."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra


class Ontology:
    """A taxonomy of classes: a forest in which a class may have several parents.

    A virtual root joins the top classes, so that every two classes have a distance.
    Wherever a method takes a label, it takes the id or the name of a class.

    Parameters
    ----------
    names : mapping of id to str
        The classes, in order.
    edges : iterable of (parent id, child id)
        What lies below what.

    Attributes
    ----------
    ids : tuple
        The ids of all classes, in the order given.
    names : tuple of str
        Their names, in the same order.
    top_ids : tuple
        The classes without a parent.

    See Also
    --------
    skxmodal.datasets.fetch_audioset_ontology : The 632 classes of AudioSet.
    skxmodal.metrics.TaxonomyRelevance : Relevance by distance in a taxonomy.

    References
    ----------
    .. [1] J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio
       events", ICASSP 2017.

    Examples
    --------
    >>> from skxmodal.datasets import Ontology
    >>> tree = Ontology.from_edges(
    ...     [("strings", "violin"), ("strings", "cello"), ("winds", "flute")])
    >>> tree.distance("violin", "cello")
    2
    >>> tree.distance("violin", "flute")
    4
    >>> tree.descendants("strings")
    ['violin', 'cello']
    """

    def __init__(
        self, names: Mapping[Hashable, str], edges: Iterable[tuple[Hashable, Hashable]]
    ) -> None:
        self.ids: tuple[Any, ...] = tuple(names)
        self.names: tuple[str, ...] = tuple(str(name) for name in names.values())
        if not self.ids:
            raise ValueError("An ontology needs at least one class.")
        self._position = {label: i for i, label in enumerate(self.ids)}
        self._children: list[list[int]] = [[] for _ in self.ids]
        self._parents: list[list[int]] = [[] for _ in self.ids]
        for parent, child in dict.fromkeys(edges):
            for label in (parent, child):
                if label not in self._position:
                    raise ValueError(f"The edge {parent!r} -> {child!r} names no class {label!r}.")
            self._children[self._position[parent]].append(self._position[child])
            self._parents[self._position[child]].append(self._position[parent])
        self._check_acyclic()
        self.top_ids = tuple(
            label for label, up in zip(self.ids, self._parents, strict=True) if not up
        )
        self._by_name = self._index_names()
        self._graph: csr_array | None = None

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Ontology:
        """Read a taxonomy in the format of AudioSet's ``ontology.json``.

        Parameters
        ----------
        path : path
            A list of objects with the keys ``id``, ``name`` and ``child_ids``.

        Returns
        -------
        Ontology
        """
        try:
            nodes = json.loads(Path(path).read_text(encoding="utf-8"))
            names = {node["id"]: node["name"] for node in nodes}
            edges = [(node["id"], child) for node in nodes for child in node["child_ids"]]
            edges = list(dict.fromkeys(edges))  # lists and objects are no ids
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{path} is no ontology: expected a JSON list of objects with the keys id, name "
                f"and child_ids ({type(error).__name__}: {error})."
            ) from error
        return cls(names, edges)

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple[Hashable, Hashable]],
        names: Mapping[Hashable, str] | None = None,
    ) -> Ontology:
        """Make a taxonomy from pairs of parent and child.

        Parameters
        ----------
        edges : iterable of (parent id, child id)
            A missing parent (``None`` or NaN) makes the child a top class.
        names : mapping of id to str, default=None
            Names of the classes; a class without one is named by its id.

        Returns
        -------
        Ontology
        """
        pairs = [(parent, child) for parent, child in edges]
        labels = dict.fromkeys(label for pair in pairs for label in pair if not _is_missing(label))
        given = dict(names or {})
        unknown = [label for label in given if label not in labels]
        labels.update(dict.fromkeys(unknown))
        return cls(
            {label: str(given.get(label, label)) for label in labels},
            [pair for pair in pairs if not _is_missing(pair[0])],
        )

    @classmethod
    def from_frame(
        cls, frame: Any, *, parent: str = "parent", child: str = "child", name: str | None = None
    ) -> Ontology:
        """Make a taxonomy from a table with one row per pair of parent and child.

        Parameters
        ----------
        frame : DataFrame
            pandas or polars.
        parent, child : str
            The columns of ids. A missing parent marks a top class.
        name : str, default=None
            The column with the name of the child.

        Returns
        -------
        Ontology
        """
        wanted = [parent, child] + ([name] if name is not None else [])
        missing = [column for column in wanted if column not in frame.columns]
        if missing:
            raise ValueError(f"The table has no column {missing[0]!r}, only {list(frame.columns)}.")
        children = list(frame[child])
        names = dict(zip(children, frame[name], strict=True)) if name is not None else None
        return cls.from_edges(zip(frame[parent], children, strict=True), names)

    def __len__(self) -> int:
        """Count the classes."""
        return len(self.ids)

    def __contains__(self, label: object) -> bool:
        """Tell whether a label is the id or the name of a class."""
        return label in self._position or label in self._by_name

    def __repr__(self) -> str:
        """Tell the size and the top classes."""
        tops = ", ".join(self.name_of(label) for label in self.top_ids[:3])
        more = ", ..." if len(self.top_ids) > 3 else ""
        return f"Ontology({len(self)} classes below {len(self.top_ids)} top classes: {tops}{more})"

    def id_of(self, label: Hashable) -> Any:
        """Return the id of a class.

        Parameters
        ----------
        label : hashable
            An id or a name.

        Returns
        -------
        hashable
            The id.

        Raises
        ------
        ValueError
            If the label is neither an id nor a name, or a name of several classes.
        """
        return self.ids[self._locate(label)]

    def name_of(self, label: Hashable) -> str:
        """Return the name of a class.

        Parameters
        ----------
        label : hashable
            An id or a name.

        Returns
        -------
        str
            The name.
        """
        return self.names[self._locate(label)]

    def children(self, label: Hashable) -> list[Any]:
        """Return the ids directly below a class.

        Parameters
        ----------
        label : hashable
            An id or a name.

        Returns
        -------
        list of ids
        """
        return [self.ids[i] for i in self._children[self._locate(label)]]

    def parents(self, label: Hashable) -> list[Any]:
        """Return the ids directly above a class.

        Parameters
        ----------
        label : hashable
            An id or a name.

        Returns
        -------
        list of ids
        """
        return [self.ids[i] for i in self._parents[self._locate(label)]]

    def descendants(self, label: Hashable, *, include_self: bool = False) -> list[Any]:
        """Return the ids of all classes below a class.

        Parameters
        ----------
        label : hashable
            An id or a name.
        include_self : bool, default=False
            Whether the class itself comes first.

        Returns
        -------
        list of ids
            Nearest first, each once.
        """
        return self._reach(label, self._children, include_self)

    def ancestors(self, label: Hashable, *, include_self: bool = False) -> list[Any]:
        """Return the ids of all classes above a class.

        Parameters
        ----------
        label : hashable
            An id or a name.
        include_self : bool, default=False
            Whether the class itself comes first.

        Returns
        -------
        list of ids
            Nearest first, each once.
        """
        return self._reach(label, self._parents, include_self)

    def distance(self, a: Hashable, b: Hashable) -> int:
        """Return the number of edges on the shortest path between two classes.

        Parameters
        ----------
        a, b : hashable
            Ids or names.

        Returns
        -------
        int
            0 for the same class. Classes below different top classes meet in the virtual root.
        """
        return int(self.distance_matrix([a], [b])[0, 0])

    def distance_matrix(
        self, labels: Sequence[Hashable] | None = None, others: Sequence[Hashable] | None = None
    ) -> np.ndarray:
        """Return the distances between classes.

        Parameters
        ----------
        labels : sequence of labels, default=None
            The rows, ids or names; ``None`` means every class.
        others : sequence of labels, default=None
            The columns; ``None`` means the same as the rows.

        Returns
        -------
        ndarray of shape (len(labels), len(others)), dtype int32
            Path lengths.
        """
        rows = np.asarray(
            range(len(self)) if labels is None else [self._locate(x) for x in labels], dtype=int
        )
        columns = rows if others is None else np.asarray([self._locate(x) for x in others], int)
        if rows.size == 0 or columns.size == 0:
            return np.zeros((rows.size, columns.size), dtype=np.int32)
        sources, inverse = np.unique(rows, return_inverse=True)
        reach = dijkstra(self._undirected(), directed=False, indices=sources, unweighted=True)
        return reach[:, columns].astype(np.int32)[inverse]

    def _undirected(self) -> csr_array:
        """Return the graph with the virtual root as its last node."""
        if self._graph is None:
            root = len(self)
            pairs = [(i, j) for i, below in enumerate(self._children) for j in below]
            pairs += [(root, self._position[label]) for label in self.top_ids]
            # Before SciPy 1.13 its graph functions take no other integers.
            start, end = np.asarray(pairs, dtype=np.int32).T
            self._graph = csr_array((np.ones(len(pairs)), (start, end)), shape=(root + 1, root + 1))
        return self._graph

    def _locate(self, label: Hashable) -> int:
        """Return the position of the class with this id or name."""
        position = self._position.get(label)
        if position is None:
            position = self._by_name.get(label)  # type: ignore[call-overload]
        if position is None:
            raise ValueError(f"The ontology has no class with the id or name {label!r}.")
        if position < 0:
            raise ValueError(f"Several classes have the name {label!r}: give the id instead.")
        return position

    def _index_names(self) -> dict[str, int]:
        """Map each name to its position, and a name of several classes to -1."""
        counts = Counter(self.names)
        return {name: i if counts[name] == 1 else -1 for i, name in enumerate(self.names)}

    def _reach(self, label: Hashable, neighbours: list[list[int]], include_self: bool) -> list[Any]:
        """Walk breadth first from a class."""
        start = self._locate(label)
        seen = {start: None}
        queue = deque([start])
        while queue:
            for i in neighbours[queue.popleft()]:
                if i not in seen:
                    seen[i] = None
                    queue.append(i)
        found = [self.ids[i] for i in seen]
        return found if include_self else found[1:]

    def _check_acyclic(self) -> None:
        """Raise if some class lies below itself."""
        open_parents = [len(up) for up in self._parents]
        queue = deque(i for i, n in enumerate(open_parents) if n == 0)
        removed = 0
        while queue:
            removed += 1
            for j in self._children[queue.popleft()]:
                open_parents[j] -= 1
                if open_parents[j] == 0:
                    queue.append(j)
        if removed < len(self.ids):
            stuck = next(i for i, n in enumerate(open_parents) if n > 0)
            raise ValueError(
                f"The taxonomy has a cycle: class {self.ids[stuck]!r} lies on or below it."
            )


def _is_missing(label: object) -> bool:
    """Tell whether a table's cell is empty."""
    return label is None or (isinstance(label, float) and np.isnan(label)) or str(label) == "<NA>"
