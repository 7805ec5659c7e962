"""Tables by rich: with rules on a terminal that is wide enough, otherwise as aligned lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def show(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column holds names and whose other columns hold numbers or words."""
    from rich.console import Console

    if sys.stdout.isatty():
        console = Console(highlight=False, markup=False)
        table = _table(headers, rows, rules=True)
        if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
            console.print(table)
            return
    print(text(headers, rows))  # the terminal wraps long lines without loss; rich may cut cells


def text(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table as plain lines, with two blanks between columns."""
    from rich.console import Console

    console = Console(width=100_000, highlight=False, markup=False, force_terminal=False, no_color=True)
    with console.capture() as lines:
        console.print(_table(headers, rows, rules=False))
    return "\n".join(line.rstrip() for line in lines.get().splitlines())


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], rules: bool):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if rules else None, collapse_padding=True, pad_edge=rules, padding=(0, 2, 0, 0))
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if _has_numbers(rows, i) else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _has_numbers(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds numbers, which are aligned right; – marks a missing one."""
    cells = [row[column] for row in rows if row[column] not in ("", "–")]
    return column > 0 and all(cell.lstrip("≈ −")[:1].isdigit() for cell in cells)
