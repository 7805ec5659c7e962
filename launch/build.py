"""Builds an experiment from its settings, and its topology, which may need the objective's data and the run's seed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
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

    form, peers, seed = settings.topology, settings.own["peers"], settings.simulation["seed"]
    counts = settings.simulation["objective"].class_counts
    if peers is None:
        peers = _own_size(form, seed)
    try:
        return make(_filled(form, lambda: _proportions(form, counts, peers or PEERS, seed)), peers, seed)
    except OptionError as error:
        raise _full_name(form, error) from error


def _own_size(form: Tree, seed: int) -> int | None:
    """The default number of peers; None if the function itself determines it."""
    from dfedsam.topologies import from_file, make

    function = registry.find("topology", form["class_path"])
    if "n" not in inspect.signature(function).parameters or function is from_file:
        return None
    for inner in _topologies_in(form):
        if _own_size(inner, seed) is None:
            return make(inner, None, seed).n
    return PEERS


def _topologies_in(form: Tree) -> Iterator[Tree]:
    for key, value in form["init_args"].items():
        if registry.kind_of(key) == "topology":
            yield value
        elif registry.list_kind(key) == "topology":
            yield from value


def _filled(form: Tree, proportions: Callable[[], NDArray[np.float64]]) -> Tree:
    """The form that `dfedsam.topologies.make` takes, with class proportions for every topology that uses them."""
    options = dict(form["init_args"])
    if PROPORTIONS in inspect.signature(registry.find("topology", form["class_path"])).parameters:
        options[PROPORTIONS] = proportions()
    for key, value in options.items():
        if registry.kind_of(key) == "topology":
            options[key] = _filled(value, proportions)
        elif registry.list_kind(key) == "topology":
            options[key] = [_filled(one, proportions) for one in value]
    return {"class_path": form["class_path"], "init_args": options}


def _proportions(form: Tree, counts: Callable[[int, int], Any], peers: int, seed: int) -> NDArray[np.float64]:
    """The share of each class in each peer's examples, shape (peers, classes)."""
    import numpy as np

    try:
        _, found = counts(peers, seed)
    except ValueError as error:
        rule = f"must know the classes of the peers' examples, but {str(error).partition(', so ')[0]}"
        hint = "choose an objective that has some, such as --objective logistic_regression"
        raise OptionError("topology", form["class_path"].rpartition(".")[2], rule, hint) from error
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _full_name(form: Tree, error: OptionError) -> OptionError:
    """The same error with the option's full name, if exactly one nested topology has that value."""
    bad = (error.option, error.value)
    found = [path for path, option, value in _leaves("topology", form) if (option, value) == bad]
    return error.within(found[0]) if len(found) == 1 else error


def _leaves(path: str, form: Tree) -> Iterator[tuple[str, str, Any]]:
    """All options in a form that are no plug-ins: path of their topology, name and value."""
    for key, value in form["init_args"].items():
        for one in value if registry.list_kind(key) else [value]:
            if registry.kind_of(key) or registry.list_kind(key):
                yield from _leaves(f"{path}.{key}", one)
            else:
                yield path, key, value
