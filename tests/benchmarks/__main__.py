"""Run the benchmarks, all or those named, and print them as one table. Exit status 1 when a target is missed."""

import importlib
import pkgutil
import sys

from rich.console import Console
from rich.table import Table

from tests import benchmarks


def main(names: list[str]) -> int:
    """Run the modules named (all if none is) and print their rows."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    unknown = [name for name in names if name not in known]
    if unknown:
        console.print(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(known)}")
        return 2
    table = Table("what", "against", "measured", "ratio", "target", "", title="Benchmarks")
    missed = 0
    for name in names or known:
        with console.status(f"{name} …"):
            rows = importlib.import_module(f"tests.benchmarks.{name}").run()
        for row in rows:
            verdict = "[green]reached[/]" if row.reached else "[red]missed[/]"
            target = f"{'≤' if row.at_most else '≥'} {row.target:g}"
            table.add_row(row.what, row.floor, row.figures, f"{row.ratio:.2f}", target, verdict)
            missed += not row.reached
    console.print(table)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
