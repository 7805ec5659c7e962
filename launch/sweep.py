"""`dfedsam sweep`: executes many runs from one file, on this machine or as a SLURM array."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dfedsam.callbacks.loggers import services
from dfedsam.errors import OptionError
from dfedsam.launch.execute import Level, level
from dfedsam.launch.execute import notes as run_notes
from dfedsam.launch.options import EXPERIMENTS
from dfedsam.launch.sweeps import plan, spec
from dfedsam.launch.sweeps import slurm as batch
from dfedsam.launch.sweeps.execute import Outcome, execute_only
from dfedsam.launch.sweeps.pool import Pool
from dfedsam.launch.sweeps.progress import Progress, shown
from dfedsam.launch.sweeps.study import SPEC, Action, Study
from dfedsam.machine import in_mpi_job, mpi_rank, share_cores
from dfedsam.validation import whole_number

Todo = Sequence[tuple[int, plan.Run]]  # runs with their numbers among all


def sweep(
    file: Path,
    *,
    jobs: int | None = None,
    ranks: int | None = None,
    out: Path | None = None,
    log: str | None = None,
    dry_run: bool = False,
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
    if jobs is not None:
        job["parallel"] = jobs
    print_what = level(quiet, verbose)
    services(log)
    path, folder = _paths(file, out)
    read = spec.read(path, code=allow_code)
    if log is not None:
        read.base["log"] = log
    cells = plan.plan(read, ranks, endpoint=allow_endpoint)
    runs = [run for cell in cells for run in cell.jobs]
    study, source = Study(folder), path if path.exists() else EXPERIMENTS / path
    if only is not None:
        return _only(study, read, cells, only, print_what)
    if in_mpi_job():
        raise ValueError("a sweep starts its own MPI jobs: start it outside mpirun, or execute one run with --only K")
    actions = _actions(study, cells, print_what)
    todo = [(number, run) for number, run in enumerate(runs) if actions[number] != "done"]
    more = [*(["--log", log] if log else []), *(["--allow_code"] if allow_code else [])]
    more += ["--allow_endpoint"] if allow_endpoint else []
    if slurm:
        return _slurm(study, read, cells, source, todo, job, more, dry_run=dry_run)
    if dry_run:
        for run, action in zip(runs, actions, strict=True):
            print(f"{action:<8} {study.folder(run).path}")
        print(f"{len(runs)} runs, {len(runs) - len(todo)} of them done; nothing was written")
        return 0
    study.create(read, cells, source)
    progress = Progress(len(runs), len(runs) - len(todo), min(jobs or 1, max(1, len(todo))))
    return _execute(study, read, cells, Pool(study.path, todo, progress, more, restarts), print_what)


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


def _paths(path: Path, out: Path | None) -> tuple[Path, Path]:
    """The sweep's file and the study's folder; a folder with a sweep.yaml is a study."""
    if path.is_dir():
        path = path / SPEC
    if out is not None:
        return path, out
    is_study = path.name == SPEC and (path.parent / "runs").is_dir()
    return path, path.parent if is_study else Path("studies", path.stem)


def _actions(study: Study, cells: list[plan.Cell], level: Level) -> list[Action]:
    """The pending action of every job; all runs are built, so that any mistake is found now."""
    notes: Counter[str] = Counter()
    actions: list[Action] = []
    for cell in cells:
        selected = bool(cell.candidates) and all(study.is_done(run) for run in cell.runs)
        for run in cell.jobs:
            experiment = run.build()
            notes.update(run_notes(experiment))
            action = study.pending(run, experiment)
            actions.append("done" if selected else action)
    _say((f"{note} ({count} runs)" for note, count in notes.items()), level)
    return actions


def _say(notes: Iterable[str], level: Level) -> None:
    for note in notes:
        if level != "quiet":
            print(f"dfedsam: note: {note}", file=sys.stderr)


def _execute(study: Study, sweep: spec.Sweep, cells: list[plan.Cell], pool: Pool, level: Level) -> int:
    progress, search = pool.progress, sweep.search
    share_cores(os.environ, progress.jobs)
    cell_of = {id(run): cell for cell in cells for run in cell.jobs}

    def ended(run: plan.Run, outcome: Outcome) -> None:
        if outcome.ending in ("failed", "elsewhere"):
            print(f"{outcome.ending}: {run.name}: {outcome.reason}", file=sys.stderr)
        elif level == "verbose":
            print(f"{outcome.ending}: {run.name}", flush=True)
        if search and outcome.ending in ("done", "failed"):
            study.select(cell_of[id(run)], search)

    with shown(progress, level) as show:
        stopped = pool.run(show, ended)
    if search and not stopped:
        _say(study.finish_search(cells, search), level)
    if level != "quiet":
        print(progress.line())
        if stopped:
            print(f"stopped as requested; continue with: dfedsam sweep {study.path}")
    if stopped:
        return stopped
    if search:  # a candidate may fail
        return 1 if any(study.failure(run) for cell in cells for run in cell.runs) else 0
    return 1 if progress.ended["failed"] else 0


def _only(study: Study, sweep: spec.Sweep, cells: list[plan.Cell], only: int, level: Level) -> int:
    jobs = [(cell, run) for cell in cells for run in cell.jobs]
    if only >= len(jobs):
        raise OptionError("only", only, f"must be below the number of runs, {len(jobs)}")
    status = execute_only(study.path, sweep, *jobs[only], level)
    if sweep.search and mpi_rank() == 0 and all(study.is_done(run) for cell in cells for run in cell.runs):
        study.finish_search(cells, sweep.search)  # the last task of an array
    return status


def _slurm(
    study: Study,
    sweep: spec.Sweep,
    cells: list[plan.Cell],
    source: Path,
    todo: Todo,
    job: Mapping[str, Any],
    more: Sequence[str],
    *,
    dry_run: bool,
) -> int:
    settings = batch.read(sweep.slurm, job)
    if not dry_run:
        batch.check_sbatch()
    if not todo:
        print("all runs are done: nothing was submitted")
        return 0
    count = todo[0][1].count
    if count > 1 and not settings.launcher:
        settings = replace(settings, launcher=batch.find_launcher())
    scripts = batch.scripts(settings, study.path, [number for number, _ in todo], count, more)
    if dry_run:
        print("\n".join(scripts), end="")
        return 0
    study.create(sweep, cells, source)
    jobs = [batch.submit(text, study.path / name) for name, text in zip(batch.names(scripts), scripts, strict=True)]
    print(f"submitted job {', '.join(jobs)}: {len(todo)} runs; see dfedsam status {study.path}")
    return 0
