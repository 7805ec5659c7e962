"""A sweep's file: a base experiment, the options that vary, the seeds, and a search in each cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from dfedsam.errors import FileError
from dfedsam.launch import arguments, options
from dfedsam.names import did_you_mean

Point = dict[str, Any]  # option → value
_KEYS = ("base", "grid", "zip", "seeds", "search", "slurm")
_EXPERIMENT_KEYS = ("topology", "algorithm", "objective", "peers", "rounds", "seed")
_SEED = "seed"
_MOST_SEEDS = 100_000
_NOT_A_RUNS = ("out", "ranks", "figure", "draw_split", "log", "quiet", "verbose", "config", "print_config", "help")


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for the best value of an option in each cell: every value is run with every seed.

    Args:
        option: the option to tune, such as algorithm.lr.
        values: the candidates.
        metric: a metric of metrics.jsonl, such as loss or accuracy.
        choose: "min" or "max" of its mean over the seeds; None: the highest accuracy, recall or cosine, and the lowest
            of all others.
        last: evaluations at the end of a run over which the metric is averaged, at least 1.
    """

    option: str
    values: tuple[Any, ...]
    metric: str = "loss"
    choose: str | None = None
    last: int = 1

    @property
    def sign(self) -> int:
        """1 if a low value is good, -1 if a high one is."""
        from dfedsam.analysis.read.metrics import rises  # imports pandas

        return -1 if (self.choose or ("max" if rises(self.metric) else "min")) == "max" else 1


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep as read from its file.

    Args:
        base: the experiment that all runs share, its plug-ins in the long form.
        axes: the options that vary; a run has one point of each axis.
        seeds: one run per seed.
        search: the search in each cell, if any.
        slurm: settings of a batch script.
        text: the file's text; a base in a file of its own is inserted.
        code: whether import paths in it may be imported.
    """

    base: arguments.Tree
    axes: tuple[tuple[Point, ...], ...]
    seeds: tuple[int, ...]
    search: Search | None
    slurm: arguments.Tree
    text: str
    code: bool = False

    def cells(self) -> Iterator[Point]:
        """Every combination of the axes' points, the last axis fastest."""
        for points in product(*self.axes):
            yield {option: value for point in points for option, value in point.items()}


def read(path: Path, *, code: bool | None = False) -> Sweep:
    """Read a sweep's file.

    Args:
        path: the file.
        code: whether import paths in it may be imported; None: read the file without looking up any plug-in.

    Raises:
        ValueError: if it is missing, malformed, has an unknown key or an empty list; in one line.
    """
    tree, text = options.read_yaml(path, "sweep")
    if not isinstance(tree, dict):
        raise ValueError(f"sweep is {path}: it must hold settings by name: {', '.join(_KEYS)}")
    _known(path, "key", tree, _KEYS)
    base = tree.get("base") or {}
    if isinstance(base, str):
        import yaml

        inner, _ = options.read_yaml(base, f"{path}: base", path.parent)
        text = yaml.safe_dump(tree | {"base": inner}, sort_keys=False, allow_unicode=True)
        base = inner
    if not isinstance(base, dict):
        raise FileError(path, f"base is {base}: it must hold settings by name, or be the path of a file")
    experiment = dict(base) if code is None else options.settings(f"{path}: base", base, code=code)
    for option in ("out", "draw_split", "config"):
        if option in experiment:
            raise ValueError(f"{path}: base has {option}: the sweep names its runs' folders; leave {option} out")
    axes = [*_grid(path, tree.get("grid")), *zips(path, tree.get("zip"))]
    search = _search(path, tree["search"]) if "search" in tree else None
    varying = [option for axis in axes for option in axis[0]] + ([search.option] if search else [])
    for option in varying:
        if option == _SEED:
            raise ValueError(f"{path}: vary the seed by `seeds`, a number of seeds or a list of them")
        if option in _NOT_A_RUNS or option.endswith(".help"):
            raise ValueError(f"{path}: {option} cannot vary: it is not part of an experiment")
        if varying.count(option) > 1:
            raise ValueError(f"{path}: {option} varies in two places: name it once in grid, zip or search")
    seeds = _seeds(path, tree["seeds"] if "seeds" in tree else [experiment.pop(_SEED, 0)])
    slurm = tree.get("slurm") or {}
    return Sweep(base=experiment, axes=tuple(axes), seeds=seeds, search=search, slurm=slurm, text=text, code=bool(code))


