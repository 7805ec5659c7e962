"""A sweep as one SLURM array job: a task for each run that is not done; after a preemption it goes on where it was."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dfedsam.launch import errors
from dfedsam.launch.sweeps.one import AGAIN

SAVE = 120  # seconds before the end of a task's time at which its run is asked to save
_STARTS = {"mpich": "srun --mpi=pmi2", "openmpi": "mpirun -n {ranks}"}
_ALONE = "srun --mpi=none"


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """What a batch script says beside the command.

    Args:
        partition: where it runs; empty: SLURM's default.
        time: the limit of one task, such as 2:00:00; empty: the partition's. A run that needs longer is queued again.
        account: who pays; empty: the user's default.
        launcher: "mpich" (srun --mpi=pmi2), "openmpi" (mpirun), or a command such as "srun --mpi=pmix"; empty: by the
            MPI library that mpi4py finds here.
        modules: loaded before the run.
        setup: lines of shell before the run.
        options: further options of sbatch, such as --mem=8G.
        parallel: tasks at once; 0: as many as SLURM lets run.
        cpus_per_rank: cores, and threads, of a rank, at least 1.
    """

    partition: str = ""
    time: str = ""
    account: str = ""
    launcher: str = ""
    modules: Sequence[str] = ()
    setup: Sequence[str] = ()
    options: Sequence[str] = ()
    parallel: int = 0
    cpus_per_rank: int = 1

    def __post_init__(self) -> None:
        for name in ("partition", "time", "account", "launcher"):
            if not isinstance(getattr(self, name), str) or "\n" in getattr(self, name):
                raise ValueError(f"slurm.{name} is {getattr(self, name)}: it must be text of one line; quote it")
        if self.time and not re.fullmatch(r"\d+(-\d+)?(:\d\d){0,2}", self.time):
            raise ValueError(f"slurm.time is {self.time}: it must be as SLURM has it, such as 2:00:00 or 1-12:00:00")
        for name in ("modules", "setup", "options"):
            lines = getattr(self, name)
            if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) for line in lines):
                raise ValueError(f"slurm.{name} is {lines}: it must be a list of lines")
        for name, least in (("parallel", 0), ("cpus_per_rank", 1)):
            if type(getattr(self, name)) is not int or getattr(self, name) < least:
                raise ValueError(
                    f"slurm.{name} is {getattr(self, name)}: it must be a whole number of at least {least}"
                )


def read(section: Mapping[str, Any], over: Mapping[str, Any]) -> Slurm:
    """The file's `slurm:` section with the command line's options over it.

    Raises:
        ValueError: for an unknown key or a bad value.
    """
    known = [field.name for field in fields(Slurm)]
    if not isinstance(section, Mapping):
        raise ValueError(f"slurm is {section}: it must hold settings by name: {', '.join(known)}")
    for key in section:
        if key not in known:
            raise errors.unknown_option(f"slurm.{key}", known)
    return Slurm(**{**section, **over})


def script(slurm: Slurm, study: Path, numbers: Sequence[int], ranks: int, more: Sequence[str] = ()) -> str:
    """The batch script.

    Args:
        slurm: its settings.
        study: the study's folder.
        numbers: the runs to play, by their number in the sweep.
        ranks: MPI ranks of each.
        more: further options of `dfedsam sweep`.
    """
    study = study.absolute()
    start = _ALONE if ranks == 1 else _STARTS.get(slurm.launcher, slurm.launcher).format(ranks=ranks)
    steps = start.startswith("srun")
    head = {
        "job-name": f"dfedsam-{study.name}",
        "array": _ranges(numbers) + (f"%{slurm.parallel}" if slurm.parallel else ""),
        "ntasks": ranks,
        "cpus-per-task": slurm.cpus_per_rank,
        "partition": slurm.partition,
        "time": slurm.time,
        "account": slurm.account,
        "output": study / "logs" / "slurm-%A_%a.out",
        "chdir": Path.cwd(),
        "signal": f"{'' if steps else 'B:'}USR1@{min(SAVE, _seconds(slurm.time) // 4)}",
    }
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH --{name}={_quoted(value)}" for name, value in head.items() if value != ""]
    lines += ["#SBATCH --open-mode=append", "#SBATCH --requeue", *(f"#SBATCH {option}" for option in slurm.options)]
    lines += ["", *(f"module load {shlex.quote(module)}" for module in slurm.modules), *slurm.setup]
    lines += ['export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"']
    run = [sys.executable, "-m", "dfedsam.launch.cli", "sweep", str(study), "--ranks", str(ranks), *more, "--only"]
    command = f"{start} {shlex.join(run)} " + '"$SLURM_ARRAY_TASK_ID"'
    if steps:
        lines += [command.replace("srun", "srun --kill-on-bad-exit=1", 1), "status=$?"]
    else:  # the signal comes to this shell, which passes it on
        lines += [f"{command} &", "run=$!", "trap 'kill -USR1 \"$run\"' USR1", "trap 'kill -TERM \"$run\"' TERM"]
        lines += ['while kill -0 "$run" 2>/dev/null; do wait "$run"; status=$?; done']
    lines += [f'if [ "$status" -eq {AGAIN} ]; then  # its time was over: it has saved, and goes on in another task']
    lines += ['    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"', "fi", 'exit "$status"', ""]
    return "\n".join(lines)


def submit(text: str, path: Path) -> str:
    """Write the script to `path`, submit it, and return the job's number.

    Raises:
        ValueError: if SLURM refuses it.
    """
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ValueError(f"sbatch refused {path}: {' '.join(done.stderr.split())}")
    return done.stdout.strip().partition(";")[0]


def check_sbatch() -> None:
    """Raise ValueError unless sbatch is here."""
    if shutil.which("sbatch") is None:
        raise ValueError(
            "slurm needs sbatch, which is not found: call it where jobs are submitted, load the SLURM module, or see "
            "the script with --dry-run"
        )


def find_launcher() -> str:
    """How ranks of this Python's MPI library are started: "mpich" or "openmpi".

    Raises:
        ValueError: if there is no library.
    """
    code = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ValueError(
            "launcher is not given, and no MPI library is found here: install one with `pip install mpich`, load your "
            "cluster's MPI module, or give --launcher mpich, openmpi or a command"
        )
    return "openmpi" if "Open MPI" in done.stdout else "mpich"


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 as 0-2,5."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def _seconds(limit: str) -> float:
    """A time limit of SLURM's: minutes, minutes:seconds, hours:minutes:seconds, or days- before hours[:minutes…]."""
    if not limit:
        return math.inf
    days, dash, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return int(days) * 86400 + hours * 3600 + minutes * 60 + seconds
    hours, minutes, seconds = parts if len(parts) == 3 else (0, *parts, 0)[:3]
    return hours * 3600 + minutes * 60 + seconds


def _quoted(value: object) -> str:
    text = str(value)
    return shlex.quote(text) if re.search(r"\s", text) else text
