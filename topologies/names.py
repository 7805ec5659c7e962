"""Topologies and weight rules by name: short names in any case, files, and import paths of a user's own functions.

The tables hold import paths, so that a name costs no more than the module that it is in.
"""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dfedsam.topologies.graphs.files import SUFFIXES, from_file
from dfedsam.topologies.graphs.from_networkx import PREFIX, from_networkx
from dfedsam.topologies.imports import import_object
from dfedsam.topologies.weights.files import SUFFIXES as MATRICES
from dfedsam.topologies.weights.files import from_weights, weights_from_file

TOPOLOGIES: dict[str, tuple[str, ...]] = {  # by group: module and function
    "graphs": (
        "graphs.textbook.ring",
        "graphs.textbook.path",
        "graphs.textbook.grid",
        "graphs.textbook.torus",
        "graphs.textbook.star",
        "graphs.textbook.complete",
        "graphs.textbook.hypercube",
        "graphs.textbook.exponential",
        "graphs.circulant.ring_lattice",
        "graphs.circulant.circulant",
        "graphs.circulant.chordal_ring",
        "graphs.layered.binary_tree",
        "graphs.layered.tree",
        "graphs.layered.complete_bipartite",
        "graphs.expanders.paley",
        "graphs.expanders.margulis",
        "graphs.expanders.petersen",
    ),
    "clustered graphs": (
        "graphs.clustered.two_cliques",
        "graphs.clustered.barbell",
        "graphs.clustered.lollipop",
        "graphs.clustered.caveman",
    ),
    "real networks": (
        "graphs.real.davis",
        "graphs.real.karate",
        "graphs.real.florentine",
        "graphs.real.les_miserables",
    ),
    "random graphs": (
        "graphs.random.erdos_renyi",
        "graphs.random.random_regular",
        "graphs.random.watts_strogatz",
        "graphs.random.barabasi_albert",
        "graphs.random.random_geometric",
        "graphs.random.stochastic_block_model",
    ),
    "directed graphs": (
        "graphs.directed.directed_ring",
        "graphs.directed.directed_exponential",
        "graphs.directed.random_out",
    ),
    "schedules": (
        "schedules.one_peer.one_peer_exponential",
        "schedules.one_peer.one_peer_hypercube",
        "schedules.one_peer.one_peer_ring",
        "schedules.one_peer.one_peer_grid",
        "schedules.finite_time.hyper_hypercube",
        "schedules.finite_time.simple_base",
        "schedules.finite_time.base",
        "schedules.equitopo.d_equistatic",
        "schedules.equitopo.u_equistatic",
        "schedules.equitopo.od_equidyn",
        "schedules.equitopo.ou_equidyn",
        "schedules.randomized.random_matching",
        "schedules.randomized.pairwise",
        "schedules.randomized.random_neighbours",
        "schedules.matcha.matcha",
        "schedules.combined.round_robin",
        "schedules.combined.random_choice",
    ),
    "made from the data": ("schedules.stl_fw.stl_fw",),
    "unreliable networks": (
        "schedules.failures.link_failures",
        "schedules.failures.peer_dropout",
        "schedules.failures.latency",
    ),
}
RULES = (
    "weights.rules.metropolis",
    "weights.rules.max_degree",
    "weights.rules.best_constant",
    "weights.rules.lazy",
    "weights.fastest.fastest",
    "weights.fastest.fastest_nonnegative",
    "weights.rules.uniform",
    "weights.rules.out_degree",
)
WHOLE = tuple(suffix for suffix in MATRICES if suffix not in SUFFIXES)  # files that are a topology by themselves

Function = Callable[..., Any]


def table() -> dict[str, Function]:
    """The topologies that have a short name: name → function."""
    return _table(path for group in TOPOLOGIES.values() for path in group)


def rules() -> dict[str, Function]:
    """The weight rules that have a short name: name → function."""
    return _table(RULES)


