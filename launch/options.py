"""The options of `dfedsam run`: from the command line and experiment files to a Simulation.

jsonargparse holds the types and the help; the experiment has been merged into one tree before (launch.merge).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonargparse import DefaultHelpFormatter, Namespace

from dfedsam.launch import explain, merge, names, topology_list, topology_options
from dfedsam.launch.parser import Parser
from dfedsam.launch.topology_options import PEERS

if TYPE_CHECKING:
    from dfedsam import topologies

_DEFAULTS = {"topology": "ring", "algorithm": "DFedSAM", "objective": "quadratic"}
_PLUGINS = {
    "topology": "who talks to whom: ring, erdos_renyi, base, link_failures, …, a graph's file, or an import path; "
    "all: dfedsam topology --list",
    "algorithm": "what the peers do in a round: DFedSAM, DFedSAMMG, DPSGD, …, or an import path",
    "objective": "what is minimised: quadratic, logistic_regression, prompt_tuning, or an import path",
}
_OWN = {  # options that are not the simulation's, or that it does not default: type, help, and what stands for a value
    "peers": (
        int | None,
        f"peers in the network, at least 2 (default: {PEERS}; a graph's file says its own)",
        "N",
    ),
    "ranks": (int | None, "MPI ranks of this machine to play them on (default: this process alone)", "N"),
    "out": (str | None, "the run's folder, not there yet (default: a fresh runs/TOPOLOGY-ALGORITHM-N)", "FOLDER"),
    "figure": (bool | None, "draw the convergence figure into the folder (default: after over ten seconds)", "YES"),
    "draw_split": (str | None, "draw the examples of each class that every peer gets, such as split.png", "FILE"),
    "log": (str | None, "send figures to tensorboard, wandb or mlflow too, or to several: tensorboard,wandb", "NAME"),
}
_HIDDEN: set[str | int] = {"topology", "objective", "algorithm"}  # of Experiment: above


@dataclass(frozen=True)
class Settings:
    """What was asked for: fields of a Simulation without its topology, the topology's parts, and the command's own."""

    simulation: dict[str, Any]
    topology: dict[str, Any]
    own: dict[str, Any]


def parse(argv: list[str], about: str, examples: str, tree: merge.Tree | None = None) -> Settings | None:
    """Read a command line; None if it only asked for help or for the settings, which are then printed.

    Args:
        argv: the options.
        about: the help's first sentences.
        examples: the help's last lines.
        tree: settings that lie below those of the command line, as `merge.read_file` gives them.

    Raises:
        ValueError: for anything that is not understood, in one line.
    """
    pairs = merge.pairs(argv)
    for option, value in pairs:
        if option.endswith(".help"):
            print(plugin_help(option.removesuffix(".help"), value))
            return None
    if any(option == "help" for option, _ in pairs):
        print(_help(about, examples))
        return None
    experiment = _experiment(pairs, tree or {})
    parser = _parser()
    topology = topology_options.typed("topology", experiment.tree["topology"])
    found = parser.parse_object({key: value for key, value in experiment.tree.items() if key != "topology"})
    if any(option == "print_config" for option, _ in pairs):
        print(_yaml(parser, found, topology), end="")
        return None
    return _settings(parser, found, topology)


def topology(settings: Settings) -> topologies.Topology:
    """Build the topology; a graph's file says its number of peers itself, and the seed is the run's unless given.

    Raises:
        ValueError: if it cannot be built.
    """
    objective, own = settings.simulation["objective"], settings.own
    return topology_options.build(settings.topology, own["peers"], settings.simulation["seed"], objective.class_counts)


def _experiment(pairs: list[merge.Pair], tree: merge.Tree) -> merge.Merge:
    known = [*_PLUGINS, *_OWN, *_fields()]
    experiment = merge.Merge(known, names.expand("", dict(_DEFAULTS)))
    experiment.update(tree)
    for option, value in pairs:
        if option == "config":
            experiment.update(merge.read_file(value))
    choices = [pair for pair in pairs if names.is_kind(pair[0])]  # plug-ins before their options, whatever the order
    rest = [pair for pair in pairs if pair not in choices and pair[0] not in ("config", "print_config")]
    for option, value in [*sorted(choices, key=lambda pair: pair[0].count(".")), *rest]:
        if value is None and "." not in option and option in known and option not in _flags():
            raise ValueError(f"{option} needs a value: --{option} VALUE")
        experiment.set(option, value)
    return experiment


def _fields() -> list[str]:
    from dfedsam.experiment import Experiment

    return [name for name in explain.options(Experiment) if name not in _HIDDEN]


def _flags() -> set[str]:
    from dfedsam.experiment import Experiment

    return {"figure"} | {name for name, option in explain.options(Experiment).items() if option.type == "bool"}


class _Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        if action.dest in _PLUGINS or action.dest in _OWN or action.dest in ("config", "print_config"):
            return action.help or ""
        return super()._get_help_string(action)


def _parser() -> Parser:
    parser = Parser(add_help=False)
    for option in ("algorithm", "objective"):
        parser.add_argument(f"--{option}", type=names.base_class(option))
    _add_values(parser)
    return parser


def _add_values(parser: Parser) -> None:
    """All options but the plug-ins."""
    from dfedsam.experiment import Experiment

    for option in ("peers", "ranks", "out"):
        kind, text, metavar = _OWN[option]
        parser.add_argument(f"--{option}", type=kind, help=text, metavar=metavar)
    parser.add_class_arguments(Experiment, as_group=False, skip=_HIDDEN, instantiate=False)
    for option in ("figure", "draw_split", "log"):
        kind, text, metavar = _OWN[option]
        parser.add_argument(f"--{option}", type=kind, help=text, metavar=metavar)


def _settings(parser: Parser, found: Namespace, topology: merge.Tree) -> Settings:
    try:
        values = parser.instantiate(found).as_dict()
    except ValueError as error:
        raise ValueError(_named(found, str(error))) from error
    own = {option: values.pop(option) for option in _OWN}
    return Settings(values, topology, own)


def _named(found: Namespace, message: str) -> str:
    """A plug-in's message with the full name of the option it begins with, where only one plug-in has it."""
    word = message.partition(" ")[0]
    paths = [key.replace(".init_args", "") for key in found.keys() if key.rpartition(".")[2] == word]  # noqa: SIM118
    return paths[0].rpartition(".")[0] + "." + message if len(paths) == 1 and "." in paths[0] else message


