"""Builds an experiment from its settings, and its topology, which may need the objective's data and the run's seed."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch.arguments import Tree
from dfedsam.launch.options import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dfedsam import topologies
    from dfedsam.experiment import Experiment
    from dfedsam.objectives import Objective

PEERS = 16  # default, if neither the user nor the graph sets it
PROPORTIONS = "class_proportions"  # the option of topologies that use the data


def build(settings: Settings) -> Experiment:
    """Build the experiment, and check everything that can be checked without data.

    Raises:
        ValueError: for a topology that cannot be built, or a value out of range.
    """
    from dfedsam.experiment import Experiment

    return Experiment(topology=topology(settings), **settings.simulation)


def check_ranks(count: int | None, peers: int) -> None:
    """Raise OptionError unless the peers can be divided among `count` ranks (None: one)."""
    if count is not None and not 1 <= count <= peers:
        raise OptionError("ranks", count, f"must be at least 1 and at most the number of peers, {peers}")


def topology(settings: Settings) -> topologies.Topology:
    """Build the topology; a graph file determines its number of peers, and the default seed is the run's.

    Raises:
        ValueError: if it cannot be built.
    """
    from dfedsam.topologies import make

    form, peers, seed = copy.deepcopy(settings.topology), settings.own["peers"], settings.simulation["seed"]
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
