"""One look for all displays: colours that colour-blind readers can tell apart, sizes, wording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..utils import import_optional

#: Okabe and Ito's palette (jfly.uni-koeln.de/color), darkest hues first, without yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Shapes tell systems apart where colours cannot.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE_COLOURS = ("#4D4D4D", "#8C510A", "#7B3294", "#1B7837")
BASELINE_DASHES = ((0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 3)))
#: Inches; 700 pixels at matplotlib's 100 dots an inch.
WIDTH = 7.0
GRID = {"color": "#D9D9D9", "linewidth": 0.8}


def figure_axes(
    ax: Any,
    caller: str,
    *,
    n_rows: int = 1,
    n_columns: int = 1,
    height: float,
    **options: Any,
) -> tuple[Any, np.ndarray]:
    """Return a figure and ``n_rows * n_columns`` axes: those given, or new ones."""
    needed = n_rows * n_columns
    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != needed:
            raise ValueError(
                f"{caller} draws {needed} panels and needs as many axes, got {len(axes)}: pass "
                f"ax=None, or the axes of plt.subplots({n_rows}, {n_columns})"
            )
        import_optional("matplotlib.pyplot", caller=caller, extra="plot")
        return axes[0].figure, axes
    pyplot = import_optional("matplotlib.pyplot", caller=caller, extra="plot")
    figure, axes = pyplot.subplots(
        n_rows,
        n_columns,
        figsize=(WIDTH, height),
        layout="constrained",
        squeeze=False,
        **options,
    )
    return figure, axes.ravel()


def bare(ax: Any, *, grid: str | None = None) -> None:
    """Leave away the frame's upper and right side; lay a light grid below the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, **GRID)


def plain(label: Any) -> str:
    """Write a class label letter by letter: dollars in it do not enclose a formula."""
    return str(label).replace("$", r"\$")


def listed(names: Iterable[Any]) -> str:
    """Join names as prose does."""
    words = [str(name) for name in names]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def arrow(direction: tuple[str, str]) -> str:
    """Write a direction of retrieval."""
    return f"{direction[0]} → {direction[1]}"
