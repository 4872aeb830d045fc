"""Exact nearest neighbours by blocked matrix products.

Scores are computed in float32 by torch, one block of queries at a time. Where two scores lie
closer than float32 can tell apart, the candidates are scored again in float64, so the order is
that of float64 arithmetic at the speed of float32. Scores that differ by less than the rounding
error of float64 count as ties; neither the block size nor the gallery's order matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ._embedding_rows import (
    check_embeddings,
    check_same_width,
    row_blocks_of,
    row_norms,
    rows_per_block,
)

_SPARE = 10  # candidates beyond k, so that a tie at the k-th place seldom needs the whole row
_EPS32 = 2.0**-24
_EPS64 = 2.0**-53


class Ranking(NamedTuple):
    """The best of the gallery for some queries."""

    rows: np.ndarray
    """Which queries, shape (b,)."""
    indices: np.ndarray
    """Gallery rows from best to worst, shape (b, m). At least the k best."""
    groups: np.ndarray | None
    """Number of the group of equal scores, shape (b, m); ``None`` without any ties."""


def exact_topk(
    Q: Any, G: Any, k: int, *, metric: str = "cosine", device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest gallery rows of every query.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Queries.
    G : array-like of shape (n_gallery, n_features)
        Gallery.
    k : int
        How many; at most the size of the gallery is returned.
    metric : {"cosine", "euclidean", "dot"}, default="cosine"
        Nearness: cosine similarity, negative squared distance or inner product.
    device : str, default="cpu"
        The torch device of the matrix products.

    Returns
    -------
    indices : ndarray of shape (n_queries, k)
        From nearest to farthest; ties in the order of the gallery.
    scores : ndarray of shape (n_queries, k)
        Larger is nearer, float64.
    """
    return BlockSearch(G, metric=metric, device=device).topk(Q, k)


def order_ties(ranking: Ranking) -> np.ndarray:
    """Return the order of columns in which ties stand in the order of the gallery."""
    if ranking.groups is None:
        return np.broadcast_to(np.arange(ranking.indices.shape[1]), ranking.indices.shape)
    return np.lexsort((ranking.indices, ranking.groups), axis=1)


