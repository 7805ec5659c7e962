"""`dfedsam sweep`: many runs from one file, on this machine or as a SLURM array."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from dfedsam.launch import errors, loggers, merge, ranks
from dfedsam.launch.sweeps import choose, file, plan, study
from dfedsam.run_folder import write_atomic

HELP = """usage: dfedsam sweep FILE.yaml [--jobs N] [--ranks N] [--out FOLDER] [--log NAME] [--dry-run]
       dfedsam sweep FILE.yaml --slurm [--partition NAME] [--ranks N] [--time H:MM:SS] [--dry-run]

Run every run of a sweep. All runs are checked before the first one starts. Start the same command again to go on:
runs that are done stay, one that was stopped goes on from its checkpoint, one that failed is tried again. Ctrl-C lets
the runs finish their round and save; a second one ends them at once.

  base: {topology: ring, peers: 16, rounds: 200}   # an experiment, or the path of its file
  grid:                                            # every combination of these values
    topology: [ring, torus, {class_path: random_regular, init_args: {degree: 4}}]
    algorithm.gossip.steps: [1, 4]
  zip:                                             # options that vary together, each group as one
    - {peers: [16, 64], algorithm.lr: [0.1, 0.05]}
  seeds: 3                                         # 0, 1, 2; or a list
  search: {option: algorithm.rho, values: [0.01, 0.1], metric: loss, choose: min}   # the best of them in each cell
  slurm: {modules: [gcc], setup: [source .venv/bin/activate], options: [--mem=8G]}  # of the batch script; and
                                                   # partition, time, account, launcher, parallel, cpus_per_rank

options:
  FILE.yaml        a sweep's file, the name of one that ships (topology_ablation.yaml, gossip_steps.yaml, …), or the
                   folder of a study that was begun
  --jobs N         runs side by side (default: 1; with --slurm as many as SLURM lets run)
  --ranks N        MPI ranks for each run (default: as the base says, else one process)
  --out FOLDER     the study's folder (default: studies/ and the file's name)
  --log NAME       send each run's figures to tensorboard, wandb or mlflow too
  --dry-run        say what would be played, or print the batch script; nothing is written
  --only K         play run K alone, counted from 0, in this process or on the ranks of this MPI job
  --slurm          write and submit an array job, a task for each run that is not done; with it
  --partition NAME, --time H:MM:SS, --account NAME, --launcher mpich|openmpi|COMMAND

