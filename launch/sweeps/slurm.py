"""A sweep as one SLURM array job: one task for each run that is not done; preempted tasks continue when requeued."""

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

from dfedsam.errors import OptionError
from dfedsam.launch.ranks import AGAIN
from dfedsam.names import did_you_mean
from dfedsam.options import whole_number

_SAVE = 120  # a task's run is asked to save this many seconds before its time limit
_USUAL_ARRAY = 1001  # SLURM's default of MaxArraySize
_STARTS = {"mpich": "srun --mpi=pmi2", "openmpi": "mpirun -n {ranks}"}
_ALONE = "srun --mpi=none"


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """Settings of a batch script.

    Args:
        partition: SLURM partition; empty: SLURM's default.
        time: the limit of one task, such as 2:00:00; empty: the partition's. A run that needs longer is requeued.
        account: SLURM account; empty: the user's default.
        launcher: "mpich" (srun --mpi=pmi2), "openmpi" (mpirun), or a command such as "srun --mpi=pmix"; empty: by the
            MPI library that mpi4py finds here.
        modules: loaded before the run.
        setup: lines of shell before the run.
        options: further options of sbatch, such as --mem=8G.
        parallel: number of tasks at the same time; 0: as many as SLURM allows.
        cpus_per_rank: number of cores and threads of a rank, at least 1.
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
            if not _is_line(getattr(self, name)):
                raise OptionError(f"slurm.{name}", getattr(self, name), "must be text of one line; quote it")
        if self.time and not re.fullmatch(r"\d+(-\d+)?(:\d\d){0,2}", self.time):
            raise OptionError("slurm.time", self.time, "must be in SLURM's format, such as 2:00:00 or 1-12:00:00")
        for name in ("modules", "setup", "options"):
            lines = getattr(self, name)
            if not isinstance(lines, list | tuple) or not all(map(_is_line, lines)):
                raise OptionError(f"slurm.{name}", lines, "must be a list of lines")
        whole_number("slurm.parallel", self.parallel, 0)
        whole_number("slurm.cpus_per_rank", self.cpus_per_rank, 1)


def read(section: Mapping[str, Any], over: Mapping[str, Any]) -> Slurm:
    """Merge the file's `slurm:` section with the command line's options, which take precedence.

    Raises:
        OptionError: for an unknown key or a bad value.
    """
    known = [field.name for field in fields(Slurm)]
    if not isinstance(section, Mapping):
        raise OptionError("slurm", section, f"must hold settings by name: {', '.join(known)}")
    for key in section:
        if key not in known:
            rule = f"is not a setting of slurm: there are {', '.join(known)}"
            raise OptionError(f"slurm.{key}", section[key], rule, did_you_mean(key, known))
    return Slurm(**{**section, **over})


def scripts(
    slurm: Slurm,
    study: Path,
    numbers: Sequence[int],
    ranks: int,
    more: Sequence[str] = (),
    largest: int | None = None,
) -> list[str]:
    """The batch scripts: one, or several if the runs' numbers exceed the limit of an array.

    Args:
        slurm: settings of the scripts.
        study: the study's folder.
        numbers: numbers of the runs to execute.
        ranks: MPI ranks of each run.
        more: further options of `dfedsam sweep`.
        largest: SLURM's MaxArraySize, which the numbers of tasks must be below; None: ask this machine's SLURM.
    """
    largest = largest or _max_array_size()
    arrays: dict[int, list[int]] = {}
    for number in numbers:
        arrays.setdefault(number // largest, []).append(number % largest)
    return [_script(slurm, study, tasks, ranks, more, largest * index) for index, tasks in sorted(arrays.items())]


def names(scripts: Sequence[str]) -> list[str]:
    """File names of the scripts."""
    return ["sweep.sbatch" if index == 0 else f"sweep-{index + 1}.sbatch" for index in range(len(scripts))]


def _script(slurm: Slurm, study: Path, tasks: Sequence[int], ranks: int, more: Sequence[str], offset: int) -> str:
    """The script of one array; task k executes run `offset` + k."""
    study = study.absolute()
    for path in (study, Path.cwd()):
        if not _is_line(str(path)):
            raise OptionError("out", study, "must be a path of one line, since it is written into a batch script")
    start = _ALONE if ranks == 1 else _STARTS.get(slurm.launcher, slurm.launcher).format(ranks=ranks)
    steps = start.startswith("srun")
    head = {
        "job-name": f"dfedsam-{study.name}",
        "array": _ranges(tasks) + (f"%{slurm.parallel}" if slurm.parallel else ""),
        "ntasks": ranks,
        "cpus-per-task": slurm.cpus_per_rank,
        "partition": slurm.partition,
        "time": slurm.time,
        "account": slurm.account,
        "output": study / "logs" / "slurm-%A_%a.out",
        "chdir": Path.cwd(),
        "signal": f"{'' if steps else 'B:'}USR1@{min(_SAVE, _seconds(slurm.time) // 4)}",
    }
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH --{name}={_quoted(value)}" for name, value in head.items() if value != ""]
    lines += ["#SBATCH --open-mode=append", "#SBATCH --requeue", *(f"#SBATCH {option}" for option in slurm.options)]
    lines += ["", *(f"module load {shlex.quote(module)}" for module in slurm.modules), *slurm.setup]
    lines += ['export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"']
    run = [sys.executable, "-m", "dfedsam.launch.cli", "sweep", str(study), "--ranks", str(ranks), *more, "--only"]
    task = f"$(({offset} + SLURM_ARRAY_TASK_ID))" if offset else "$SLURM_ARRAY_TASK_ID"
    command = f'{start} {shlex.join(run)} "{task}"'
    if steps:  # since SLURM 22.05 a step does not inherit --cpus-per-task
        options = f"srun --kill-on-bad-exit=1 --cpus-per-task={slurm.cpus_per_rank}"
        lines += [command.replace("srun", options, 1), "status=$?"]
    else:  # the signal reaches this shell, which forwards it
        lines += [f"{command} &", "run=$!", "trap 'kill -USR1 \"$run\"' USR1", "trap 'kill -TERM \"$run\"' TERM"]
        lines += ['while kill -0 "$run" 2>/dev/null; do wait "$run"; status=$?; done']
    lines += [f'if [ "$status" -eq {AGAIN} ]; then  # it ran out of time and has saved: requeue it']
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
    """Raise OptionError unless sbatch is here."""
    if shutil.which("sbatch") is None:
        hint = "run the command on a login node, load the SLURM module, or print the script with --dry-run"
        raise OptionError("slurm", True, "needs sbatch, which is not found", hint)


def find_launcher() -> str:
    """The launcher of this Python's MPI library: "mpich" or "openmpi".

    Raises:
        OptionError: if there is no library.
    """
    code = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        hint = "install one with `pip install mpich`, load your MPI module, or give mpich, openmpi or a command"
        raise OptionError("launcher", "", "must be given, since no MPI library is found here", hint)
    return "openmpi" if "Open MPI" in done.stdout else "mpich"


def _max_array_size() -> int:
    """SLURM's MaxArraySize: the numbers of an array's tasks are below it."""
    if shutil.which("scontrol") is None:
        return _USUAL_ARRAY
    done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", done.stdout, re.MULTILINE)
    return max(1, int(match[1])) if match else _USUAL_ARRAY


def _is_line(value: object) -> bool:
    return isinstance(value, str) and "\n" not in value and "\r" not in value


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers as ranges: 0, 1, 2, 5 becomes 0-2,5."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


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
