"""Second moments of several modalities, added up by batches, and the CCA that they give."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh, solve_triangular, svd

from ._kernel_features import leading_eigenvectors

#: Beyond so many columns only the leading principal directions enter the decomposition.
MAX_RANK = 384
REG_GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class Moments:
    """Sums and sums of products about a fixed shift; those of two batches may be added."""

    def __init__(self, shift: dict[str, np.ndarray]) -> None:
        self.shift = shift
        self.count: dict[Any, int] = dict.fromkeys(shift, 0)
        self.total: dict[Any, Any] = dict.fromkeys(shift, 0.0)
        self.product: dict[Any, Any] = dict.fromkeys(shift, 0.0)

    def add(self, features: dict[str, np.ndarray], present: dict[str, np.ndarray]) -> None:
        """Add a batch: the features of the present rows of each modality."""
        features = {name: rows - self.shift[name] for name, rows in features.items()}
        for name, rows in features.items():
            self._add(name, len(rows), rows.sum(axis=0), rows.T @ rows)
        for first, second in combinations(features, 2):
            both = present[first] & present[second]
            if both.any():
                left = features[first][both[present[first]]]
                right = features[second][both[present[second]]]
                totals = np.concatenate([left.sum(axis=0), right.sum(axis=0)])
                self._add((first, second), len(left), totals, left.T @ right)

    def __add__(self, other: Moments) -> Moments:
        result = Moments(self.shift)
        for moments in (self, other):
            for key, count in moments.count.items():
                result._add(key, count, moments.total[key], moments.product[key])
        return result

    def _add(self, key: Any, count: int, total: Any, product: Any) -> None:
        self.count[key] = self.count.get(key, 0) + count
        self.total[key] = self.total.get(key, 0.0) + total
        self.product[key] = self.product.get(key, 0.0) + product

    def __getstate__(self) -> dict[str, Any]:
        """Return the sums as a list: keys that are tuples cannot be written everywhere."""
        sums = [(key, n, self.total[key], self.product[key]) for key, n in self.count.items()]
        return {"shift": self.shift, "sums": sums}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the sums."""
        self.shift = state["shift"]
        self.count, self.total, self.product = {}, {}, {}
        for key, count, total, product in state["sums"]:
            self._add(key, count, total, product)

    def centred(self, about: dict[str, np.ndarray] | None = None) -> Centred:
        """Return means and covariances, about the means or about given ones."""
        names = [name for name in self.shift if self.count[name]]
        means = {name: self.total[name] / self.count[name] for name in names}
        if about is not None:
            means = {name: about[name] - self.shift[name] for name in names}
        covariance, cross = {}, {}
        for key, count in self.count.items():
            if not count:
                continue
            if isinstance(key, tuple):
                first, second = (means[name] for name in key)
                left = self.total[key][: len(first)] / count
                right = self.total[key][len(first) :] / count
                cross[key] = (
                    self.product[key] / count
                    - np.outer(left, second)
                    - np.outer(first, right)
                    + np.outer(first, second)
                )
            else:
                mean, total = means[key], self.total[key] / count
                covariance[key] = (
                    self.product[key] / count
                    - np.outer(mean, total)
                    - np.outer(total, mean)
                    + np.outer(mean, mean)
                )
        absolute = {name: mean + self.shift[name] for name, mean in means.items()}
        return Centred(absolute, covariance, cross)


class Centred:
    """Means, covariances and cross-covariances of modalities."""

    def __init__(self, means: dict, covariance: dict, cross: dict) -> None:
        self.means = means
        self.covariance = covariance
        self.cross = cross

    def rotated(self, bases: dict[str, np.ndarray]) -> Centred:
        """Express the covariances in other bases; the means stay as they are."""
        return Centred(
            self.means,
            {name: bases[name].T @ m @ bases[name] for name, m in self.covariance.items()},
            {(a, b): bases[a].T @ m @ bases[b] for (a, b), m in self.cross.items()},
        )


def leading_bases(centred: Centred, rank: int = MAX_RANK) -> dict[str, np.ndarray]:
    """Return the leading principal directions of each modality; all axes when they are few."""
    return {
        name: np.eye(len(matrix)) if len(matrix) <= rank else leading_eigenvectors(matrix, rank)[1]
        for name, matrix in centred.covariance.items()
    }


def mean_variances(centred: Centred) -> dict[str, float]:
    """Return the mean variance of each modality's columns, the unit of the ridge."""
    tiny = np.finfo(float).tiny
    return {name: max(np.trace(m) / len(m), tiny) for name, m in centred.covariance.items()}


