"""`dfedsam sweep`: executes many runs from one file, on this machine or as a SLURM array."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.errors import OptionError
from dfedsam.launch.sweeps import plan, spec
from dfedsam.launch.sweeps.study import SPEC, Action, Study
from dfedsam.machine import in_mpi_job, share_cores
from dfedsam.validation import whole_number

if TYPE_CHECKING:
    from dfedsam.launch.plan import Prices

_ACTIONS: Mapping[Action, str] = {"done": "done", "resume": "resume", "start": "start"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `dfedsam sweep`, as in its help.

    Args:
        jobs: runs at the same time; None: one, or with SLURM as many as it allows.
        ranks: MPI ranks of each run; None: as in the base.
        log: services that also receive the metrics.
        dry_run: list the runs to execute; write nothing.
        only: the number of a single run to execute.
        restarts: how often a run continues from its last checkpoint after one of its ranks was lost.
        slurm: options of a batch script, such as {"partition": "cpu"}; None: no batch job.
        allow_code: whether the file may name plug-ins by import paths.
        plan: prices, to print what the runs will cost and write nothing; None: execute them.
        plan_json: whether to print it as JSON.
    """

    jobs: int | None = None
    ranks: int | None = None
    log: str | None = None
    dry_run: bool = False
    only: int | None = None
    restarts: int = 1
    slurm: Mapping[str, Any] | None = None
    allow_code: bool = False
    plan: Prices | None = None
    plan_json: bool = False

    def __post_init__(self) -> None:
        for name, least in (("jobs", 1), ("ranks", 1), ("only", 0), ("restarts", 0)):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name), least)

    @property
    def passed_on(self) -> list[str]:
        """The options of a command that executes one of the runs."""
        return [*(["--log", self.log] if self.log else []), *(["--allow_code"] if self.allow_code else [])]


def sweep(file: Path, out: Path | None, options: Options) -> int:
    """Execute the runs of a sweep that are not done, and return the exit status.

    Args:
        file: the sweep's file, the name of one that ships, or a study's folder.
        out: the study's folder; None: studies/ and the file's name.
        options: the command's other options.

    Returns:
        0; 1 if a run failed; 130, 143 or 75 if a signal stopped it.

    Raises:
        ValueError: for bad input, in one line.
    """
    from dfedsam.callbacks.loggers import services

    path, folder = _paths(file, out)
    sweep = spec.read(path, code=options.allow_code)
    if options.log is not None:
        services(options.log)
        sweep.base["log"] = options.log
    cells = plan.plan(sweep, options.ranks)
    jobs = [run for cell in cells for run in cell.jobs]
    study = Study(folder)
    if options.only is not None:
        return _only(study, sweep, cells, options.only)
    if in_mpi_job():
        raise ValueError("a sweep starts its own MPI jobs: start it outside mpirun, or execute one run with --only K")
    actions = _actions(study, cells)
    todo = [(number, run) for number, run in enumerate(jobs) if actions[number] != "done"]
    if options.slurm is not None:
        return _slurm(study, sweep, cells, todo, options)
    if options.plan is not None:
        from dfedsam.launch.plan import plan_study

        plan_study(cells, [run for _, run in todo], options.jobs or 1, options.plan, as_json=options.plan_json)
        return 0
    if options.dry_run:
        for run, action in zip(jobs, actions, strict=True):
            print(f"{_ACTIONS[action]:<8} {study.folder(run).path}")
        print(f"{len(jobs)} runs, {len(jobs) - len(todo)} of them done; nothing was written")
        return 0
    return _execute(study, sweep, cells, todo, options)


def _paths(path: Path, out: Path | None) -> tuple[Path, Path]:
    """The sweep's file and the study's folder; a folder with a sweep.yaml is a study."""
    if path.is_dir():
        path = path / SPEC
    if out is not None:
        return path, out
    is_study = path.name == SPEC and (path.parent / "runs").is_dir()
    return path, path.parent if is_study else Path("studies", path.stem)


def _actions(study: Study, cells: list[plan.Cell]) -> list[Action]:
    """The pending action of every job; all runs are built, so that any mistake is found now."""
    from dfedsam.launch.run import notes as run_notes

    notes: Counter[str] = Counter()
    actions: list[Action] = []
    for cell in cells:
        selected = bool(cell.candidates) and all(study.is_done(run) for run in cell.runs)
        for run in cell.jobs:
            experiment = run.build()
            notes.update(run_notes(experiment))
            action = study.pending(run, experiment)
            actions.append("done" if selected else action)
    for note, count in notes.items():
        print(f"dfedsam: note: {note} ({count} runs)", file=sys.stderr)
    return actions


