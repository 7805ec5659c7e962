"""The options of an experiment, from the command line and files, and the experiment and topology built from them.

A topology may need the objective's data, and the run's seed.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch import arguments, endpoints, plain_yaml, signatures
from dfedsam.launch.arguments import Pair, Tree
from dfedsam.launch.signatures import MissingValue, Option, UnknownOption
from dfedsam.options import describe
from dfedsam.run_folder import without_format

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dfedsam import topologies
    from dfedsam.experiment import Experiment
    from dfedsam.objectives import Objective

EXPERIMENTS = Path(__file__).with_name("experiments")  # shipped experiments
DEFAULTS = {"topology": "ring", "algorithm": "dfedsam", "objective": "quadratic"}
FLAGS = ("print_config", "allow_code", "allow_endpoint")  # options without a value
ACTIONS = ("config", *FLAGS)  # not part of an experiment file
PEERS = 16  # default, if neither the user nor the graph sets it
PROPORTIONS = "class_proportions"  # the option of topologies that use the data
_SWEEP_KEYS = ("base", "grid", "zip", "seeds", "search")


@dataclass(frozen=True)
class Settings:
    """The options of one `dfedsam run`: of the experiment, its topology as a plug-in's form, and of its execution."""

    simulation: dict[str, Any]
    topology: Tree
    execution: dict[str, Any]


def command(
    *,
    config: str | None = None,
    peers: int | None = None,
    ranks: int | None = None,
    out: str | None = None,
    figure: bool | None = None,
    draw_split: str | None = None,
    log: str | None = None,
    restarts: int = 0,
    quiet: bool = False,
    verbose: bool = False,
    print_config: bool = False,
    allow_code: bool = False,
    allow_endpoint: bool = False,
) -> None:
    """Options of `dfedsam run` that are not part of the experiment.

    Args:
        config: an experiment file; command-line options override it.
        peers: peers in the network, at least 2 (default: 16, or the number in a graph file).
        ranks: MPI ranks on this machine (default: this process alone).
        out: the run's folder, which must not exist yet (default: a new runs/TOPOLOGY-ALGORITHM-N).
        figure: draw the convergence figure into the folder (default: if the run takes more than ten seconds).
        draw_split: draw how many examples of each class every peer gets, into a file such as split.png.
        log: also send metrics to tensorboard, wandb or mlflow, or to several: tensorboard,wandb.
        restarts: how often to continue from the last checkpoint, on one rank fewer, after a rank was lost (default: 0).
        quiet: print nothing but errors.
        verbose: print every evaluation with all its metrics, instead of the progress.
        print_config: print all settings, as a file for --config, and exit.
        allow_code: allow import paths of your own plug-ins in files; this runs their code.
        allow_endpoint: let files choose where prompts, texts and a key are sent; once allowed, an address need not be
            confirmed again. $DFEDSAM_ENDPOINTS lists those that are always allowed.
    """


@cache
def experiment_options() -> dict[str, Option]:
    """All options of a run that an experiment file may set, by name."""
    from dfedsam.experiment import Experiment

    fields, parameters = signatures.options_of(Experiment), signatures.options_of(command)
    first = {name: Option(fields[name].hint, default) for name, default in DEFAULTS.items()}
    first |= {name: parameters[name] for name in ("peers", "ranks", "out")}
    return first | {name: one for name, one in {**fields, **parameters}.items() if name not in (*first, *ACTIONS)}


def read(
    files: list[Tree], pairs: list[Pair], *, code: bool = True, typed: bool = True, endpoint: bool = False
) -> Settings:
    """Merge settings of files with options of the command line.

    Args:
        files: what `read_file` returns; later files take precedence.
        pairs: options of the command line, which take precedence over files.
        code: whether import paths in the options may be imported: true for options that a user has typed.
        typed: whether the user has typed the options, rather than a sweep's file.
        endpoint: whether files may name addresses and secrets that the user has not confirmed.

    Raises:
        OptionError: for an option that is unknown, missing, or has an invalid value.
    """
    merged = arguments.expand_all(dict(DEFAULTS), code=True)
    last = arguments.expand_all(arguments.as_tree(pairs), code=code)
    for tree in (*files, last):
        merged |= {option: arguments.over(option, merged.get(option), value) for option, value in tree.items()}
    for option, value in merged.items():
        if option in DEFAULTS and value is None:
            raise OptionError(option, "none", "must be the name of a plug-in", f"--{option}.help lists them")
    endpoints.check(merged, last if typed else {}, allowed=endpoint)
    options = experiment_options()
    values = {name: one.default for name, one in options.items()} | arguments.bind(options, merged)
    execution = {name: values.pop(name) for name in signatures.options_of(command) if name in values}
    return Settings(values, values.pop("topology"), execution)


def read_file(path: str | None, *, code: bool = False) -> Tree:
    """Read an experiment file (YAML or JSON), named by its path or the name of a shipped one, such as demo.yaml.

    `code` is whether import paths in it may be imported.

    Raises:
        ValueError: if it is missing, malformed or does not hold settings by name.
    """
    if not path:
        raise MissingValue("config", "needs a value: --config FILE.yaml")
    return settings(f"config is {path}", read_yaml(path, "config")[0], code=code)


