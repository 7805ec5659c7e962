"""`dfedsam topology`: what topologies there are, and what one, or several side by side, are like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dfedsam.launch import errors, merge, options, topology_rows

HELP = """usage: dfedsam topology NAME [NAME …] [--peers N] [--weights NAME] [--topology.OPTION VALUE …] [--json]
       dfedsam topology NAME --draw FILE
       dfedsam topology --list

Show the figures of a topology, or a table of several: degree, messages a round, λ and the spectral gap, effective
neighbours n_W, and the rounds until the peers agree to 1e-6. A row whose size does not fit says so.

options:
  NAME               a graph or a schedule (--list shows all), a graph's file, networkx.NAME, an import path, or
                     {class_path: NAME, init_args: {OPTION: VALUE}}
  --list             all topologies and weight rules, with their options
  --peers N          peers (default: 16; a graph of fixed size and a file say their own)
  --weights NAME     the weight rule of a graph, or several: metropolis,lazy; its options: --weights.OPTION VALUE
  --topology.OPTION  an option of the topology's own, such as --topology.rows 4; those of one: --topology.help NAME
  --objective NAME   whose data a topology is made from, where it is made from data (stl_fw)
  --seed N           seed of what is drawn (default: 0)
  --steps Q          gossip steps a round (default: 1)
  --json, --csv      print all figures as JSON or CSV instead of a table
  --draw FILE        draw one topology and its spectrum: .png, .pdf or .svg

examples:
  dfedsam topology ring --peers 16
  dfedsam topology ring grid torus exponential one_peer_exponential base --peers 64
  dfedsam topology davis --weights metropolis,best_constant,fastest
  dfedsam topology grid --peers 16 --topology.rows 2 --steps 4 --draw grid.png
  dfedsam topology link_failures --topology.topology torus --topology.p 0.1
  dfedsam topology friends.graphml --json"""
_VALUES = ("peers", "seed", "steps", "draw", "objective", "weights", "topology")  # take a value
_FLAGS = ("list", "json", "csv")


@dataclass
class _Asked:
    """A command line: names of topologies, flags, and options with their values."""

    names: list[str]
    flags: set[str]
    pairs: list[merge.Pair]

    def value(self, option: str, default: str) -> str:
        """The last value given to an option.

        Raises:
            ValueError: if none is given.
        """
        given = [value for name, value in self.pairs if name == option]
        if given and not given[-1]:
            raise ValueError(f"{option} needs a value: --{option} VALUE")
        return given[-1] or default if given else default

    def under(self, *heads: str) -> list[merge.Pair]:
        """Options of these names and those inside them."""
        return [pair for pair in self.pairs if pair[0].partition(".")[0] in heads]


def main(argv: list[str]) -> int:
    """Run `dfedsam topology ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    asked = _read(argv)
    for option, value in asked.pairs:
        if option.endswith(".help"):
            print(options.plugin_help(option.removesuffix(".help"), value))
            return 0
    if "list" in asked.flags:
        return _list(asked)
    if not asked.names:
        raise ValueError("topology is missing: name one, such as `dfedsam topology ring --peers 16`; --list shows all")
    steps = _steps(asked.value("steps", "1"))
    if asked.under("draw") and len(asked.names) > 1:
        raise ValueError("draw takes one topology at a time: name a single one")
    passed = [word for option, value in asked.under("peers", "seed", "objective") for word in _words(option, value)]
    settings = options.parse(passed, "", "")
    assert settings is not None
    forms = topology_rows.choose(asked.names, asked.under("topology"), asked.under("weights"))
    rows = topology_rows.build(forms, settings, steps)
    if "json" in asked.flags:
        values = [row.values() for row in rows]
        print(json.dumps(values[0] if len(values) == 1 else values))
    elif "csv" in asked.flags:
        print(topology_rows.csv(rows), end="")
    else:
        topology_rows.show(rows)
    if asked.under("draw") and rows[0].topology is not None:
        from dfedsam.analysis import draw_topology as draw
        from dfedsam.analysis import save

        print(save(draw(rows[0].topology), Path(asked.value("draw", "")))[0])
    return 0


def _read(argv: list[str]) -> _Asked:
    """Words after a flag, or after an option's value, are names."""
    words, pairs = merge.split(argv, _FLAGS)
    for option, _ in pairs:
        if option.partition(".")[0] not in (*_VALUES, *_FLAGS):
            raise errors.unknown_option(option, (*_VALUES, *_FLAGS))
    flags = {option for option, _ in pairs if option in _FLAGS}
    asked = _Asked(words, flags, [pair for pair in pairs if pair[0] not in _FLAGS])
    asked.names += [value for option, value in asked.pairs if option == "topology" and value]
    return asked


def _list(asked: _Asked) -> int:
    from dfedsam.launch import topology_list

    if "json" in asked.flags:
        print(json.dumps(topology_list.table()))
    else:
        print(topology_list.topologies_list(), topology_list.weights_list(), sep="\n\n")
    return 0


def _steps(value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"steps is {value}: it must be a whole number of at least 1, the gossip steps Q a round")
    return int(value)


def _words(option: str, value: str | None) -> list[str]:
    return [f"--{option}"] if value is None else [f"--{option}", value]