def _execute(
    study: Study, sweep: spec.Sweep, cells: list[plan.Cell], todo: list[tuple[int, plan.Run]], options: Options
) -> int:
    from dfedsam.launch.sweeps.execute import Outcome
    from dfedsam.launch.sweeps.pool import Pool
    from dfedsam.launch.sweeps.progress import Progress, shown

    study.create(sweep, cells)
    total, jobs = sum(len(cell.jobs) for cell in cells), min(options.jobs or 1, max(1, len(todo)))
    share_cores(os.environ, jobs)
    progress = Progress(total, total - len(todo), jobs)
    cell_of = {id(run): cell for cell in cells for run in cell.jobs}

    def ended(run: plan.Run, outcome: Outcome) -> None:
        if outcome.ending in ("failed", "elsewhere"):
            print(f"{outcome.ending}: {run.name}: {outcome.reason}", file=sys.stderr)
        if sweep.search and outcome.ending in ("done", "failed"):
            study.select(cell_of[id(run)], sweep.search)

    with shown(progress) as show:
        stopped = Pool(study.path, todo, progress, ended, options.passed_on, options.restarts).run(show)
    if sweep.search and not stopped:
        chosen = [study.select(cell, sweep.search) for cell in cells]
        for note in _search_notes(sweep.search, chosen, held_out=_holds_out(cells)):
            print(f"dfedsam: note: {note}", file=sys.stderr)
    print(progress.line())
    if stopped:
        print(f"stopped as requested; continue with: dfedsam sweep {study.path}")
        return stopped
    if sweep.search:  # a candidate may fail
        return 1 if any(study.failure(run) for cell in cells for run in cell.runs) else 0
    return 1 if progress.ended["failed"] else 0


def _holds_out(cells: list[plan.Cell]) -> bool:
    """Whether results are of held-out examples."""
    return any(cell.runs[0].settings.simulation["objective"].holds_out for cell in cells)


def _search_notes(search: spec.Search, chosen: list[Any], *, held_out: bool) -> Iterator[str]:
    """What a reader of the results should know of how they were chosen.

    Args:
        search: what was searched.
        chosen: the value chosen in each cell; None where there is none.
        held_out: whether the metric is of held-out examples.
    """
    if held_out:
        yield (
            f"{search.option} was chosen by {search.metric} on the held-out examples that the results are of too, which"
            " flatters them: say so, or run the chosen values again with seeds that the search has not seen"
        )
    values = [value for value in search.values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    ends = (min(values), max(values)) if len(values) > 1 else ()
    if count := sum(value in ends for value in chosen if value is not None):
        yield (
            f"in {count} of {len(chosen)} cells the best {search.option} is the smallest or the largest of those "
            "searched, so a better one may lie beyond"
        )


def _slurm(
    study: Study, sweep: spec.Sweep, cells: list[plan.Cell], todo: list[tuple[int, plan.Run]], options: Options
) -> int:
    from dfedsam.launch.sweeps import slurm

    parallel = {} if options.jobs is None else {"parallel": options.jobs}
    settings = slurm.read(sweep.slurm, {**(options.slurm or {}), **parallel})
    if not options.dry_run:
        slurm.check_sbatch()
    if not todo:
        print("all runs are done: nothing was submitted")
        return 0
    count = todo[0][1].count
    if count > 1 and not settings.launcher:
        settings = replace(settings, launcher=slurm.find_launcher())
    numbers = [number for number, _ in todo]
    scripts = slurm.scripts(settings, study.path, numbers, count, options.passed_on)
    if options.dry_run:
        print("\n".join(scripts), end="")
        return 0
    study.create(sweep, cells)
    jobs = [slurm.submit(text, study.path / name) for name, text in zip(slurm.names(scripts), scripts, strict=True)]
    print(f"submitted job {', '.join(jobs)}: {len(todo)} runs; see dfedsam status {study.path}")
    return 0


def _only(study: Study, sweep: spec.Sweep, cells: list[plan.Cell], only: int) -> int:
    from dfedsam.launch.sweeps.execute import execute_only

    jobs = [(cell, run) for cell in cells for run in cell.jobs]
    if only >= len(jobs):
        raise OptionError("only", only, f"must be below the number of runs, {len(jobs)}")
    return execute_only(study.path, sweep, *jobs[only])