def read_yaml(path: str | Path, option: str, folder: Path = Path()) -> tuple[Any, str]:
    """The contents of a YAML file that an option names, and its text.

    A path is relative to `folder`; a bare name that does not exist there is that of a shipped file.

    Raises:
        OptionError: if it is missing or malformed.
    """
    here, ships = folder / path, EXPERIMENTS / path
    try:
        file = ships if Path(path).name == str(path) and not here.exists() and ships.is_file() else here
        text = file.read_text(encoding="utf-8")
        return plain_yaml.load(text), text
    except OSError as error:
        rule = f"must be a file that can be read, but: {error.strerror}"
        ships = ", ".join(sorted(one.name for one in EXPERIMENTS.glob("*.yaml")))
        raise OptionError(option, path, rule, f"fix the path, or name one that ships: {ships}") from None
    except ValueError as error:
        raise OptionError(option, path, f"must be YAML, but: {error}") from None


def settings(what: str, tree: Any, *, code: bool = False) -> Tree:
    """Expand the plug-ins of an experiment read from YAML; `what` begins the message of an error.

    Raises:
        ValueError: if it does not hold settings by name, or a plug-in is unknown.
    """
    if not isinstance(tree, dict):
        raise ValueError(f"{what}: it must hold settings by name, such as `rounds: 100`")
    tree = without_format(what, {str(key).replace("-", "_"): value for key, value in tree.items()})
    known = list(experiment_options())
    for key, value in tree.items():
        if key not in known:
            hint = "this is a sweep's file: run it by `dfedsam sweep`" if key in _SWEEP_KEYS else ""
            head, dot, rest = str(key).partition(".")
            if dot and head in registry.KINDS and head in known:  # as on the command line, or in a sweep's grid
                hint = f"write {head}: {{class_path: NAME, init_args: {{{rest.partition('.')[0]}: …}}}}"
            raise UnknownOption(key, known, hint=hint, file=what)
        if registry.kind_of(key) and isinstance(value, dict) and "class_path" not in value:
            raise OptionError(key, value, "must be a name, or have a class_path and optional init_args")
    return arguments.expand_all(tree, code=code)


def to_yaml(settings: Settings) -> str:
    """All settings as a file for --config."""
    import yaml

    values = settings.simulation | settings.execution
    tree = {"topology": settings.topology, **{key: describe(one) for key, one in values.items() if one is not None}}
    first = {key: tree[key] for key in (*DEFAULTS, "peers") if key in tree}
    return yaml.safe_dump(first | tree, sort_keys=False, allow_unicode=True)


def build(settings: Settings) -> Experiment:
    """Build the experiment of these settings, and check everything that can be checked without data.

    Raises:
        ValueError: for a topology that cannot be built, or a value out of range.
    """
    from dfedsam.experiment import Experiment

    return Experiment(topology=build_topology(settings), **settings.simulation)


def check_ranks(count: int | None, peers: int) -> None:
    """Raise OptionError unless the peers can be divided among `count` ranks (None: one)."""
    if count is not None and not 1 <= count <= peers:
        raise OptionError("ranks", count, f"must be at least 1 and at most the number of peers, {peers}")


def build_topology(settings: Settings) -> topologies.Topology:
    """Build the topology; a graph file determines its number of peers, and the default seed is the run's.

    Raises:
        ValueError: if it cannot be built.
    """
    from dfedsam.topologies import make

    form, peers, seed = copy.deepcopy(settings.topology), settings.execution["peers"], settings.simulation["seed"]
    if peers is None:
        peers = _own_size(form, seed)
    for path, one in _topologies(form):
        if PROPORTIONS in _parameters(one):
            objective = settings.simulation["objective"]
            one["init_args"][PROPORTIONS] = _proportions(path, one, objective, peers or PEERS, seed)
    try:
        return make(form, peers, seed)
    except OptionError as error:
        raise _full_name(form, error) from error


def _forms(path: str, form: Tree) -> Iterator[tuple[str, Tree]]:
    """A topology, and all topologies and weight rules within it: option and form of each."""
    yield path, form
    for key, value in form["init_args"].items():
        if registry.kind_of(key) or registry.list_kind(key):
            for one in value if registry.list_kind(key) else [value]:
                yield from _forms(f"{path}.{key}", one)


def _topologies(form: Tree) -> list[tuple[str, Tree]]:
    return [(path, one) for path, one in _forms("topology", form) if registry.kind_of(path) != "weights"]


def _parameters(form: Tree) -> Mapping[str, Any]:
    return inspect.signature(registry.find("topology", form["class_path"])).parameters


def _own_size(form: Tree, seed: int) -> int | None:
    """The default number of peers; None if the function itself determines it."""
    from dfedsam.topologies import from_file, make

    for _, one in _topologies(form):
        if "n" not in _parameters(one) or registry.find("topology", one["class_path"]) is from_file:
            return None if one is form else make(one, None, seed).n
    return PEERS


def _proportions(path: str, form: Tree, objective: Objective, peers: int, seed: int) -> NDArray[np.float64]:
    """The share of each class in each peer's examples, shape (peers, classes)."""
    import numpy as np

    try:
        _, counts = objective.class_counts(peers, seed)
    except ValueError as error:
        rule = f"must know the classes of the peers' examples, but {error}"
        hint = "choose an objective that has some, such as --objective logistic_regression"
        raise OptionError(path, form["class_path"], rule, hint) from error
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _full_name(form: Tree, error: OptionError) -> OptionError:
    """The same error with the option's full name, if exactly one nested topology or weight rule has that value."""
    where, value = error.option, str(error.value)
    paths = [path for path, one in _forms("topology", form) if str(one["init_args"].get(where)) == value]
    return error.within(paths[0]) if len(paths) == 1 else error
