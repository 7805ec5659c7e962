"""The command line under test: in this process where that is honest, else as a user's own process."""

import json
import subprocess
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import pytest

from dfedsam.launch.cli import main
from tests import mpi
from tests.results import without_clock

PROGRAM = "import sys; from dfedsam.launch.cli import main; sys.exit(main())"
SMALL = ("--rounds", "3", "--objective.dim", "5")
LONG = ("--rounds", "100000", "--peers", "8")


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
    return without_clock(rows)


def start(*argv: str, cwd: Path, setup: str = "") -> subprocess.Popen[str]:
    """`dfedsam ARGV` in a session of its own; `setup` is Python that comes first."""
    command = [sys.executable, "-c", f"{setup}\n{PROGRAM}", *argv]
    return subprocess.Popen(
        command,
        env=mpi.environment(2),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(job: subprocess.Popen[str]) -> None:
    """Kill it if it still runs."""
    job.kill()
    job.communicate()


def wait_for(condition, seconds: float = 60) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def rows(folder: Path) -> int:
    """Lines of a run's metrics."""
    path = folder / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0
