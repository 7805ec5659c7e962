"""Topologies within another's options: built, checked, and told apart."""

import math
from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.make import make
from dfedsam.topologies.topology import Topology

LONGEST = 1000  # rounds of a period that is worth the name: all of them are checked before a run


def called(spec: Any) -> str:
    """What a user called a topology: its name without the options."""
    if isinstance(spec, dict):
        spec = spec["class_path"]
    return spec if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)


def static_graph(spec: Any, n: int, seed: int, outer: str) -> nx.Graph:
    """The graph of an inner topology that is the same in every round.

    Args:
        spec: The inner topology as the user gave it; its weights are not looked at.
        n: Number of peers.
        seed: The outer topology's seed.
        outer: The outer topology's name, for the error.

    Raises:
        ValueError: if it is directed or a schedule, or cannot be made.
    """
    inner = make(spec, n, seed)
    if inner.period != 1 or inner.directed:
        rule = f"must be undirected and the same in every round for {outer}"
        raise OptionError("topology", called(spec), rule, "take a graph, such as ring or torus")
    return inner.graph(0)


def levels(*inner: Topology) -> int:
    """One more than the most topologies that stand one within another here.

    It keeps the random numbers of a topology apart from those of its own kind within it, which has the same seed.
    """
    return 1 + max(getattr(topology, "levels", 0) for topology in inner)


def seed_of(seed: int, place: int) -> int:
    """The seed of the topology at this place of a list: others in other places, so that two random graphs of one kind
    are two graphs; the first has the seed itself."""
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0]) if place else seed


def common_period(periods: Iterable[int | None]) -> int | None:
    """Rounds after which all of them begin again; None if one never does, or only after more than LONGEST rounds."""
    lengths = list(periods)
    whole = math.lcm(*(length or 0 for length in lengths))
    return whole if 0 < whole <= LONGEST else None
