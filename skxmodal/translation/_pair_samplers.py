"""Which pairs to train on: balanced, diverse, or agreeing ones, chosen without labels."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from sklearn.base import clone

from ..utils import check_number
from ._dpp import sample_kdpp
from ._pair_sampling import PairSampler, cluster_labels, draw_evenly, pair_features, paired_rows
from ._partners import pair_agreement
from ._rematching import RematchedPairs
from ._robust_space import RobustSpace


class BalancedPairs(PairSampler):
    """Draw pairs evenly over clusters, so that frequent kinds do not drown rare ones.

    The rows are clustered by k-means on the leading principal components of all their
    modalities; every cluster has the same chance.

    Parameters
    ----------
    n_clusters : int, default=30
        Number of clusters; somewhat more than there are kinds.
    n_pairs : int or None, default=None
        Pairs to draw, with replacement; ``None`` is as many as there are.

    References
    ----------
    .. [1] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 5 (skewed classes of the translation set).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.translation import BalancedPairs
    >>> kind = np.array([0] * 190 + [1] * 10)
    >>> blocks = {"audio": np.eye(2)[kind], "image": np.eye(2)[kind]}
    >>> chosen = BalancedPairs(2).sample_pairs(blocks, random_state=0)
    >>> bool(0.35 < kind[chosen["audio"]].mean() < 0.65)
    True
    """

    def __init__(self, n_clusters: int = 30, *, n_pairs: int | None = None) -> None:
        self.n_clusters = n_clusters
        self.n_pairs = n_pairs

    def _check_parameters(self) -> None:
        check_number("n_clusters", self.n_clusters, integer=True, low=1)

    def _sample(
        self,
        blocks: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        rows = paired_rows(present)
        features = pair_features(blocks, present)[rows]
        labels = cluster_labels(features, self.n_clusters, random_state)
        return _same_row(rows[draw_evenly(labels, n_pairs, random_state)], present)


class DPPPairs(PairSampler):
    """Draw pairs that differ from each other, by a determinantal point process.

    The kernel of two pairs is linear in their leading principal components, of unit length: it
    has a low-rank factor, so that all is computed in the dual and 130,000 pairs are no
    obstacle. As one draw cannot have more members than the factor has columns, draws are
    repeated, each among the pairs not drawn yet, until there are enough.

    Parameters
    ----------
    fraction : float in (0, 1], default=0.5
        Share of the pairs to choose, without replacement; the rest is left out.
    n_pairs : int or None, default=None
        How many to choose instead.

    References
    ----------
    .. [1] A. Kulesza and B. Taskar, "k-DPPs: fixed-size determinantal point processes", ICML
       2011.
    .. [2] H.-H. Wu, M. Fuentes and J. P. Bello, "Exploring modality-agnostic representations
       for music classification", 2021, section 5 (determinantal point processes as future
       work).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.translation import DPPPairs
    >>> kind = np.array([0] * 180 + [1] * 10 + [2] * 10)
    >>> blocks = {"audio": np.eye(3)[kind], "image": np.eye(3)[kind]}
    >>> chosen = DPPPairs(n_pairs=20).sample_pairs(blocks, random_state=0)
    >>> bool(np.bincount(kind[chosen["audio"]]).max() < 15)
    True
    """

    def __init__(self, fraction: float = 0.5, *, n_pairs: int | None = None) -> None:
        self.fraction = fraction
        self.n_pairs = n_pairs

    def _check_parameters(self) -> None:
        check_number("fraction", self.fraction, above=0, high=1)

    def _sample(
        self,
        blocks: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        rows = paired_rows(present)
        if self.n_pairs is None:
            n_pairs = max(1, round(self.fraction * len(rows)))
        elif n_pairs > len(rows):
            raise ValueError(
                f"DPPPairs draws without replacement: n_pairs={n_pairs} is more than the "
                f"{len(rows)} pairs there are"
            )
        features = _diverse_features(pair_features(blocks, present)[rows])
        left = np.arange(len(rows))
        chosen: list[np.ndarray] = []
        missing = n_pairs
        while missing:
            some = left
            if len(left) > _DPP_ROWS:
                # Uniform thinning first: a stage of its own that keeps the cost of a draw fixed.
                some = random_state.choice(left, size=_DPP_ROWS, replace=False)
            count = min(missing, _rank(features[some]))
            if count == 0:
                new = random_state.choice(left, size=missing, replace=False)
            else:
                new = some[sample_kdpp(features[some], count, random_state)]
            chosen.append(new)
            missing -= len(new)
            left = np.setdiff1d(left, new, assume_unique=True)
        return _same_row(rows[np.concatenate(chosen)], present)


class AgreeingPairs(PairSampler):
    """Leave out the pairs that do not fit together.

    A closed-form joint space is fitted on the pairs; a pair's agreement is how its similarity
    ranks among those of strangers. The share of wrong pairs is estimated from the ranks (wrong
    pairs rank uniformly), and so many of the least agreeing ones are left out. Each pair is
    judged in a space that the other half of the pairs taught. Pairs that cannot be judged stay:
    those of a modality that few rows have, and all where there are two or three.

    Parameters
    ----------
    projector : joint projector or None, default=None
        As in :class:`RematchedPairs`.
    keep : float in (0, 1] or "auto", default="auto"
        Share of the pairs to keep; ``"auto"`` keeps the estimated share of right ones.
    n_pairs : int or None, default=None
        Pairs to draw, with replacement, from those kept; ``None`` takes each once.

    Attributes
    ----------
    pair_noise_ : float
        The estimated share of wrong pairs of the last call.

    References
    ----------
    .. [1] J. D. Storey, "A direct approach to false discovery rates", J. R. Stat. Soc. B 64,
       2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmodal.translation import AgreeingPairs
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.integers(4, size=400)
    >>> wrong = rng.random(400) < .5
    >>> seen = np.where(wrong, rng.integers(4, size=400), kind)
    >>> blocks = {"audio": np.eye(4)[kind] + .1 * rng.normal(size=(400, 4)),
    ...           "image": np.eye(4)[seen] + .1 * rng.normal(size=(400, 4))}
    >>> chosen = AgreeingPairs().sample_pairs(blocks, random_state=0)
    >>> bool((kind == seen)[chosen["audio"]].mean() > .9)
    True
    """

    def __init__(
        self,
        projector: Any = None,
        *,
        keep: float | str = "auto",
        n_pairs: int | None = None,
    ) -> None:
        self.projector = projector
        self.keep = keep
        self.n_pairs = n_pairs

    def _check_parameters(self) -> None:
        if self.keep != "auto":
            check_number("keep", self.keep, above=0, high=1)

    def _sample(
        self,
        blocks: dict[str, np.ndarray],
        present: dict[str, np.ndarray],
        n_pairs: int,
        random_state: np.random.RandomState,
    ) -> dict[str, np.ndarray]:
        rows = paired_rows(present)
        agreement = np.zeros(len(rows))
        counted = np.zeros(len(rows))
        noises, n_both = [0.0], [0]
        side = random_state.permutation(len(rows)) % 2
        for half in (0, 1):
            teaching = dict.fromkeys(blocks, rows[side != half])
            space = RobustSpace(self.projector, blocks, teaching, random_state)
            vectors = {name: space.embed(name, present[name]) for name in space.names}
            for first, second in combinations(vectors, 2):
                both = (side == half) & present[first][rows] & present[second][rows]
                if both.sum() < 2:
                    continue
                rank, noise = pair_agreement(
                    vectors[first][rows[both]], vectors[second][rows[both]], random_state
                )
                agreement[both] += rank
                counted[both] += 1
                noises.append(noise)
                n_both.append(both.sum())
        self.pair_noise_ = float(np.average(noises, weights=n_both)) if any(n_both) else 0.0
        keep = 1 - self.pair_noise_ if self.keep == "auto" else float(self.keep)
        judged = np.flatnonzero(counted)
        order = np.argsort(-agreement[judged] / counted[judged], kind="stable")
        worst = judged[order[max(2, round(keep * len(judged))) :]]
        chosen = np.delete(rows, worst)
        if self.n_pairs is not None:
            chosen = chosen[random_state.randint(len(chosen), size=n_pairs)]
        return _same_row(chosen, present)


_DPP_ROWS = 5000
_DPP_WIDTH = 128

SAMPLERS: dict[str, Any] = {
    "rematched": RematchedPairs,
    "balanced": BalancedPairs,
    "dpp": DPPPairs,
    "agreement": AgreeingPairs,
}


def make_sampler(sampler: Any) -> Any:
    """Return the sampler of a name, or a copy of a sampler: its call may note what it found.

    Parameters
    ----------
    sampler : str or object
        ``"rematched"``, ``"balanced"``, ``"dpp"``, ``"agreement"``, or an object with a method
        ``sample_pairs(blocks, random_state)``.

    Returns
    -------
    sampler : object

    Raises
    ------
    ValueError, TypeError
        When there is no sampler of that name, or the object has no such method.
    """
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            names = ", ".join(map(repr, SAMPLERS))
            raise ValueError(
                f"sampler must be one of {names} or an object with a method "
                f"sample_pairs(blocks, random_state), got {sampler!r}"
            )
        return SAMPLERS[sampler]()
    if not hasattr(sampler, "sample_pairs"):
        raise TypeError(
            "sampler must be a name or an object with a method sample_pairs(blocks, "
            f"random_state), got {sampler!r}"
        )
    return clone(sampler) if isinstance(sampler, PairSampler) else sampler


def _same_row(rows: np.ndarray, present: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pair every row with itself."""
    return {name: rows.copy() for name in present}


def _diverse_features(features: np.ndarray) -> np.ndarray:
    """Centre rows, give them unit length, and keep their leading directions."""
    features = features - features.mean(axis=0)
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    if features.shape[1] > _DPP_WIDTH:
        _, _, axes = np.linalg.svd(features.T @ features, hermitian=True)
        features = features @ axes[:_DPP_WIDTH].T
    return features


def _rank(features: np.ndarray) -> int:
    values = np.linalg.eigvalsh(features.T @ features)
    return int((values > 1e-9 * max(values[-1], np.finfo(float).tiny)).sum())
