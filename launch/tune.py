"""`dfedsam tune`: searches the options of an experiment by successive halving, on validation data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from dfedsam.errors import OptionError
from dfedsam.launch import options
from dfedsam.launch.execute import Level, level
from dfedsam.launch.sweep import execute
from dfedsam.launch.sweeps import halving, ranges
from dfedsam.launch.sweeps.metric import check_metric
from dfedsam.launch.sweeps.pending import pending, say
from dfedsam.launch.sweeps.plan import Cell, Run, name
from dfedsam.launch.sweeps.spec import Point, Search, zips
from dfedsam.launch.sweeps.study import Study
from dfedsam.machine import in_mpi_job
from dfedsam.options import describe, one_of, whole_number
from dfedsam.whole_files import write_atomic

_Runs = tuple[Run, ...]
SEARCH, BEST = "tune.yaml", "best.yaml"
_VALIDATION = 0.2  # share of the training examples, if the experiment keeps none for validation
_FAILED = "the experiment with its own values failed"
_NOT_OF_A_SEARCH = ("seed", "out", "draw_split", "log")
_QUICK = {"evaluate_every": 1_000_000, "evaluate_local": False, "references": False, "figure": False}


def tune(
    *,
    config: str,
    ranges: str | None = None,
    tasks: str | None = None,
    budget: int | None = None,
    rungs: int = 3,
    metric: str = "loss",
    choose: Literal["min", "max"] | None = None,
    seeds: int = 1,
    jobs: int = 1,
    out: Path | None = None,
    quiet: bool = False,
    verbose: bool = False,
    allow_code: bool = False,
    allow_endpoint: bool = False,
) -> int:
    """Search the options of an experiment, such as the learning rate, by successive halving, on validation data.

    Candidates are drawn from ranges, the experiment's own values first. All of them run on a ninth of a run's queries,
    the best third on a third, and the best ninth in full, each with a learning rate that falls over its own rounds.
    A candidate that asks more queries a round gets fewer rounds, so that all are compared at equal queries. They are
    compared by examples that are taken from the training data for validation (objective.validation, 0.2 unless the
    experiment sets it); held-out examples play no part. Rerun the same command to continue after a stop.

    The folder gets best.yaml, the experiment with the best values, and a study for each rung, such as rung-1, which
    `dfedsam status`, `plot` and `report` read.

    A file of ranges, in place of the usual ones (lr or sigma around its own value, weight decay, directions):
        algorithm.lr: {low: 0.001, high: 1, log: true}
        algorithm.estimator.directions: [2, 4, 8, 16]

    A file of tasks, on each of which every candidate runs; the best mean over tasks wins:
        objective.data: [sst2/train.csv, ag_news/train.csv]
        objective.words: ["terrible, great", "world, sports, business, technology"]

    Args:
        config: an experiment file, or the name of a shipped one, such as demo.yaml.
        ranges: a file of ranges.
        tasks: a file of options that differ between tasks, each with a list of as many values as there are tasks.
        budget: queries that a peer may spend on the whole search (default: 9 times those of a run, on each task, which
            pays for 27 candidates; with two rungs 6 times, for 9).
        rungs: 1 to 5. Two begin with a third of a run, where a ninth misleads, as with estimators that remember.
        metric: a metric of the runs, such as loss or accuracy.
        choose: min or max (default: the highest accuracy, and the lowest of all others).
        seeds: runs of each candidate, with the seeds 0, 1, …; one run has the experiment's own seed.
        jobs: runs at the same time.
        out: the search's folder (default: studies/tune-NAME for NAME.yaml).
        quiet: print nothing but errors.
        verbose: also say when each run ends.
        allow_code: allow import paths of your own plug-ins in the file; this runs their code.
        allow_endpoint: let the file choose where prompts, texts and a key are sent.

    Examples:
        dfedsam tune --config my.yaml --budget 20000 --jobs 2
        dfedsam run --config studies/tune-my/best.yaml
    """
    if in_mpi_job():
        raise ValueError("a search starts its own MPI jobs: start it outside mpirun")
    for option, value, least in (("seeds", seeds, 1), ("jobs", jobs, 1), ("budget", budget, 1)):
        if value is not None:
            whole_number(option, value, least)
    one_of("rungs", rungs, range(1, halving.MOST_RUNGS + 1))
    how = level(quiet, verbose)
    tree = options.read_file(config, code=allow_code)
    folder = out or Path("studies", f"tune-{Path(config).stem}")
    flags = [*(["--allow-code"] if allow_code else []), *(["--allow-endpoint"] if allow_endpoint else [])]
    judged = Search(option="", values=(), metric=metric, choose=choose)
    tuning = _Tuning(tree, ranges, _tasks(tasks), budget, rungs, judged, seeds, folder, how, allow_code, allow_endpoint)
    return tuning.execute(jobs, flags)


@dataclass
class _Tuning:
    """A search, with the arguments of `tune`, and its experiment as options by name."""

    tree: dict[str, Any]
    file: str | None
    tasks: tuple[Point, ...]
    budget: int | None
    rungs: int
    judged: Search
    seeds: int
    out: Path
    level: Level
    code: bool
    endpoint: bool

    def __post_init__(self) -> None:
        base = Run("the experiment", "", {}, self.tree, None, code=self.code, endpoint=self.endpoint)
        experiment = base.build()
        self.settings, self.rounds = base.settings, max(1, experiment.rounds)
        self.algorithm, objective = (self.settings.simulation[key] for key in ("algorithm", "objective"))
        self.keeps = objective.holds_out and not getattr(objective, "validation", True)
        objective = replace(objective, validation=_VALIDATION) if self.keeps else objective
        check_metric("metric", self.judged.metric, replace(experiment, objective=objective, evaluate_local=False))
        self.prices = halving.Prices(self.run, self.rounds)
        self.ranges = self._usual() if self.file is None else ranges.read(self.file)
        if shared := next((option for option in self.ranges if option in self.tasks[0]), None):
            raise OptionError("tasks", shared, "must not be searched, but it is one of the ranges")
        self.halving = halving.Halving(self.rungs, self.prices.whole, self.seeds * len(self.tasks))
        self.count = self.halving.affordable(self.budget)
        seed = self.settings.simulation["seed"]
        self.of_seeds = [seed] if self.seeds == 1 else list(range(self.seeds))
        drawn = [{option: self._value(option) for option in self.ranges}, *ranges.draw(self.ranges, self.count, seed)]
        self.candidates = list({repr(point): point for point in drawn}.values())[: self.count]

    def _usual(self) -> dict[str, ranges.Range]:
        """The usual ranges, without options that must not change here."""
        result: dict[str, ranges.Range] = {}
        for option, one in ranges.usual(self.algorithm).items():
            with suppress(ValueError):
                self.run({option: one.at(0.99)}, self.rounds).build()
                result[option] = one
        if not result:
            raise OptionError("ranges", "missing", "must name the options to search", "give a file of ranges")
        return result

    def _value(self, option: str) -> Any:
        """The experiment's own value of an option, as in a file."""
        first, *inner = option.split(".")
        try:
            value = self.settings.topology if first == "topology" else describe(self.settings.simulation[first])
            for key in inner:
                value = value["init_args"][key]
        except (KeyError, TypeError):
            rule = "must be an option that the experiment has, such as algorithm.lr"
            raise OptionError("ranges", option, rule) from None
        return value

    def run(self, candidate: Point, rounds: int) -> Run:
        """A run of a candidate with so many rounds."""
        values = candidate | self._lengths(candidate, rounds)
        return Run(name(values), "", values, self.tree, None, code=self.code, endpoint=self.endpoint)

    def _lengths(self, candidate: Point, rounds: int) -> Point:
        """The rounds of a run, over which its learning rate falls in proportion to the experiment's."""
        lengths: Point = {"rounds": rounds}
        falls_over = getattr(self.algorithm, "lr_rounds", 0)
        if falls_over and "algorithm.lr_rounds" not in candidate:
            lengths["algorithm.lr_rounds"] = max(1, round(falls_over * rounds / self.rounds))
        return lengths

    def _in_rung(self, candidate: Point, rung: int) -> Point:
        return candidate | self._lengths(candidate, self.prices.rounds_of(candidate, self.halving.share(rung)))

    def execute(self, jobs: int, flags: Sequence[str]) -> int:
        """Execute all rungs, write the best, and return the exit status."""
        for candidate in self.candidates:
            rounds = self.prices.rounds_of(candidate, 1)
            for task in self.tasks:
                self.run(task | candidate, rounds).build()
        self._reserve()
        if self.keeps:
            say([f"{_VALIDATION:.0%} of the training examples are kept for validation, during the search"], self.level)
        going, spent, runs, best, base = list(range(len(self.candidates))), 0.0, 0, "", _FAILED
        for rung, size in enumerate(self.halving.sizes(self.count)):
            going = going[:size]
            executed, status = self._rung(rung, going, jobs, flags)
            if status > 2:  # a signal
                return status
            study = Study(self.out / f"rung-{rung + 1}")
            compared = study.compare(Cell((), tuple(executed)), self.judged)
            means = {one: mean for one, mean in zip(going, compared.means, strict=True) if mean is not None}
            if not means:
                error = next((note["error"] for run in executed[0] if (note := study.failure(run))), "unknown")
                print(f"dfedsam tune: all candidates failed; the first: {error}", file=sys.stderr)
                return 1
            spent, runs = spent + _spent(study, executed), runs + sum(map(len, executed))
            going = sorted(means, key=lambda one: (self.judged.sign * means[one], one))
            best = f"{compared.metric} {means[going[0]]:.4g}"
            if 0 in means:
                base = f"with the experiment's own values {means[0]:.4g} on rung {rung + 1}"
            failed = f" ({len(executed) - len(means)} failed)" if len(means) < len(executed) else ""
            self._say(f"rung {rung + 1} of {self.rungs}: {len(executed)} candidates{failed}, best {best}")
        self._write(self.candidates[going[0]], f"{best}; {base}", spent, runs)
        return 0

    def _reserve(self) -> None:
        """Create the folder, or check that it holds this very search."""
        search = {"ranges": {option: vars(one) for option, one in self.ranges.items()}, "tasks": self.tasks}
        search |= {"budget": self.budget, "rungs": self.rungs}
        search |= {"seeds": self.of_seeds, "metric": self.judged.metric, "choose": self.judged.choose}
        text, path = _yaml({"experiment": self.tree, **search}), self.out / SEARCH
        if self.out.exists() and not (path.is_file() and path.read_text(encoding="utf-8") == text):
            rule = "must not exist yet, or hold this very search, but it holds something else"
            raise OptionError("out", self.out, rule, "choose another folder")
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text)
        except OSError as error:
            raise OptionError("out", self.out, f"must be a folder that can be written ({error.strerror})") from None

    def _rung(self, rung: int, going: Sequence[int], jobs: int, flags: Sequence[str]) -> tuple[list[_Runs], int]:
        """Execute a rung as a sweep: the runs of each candidate, on all tasks, and the exit status."""
        points = [self._in_rung(self.candidates[one], rung) for one in going]
        base = {key: value for key, value in self.tree.items() if key not in _NOT_OF_A_SEARCH} | _QUICK
        if self.keeps:
            objective = base["objective"]
            base["objective"] = objective | {"init_args": objective["init_args"] | {"validation": _VALIDATION}}
        groups = [{option: [point[option] for point in group] for option in group[0]} for group in (points, self.tasks)]
        path = self.out / f"rung-{rung + 1}.yaml"
        content = {"base": base, "zip": [group for group in groups if group], "seeds": self.of_seeds}
        write_atomic(path, _yaml(content))
        study = pending(path, self.out / path.stem, code=self.code, endpoint=self.endpoint, level="quiet")
        runs = [cell.runs for cell in study.cells]  # a candidate's tasks follow one another
        each = len(self.tasks)
        executed = [tuple(chain.from_iterable(runs[at : at + each])) for at in range(0, len(runs), each)]
        return executed, execute(study, jobs, flags, 1, self.level, "the same command")

    def _write(self, best: Point, result: str, spent: float, runs: int) -> None:
        """Write the experiment with the best values, and say what it is and what it cost."""
        chosen = ", ".join(f"{option} {value}" for option, value in best.items())
        cost = f"{runs} runs, {spent:,.0f} queries a peer"
        values = self._in_rung(best, self.rungs - 1)
        settings = self.run(values, values["rounds"]).settings
        head = f"# Found by dfedsam tune: {result}\n# {chosen}\n# {cost}\n"
        write_atomic(self.out / BEST, head + options.to_yaml(settings))
        again = f"dfedsam run --config {quote(str(self.out / BEST))}"
        self._say(f"best: {chosen}\n{result}\nthe search took {cost}\n{again}")
        say(ranges.edges(self.ranges, best), self.level)

    def _say(self, text: str) -> None:
        if self.level != "quiet":
            print(text, flush=True)


def _tasks(file: str | None) -> tuple[Point, ...]:
    """The options of each task as a file of tasks has them; without a file, one task, which is the experiment's own."""
    if file is None:
        return ({},)
    tree, _ = options.read_yaml(file, "tasks")
    if not isinstance(tree, dict) or not tree:
        raise OptionError("tasks", file, "must name options, each with a list of values, one for each task")
    return zips(Path(file), tree, "tasks")[0]


def _spent(study: Study, candidates: Sequence[_Runs]) -> float:
    """Queries of a peer, all runs together; exact gradients where there are no queries."""
    rows = [study.folder(run).last_row() or {} for runs in candidates for run in runs]
    return sum(row.get("queries", 0) or row.get("gradients", 0) for row in rows)


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(describe(value), sort_keys=False, allow_unicode=True)
