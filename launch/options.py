"""The options of an experiment, from the command line and experiment files, and the plug-ins built from them."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import DefaultHelpFormatter

from dfedsam import registry
from dfedsam.describe import describe
from dfedsam.errors import OptionError
from dfedsam.launch import factories, help, parser, plain_yaml, trees
from dfedsam.launch.errors import MissingValue, UnknownOption
from dfedsam.launch.parser import Parser
from dfedsam.launch.trees import Pair, Tree
from dfedsam.run_folder import without_format

if TYPE_CHECKING:
    from dfedsam import topologies

EXPERIMENTS = Path(__file__).with_name("experiments")  # shipped experiments
DEFAULTS = {"topology": "ring", "algorithm": "dfedsam", "objective": "quadratic"}
_PLUGINS = {
    "topology": "the communication graph: ring, erdos_renyi, base, link_failures, …, a graph file, or an import path; "
    "dfedsam topology --list shows all",
    "algorithm": "the steps of a round: dfedsam, dfedsam_mg, dpsgd, …, or an import path",
    "objective": "the function to minimise: quadratic, logistic_regression, prompt_tuning, or an import path",
}
_CHOSEN: set[str | int] = {"topology", "objective", "algorithm"}  # fields of Experiment that the table above describes
_SWEEP_KEYS = ("base", "grid", "zip", "seeds", "search")
_ACTIONS = ("config", "print_config", "allow_code", "help")  # not part of an experiment file


@dataclass(frozen=True)
class Settings:
    """The options of one `dfedsam run`.

    Args:
        simulation: fields of an Experiment, without its topology.
        topology: {"class_path": public name, "init_args": the options set by the user}.
        own: the command's own options.
    """

    simulation: dict[str, Any]
    topology: Tree
    own: dict[str, Any]


def parse(argv: list[str], about: str = "", examples: str = "") -> Settings | None:
    """Read the options of `dfedsam run`; None after printing the help or the settings, if these were requested.

    Raises:
        ValueError: for invalid options, in one line.
    """
    words, pairs = trees.split(["--help" if word == "-h" else word for word in argv])
    for option, value in pairs:
        if option.endswith(".help"):
            print(help.plugin_help(option.removesuffix(".help"), value))
            return None
    asked = dict(pairs)
    if "help" in asked:
        print(run_parser(about, examples).format_help())
        return None
    if words:
        rule = "belongs to no option: options begin with --, and a value with blanks needs quotes"
        raise MissingValue(words[0], None, rule)
    files = [read_file(value, code="allow_code" in asked) for option, value in pairs if option == "config"]
    settings = read(files, [pair for pair in pairs if pair[0] not in _ACTIONS])
    if "print_config" in asked:
        print(to_yaml(settings), end="")
        return None
    return settings


def read(files: list[Tree], pairs: list[Pair], *, code: bool = True) -> Settings:
    """Merge the settings of files, as `read_file` returns them, with command-line options, which take precedence.

    Args:
        files: settings; later files take precedence.
        pairs: options of the command line.
        code: whether import paths in the options may be imported: true for options that a user has typed.

    Raises:
        OptionError: for an option that is unknown, missing, or has an invalid value.
    """
    merged = trees.expand_all(dict(DEFAULTS), code=True)
    typed = trees.as_tree((option, True if value is None else value) for option, value in pairs)
    for tree in files:
        merged = trees.over(merged, tree)
    for option, value in typed.items():
        usual = registry.KINDS[option].usual if option in registry.KINDS else ""
        if usual and value and "class_path" not in value and merged.get(option) is None:
            typed[option] = {"class_path": usual} | value
    merged = trees.over(merged, trees.expand_all(typed, code=code))
    for option in DEFAULTS:
        if merged[option] is None:
            raise OptionError(option, "none", "must be the name of one", f"--{option}.help lists them")
    with parser.missing_values(dict(pairs)):
        values = trees.instantiate(experiment_parser().parse_object(merged))
    own = {option: values.pop(option) for option in _own()}
    return Settings(values, _set(describe(values.pop("topology"))), own)


def read_file(path: str | None, *, code: bool = False) -> Tree:
    """Read an experiment file (YAML or JSON), named by its path or the name of a shipped one, such as demo.yaml.

    Args:
        path: the file.
        code: whether import paths in it may be imported.

    Raises:
        ValueError: if it is missing, malformed or does not hold settings by name.
    """
    if not path:
        raise MissingValue("config", None, "needs a value: --config FILE.yaml")
    return settings(f"config is {path}", read_yaml(path, "config")[0], code=code)


def read_yaml(path: str | Path, option: str, folder: Path = Path()) -> tuple[Any, str]:
    """The contents of a YAML file, and its text.

    Args:
        path: the file, relative to `folder`; a bare name that does not exist there is that of a shipped file.
        option: the option that names the file.
        folder: the folder of a relative path.

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
    known = [action.dest for action in experiment_parser()._actions if "help" not in action.dest]
    for key, value in tree.items():
        if key not in known:
            sweep = "this is a sweep's file: run it by `dfedsam sweep`" if key in _SWEEP_KEYS else ""
            raise UnknownOption(key, known, hint=sweep, file=what)
        if registry.kind_of(key) and not (
            isinstance(value, str | None) or (isinstance(value, dict) and "class_path" in value)
        ):
            raise OptionError(key, value, "must be a name, or have a class_path and optional init_args")
    return trees.expand_all(tree, code=code)


