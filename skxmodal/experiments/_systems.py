"""The systems that the paper compares, scored on each modality alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score

from ..classification import ModalityAgnosticClassifier
from ..modalities import present_rows, select_modality
from ..translation import ContrastiveTranslator, PCAProjector

ZERO_SHOT, ALL_DATA = "zero-shot", "all data"


@dataclass(frozen=True)
class Score:
    """Macro F1 of a system on test samples of one modality."""

    system: str
    target: str  # modality of the test samples
    training: str  # ZERO_SHOT: labels of the other modalities only; ALL_DATA: of every one
    macro_f1: float
    n_train: int
    n_test: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


def fit_joint_spaces(unlabelled: Any, *, random_state: int, verbose: int) -> dict[str, Any]:
    """Fit the joint space of each multi-modal system on the same rows, without labels.

    ``MMP`` reduces each modality by its own PCA; ``MMT`` translates (paper, section 2.3).
    """
    return {
        "MMP": PCAProjector(random_state=random_state).fit(unlabelled),
        "MMT": ContrastiveTranslator(random_state=random_state, verbose=verbose).fit(unlabelled),
    }


def score_systems(
    spaces: dict[str, Any],
    train: tuple[Any, np.ndarray],
    test: tuple[Any, np.ndarray],
    *,
    seed: int,
) -> Iterator[Score]:
    """Score every system on every target modality (paper, section 4.2, ends of Figure 3).

    A single-modality system ``SM?`` is the PCA of ``MMP`` with a classifier that is trained and
    tested on one modality.
    """
    X_train, y_train = train
    modalities = list(present_rows(X_train))
    for target in modalities:
        X_test, y_test = _only(test, [target])
        of_target = _only(train, [target])
        of_others = _only(train, [name for name in modalities if name != target])
        runs = [
            (f"SM{target[0].upper()}", "MMP", ALL_DATA, of_target),
            *((system, system, ZERO_SHOT, of_others) for system in spaces),
            *((system, system, ALL_DATA, (X_train, y_train)) for system in spaces),
        ]
        for system, space, training, (X, y) in runs:
            model = ModalityAgnosticClassifier(FrozenEstimator(spaces[space]), random_state=seed)
            predicted = model.fit(X, y).predict(X_test)
            yield Score(
                system,
                target,
                training,
                float(f1_score(y_test, predicted, average="macro")),
                n_train=len(y),
                n_test=len(y_test),
            )


def _only(table: tuple[Any, np.ndarray], names: list[str]) -> tuple[Any, np.ndarray]:
    """Keep the rows that have one of the modalities, and nothing but those modalities."""
    X, y = table
    present = present_rows(X)
    rows = np.flatnonzero(np.any([present[name] for name in names], axis=0))
    kept = X.iloc[rows]
    if len(names) == 1:
        kept = select_modality(kept, names[0])
    return kept, y[rows]
