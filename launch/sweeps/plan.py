"""Expands a sweep into its runs: names and settings, all checked before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from dfedsam.errors import OptionError
from dfedsam.launch.sweeps.spec import Point, Sweep
from dfedsam.run_folder import SEARCH

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment
    from dfedsam.launch.arguments import Pair
    from dfedsam.launch.options import Settings
    from dfedsam.run_folder import RunFolder

N = TypeVar("N", int, float)
_LONGEST = 200  # characters of a name; file systems allow 255 bytes, including a suffix


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Args:
        name: its folder's name, such as topology=ring,peers=16,seed=0.
        part: subfolder in the study: "" for a final run, "search" for a candidate.
        values: option → value; they override the base.
        base: the experiment that all runs share.
        ranks: MPI ranks to execute it on; None: as in the base.
        like: a run that differs only in its seed, whose settings need not be read twice.
        code: whether import paths in its values may be imported.
        endpoint: whether it may name addresses and secrets that the user has not confirmed.
    """

    name: str
    part: str
    values: Point
    base: dict[str, Any]
    ranks: int | None
    like: Run | None = None
    code: bool = False
    endpoint: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The run's settings. Raises ValueError for invalid ones, in one line with the run's name."""
        from dfedsam.launch import options

        if self.like is not None:
            settings = self.like.settings
            return replace(settings, simulation=settings.simulation | {"seed": self.values["seed"]})
        pairs: list[Pair] = [(option, _word(value)) for option, value in self.values.items()]
        pairs += [] if self.ranks is None else [("ranks", str(self.ranks))]
        try:
            return options.read([self.base], pairs, code=self.code, typed=False, endpoint=self.endpoint)
        except ValueError as error:
            raise ValueError(f"run {self.name}: {error}") from error

    def build(self) -> Experiment:
        """The run's experiment, checked as far as possible without data. Raises ValueError, with the run's name."""
        from dfedsam.launch.options import build, check_ranks

        settings = self.settings
        try:
            experiment = build(settings)
            check_ranks(settings.execution["ranks"], experiment.topology.n)
        except ValueError as error:
            raise ValueError(f"run {self.name}: {error}") from error
        return experiment

    def is_done(self, folder: RunFolder) -> bool:
        """Whether a folder holds this run, complete, determined without building it.

        Raises:
            OptionError: if its rounds or its end is no number.
        """
        references = self._value("references") in (True, "true", "True")
        until = self._value("until")
        return folder.is_complete(
            self.rounds, references=references, until=None if until in (None, "null") else self._number("until", float)
        )

    @property
    def rounds(self) -> int:
        """The number of rounds, read without building the run. Raises OptionError if it is no whole number."""
        return self._number("rounds", int)

    def _number(self, option: str, kind: type[N]) -> N:
        value = self._value(option)
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError):
            rule = f"must be {'a whole number' if kind is int else 'a number'}"
            raise OptionError(option, value, rule) from None

    def _value(self, option: str) -> Any:
        from dfedsam.experiment import Experiment

        return self.values.get(option, self.base.get(option, getattr(Experiment, option)))

    @property
    def count(self) -> int:
        """The number of MPI ranks that execute the run."""
        return self.settings.execution["ranks"] or 1


@dataclass(frozen=True)
class Cell:
    """Runs that differ only in their seed and, in a search, the candidates from which they are selected.

    Args:
        runs: one per seed.
        candidates: for each candidate value, one run per seed; empty without a search.
    """

    runs: tuple[Run, ...]
    candidates: tuple[tuple[Run, ...], ...]

    @property
    def jobs(self) -> tuple[Run, ...]:
        """The runs to execute: the candidates or, without a search, the runs."""
        return tuple(run for candidate in self.candidates for run in candidate) or self.runs


def plan(sweep: Sweep, ranks: int | None = None, *, endpoint: bool = False) -> list[Cell]:
    """The cells of a sweep in order, with their runs' names; nothing is built yet.

    Raises:
        ValueError: if two runs would have the same name.
    """
    cells = []
    for point in sweep.cells():
        search = sweep.search
        values = [{search.option: value} for value in search.values] if search else []
        candidates = (tuple(_runs(sweep, point | value, SEARCH, ranks, endpoint)) for value in values)
        cells.append(Cell(tuple(_runs(sweep, point, "", ranks, endpoint)), tuple(candidates)))
    for runs in ([run for cell in cells for run in cell.runs], [run for cell in cells for run in cell.jobs]):
        seen: set[str] = set()
        for run in runs:
            if run.name in seen:
                raise ValueError(f"two runs would be called {run.name}: name each value, and each seed, once")
            seen.add(run.name)
    return cells


def _runs(sweep: Sweep, point: Point, part: str, ranks: int | None, endpoint: bool) -> Iterator[Run]:
    like = None
    for seed in sweep.seeds:
        values = {**point, "seed": seed}
        run = Run(name(values), part, values, sweep.base, ranks, like, sweep.code, endpoint)
        like = like or run
        yield run


def name(values: Point) -> str:
    """The name of a run: option=value, joined by commas, without slashes, and short enough for a folder.

    A plug-in with options is written as name(option=value). A name that had to be cut ends with a digest.
    """
    text = ",".join(f"{option}={_short(value)}" for option, value in values.items()).replace("/", "_")
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 9]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        path = str(value.get("class_path", "")).rpartition(".")[2]
        inner = value.get("init_args") or {} if path else value
        inner = inner if isinstance(inner, dict) else {"init_args": inner}  # rejected when the run is built
        options = ",".join(f"{option}={_short(item)}" for option, item in inner.items())
        return f"{path}({options})" if options else path
    if isinstance(value, list):
        return "[" + ",".join(map(_short, value)) + "]"
    return _word(value)


def _word(value: Any) -> str:
    """A value in the notation of the command line."""
    if isinstance(value, str):
        return value
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