def solve(
    centred: Centred, reg: float, variances: dict[str, float], n_components: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the canonical directions of each modality and the canonical correlations."""
    factors = {}
    for name, matrix in centred.covariance.items():
        ridged = matrix + reg * variances[name] * np.eye(len(matrix))
        factors[name] = cholesky(ridged, lower=True, overwrite_a=True)
    whitened = {}
    for (first, second), matrix in centred.cross.items():
        half = solve_triangular(factors[first], matrix, lower=True)
        whitened[first, second] = solve_triangular(factors[second], half.T, lower=True).T
    rotations, correlations = _leading_directions(
        whitened, {name: len(m) for name, m in centred.covariance.items()}, n_components
    )
    return {
        name: solve_triangular(factors[name], rotation, lower=True, trans="T")
        for name, rotation in rotations.items()
    }, correlations


def held_out_correlations(directions: dict[str, np.ndarray], held_out: Centred) -> np.ndarray:
    """Return the correlation of each component in other rows, averaged over modality pairs."""
    variance = {
        name: np.einsum("ij,ij->j", u, held_out.covariance[name] @ u)
        for name, u in directions.items()
        if name in held_out.covariance
    }
    correlations = [
        np.einsum("ij,ij->j", directions[a], matrix @ directions[b])
        / np.sqrt(np.maximum(variance[a] * variance[b], np.finfo(float).tiny))
        for (a, b), matrix in held_out.cross.items()
    ]
    return np.mean(correlations, axis=0)


def cross_validate(
    folds: list[Moments],
    bases: dict[str, np.ndarray],
    variances: dict[str, float],
    regs: tuple[float, ...],
    n_components: int,
) -> tuple[float, np.ndarray]:
    """Choose the ridge by the total correlation of held-out pairs; return it and the weights.

    The weights are the chosen ridge's held-out correlations, smoothed over neighbouring
    components and made to fall: what a component is worth on pairs that did not shape it.
    """
    splits = []
    for index, fold in enumerate(folds):
        rest = [other for place, other in enumerate(folds) if place != index]
        training = sum(rest[1:], rest[0]).centred()
        splits.append((training.rotated(bases), fold.centred(training.means).rotated(bases)))
    best: tuple[float, float, np.ndarray] | None = None
    for reg in regs:
        curve = np.mean(
            [
                held_out_correlations(solve(training, reg, variances, n_components)[0], held_out)
                for training, held_out in splits
            ],
            axis=0,
        )
        total = np.maximum(curve, 0).sum()
        if best is None or total > best[0]:
            best = total, reg, curve
    assert best is not None
    return best[1], falling(best[2])


def falling(curve: np.ndarray) -> np.ndarray:
    """Smooth a curve of correlations and make it fall, from at most 1 to at least 0."""
    padded = np.concatenate([curve[:1], curve, curve[-1:]])
    smooth = np.convolve(padded, [0.25, 0.5, 0.25], "valid")
    return np.clip(np.minimum.accumulate(smooth), 0, 1)


def _leading_directions(
    whitened: dict[tuple[str, str], np.ndarray], widths: dict[str, int], n_components: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Directions of maximal correlation among whitened modalities, and the correlations."""
    if len(widths) == 2:
        ((first, second), matrix), *_ = whitened.items()
        left, correlations, right = _svd(matrix)
        left, right = left[:, :n_components], right[:n_components].T
        sign = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
        return {first: left * sign, second: right * sign}, correlations[:n_components]
    starts = dict(zip(widths, np.cumsum([0, *widths.values()])))
    total = sum(widths.values())
    matrix = np.zeros((total, total))
    for (first, second), block in whitened.items():
        rows = slice(starts[first], starts[first] + widths[first])
        cols = slice(starts[second], starts[second] + widths[second])
        matrix[rows, cols] = block
        matrix[cols, rows] = block.T
    values, vectors = eigh(matrix, subset_by_index=[total - n_components, total - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_components)])
    # What perfectly correlated modalities give: all but one of them, where all of them meet.
    meet = np.array([[{a, b} in map(set, whitened) for a in widths] for b in widths], dtype=float)
    correlations = np.clip(values / np.linalg.eigvalsh(meet)[-1], 0, None)
    scale = np.sqrt(len(widths))
    return {
        name: scale * vectors[start : start + widths[name]] for name, start in starts.items()
    }, correlations


def _svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the thin singular value decomposition of a matrix."""
    try:
        return svd(matrix, full_matrices=False)
    except LinAlgError:
        # LAPACK's divide and conquer gives up on a few matrices that its slower sweep solves.
        return svd(matrix, full_matrices=False, lapack_driver="gesvd")
