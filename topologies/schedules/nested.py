"""Topologies within another's options: how they are built, checked and seeded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.make import make
from dfedsam.topologies.topology import Topology

LONGEST = 1000  # rounds of a period that is treated as one: all of them are checked before a run


def called(spec: Any) -> str:
    """A user's name of a topology, without the options."""
    if isinstance(spec, dict):
        spec = spec["class_path"]
    return spec if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)


def static_graph(spec: Any, n: int, seed: int, outer: str) -> nx.Graph:
    """The graph of an inner topology that is the same in every round.

    Args:
        spec: the inner topology as the user gave it; its weights are not used.
        n: number of peers.
        seed: the outer topology's seed.
        outer: the outer topology's name, for the error.

    Raises:
        OptionError: if it is directed or a schedule, or cannot be made.
    """
    inner = make(spec, n, seed)
    if inner.period != 1 or inner.directed:
        rule = f"must be undirected and the same in every round for {outer}"
        raise OptionError("topology", called(spec), rule, "take a graph, such as ring or torus")
    return inner.graph(0)


def levels(*inner: Topology) -> int:
    """One more than the deepest nesting among these topologies.

    It makes the random numbers of a topology differ from those of its own kind within it, which has the same seed.
    """
    return 1 + max(getattr(topology, "levels", 0) for topology in inner)


def seed_of(seed: int, index: int) -> int:
    """The seed of the topology at this index of a list; the first has the seed itself.

    The others differ, so that two random graphs of one kind are two graphs.
    """
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) if index else seed


def common_period(periods: Iterable[int | None]) -> int | None:
    """Rounds after which all of them repeat; None if one never does, or only after more than LONGEST rounds."""
    multiple = math.lcm(*(period or 0 for period in periods))
    return multiple if 0 < multiple <= LONGEST else None
