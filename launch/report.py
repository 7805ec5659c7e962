"""`dfedsam report`: a study as one page, with its figures and tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

HELP = """usage: dfedsam report FOLDER [FOLDER …] [--out FOLDER] [--metric NAME] [--target VALUE]
                      [--style NAME] [--animate]

Write one page (report.html, which needs no network and no other file) on what was run: tables, figures of convergence
against the spectral gap with theory beside them, each run's settings, and a picker that sets runs side by side. Beside
it: figures/ with a PDF and a PNG each, tables/ with CSV and LaTeX. An older report in the same place is made anew.

options:
  FOLDER          a study of dfedsam sweep, a folder of runs, or a run's folder
  --out FOLDER    where to (default: report, in a single FOLDER, else in the current one)
  --metric NAME   what runs are compared by (default: accuracy, else error_local, the squared distance from the
                  optimum, else the loss)
  --target VALUE  the value of it to which rounds, queries and bytes are counted (default: one that most runs reach, for
                  each heterogeneity)
  --style NAME    paper, or slides with larger letters and thicker lines (default: paper)
  --animate       also show how peers come to agree on the drawn graphs

examples:
  dfedsam report studies/ablation
  dfedsam report runs/a runs/b --out comparison --metric loss --target 0.5
  dfedsam report studies/ablation --style slides --animate"""
_VALUES = ("out", "metric", "target", "style")


def main(argv: list[str]) -> int:
    """Run `dfedsam report ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    folders, options = _read(argv)
    if not folders:
        raise ValueError("folders is empty: name at least one study or run, such as `dfedsam report studies/ablation`")
    from dfedsam.analysis import write_report

    print(write_report(folders, **options))
    return 0


def _read(argv: list[str]) -> tuple[list[Path], dict[str, Any]]:
    folders: list[Path] = []
    options: dict[str, Any] = {}
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        name = option.removeprefix("--")
        if word == "--animate":
            options["animate"] = True
        elif option.startswith("--") and name in _VALUES:
            value = value if equals else next(words, "")
            if not value:
                raise ValueError(f"{name} needs a value: --{name} VALUE")
            options[name] = _number(value) if name == "target" else value
        elif word.startswith("-"):
            known = ", ".join(f"--{name}" for name in _VALUES)
            raise ValueError(f"{word} is not an option: there is {known} and --animate")
        else:
            folders.append(Path(word))
    return folders, options


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"target is {text}: it must be a number, such as 0.7")
    return value
