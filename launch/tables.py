"""Tables: aligned text, with rules and bold headers by rich where a terminal is wide enough for them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def show(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column holds names and whose other columns hold figures or words."""
    plain = text(headers, rows)
    frame = len(headers) + 4  # columns that rich adds
    width = max(map(len, plain.splitlines())) + frame
    if not sys.stdout.isatty() or width > shutil.get_terminal_size().columns:
        print(plain)  # a long line that the terminal folds loses nothing; cells that rich folds may
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if _figures(rows, i) else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def text(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as plain lines, two blanks between columns."""
    widths = [max(len(line[i]) for line in (headers, *rows)) for i in range(len(headers))]
    aligned = [
        "  ".join(
            f"{cell:>{width}}" if _figures(rows, i) else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (headers, *rows)
    ]
    return "\n".join(line.rstrip() for line in aligned)


def _figures(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds figures, which stand to the right; – stands for one that is missing."""
    cells = [row[column] for row in rows if row[column] not in ("", "–")]
    return column > 0 and all(cell.lstrip("≈ −")[:1].isdigit() for cell in cells)
