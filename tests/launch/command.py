"""The command line under test: in this process where that is honest, else as a user's own process."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import pytest

from dfedsam.launch.cli import main
from tests import mpi

PROGRAM = "import sys; from dfedsam.launch.cli import main; sys.exit(main())"
SMALL = ("--rounds", "3", "--objective.dim", "5")


class Said(NamedTuple):
    """What a command did: exit status, standard output and error."""

    status: int
    out: str
    err: str


class Command:
    """Runs `dfedsam ARGV` in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str) -> Said:
        self._capsys.readouterr()
        status = main(list(argv))
        out, err = self._capsys.readouterr()
        return Said(status, out, err)


def process(*argv: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 60) -> CompletedProcess[str]:
    """Run `dfedsam ARGV` in a process of its own."""
    return mpi.run([sys.executable, "-c", PROGRAM, *argv], timeout, mpi.environment() | (env or {}), cwd)


def metrics(folder: Path | str) -> list[dict[str, Any]]:
    """The rows of a run without what a clock says."""
    rows = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