examples:
  dfedsam sweep topology_ablation.yaml --jobs 2
  dfedsam status studies/topology_ablation
  dfedsam sweep FILE.yaml --slurm --partition cpu --ranks 16 --time 2:00:00"""
_FLAGS = ("slurm", "dry_run", "allow_code")
_SLURM = ("partition", "time", "account", "launcher")  # options of a batch script
_WORDS = {"done": "done", "resume": "go on", "fresh": "play"}
Job = tuple[int, plan.Run]  # with its number among all of the sweep's
_VALUES = ("jobs", "ranks", "out", "log", "only", *_SLURM)


@dataclass(frozen=True)
class _Asked:
    """The command line, read."""

    path: Path
    out: Path
    values: dict[str, str]

    def whole(self, option: str, least: int) -> int | None:
        """A whole number; None if it is not given. Raises ValueError if it is none, or below `least`."""
        value = self.values.get(option)
        if value is None:
            return None
        if not value.isdigit() or int(value) < least:
            raise ValueError(f"{option} is {value}: it must be a whole number of at least {least}")
        return int(value)


def main(argv: list[str]) -> int:
    """Run `dfedsam sweep ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    asked = _read(argv)
    sweep = file.read(asked.path, code="allow_code" in asked.values)
    if "log" in asked.values:
        loggers.check(asked.values["log"])
        sweep.base["log"] = asked.values["log"]
    cells = plan.plan(sweep, asked.whole("ranks", 1))
    jobs = [run for cell in cells for run in cell.jobs]
    only = asked.whole("only", 0)
    if only is not None:
        return _only(asked, sweep, cells, jobs, only)
    if ranks.in_job():
        raise ValueError("a sweep starts its runs itself: start it outside mpirun, or play one run with --only K")
    outlooks = _outlooks(asked.out, cells)
    todo = [(number, run) for number, run in enumerate(jobs) if outlooks[number] != "done"]
    for option in _SLURM:
        if option in asked.values and "slurm" not in asked.values:
            raise ValueError(f"{option} is {asked.values[option]}: it is a setting of a batch script; add --slurm")
    if "slurm" in asked.values:
        return _slurm(asked, sweep, todo)
    if "dry_run" in asked.values:
        for run, outlook in zip(jobs, outlooks, strict=True):
            print(f"{_WORDS[outlook]:<8} {asked.out / run.part / 'runs' / run.name}")
        print(f"{len(jobs)} runs, {len(jobs) - len(todo)} of them done; nothing was written")
        return 0
    return _play(asked, sweep, cells, todo, len(jobs))


def _read(argv: list[str]) -> _Asked:
    words, pairs = merge.split(argv, _FLAGS)
    values: dict[str, str] = {}
    for option, value in pairs:
        if option not in (*_VALUES, *_FLAGS):
            raise errors.unknown_option(option, (*_VALUES, *_FLAGS))
        if option in _VALUES and not value:
            raise ValueError(f"{option} needs a value: --{option} VALUE")
        values[option] = value or ""
    if len(words) != 1:
        raise ValueError(f"sweep takes one file, not {len(words)}: such as `dfedsam sweep sweep.yaml`")
    return _Asked(*_places(Path(words[0]), values.get("out")), values)


def _places(path: Path, out: str | None) -> tuple[Path, Path]:
    """The sweep's file and the study's folder; a study is known by the folder that holds its sweep.yaml."""
    if path.is_dir():
        path = path / "sweep.yaml"
    if out is not None:
        return path, Path(out)
    return path, path.parent if path.name == "sweep.yaml" and (path.parent / "runs").is_dir() else Path(
        "studies", path.stem
    )


def _outlooks(out: Path, cells: list[plan.Cell]) -> list[study.Outlook]:
    """What is left to do for every job; all are built, so that a mistake in any of them is found now."""
    from dfedsam.launch.run import notes as run_notes

    notes: Counter[str] = Counter()
    outlooks: list[study.Outlook] = []
    for cell in cells:
        settled = bool(cell.candidates) and all(_stands(out, run) for run in cell.runs)
        for run in cell.jobs:
            simulation = run.build()
            notes.update(run_notes(simulation))
            outlook = study.outlook(plan.folder(out, run), simulation.description())
            outlooks.append("done" if settled else outlook)
    for note, count in notes.items():
        print(f"dfedsam: note: {note} ({count} runs)", file=sys.stderr)
    return outlooks


def _stands(out: Path, run: plan.Run) -> bool:
    return study.is_done(plan.folder(out, run), run.rounds)


def _play(asked: _Asked, sweep: file.Sweep, cells: list[plan.Cell], todo: list[Job], total: int) -> int:
    from dfedsam.launch.sweeps.local import Pool, Standing
    from dfedsam.launch.sweeps.play import Outcome
    from dfedsam.launch.sweeps.progress import line, progress

    out, jobs = asked.out, min(asked.whole("jobs", 1) or 1, max(1, len(todo)))
    write(out, sweep)
    ranks.share_cores(os.environ, jobs)
    standing = Standing(total, total - len(todo), jobs)
    by_run = {id(run): cell for cell in cells for run in cell.jobs}

    def ended(run: plan.Run, outcome: Outcome) -> None:
        if outcome.ending in ("failed", "elsewhere"):
            print(f"{outcome.ending}: {run.name}: {outcome.reason}", file=sys.stderr)
        if sweep.search and outcome.ending in ("done", "failed"):
            choose.settle(out, by_run[id(run)], sweep.search)

    with progress(standing) as look:
        stopped = Pool(out, todo, standing, ended).run(look)
    if sweep.search and not stopped:
        for cell in cells:
            choose.settle(out, cell, sweep.search)
    print(line(standing))
    if stopped:
        print(f"stopped as asked; go on with: dfedsam sweep {out}")
    if sweep.search:  # a candidate may fail
        return 1 if any(study.Folder(out).failure(run.name) for cell in cells for run in cell.runs) else 0
    return 1 if standing.ended["failed"] else 0


def _slurm(asked: _Asked, sweep: file.Sweep, todo: list[Job]) -> int:
    from dfedsam.launch.sweeps import slurm

    over: dict[str, object] = {option: asked.values[option] for option in _SLURM if option in asked.values}
    parallel = asked.whole("jobs", 1)
    over |= {} if parallel is None else {"parallel": parallel}
    settings = slurm.read(sweep.slurm, over)
    dry = "dry_run" in asked.values
    if not dry:
        slurm.check_sbatch()
    if not todo:
        print("all runs are done: nothing was submitted")
        return 0
    count = todo[0][1].count
    if count > 1 and not settings.launcher:
        settings = replace(settings, launcher=slurm.find_launcher())
    more = ["--log", asked.values["log"]] if "log" in asked.values else []
    more += ["--allow_code"] if "allow_code" in asked.values else []
    text = slurm.script(settings, asked.out, [number for number, _ in todo], count, more)
    if dry:
        print(text, end="")
        return 0
    write(asked.out, sweep)
    job = slurm.submit(text, asked.out / "sweep.sbatch")
    print(f"submitted job {job}: {len(todo)} runs; see dfedsam status {asked.out}")
    return 0


def write(out: Path, sweep: file.Sweep) -> None:
    """Make the study's folder and keep the sweep in it."""
    try:
        for part in ("runs", "logs"):
            (out / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out is {out}: the folder cannot be made ({error.strerror}); choose another") from None
    write_atomic(out / "sweep.yaml", sweep.text)


def _only(asked: _Asked, sweep: file.Sweep, cells: list[plan.Cell], jobs: list[plan.Run], only: int) -> int:
    from dfedsam.launch.sweeps.one import play_one

    if only >= len(jobs):
        raise ValueError(f"only is {only}: it must be below the number of runs, {len(jobs)}")
    cell = next(cell for cell in cells if any(run is jobs[only] for run in cell.jobs))
    return play_one(asked.out, sweep, cell, jobs[only])