class BlockSearch:
    """A gallery, ready to be ranked by nearness to queries.

    Parameters
    ----------
    G : array-like of shape (n_gallery, n_features)
        The gallery.
    metric : {"cosine", "euclidean", "dot"}
        As in :func:`exact_topk`.
    device : str, default="cpu"
        The torch device.
    """

    def __init__(self, G: Any, *, metric: str = "cosine", device: str = "cpu") -> None:
        import torch

        self.metric = metric
        self.G = check_embeddings(G, "G", metric=metric)
        self.n_gallery, self.n_features = self.G.shape
        # Centred and scaled coordinates: distances keep their order and float32 its digits.
        self._centre = np.zeros(self.n_features)
        if metric == "euclidean":
            self._centre = self.G.mean(axis=0, dtype=np.float64)
        self._norms = row_norms(self.G, self._centre)
        self._scale = float(self._norms.max()) or 1.0
        small = np.empty(self.G.shape, dtype=np.float32)
        for rows in row_blocks_of(self.n_gallery, self.n_features):
            small[rows] = self._gallery_rows(rows)
        self._half_norms = 0.5 * (self._norms / self._scale) ** 2
        self._gallery32 = torch.from_numpy(small).to(device)
        self._half_norms32 = torch.from_numpy(self._half_norms.astype(np.float32)).to(device)

    def topk(self, Q: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest gallery rows of every query, as :func:`exact_topk` does.

        Parameters
        ----------
        Q : array-like of shape (n_queries, n_features)
            Queries.
        k : int
            How many; at most the size of the gallery is returned.

        Returns
        -------
        indices : ndarray of shape (n_queries, k)
            From nearest to farthest; ties in the order of the gallery.
        scores : ndarray of shape (n_queries, k)
            Larger is nearer, float64.
        """
        Q = check_embeddings(Q, "Q", metric=self.metric)
        check_same_width(Q, self.G)
        k = min(k, self.n_gallery)
        indices = np.empty((len(Q), k), dtype=np.int64)
        scores = np.empty((len(Q), k))
        for ranking in self.rankings(Q, k):
            best = np.take_along_axis(ranking.indices, order_ties(ranking)[:, :k], axis=1)
            indices[ranking.rows] = best
            scores[ranking.rows] = self.nearness(Q, ranking.rows, best)
        return indices, scores

    def rankings(
        self, Q: np.ndarray, k: int, *, rows: np.ndarray | None = None
    ) -> Iterator[Ranking]:
        """Rank the gallery for queries, block by block.

        Parameters
        ----------
        Q : ndarray of shape (n_queries, n_features)
            Checked queries.
        k : int
            How many places must be right: those of all items that tie with the k-th too.
        rows : ndarray, default=None
            Which queries, in which order; default all.

        Yields
        ------
        Ranking
            Each query is in exactly one.
        """
        import torch

        rows = np.arange(len(Q)) if rows is None else rows
        m = min(k + _SPARE, self.n_gallery)
        step = rows_per_block(self.n_gallery)
        whole_row = 4 * m >= self.n_gallery
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            if whole_row:
                yield from self._rank_whole_rows(Q, block)
                continue
            queries, norms = self._query_rows(Q[block])
            with torch.inference_mode(), _full_precision():
                indices, scores = self._candidates(queries, m)
            scores = scores.astype(np.float64)
            error = self._float32_error(norms)
            gaps = scores[:, :k] - scores[:, 1 : k + 1]
            unsure = gaps.min(axis=1) <= 2 * error
            groups = None
            if unsure.any():
                again = np.flatnonzero(unsure)
                groups, complete = self._rescore(Q, block, again, norms, indices, scores, error, k)
                if not complete.all():
                    yield from self._rank_whole_rows(Q, block[~complete])
                    block, indices = block[complete], indices[complete]
                    groups = None if groups is None else groups[complete]
            if len(block):
                yield Ranking(block, indices, groups)

    def full_scores(self, Q: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score the whole gallery in float64.

        Parameters
        ----------
        Q : ndarray of shape (n_queries, n_features)
            Checked queries.
        rows : ndarray of shape (b,)
            Which queries; the result has b rows, so b is best a block.

        Returns
        -------
        scores : ndarray of shape (b, n_gallery)
            Larger is nearer.
        tolerance : ndarray of shape (b,)
            Differences up to this are rounding.
        """
        queries, norms = self._query_rows(Q[rows])
        scores = np.empty((len(rows), self.n_gallery))
        for part in row_blocks_of(self.n_gallery, self.n_features):
            scores[:, part] = queries @ self._gallery_rows(part).T
        if self.metric == "euclidean":
            scores -= self._half_norms
        tolerance = 4 * (self.n_features + 8) * _EPS64 * self._magnitude(norms)
        return scores, tolerance

    def row_blocks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Cut queries into blocks whose scores against the whole gallery fit in memory."""
        step = rows_per_block(2 * self.n_gallery)
        for start in range(0, len(rows), step):
            yield rows[start : start + step]

    def nearness(self, Q: np.ndarray, rows: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Score pairs of queries and gallery rows in the metric's own unit.

        Parameters
        ----------
        Q : ndarray of shape (n_queries, n_features)
            Checked queries.
        rows : ndarray of shape (b,)
            Which queries.
        indices : ndarray of shape (b, m)
            Which gallery rows for each.

        Returns
        -------
        ndarray of shape (b, m)
            Cosine similarity, negative squared distance or inner product, float64.
        """
        result = np.empty(indices.shape)
        for part in row_blocks_of(len(rows), indices.shape[1] * self.n_features):
            queries = Q[rows[part]].astype(np.float64)
            gallery = self.G[indices[part]].astype(np.float64)
            if self.metric == "euclidean":
                result[part] = -((gallery - queries[:, None, :]) ** 2).sum(axis=2)
                continue
            result[part] = np.matmul(gallery, queries[:, :, None])[:, :, 0]
            if self.metric == "cosine":
                norms = row_norms(queries, np.zeros(self.n_features))
                result[part] /= norms[:, None] * self._norms[indices[part]]
        return result

    def _query_rows(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return queries in the scaled coordinates, float64, and their norms."""
        queries = Q.astype(np.float64) - self._centre
        norms = row_norms(queries, np.zeros(self.n_features))
        if self.metric == "euclidean":
            return queries / self._scale, norms / self._scale
        # The length of a query does not change the order of its neighbours.
        return queries / np.where(norms > 0, norms, 1.0)[:, None], np.ones(len(Q))

    def _gallery_rows(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return gallery rows in the scaled coordinates, float64."""
        gallery = self.G[rows].astype(np.float64) - self._centre
        if self.metric == "cosine":
            return gallery / self._norms[rows][..., None]
        return gallery / self._scale

    def _magnitude(self, norms: np.ndarray) -> np.ndarray:
        """Bound the size of the terms whose sum is a score."""
        return norms + 0.5 if self.metric == "euclidean" else norms

    def _float32_error(self, norms: np.ndarray) -> np.ndarray:
        """Bound the error of a float32 score: rounding of inputs, products and sums."""
        return (self.n_features + 8) * _EPS32 * self._magnitude(norms)

    def _candidates(self, queries: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the m best of the gallery by float32 scores, sorted."""
        import torch

        from ._products import product

        gallery = self._gallery32
        block = torch.from_numpy(queries.astype(np.float32)).to(gallery.device)
        scores = product(block, gallery)
        if self.metric == "euclidean":
            scores -= self._half_norms32
        # About as many groups to choose from as scores inside the chosen groups.
        group = max(8, int((self.n_gallery / m) ** 0.5))
        n_groups = self.n_gallery // group
        if n_groups < 2 * m:
            values, indices = torch.topk(scores, m, dim=1)
            return indices.cpu().numpy(), values.cpu().numpy()
        # The m best lie in the m groups with the highest maxima (or in the few left over), and
        # finding maxima is far cheaper than selecting from all.
        main = n_groups * group
        maxima = scores[:, :main].view(len(block), group, n_groups).amax(dim=1)
        best = torch.topk(maxima, m, dim=1, sorted=False).indices
        offsets = torch.arange(group, device=best.device) * n_groups
        inside = (best[:, :, None] + offsets).flatten(1)
        values = scores.gather(1, inside)
        if main < self.n_gallery:
            rest = torch.arange(main, self.n_gallery, device=best.device)
            inside = torch.cat([inside, rest.expand(len(block), -1)], dim=1)
            values = torch.cat([values, scores[:, main:]], dim=1)
        values, place = torch.topk(values, m, dim=1)
        return inside.gather(1, place).cpu().numpy(), values.cpu().numpy()

    def _rescore(
        self,
        Q: np.ndarray,
        block: np.ndarray,
        again: np.ndarray,
        norms: np.ndarray,
        indices: np.ndarray,
        scores: np.ndarray,
        error: np.ndarray,
        k: int,
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Sort candidates by exact scores, in place; tell ties, and which rows are settled."""
        m = indices.shape[1]
        groups = np.broadcast_to(np.arange(m), indices.shape).copy()
        complete = np.ones(len(block), dtype=bool)
        for part in row_blocks_of(len(again), m * self.n_features):
            rows = again[part]
            queries, _ = self._query_rows(Q[block[rows]])
            candidates = self._gallery_rows(indices[rows].reshape(-1)).reshape(len(rows), m, -1)
            exact = np.matmul(candidates, queries[:, :, None])[:, :, 0]
            if self.metric == "euclidean":
                exact -= self._half_norms[indices[rows]]
            order = np.argsort(-exact, axis=1, kind="stable")
            worst = scores[rows, -1]
            scores[rows] = np.take_along_axis(exact, order, axis=1)
            indices[rows] = np.take_along_axis(indices[rows], order, axis=1)
            tolerance = 4 * (self.n_features + 8) * _EPS64 * self._magnitude(norms[rows])
            groups[rows] = _tie_groups(scores[rows], tolerance)
            # Everything left out scores at most the worst candidate's float32 score plus its error.
            complete[rows] = (scores[rows, k - 1] - tolerance > worst + error[rows]) & (
                groups[rows, k - 1] < groups[rows, -1]
            )
        ties = (groups[:, -1] != m - 1).any()
        return (groups if ties else None), complete

    def _rank_whole_rows(self, Q: np.ndarray, rows: np.ndarray) -> Iterator[Ranking]:
        """Sort the whole gallery by exact scores."""
        for part in self.row_blocks(rows):
            scores, tolerance = self.full_scores(Q, part)
            indices = np.argsort(-scores, axis=1, kind="stable")
            scores = np.take_along_axis(scores, indices, axis=1)
            groups = _tie_groups(scores, tolerance)
            ties = (groups[:, -1] != self.n_gallery - 1).any()
            yield Ranking(part, indices, groups if ties else None)


def _tie_groups(scores: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Number the runs of equal scores in rows sorted from best to worst."""
    groups = np.zeros(scores.shape, dtype=np.int64)
    steps = scores[:, :-1] - scores[:, 1:] > tolerance[:, None]
    np.cumsum(steps, axis=1, out=groups[:, 1:])
    return groups


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep torch from computing float32 products in fewer bits, as users may have allowed."""
    import torch

    allowed = torch.get_float32_matmul_precision()
    if allowed == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(allowed)
