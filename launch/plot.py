"""`dfedsam plot`: the convergence of one or several runs as a figure."""

from __future__ import annotations

from pathlib import Path

HELP = """usage: dfedsam plot FOLDER [FOLDER …] [--out FILE]

Draw loss, accuracy and consensus distance against rounds, queries and bytes. Runs that differ only in their seed become
one curve with its 95 % interval.

options:
  FOLDER      a run's folder, finished or not
  --out FILE  the figure: .pdf, .png or .svg (default: convergence.pdf, in the folder of a single run)

examples:
  dfedsam plot runs/a
  dfedsam plot runs/ring-0 runs/ring-1 runs/torus-0 --out figure.pdf"""


def main(argv: list[str]) -> int:
    """Run `dfedsam plot ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    folders, out, words = [], None, iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if option == "--out":
            value = value if equals else next(words, "")
            if not value:
                raise ValueError("out needs a value: --out FILE.pdf")
            out = Path(value)
        elif word.startswith("-"):
            raise ValueError(f"{word} is not an option: there is --out FILE")
        else:
            folders.append(Path(word))
    if not folders:
        raise ValueError("folders is empty: name at least one run's folder, such as `dfedsam plot runs/a`")
    from dfedsam.analysis import plot_runs

    print(plot_runs(folders, out))
    return 0
