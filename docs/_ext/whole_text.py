"""llms.txt, a list of the pages, and dfedsam.md, all of them in one file of Markdown, beside the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString
from markdownify import MarkdownConverter
from sphinx.application import Sphinx

_HEAD = """# dfedsam

> A simulator of decentralised, black-box prompt tuning: peers only query a model for losses or class scores, take
> sharpness-aware local steps, and average with their neighbours on a graph. The same numbers in one process and on
> any number of MPI ranks.

All pages in one file: [dfedsam.md](dfedsam.md)

"""
_LEFT_OUT = "script, style, img, svg, .headerlink, .toctree-wrapper, .sphx-glr-footer, .sphx-glr-timing"


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    pages = {name: app.builder.get_target_uri(name) for name in ordered(app)}
    lines = [f"- [{app.env.titles[name].astext()}]({uri})" for name, uri in pages.items()]
    Path(app.outdir, "llms.txt").write_text(_HEAD + "\n".join(lines) + "\n")
    texts = [_markdown(Path(app.outdir, uri)) for uri in pages.values()]
    Path(app.outdir, "dfedsam.md").write_text("\n\n".join(texts))


def ordered(app: Sphinx) -> list[str]:
    """All pages in the order of the tables of contents, depth first."""
    names: list[str] = []

    def visit(name: str) -> None:
        if name not in names:
            names.append(name)
            for child in app.env.toctree_includes.get(name, []):
                visit(child)

    visit(app.config.root_doc)
    return names


def _markdown(page: Path) -> str:
    article = BeautifulSoup(page.read_text(), "html.parser").find("article")
    if article is None:
        raise ValueError(f"{page} has no article: the theme's pages have changed")
    for element in article.select(_LEFT_OUT):
        element.decompose()
    for formula in article.find_all("math"):
        sign = "$$" if formula.get("display") == "block" else "$"
        formula.replace_with(NavigableString(f"{sign}{formula.get('alttext', formula.get_text())}{sign}"))
    return (
        MarkdownConverter(
            heading_style="atx", bullets="-", strip=["a"], escape_underscores=False, escape_asterisks=False
        )
        .convert_soup(article)
        .strip()
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Write both once the pages are there."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
