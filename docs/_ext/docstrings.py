"""Our docstrings are plain text with formulas; this escapes what reStructuredText would read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sphinx.application import Sphinx

_MARKUP = re.compile(r"(?<!`)([*|])(?!`)|(?<=\w)(_)(?=[\s,.;:)]|$)")


def escape(lines: Iterable[str]) -> Iterator[str]:
    """The lines as reStructuredText: code in backticks and examples stay as they are."""
    example = False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        yield line if example else _escape_line(line)


def _escape_line(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    parts[::2] = [_MARKUP.sub(r"\\\1\2", part) for part in parts[::2]]
    parts[1::2] = [f"`{part}`" for part in parts[1::2]]  # code
    return "".join(parts)


def _process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = escape(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Before napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
