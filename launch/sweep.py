"""`dfedsam sweep`: executes many runs from one file, on this machine or as a SLURM array."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from dfedsam.callbacks.loggers import services
from dfedsam.errors import OptionError
from dfedsam.launch.execute import Level, level
from dfedsam.launch.plan import Prices, plan_study
from dfedsam.launch.sweeps import plan as plans, slurm as slurms
from dfedsam.launch.sweeps.execute import Outcome, execute_only
from dfedsam.launch.sweeps.pending import Pending, pending, read, say
from dfedsam.launch.sweeps.pool import Pool
from dfedsam.launch.sweeps.progress import Progress, shown
from dfedsam.machine import in_mpi_job, mpi_rank, share_cores
from dfedsam.options import whole_number


def sweep(
    file: Path,
    *,
    jobs: int | None = None,
    ranks: int | None = None,
    out: Path | None = None,
    log: str | None = None,
    dry_run: bool = False,
    plan: bool = False,
    only: int | None = None,
    restarts: int = 1,
    slurm: bool = False,
    partition: str | None = None,
    time: str | None = None,
    account: str | None = None,
    launcher: str | None = None,
    quiet: bool = False,
    verbose: bool = False,
    allow_code: bool = False,
    allow_endpoint: bool = False,
) -> int:
    """Execute many runs from one file, on this machine or as a SLURM array.

    All runs are checked before the first one starts. Rerun the same command to resume: only missing runs are executed,
    a stopped run continues from its checkpoint, and a failed one is tried again. At Ctrl-C the runs finish their round
    and save; a second Ctrl-C ends them at once.

    The file:
        base: {topology: ring, peers: 16, rounds: 200}   # an experiment, or the path of an experiment file
        grid:                                            # every combination of these values
          topology: [ring, torus, {class_path: random_regular, init_args: {degree: 4}}]
          algorithm.gossip.steps: [1, 4]
        zip:                                             # options of one group vary together
          - {peers: [16, 64], algorithm.lr: [0.1, 0.05]}
        seeds: 3                                         # seeds 0, 1, 2; or a list
        search: {option: algorithm.rho, values: [0.01, 0.1], metric: loss, choose: min}   # the best per cell
        slurm: {modules: [gcc], setup: [source .venv/bin/activate], options: [--mem=8G]}  # for the batch script; also
                                                         # partition, time, account, launcher, parallel, cpus_per_rank

    Args:
        file: a sweep's file, the name of a shipped one (topology_ablation.yaml, gossip_steps.yaml, …), or the folder
            of an existing study.
        jobs: runs at the same time (default: 1; with --slurm as many as SLURM allows).
        ranks: MPI ranks for each run (default: `ranks` of the base, else one process).
        out: the study's folder (default: studies/NAME for NAME.yaml).
        log: also send each run's metrics to tensorboard, wandb or mlflow.
        dry_run: list the runs to execute, or print the batch script; write nothing.
        plan: print what the runs will cost in queries, bytes and time, and write nothing; `dfedsam plan FILE` also
            takes prices.
        only: execute only run number K, counted from 0, in this process or on the ranks of this MPI job.
        restarts: how often a run on MPI ranks continues from its last checkpoint, on one rank fewer, after a rank was
            lost.
        slurm: write and submit an array job with one task for each run that is not done.
        partition: SLURM partition of the jobs.
        time: SLURM time limit of one task, as H:MM:SS.
        account: SLURM account of the jobs.
        launcher: how the batch script starts ranks: mpich, openmpi, or a command.
        quiet: print nothing but errors and failed runs.
        verbose: also say when each run ends.
        allow_code: allow import paths of your own plug-ins in the file; this runs their code.
        allow_endpoint: let the file choose where prompts, texts and a key are sent.

    Examples:
        dfedsam sweep topology_ablation.yaml --jobs 2
        dfedsam status studies/topology_ablation
        dfedsam sweep FILE.yaml --slurm --partition cpu --ranks 16 --time 2:00:00
    """
    numbers = {"jobs": (jobs, 1), "ranks": (ranks, 1), "only": (only, 0), "restarts": (restarts, 0)}
    job = _checked(numbers, slurm, {"partition": partition, "time": time, "account": account, "launcher": launcher})
    services(log)
    how = level(quiet, verbose)
    if only is not None:
        return _only(read(file, out, ranks, log, allow_code, allow_endpoint), only, how)
    if in_mpi_job():
        raise ValueError("a sweep starts its own MPI jobs: start it outside mpirun, or execute one run with --only K")
    study = pending(file, out, ranks=ranks, log=log, code=allow_code, endpoint=allow_endpoint, level=how)
    more = [*(["--log", log] if log else []), *(["--allow-code"] if allow_code else [])]
    more += ["--allow-endpoint"] if allow_endpoint else []
    if slurm:
        job |= {} if jobs is None else {"parallel": jobs}
        return _slurm(study, job, more, dry_run=dry_run)
    if plan:
        plan_study(study.cells, [run for _, run in study.todo], jobs or 1, Prices())
    elif dry_run:
        for run, action in zip(study.runs, study.actions, strict=True):
            print(f"{action:<8} {study.folder.folder(run).path}")
        print(f"{len(study.runs)} runs, {len(study.runs) - len(study.todo)} of them done; nothing was written")
    else:
        path = quote(str(study.folder.path))
        asked = ["--jobs", jobs] if jobs else []
        asked += ["--ranks", ranks] if ranks else []
        again = shlex.join(["dfedsam", "sweep", *map(str, (study.folder.path, *asked, *more))])
        status = execute(study, jobs or 1, more, restarts, how, again)
        if status == 0 and how != "quiet":
            print(f"figures and tables: dfedsam report {path}")
        return status
    return 0


def _checked(numbers: dict[str, tuple[int | None, int]], slurm: bool, job: dict[str, Any]) -> dict[str, Any]:
    """The settings of a batch script that are set; all options are checked."""
    for name, (value, least) in numbers.items():
        if value is not None:
            whole_number(name, value, least)
    job = {name: value for name, value in job.items() if value is not None}
    for name, value in job.items():
        if not slurm:
            raise OptionError(name, value, "is a setting of a batch script", "add --slurm")
    return job


def execute(study: Pending, jobs: int, more: Sequence[str], restarts: int, level: Level, again: str) -> int:
    """Execute what is to be done, several runs at a time, and return the exit status.

    Args:
        study: the runs, and what is to be done for each.
        jobs: runs at the same time.
        more: options of the command that executes a run on MPI ranks.
        restarts: as for `sweep`.
        level: what to print.
        again: the command that continues after a stop.
    """
    folder, search, total = study.folder, study.sweep.search, len(study.runs)
    folder.create(study.sweep, study.cells, study.source)
    progress = Progress(total, total - len(study.todo), min(jobs, max(1, len(study.todo))))
    share_cores(os.environ, progress.jobs)
    cell_of = {id(run): cell for cell in study.cells for run in cell.jobs}

    def ended(run: plans.Run, outcome: Outcome) -> None:
        if outcome.ending in ("failed", "elsewhere"):
            print(f"{outcome.ending}: {run.name}: {outcome.reason}", file=sys.stderr)
        elif level == "verbose":
            print(f"{outcome.ending}: {run.name}", flush=True)
        if search and outcome.ending in ("done", "failed"):
            folder.select(cell_of[id(run)], search)

    with shown(progress, level) as show:
        stopped = Pool(folder.path, study.todo, progress, more, restarts).run(show, ended)
    if search and not stopped:
        say(folder.finish_search(study.cells, search), level)
    if level != "quiet":
        print(progress.line())
        if stopped:
            print(f"stopped as requested; continue with: {again}")
    if stopped:
        return stopped
    if search:  # a candidate may fail
        return 1 if any(folder.failure(run) for cell in study.cells for run in cell.runs) else 0
    return 1 if progress.ended["failed"] else 0


def _only(study: Pending, only: int, level: Level) -> int:
    jobs, search = [(cell, run) for cell in study.cells for run in cell.jobs], study.sweep.search
    if only >= len(jobs):
        raise OptionError("only", only, f"must be below the number of runs, {len(jobs)}")
    status = execute_only(study.folder.path, study.sweep, *jobs[only], level)
    finals = (run for cell in study.cells for run in cell.runs)
    if search and mpi_rank() == 0 and all(study.folder.is_done(run) for run in finals):  # the last task of an array
        study.folder.finish_search(study.cells, search)
    return status


def _slurm(study: Pending, job: Mapping[str, Any], more: Sequence[str], *, dry_run: bool) -> int:
    settings, path = slurms.read(study.sweep.slurm, job), study.folder.path
    if not dry_run:
        slurms.check_sbatch()
    if not study.todo:
        print("all runs are done: nothing was submitted")
        return 0
    count = study.todo[0][1].count
    if count > 1 and not settings.launcher:
        settings = replace(settings, launcher=slurms.find_launcher())
    scripts = slurms.scripts(settings, path, [number for number, _ in study.todo], count, more)
    if dry_run:
        print("\n".join(scripts), end="")
        return 0
    study.folder.create(study.sweep, study.cells, study.source)
    jobs = [slurms.submit(text, path / name) for name, text in zip(slurms.names(scripts), scripts, strict=True)]
    print(f"submitted job {', '.join(jobs)}: {len(study.todo)} runs; see dfedsam status {quote(str(path))}")
    return 0
