"""The options of an experiment, from the command line and experiment files, and the plug-ins built from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dfedsam import registry
from dfedsam.describe import describe
from dfedsam.errors import OptionError
from dfedsam.launch import arguments, endpoints, plain_yaml, signatures
from dfedsam.launch.arguments import Pair, Tree
from dfedsam.launch.signatures import MissingValue, Option, UnknownOption
from dfedsam.run_folder import without_format

EXPERIMENTS = Path(__file__).with_name("experiments")  # shipped experiments
DEFAULTS = {"topology": "ring", "algorithm": "dfedsam", "objective": "quadratic"}
FLAGS = ("print_config", "allow_code", "allow_endpoint")  # options without a value
ACTIONS = ("config", *FLAGS)  # not part of an experiment file
_SWEEP_KEYS = ("base", "grid", "zip", "seeds", "search")


@dataclass(frozen=True)
class Settings:
    """The options of one `dfedsam run`: fields of an Experiment, its topology as a plug-in's form, and the rest."""

    simulation: dict[str, Any]
    topology: Tree
    own: dict[str, Any]


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

    fields, own = signatures.options_of(Experiment), signatures.options_of(command)
    first = {name: Option(fields[name].hint, default) for name, default in DEFAULTS.items()}
    first |= {name: own[name] for name in ("peers", "ranks", "out")}
    return first | {name: one for name, one in {**fields, **own}.items() if name not in (*first, *ACTIONS)}


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
    own = {name: values.pop(name) for name in signatures.options_of(command) if name in values}
    return Settings(values, values.pop("topology"), own)


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
            sweep = "this is a sweep's file: run it by `dfedsam sweep`" if key in _SWEEP_KEYS else ""
            raise UnknownOption(key, known, hint=sweep, file=what)
        if registry.kind_of(key) and isinstance(value, dict) and "class_path" not in value:
            raise OptionError(key, value, "must be a name, or have a class_path and optional init_args")
    return arguments.expand_all(tree, code=code)


def to_yaml(settings: Settings) -> str:
    """All settings as a file for --config."""
    import yaml

    values = {key: describe(value) for key, value in (settings.simulation | settings.own).items() if value is not None}
    tree = {"topology": settings.topology, **values}
    first = {key: tree[key] for key in (*DEFAULTS, "peers") if key in tree}
    return yaml.safe_dump(first | tree, sort_keys=False, allow_unicode=True)