def plugin_help(option: str, name: str | None) -> str:
    """The help of one plug-in for this option, or of all there are.

    Raises:
        ValueError: if the option takes no plug-in, or there is none of this name.
    """
    if names.is_list(option):
        option = names.item(option)
    if not names.is_kind(option):
        raise ValueError(f"{option} is not a plug-in: --help lists all options")
    if name:
        return explain.plugin_help(option, names.find(option, name))
    kind = option.rpartition(".")[2]
    if kind == names.TOPOLOGY:
        return topology_list.topologies_list(option)
    return topology_list.weights_list(option) if kind == names.WEIGHTS else explain.kind_help(option)


def _help(about: str, examples: str) -> str:
    usage = "dfedsam run [--config FILE.yaml] [--OPTION VALUE …]"
    parser = Parser(formatter_class=_Formatter, add_help=False, description=about, epilog=examples, usage=usage)
    parser.add_argument(
        "--config", type=str, help="an experiment file; what is on the command line wins", metavar="FILE"
    )
    for option, text in _PLUGINS.items():
        parser.add_argument(f"--{option}", type=str, help=text, metavar="NAME")
    _add_values(parser)
    parser.add_argument(
        "--print_config", action="store_true", help="print all settings, as a file for --config, and end"
    )
    return parser.format_help()


def _yaml(parser: Parser, found: Namespace, topology: merge.Tree) -> str:
    import yaml

    tree = yaml.safe_load(parser.dump(found, skip_unset=False))
    tree = _short(_set(tree) | {"topology": topology})
    first = {key: tree[key] for key in (*_PLUGINS, "peers") if key in tree}
    return yaml.safe_dump(first | tree, sort_keys=False, allow_unicode=True)


def _set(values: merge.Tree) -> merge.Tree:
    return {key: value for key, value in values.items() if value is not None}


def _short(value: Any, option: str = "") -> Any:
    """Settings with our own plug-ins by their short names."""
    if names.is_list(option) and isinstance(value, list):
        return [_short(item, names.item(option)) for item in value]
    if not isinstance(value, dict):
        return value
    path = value.get("class_path")
    if option in (names.TOPOLOGY, names.WEIGHTS):
        value |= {"init_args": _set(value["init_args"])}
    value = {key: _short(item, key) for key, item in value.items() if item != {} or key != "init_args"}
    if names.is_kind(option) and isinstance(path, str):
        short = [name for name, plugin in names.table(option).items() if plugin is names.find(option, path)]
        value["class_path"] = short[0] if short else path
    return value
