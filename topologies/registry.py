"""Topologies and weight rules by name: public names, files, networkx's graphs, and import paths of users."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from dfedsam import registry
from dfedsam.topologies.files import from_file
from dfedsam.topologies.graphs.from_networkx import PREFIX, from_networkx
from dfedsam.topologies.readers import MATRIX_SUFFIXES, SUFFIXES
from dfedsam.topologies.tables import format_of
from dfedsam.topologies.weights.files import weights_from_file
from dfedsam.topologies.weights.rules import WeightRule

GROUPS = {  # names of topologies, which `dfedsam.topologies` exports
    "graphs": (
        *("ring", "path", "grid", "torus", "star", "complete", "hypercube", "exponential", "ring_lattice", "circulant"),
        *("chordal_ring", "binary_tree", "tree", "complete_bipartite", "paley", "margulis", "petersen"),
    ),
    "clustered graphs": ("two_cliques", "barbell", "lollipop", "caveman"),
    "real networks": ("davis", "karate", "florentine", "les_miserables"),
    "random graphs": (
        *("erdos_renyi", "random_regular", "watts_strogatz", "barabasi_albert", "random_geometric"),
        "stochastic_block_model",
    ),
    "made for an underlay": ("mst", "christofides", "bounded_tree"),
    "directed graphs": ("directed_ring", "directed_exponential", "random_out"),
    "schedules": (
        *("one_peer_exponential", "one_peer_hypercube", "one_peer_ring", "one_peer_grid", "hyper_hypercube"),
        *("simple_base", "base", "ceca", "d_equistatic", "u_equistatic", "od_equidyn", "ou_equidyn", "random_matching"),
        *("pairwise", "random_neighbours", "el_oracle", "el_local", "matcha", "round_robin", "random_choice"),
        *("dense_late", "final_merge", "teleportation"),
    ),
    "made from the data": ("d_cliques", "stl_fw"),
    "unreliable networks": ("link_failures", "peer_dropout", "latency"),
    "from edges and files": ("from_edges", "from_file", "from_weights"),
}
RULES = (
    *("metropolis", "max_degree", "best_constant", "lazy", "fastest", "fastest_nonnegative", "uniform", "out_degree"),
    "weights_from_file",
)
W_SUFFIXES = (".npy", ".npz", ".mtx")  # files of matrices alone
GRAPH_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix not in W_SUFFIXES)
_IMPORTS: ContextVar[bool] = ContextVar("imports", default=True)

Function = Callable[..., Any]


def table() -> dict[str, Function]:
    """The topologies of this package: public name → function."""
    return _table(name for group in GROUPS.values() for name in group)


def rules() -> dict[str, WeightRule]:
    """The weight rules of this package: public name → rule."""
    return _table(RULES)


def find(name: str) -> Function:
    """The function that builds the topology of this name.

    Args:
        name: a public name in any case, with or without underscores, hyphens and spaces (`ErdosRenyi`); the file of a
            graph or of a W (`friends.graphml`, see `topologies.files`); an import path (`mypackage.graphs.wheel`); or
            the name of a graph in networkx (`networkx.barbell_graph`, see `topologies.graphs.from_networkx`).

    Raises:
        OptionError: if there is no such topology (the hint has the nearest), or the import path leads nowhere or may
            not be followed (see `registered_only`).
    """
    return registry.find("topology", name, code=_IMPORTS.get())


def find_rule(rule: str | dict[str, Any] | Callable[..., Any]) -> WeightRule:
    """The weight rule that is meant.

    Args:
        rule: a public name in any case; a file that holds W (see `topologies.weights.files`); an import path;
            {"class_path": one of these, "init_args": its options}; or the function itself.

    Raises:
        OptionError: if there is no such rule (the message lists the names and the nearest), or as for `find`.
    """
    if isinstance(rule, WeightRule):
        return rule
    if isinstance(rule, dict):
        options = {key: value for key, value in rule.get("init_args", {}).items() if value is not None}
        if "weights" in options:
            options["weights"] = find_rule(options["weights"])
        return find_rule(rule["class_path"]).bind(options)
    if not isinstance(rule, str):
        return WeightRule(rule)
    if Path(rule).suffix.lower() in MATRIX_SUFFIXES:
        return weights_from_file.bind({"path": rule})
    return find_rule(registry.find("weights", rule, code=_IMPORTS.get()))


def reader(kind: str, name: str) -> Function | None:
    """The function that reads the file of this name, or one of networkx; None if it is neither.

    The kind is "topology" or "weights".
    """
    if kind == "weights":
        is_matrix = Path(name).suffix.lower() in MATRIX_SUFFIXES
        return partial(weights_from_file, path=name) if is_matrix else None
    if _is_file_name(name):
        return partial(from_file, path=name)
    return from_networkx(name) if name.startswith(PREFIX) else None


@contextmanager
def registered_only() -> Generator[None, None, None]:
    """A context in which names are registered plug-ins only, and import paths are rejected, for names from files."""
    token = _IMPORTS.set(False)
    try:
        yield
    finally:
        _IMPORTS.reset(token)


def _is_file_name(name: str) -> bool:
    """Whether a topology's name is that of a file: by its suffix, or since there is such a file."""
    try:
        return format_of(Path(name)) in SUFFIXES or Path(name).is_file()
    except (OSError, ValueError):  # too long a name, or one with a null byte
        return False


def _table(names: Iterable[str]) -> dict[str, Any]:
    package = import_module("dfedsam.topologies")
    return {name: getattr(package, name) for name in names}
