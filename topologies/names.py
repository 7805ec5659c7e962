"""Topologies by name: short names in any case, files, and import paths of a user's own functions."""

import difflib
import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from topologies import graphs
from topologies.files import SUFFIXES, from_file

GRAPHS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        graphs.ring,
        graphs.path,
        graphs.grid,
        graphs.torus,
        graphs.star,
        graphs.complete,
        graphs.hypercube,
        graphs.exponential,
        graphs.erdos_renyi,
        graphs.random_regular,
        graphs.watts_strogatz,
        graphs.barabasi_albert,
        graphs.random_geometric,
    )
}


def find(name: str) -> Callable[..., Any]:
    """The function that builds the topology of this name, to be called as `function(n, **options)`.

    Args:
        name: A short name in any case, with or without underscores, hyphens and spaces (`ErdosRenyi`); a graph's file,
            known by its suffix (`friends.graphml`); or an import path (`mypackage.graphs.wheel`).

    Raises:
        ValueError: if there is no such topology (the message lists the names and the nearest), or the import path leads
            nowhere.
    """
    short = {_plain(known): function for known, function in GRAPHS.items()}
    if _plain(name) in short:
        return short[_plain(name)]
    if Path(name).suffix.lower() in SUFFIXES or Path(name).is_file():
        return partial(from_file, path=name)
    if "." in name and all(part.isidentifier() for part in name.split(".")):
        return import_object(name, "topology")
    nearest = difflib.get_close_matches(_plain(name), short, n=1, cutoff=0.5)
    guess = f"did you mean {short[nearest[0]].__name__}? " if nearest else ""
    raise ValueError(
        f"topology is {name}: it must be one of {', '.join(GRAPHS)}, a file ({', '.join(SUFFIXES)}) or an import path; "
        f"{guess}`dfedsam topology NAME --peers N` shows one"
    )


def import_object(path: str, option: str) -> Callable[..., Any]:
    """The function or class at an import path such as `mypackage.graphs.wheel`.

    Raises:
        ValueError: names `option` and says which part of the path is missing.
    """
    module, _, attribute = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{option} is {path}: it must be importable, but {error}; mend the path, or PYTHONPATH"
        ) from None
    if not callable(found):
        raise ValueError(
            f"{option} is {path}: it must be a function or a class, but it is a {type(found).__name__}; mend the path"
        )
    return found


def import_path(function: Callable[..., Any]) -> str:
    """The path `import_object` finds the function at."""
    return f"{function.__module__}.{function.__qualname__}"


def _plain(name: str) -> str:
    """A name without what may be left out or written differently."""
    return "".join(letter for letter in name.lower() if letter not in "_- ")
