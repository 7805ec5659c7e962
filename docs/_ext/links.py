"""Checks every link inside the site once it is built: the file must exist, and the place on its page too."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import SphinxError


def _check(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    broken = sorted(set(_broken(Path(app.outdir))))
    if broken:
        raise SphinxError("links that lead nowhere:\n" + "\n".join(broken))


def _broken(site: Path) -> list[str]:
    @cache
    def page(path: Path) -> BeautifulSoup:
        return BeautifulSoup(path.read_text(), "html.parser")

    @cache
    def places(path: Path) -> frozenset[str]:
        return frozenset(tag["id"] for tag in page(path).find_all(id=True))

    found = []
    for path in (one for one in site.rglob("*.html") if "_static" not in one.parts):  # templates of the theme
        article = page(path).find("article") or page(path)
        for attribute in ("href", "src"):
            for tag in article.find_all(**{attribute: True}):
                link = urlsplit(tag[attribute])
                if link.scheme or link.netloc or not (link.path or link.fragment):
                    continue
                target = (path.parent / unquote(link.path)).resolve() if link.path else path
                missing = not target.is_file()
                if not missing and link.fragment and target.suffix == ".html":
                    missing = unquote(link.fragment) not in places(target)
                if missing:
                    found.append(f"{path.relative_to(site)}: {tag[attribute]}")
    return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Check last, after all files of the site are written."""
    app.connect("build-finished", _check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