def to_yaml(settings: Settings) -> str:
    """All settings as a file for --config."""
    import yaml

    values = {key: describe(value) for key, value in (settings.simulation | settings.own).items() if value is not None}
    tree = {"topology": settings.topology, **values}
    first = {key: tree[key] for key in (*_PLUGINS, "peers") if key in tree}
    return yaml.safe_dump(first | tree, sort_keys=False, allow_unicode=True)


def topology(settings: Settings) -> topologies.Topology:
    """Build the topology; a graph file determines its number of peers, and the default seed is the run's.

    Raises:
        ValueError: if it cannot be built.
    """
    objective, seed = settings.simulation["objective"], settings.simulation["seed"]
    return factories.build(settings.topology, settings.own["peers"], seed, objective.class_counts)


def _set(form: Any) -> Any:
    """A topology's description without options that are not set."""
    if isinstance(form, dict):
        options = {key: _set(value) for key, value in form.get("init_args", {}).items() if value is not None}
        return form | {"init_args": options} if "class_path" in form else form
    return [_set(item) for item in form] if isinstance(form, list) else form


def _own() -> tuple[str, ...]:
    return tuple(inspect.signature(_command).parameters)


def _command(
    *,
    peers: int | None = None,
    ranks: int | None = None,
    out: str | None = None,
    figure: bool | None = None,
    draw_split: str | None = None,
    log: str | None = None,
    restarts: int = 0,
) -> None:
    """Options of the command that are not part of the experiment.

    Args:
        peers: peers in the network, at least 2 (default: 16, or the number in a graph file).
        ranks: MPI ranks on this machine (default: this process alone).
        out: the run's folder, which must not exist yet (default: a new runs/TOPOLOGY-ALGORITHM-N).
        figure: draw the convergence figure into the folder (default: if the run takes more than ten seconds).
        draw_split: draw how many examples of each class every peer gets, into a file such as split.png.
        log: also send metrics to tensorboard, wandb or mlflow, or to several: tensorboard,wandb.
        restarts: how often to continue from the last checkpoint, on one rank fewer, after a rank was lost.
    """


class _Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        if action.dest in (*_PLUGINS, *_own(), *_ACTIONS):
            return action.help or ""
        if action.dest in registry.KINDS:
            return f"{action.help} --{action.dest}.help lists them"
        return super()._get_help_string(action)


@cache
def experiment_parser() -> Parser:
    """The parser of all options of a run that an experiment file may also set."""
    made = Parser(add_help=False, formatter_class=_Formatter)
    _add_experiment(made)
    return made


def _add_experiment(made: Parser) -> None:
    from dfedsam.experiment import Experiment

    for option, text in _PLUGINS.items():
        made.add_argument(f"--{option}", type=factories.base_class(option), help=text, metavar="NAME")
    made.add_function_arguments(_command, as_group=False, skip={"figure", "draw_split", "log", "restarts"})
    made.add_class_arguments(Experiment, as_group=False, skip=_CHOSEN, instantiate=False)
    made.add_function_arguments(_command, as_group=False, skip={"peers", "ranks", "out"})
    for action in made._actions:
        if action.dest in registry.KINDS:
            action.metavar = "NAME"
        if action.dest.endswith(".help"):
            action.help = argparse.SUPPRESS


def run_parser(about: str = "", examples: str = "") -> Parser:
    """The parser of all options of `dfedsam run`; its help begins with `about` and ends with `examples`."""
    usage = "dfedsam run [--config FILE.yaml] [--OPTION VALUE …]"
    made = Parser(formatter_class=_Formatter, add_help=False, description=about, epilog=examples, usage=usage)
    made.add_argument("--config", type=str, help="an experiment file; command-line options override it", metavar="FILE")
    _add_experiment(made)
    for option, text in (
        ("print_config", "print all settings, as a file for --config, and exit"),
        ("allow_code", "allow import paths of your own plug-ins in files; this runs their code"),
    ):
        made.add_argument(f"--{option}", action="store_true", help=text)
    return made