def _known(path: Path, what: str, names: Any, known: tuple[str, ...]) -> None:
    for key in names:
        if key not in known:
            guess = did_you_mean(key, known, "; did you mean {}?")
            if key in _EXPERIMENT_KEYS:
                guess = "; an experiment's file is run by `dfedsam run --config`, or belongs under base"
            raise ValueError(f"{path}: {key} is not a {what} of a sweep: there are {', '.join(known)}{guess}")


def _grid(path: Path, grid: Any) -> list[tuple[Point, ...]]:
    if grid is None:
        return []
    if not isinstance(grid, dict) or not grid:
        raise ValueError(f"{path}: grid is {grid}: it must name options, each with a list of values")
    lists = {_option(option): _values(path, f"grid.{option}", values) for option, values in grid.items()}
    return [tuple({option: value} for value in values) for option, values in lists.items()]


def zips(path: Path, groups: Any, key: str = "zip") -> list[tuple[Point, ...]]:
    """The points of each group of options, whose lists of values vary together.

    Args:
        path: the file, for messages.
        groups: option → values, or a list of such groups; None for no group.
        key: what the file calls them.

    Raises:
        ValueError: if it has another form, or the lists of a group differ in length; in one line.
    """
    if groups is None:
        return []
    if isinstance(groups, dict):
        groups = [groups]
    if not (isinstance(groups, list) and groups and all(isinstance(group, dict) and group for group in groups)):
        raise ValueError(
            f"{path}: {key} is {groups}: it must be a list of groups, each of options with lists of values"
        )
    axes = []
    for group in groups:
        lists = {_option(option): _values(path, f"{key}.{option}", values) for option, values in group.items()}
        lengths = {option: len(values) for option, values in lists.items()}
        if len(set(lengths.values())) > 1:
            counted = ", ".join(f"{option} has {count}" for option, count in lengths.items())
            raise ValueError(f"{path}: the lists of {key} must have the same length, but {counted} values")
        axes.append(tuple(dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)))
    return axes


def _values(path: Path, what: str, values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise ValueError(f"{path}: {what} is {values}: it must be a list of at least one value")
    for value in values:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{path}: {what} has {value}: a value must be finite")
    return values


def _seeds(path: Path, seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= _MOST_SEEDS:
        return tuple(range(seeds))
    if isinstance(seeds, list) and seeds and all(type(seed) is int and seed >= 0 for seed in seeds):
        return tuple(seeds)
    rule = f"must be the number of seeds, from 1 to {_MOST_SEEDS:,}, or a list of seeds, such as [0, 1, 2]"
    raise ValueError(f"{path}: seeds is {seeds}: it {rule}")


def _search(path: Path, search: Any) -> Search:
    known = tuple(field.name for field in fields(Search))
    if not isinstance(search, dict) or not {"option", "values"} <= search.keys():
        raise ValueError(f"{path}: search is {search}: it must have an option and its values, and may have {known[2:]}")
    _known(path, "key of search", search, known)
    values: dict[str, Any] = search | {"option": _option(search["option"])}
    result = Search(**values)
    _values(path, "search.values", result.values)
    if result.choose not in ("min", "max", None):
        raise ValueError(f"{path}: search.choose is {result.choose}: it must be min or max")
    if type(result.last) is not int or result.last < 1:
        raise ValueError(f"{path}: search.last is {result.last}: it must be a whole number of at least 1")
    return result


def _option(option: Any) -> str:
    return str(option).removeprefix("--").replace("-", "_")