def find(name: str) -> Function:
    """The function that builds the topology of this name.

    Args:
        name: A short name in any case, with or without underscores, hyphens and spaces (`ErdosRenyi`); a graph's file,
            known by its suffix (`friends.graphml`); a mixing matrix's (`w.npz`, see `topologies.weights.files`); an
            import path (`mypackage.graphs.wheel`); or the name of a graph in networkx (`networkx.barbell_graph`, see
            `topologies.graphs.from_networkx`).

    Raises:
        ValueError: if there is no such topology (the message has the nearest), or the import path leads nowhere.
    """
    known = [path for group in TOPOLOGIES.values() for path in group]
    found = _short(name, known)
    if found is not None:
        return found
    if Path(name).suffix.lower() in WHOLE:
        return partial(from_weights, path=name)
    if Path(name).suffix.lower() in SUFFIXES or Path(name).is_file():
        return partial(from_file, path=name)
    if _is_path(name):
        return from_networkx(name) if name.startswith(PREFIX) else import_object(name, "topology")
    raise ValueError(
        f"topology is {name}: it must be a name that `dfedsam topology --list` shows, a file "
        f"({', '.join(SUFFIXES + WHOLE)}) or an import path; {_guess(name, known) or 'mend the name'}"
    )


def find_rule(rule: str | dict[str, Any] | Function) -> Function:
    """The weight rule that is meant, a function from the graph to W.

    Args:
        rule: A short name in any case; a file that holds W (see `topologies.weights.files`); an import path;
            {"class_path": one of these, "init_args": its options}; or the function itself.

    Returns:
        The rule. Its attribute `sums`, if any, says which lines of W sum to one (see `topologies.topology.Static`).

    Raises:
        ValueError: if there is no such rule (the message lists the names and the nearest).
    """
    if isinstance(rule, dict):
        options = {key: value for key, value in rule.get("init_args", {}).items() if value is not None}
        function = find_rule(rule["class_path"])
        return _with(function, options) if options else function
    if not isinstance(rule, str):
        return rule
    found = _short(rule, RULES)
    if found is not None:
        return found
    if Path(rule).suffix.lower() in MATRICES:
        return partial(weights_from_file, path=rule)
    if _is_path(rule):
        return import_object(rule, "weights")
    raise ValueError(
        f"weights is {rule}: it must be one of {_names(RULES)}, a file ({', '.join(MATRICES)}) or an import path; "
        f"{_guess(rule, RULES) or '`dfedsam topology --list` shows all'}"
    )


def _with(rule: Function, options: dict[str, Any]) -> Function:
    """A rule with its options, and what it promises of W's sums: one made from another promises what that one does."""
    fixed = partial(rule, **options)
    inner = find_rule(options["weights"]) if "weights" in options else rule
    sums = getattr(inner, "sums", None)
    if sums is not None:
        setattr(fixed, "sums", sums)  # noqa: B010  (an attribute that type checkers do not know)
    return fixed


def _table(paths: Any) -> dict[str, Function]:
    return {path.rpartition(".")[2]: import_object(f"dfedsam.topologies.{path}", "name") for path in paths}


def _short(name: str, known: Any) -> Function | None:
    paths = {_plain(path.rpartition(".")[2]): path for path in known}
    path = paths.get(_plain(name))
    return None if path is None else import_object(f"dfedsam.topologies.{path}", "name")


def _names(known: Any) -> str:
    return ", ".join(path.rpartition(".")[2] for path in known)


def _guess(name: str, known: Any) -> str:
    short = {_plain(path.rpartition(".")[2]): path.rpartition(".")[2] for path in known}
    nearest = difflib.get_close_matches(_plain(name), short, n=1, cutoff=0.6)
    return f"did you mean {short[nearest[0]]}?" if nearest else ""


def _is_path(name: str) -> bool:
    return "." in name and all(part.isidentifier() for part in name.split("."))


def _plain(name: str) -> str:
    """A name without what may be left out or written differently."""
    return "".join(letter for letter in name.lower() if letter not in "_- ")
