"""What sweeps and other commands use of files and command lines."""

from __future__ import annotations

from collections.abc import Iterable

from dfedsam.launch.options import EXPERIMENTS, read_file, read_yaml, settings
from dfedsam.launch.trees import Pair, Tree, split

__all__ = ["EXPERIMENTS", "Pair", "Tree", "pairs", "read_file", "read_yaml", "settings", "split"]


def pairs(argv: Iterable[str]) -> list[Pair]:
    """The options of a command line that has nothing else."""
    return split(argv)[1]
