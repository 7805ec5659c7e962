"""Formulas as MathML, which browsers draw by themselves: pages need no script from a network."""

from __future__ import annotations

from html import escape
from typing import Any, Literal

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def _mathml(latex: str, display: Literal["inline", "block"]) -> str:
    """With the source as `alttext`, which whole_text.py takes."""
    return convert(latex, display=display).replace("<math ", f'<math alttext="{escape(latex)}" ', 1)


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _display(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{_mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
