"""Render formulas as MathML: no script, no network, and screen readers read them."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def _inline(self, node):
    """Write a formula in a line of text."""
    self.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(self, node):
    """Write a formula of its own; one that is wider than the page scrolls."""
    # tex2mathml draws several lines only within an environment.
    formula = node.astext()
    if r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    self.body.append(self.starttag(node, "div", CLASS="math formula", tabindex="0"))
    self.body.append(tex2mathml(formula, as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Make ``html_math_renderer = "mathml"`` known."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
