"""`dfedsam topology`: what a graph is like before anything is run on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from launch import merge, options

HELP = """usage: dfedsam topology NAME [--peers N] [--topology.OPTION VALUE …] [--seed N] [--steps Q] [--json]
                        [--draw FILE]

Show the figures of a graph with Metropolis weights: degrees, diameter, spectral gap, effective neighbours.

options:
  NAME               ring, path, grid, torus, erdos_renyi, …, a graph's file, or an import path; all: --topology.help
  --peers N          peers (default: 16; a file says its own)
  --topology.OPTION  an option of the graph's own, such as --topology.rows 4; those of one: --topology.help NAME
  --seed N           seed of a random graph (default: 0)
  --steps Q          gossip steps a round (default: 1)
  --json             print JSON instead of a table
  --draw FILE        draw the graph and its spectrum: .png, .pdf or .svg

examples:
  dfedsam topology ring --peers 16
  dfedsam topology grid --peers 16 --topology.rows 2 --steps 4 --draw grid.png
  dfedsam topology friends.graphml --json"""
_OPTIONS = ("topology", "peers", "seed", "steps", "json", "draw")
_NAMES = {
    "n": "peers",
    "edges": "edges",
    "degree_min": "smallest degree",
    "degree_mean": "mean degree",
    "degree_max": "largest degree",
    "diameter": "diameter",
    "lambda": "λ",
    "gap": "gap 1 − λ",
    "lambda_2": "λ₂",
    "lambda_min": "λ_min",
    "lambda_q": "λ^Q",
    "effective_neighbours": "effective neighbours",
    "mu_2": "algebraic connectivity",
    "vectors_per_round": "vectors sent a round",
}


def main(argv: list[str]) -> int:
    """Run `dfedsam topology ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    if argv and not argv[0].startswith("-"):
        argv = ["--topology", *argv]
    pairs = dict(merge.pairs(argv))
    for option in pairs:
        if option.partition(".")[0] not in _OPTIONS:
            raise ValueError(f"--{option} is not an option of topology: there are {', '.join(_OPTIONS)}")
    if "topology" not in pairs and not any(option.endswith(".help") for option in pairs):
        raise ValueError("topology is missing: name a graph, such as `dfedsam topology ring --peers 16`")
    steps = _steps(pairs.get("steps", "1"))
    passed = [
        word
        for option, value in pairs.items()
        if option not in ("steps", "json", "draw")
        for word in _words(option, value)
    ]
    settings = options.parse(passed, "", "")
    if settings is None:
        return 0
    import topologies

    topology = options.topology(settings)
    topologies.check(topology)
    figures = topologies.spectrum(topology, steps)
    if "json" in pairs:
        print(json.dumps(figures))
    else:
        print(_table(settings.topology["class_path"].rpartition(".")[2], figures))
    if "draw" in pairs:
        from analysis.style import save
        from analysis.topology import draw

        print(save(draw(topology), Path(pairs["draw"] or "topology.png"))[0])
    return 0


def _steps(value: str | None) -> int:
    if value is None or not value.isdigit() or int(value) < 1:
        raise ValueError(f"steps is {value}: it must be a whole number of at least 1, the gossip steps Q a round")
    return int(value)


def _words(option: str, value: str | None) -> list[str]:
    return [f"--{option}"] if value is None else [f"--{option}", value]


def _table(name: str, figures: dict[str, Any]) -> str:
    shown = {_NAMES.get(key, key): value for key, value in figures.items() if key in _NAMES and value is not None}
    shown["λ^Q"] = f"{figures['lambda_q']:.4f} (Q = {figures['steps']})"
    width = max(map(len, shown))
    lines = [f"{key:<{width}}  {f'{value:.4f}' if isinstance(value, float) else value}" for key, value in shown.items()]
    if figures["approximate"]:
        lines.append(f"estimated: {', '.join(_NAMES[key] for key in figures['approximate'])}")
    return "\n".join([name, *lines])
