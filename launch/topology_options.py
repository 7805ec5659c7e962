"""The options of a topology, of the topologies and weight rules inside it, and what they build."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dfedsam.launch import errors, explain, names
from dfedsam.launch.parser import Parser

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dfedsam import topologies

Tree = dict[str, Any]
PEERS = 16  # where neither the user nor the graph says how many
PROPORTIONS = "class_proportions"  # the option of a topology that knows the data


def typed(option: str, form: Tree) -> Tree:
    """A topology or weight rule with its options in their types and its defaults written down, those inside it too.

    Args:
        option: what it is the value of, such as "topology.weights".
        form: {"class_path": import path, "init_args": options as they were written}.

    Raises:
        ValueError: for a value of another type, or a missing one.
    """
    function = names.find(option, form["class_path"])
    known = explain.options(function)
    given = {key: value for key, value in form.get("init_args", {}).items() if value is not None}
    inner = {key for key in known if names.is_kind(key) or names.is_list(key)}
    parser = Parser(add_help=False)
    skip: set[str | int] = {*explain.HIDDEN, "seed", *inner}
    parser.add_function_arguments(function, as_group=False, skip=skip, fail_untyped=False)
    if "seed" in known:
        parser.add_argument("--seed", type=int | None)
    own = {key: _listed(value, known[key].type) for key, value in given.items() if key not in inner}
    try:
        found = parser.parse_object(own).as_dict()
    except ValueError as error:
        raise ValueError(errors.inside(option, str(error))) from error
    for key in known:
        if key in inner:
            value = given.get(key, known[key].default)
            if value is inspect.Parameter.empty:
                raise ValueError(errors.inside(option, f"arguments are required: {key}"))
            found[key] = _typed_inside(f"{option}.{key}", value)
    return {"class_path": form["class_path"], "init_args": found}


def build(form: Tree, peers: int | None, seed: int, counts: Callable[[int, int], Any]) -> topologies.Topology:
    """Build a topology.

    Args:
        form: as `typed` gives it.
        peers: number of peers; None takes what the graph says itself, or PEERS.
        seed: the run's, for graphs that have none of their own.
        counts: from (peers, seed) to an objective's classes and each peer's examples of each, for a topology that knows
            the data.

    Raises:
        ValueError: if it cannot be built.
    """
    from dfedsam import topologies

    if peers is None:
        peers = _own_size(form, seed)
    try:
        given = _filled(form, lambda: _proportions(form, counts, peers or PEERS, seed))
        topology = topologies.make(given, peers, seed)
    except ValueError as error:
        raise ValueError(_full_name(form, str(error))) from error
    topology.description = _without_proportions(topology.description)
    return topology


def _listed(value: Any, type_: str) -> Any:
    """`1, 2` as a list where one is wanted."""
    wanted = re.match(r"([\w.]*\.)?(list|tuple|Sequence)\[", type_)
    return f"[{value}]" if wanted and isinstance(value, str) and not value.lstrip().startswith("[") else value


def _typed_inside(option: str, value: Any) -> Any:
    if value is None:
        return None
    forms = names.expand(option, value)
    if names.is_list(option):
        return [typed(names.item(option), form) for form in forms]
    return typed(option, forms)


def _own_size(form: Tree, seed: int) -> int | None:
    """The number of peers where the user says none; None where the function itself finds it."""
    from dfedsam import topologies
    from dfedsam.topologies.make import has_size

    function = names.find("topology", form["class_path"])
    if not has_size(function) or function is topologies.from_file:
        return None
    for inner in _topologies_in(form):
        if _own_size(inner, seed) is None:
            return topologies.make(inner, None, seed).n
    return PEERS


def _topologies_in(form: Tree) -> Iterator[Tree]:
    for key, value in form["init_args"].items():
        if key == names.TOPOLOGY and value is not None:
            yield value
        elif names.is_list(key):
            yield from value or []


def _filled(form: Tree, proportions: Callable[[], NDArray[np.float64]]) -> Tree:
    """The same without options that are not set, and with the classes' proportions wherever a topology takes them."""
    function = names.find("topology", form["class_path"])
    filled = {key: value for key, value in form["init_args"].items() if value is not None}
    if PROPORTIONS in inspect.signature(function).parameters:
        filled[PROPORTIONS] = proportions()
    for key, value in filled.items():
        if key == names.TOPOLOGY:
            filled[key] = _filled(value, proportions)
        elif names.is_list(key):
            filled[key] = [_filled(one, proportions) for one in value]
    return {"class_path": form["class_path"], "init_args": filled}


def _without_proportions(value: Any) -> Any:
    """A description without them: they follow from the objective, its split and the seed."""
    if isinstance(value, dict):
        return {key: _without_proportions(item) for key, item in value.items() if key != PROPORTIONS}
    return [_without_proportions(item) for item in value] if isinstance(value, list) else value


def _proportions(form: Tree, counts: Callable[[int, int], Any], peers: int, seed: int) -> NDArray[np.float64]:
    """Which share of each peer's examples is of each class, shape (peers, classes)."""
    import numpy as np

    try:
        _, found = counts(peers, seed)
    except ValueError as error:
        name, reason = form["class_path"].rpartition(".")[2], str(error).partition(", so ")[0]
        raise ValueError(
            f"topology is {name}: it is made from the classes of the peers' examples, but {reason}; choose an "
            "objective that does, such as --objective logistic_regression"
        ) from error
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _full_name(form: Tree, message: str) -> str:
    """A message that begins "p is 2" with the full name of the option, where one topology inside has that value."""
    found = [path for path, value in _leaves("topology", form) if message.startswith(f"{_last(path)} is {value}:")]
    head = found[0].rpartition(".")[0] if len(found) == 1 else ""
    message = re.sub(r"\bdfedsam\.topologies\.(\w+\.)*(?=\w)", "", message)  # the short name of ours is enough
    return f"{head}.{message}" if head else message


def _leaves(option: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Full names and values of all options in a form."""
    if isinstance(value, dict) and "init_args" in value:
        for key, item in value["init_args"].items():
            yield from _leaves(f"{option}.{key}", item)
    elif names.is_list(option):
        for item in value or []:
            yield from _leaves(option, item)
    else:
        yield option, value


def _last(option: str) -> str:
    return option.rpartition(".")[2]
