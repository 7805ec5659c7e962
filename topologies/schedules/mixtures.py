"""Several topologies in one run: in turn, or one of them drawn in every round."""

from collections.abc import Sequence
from functools import reduce

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec, make
from dfedsam.topologies.randomness import generator
from dfedsam.topologies.schedule import union
from dfedsam.topologies.schedules.moments import left_over
from dfedsam.topologies.schedules.nested import called, common_period, levels, seed_of
from dfedsam.topologies.topology import Sums, Topology
from dfedsam.validation import as_probabilities, whole_number


def in_turn(n: int, topologies: Sequence[Spec], seed: int = 0) -> Topology:
    """A cycle over a list of topologies: in round t the one at place t mod m plays its own round ⌊t/m⌋.

    So every schedule in the list goes through all of its rounds. Over graphs this is the usual time-varying network of
    theory, of which only the union over a period need be connected.

    Args:
        n: Number of peers.
        topologies: m of them, at least one: graphs, schedules, directed ones, mixtures. Two random ones of a kind are
            drawn differently, unless they say their seeds themselves.
        seed: Seed, at least 0.

    Raises:
        ValueError: if the list is empty, one cannot be made, or some have only rows that sum to one and others only
            columns.
    """
    return InTurn(_made(n, topologies, whole_number("seed", seed, 0, "give 0 or more")))


def at_random(
    n: int, topologies: Sequence[Spec], probabilities: Sequence[float] | None = None, seed: int = 0
) -> Topology:
    """One of some topologies is drawn in every round t, and plays its own round t.

    Args:
        n: Number of peers.
        topologies: What is drawn from, at least one, as in `in_turn`.
        probabilities: One for each, in [0, 1], together 1; None draws all alike.
        seed: Seed, at least 0.

    Raises:
        ValueError: as in `in_turn`, or if the probabilities do not fit.
    """
    seed = whole_number("seed", seed, 0, "give 0 or more")
    inner = _made(n, topologies, seed)
    chances = as_probabilities("probabilities", probabilities, len(inner), "topology")
    return AtRandom(inner, chances, seed)


class Mixture(Topology):
    """Topologies of which one plays in each round.

    Args:
        inner: These, of one number of peers.
    """

    def __init__(self, inner: Sequence[Topology]) -> None:
        self._inner = list(inner)
        self.n = self._inner[0].n
        self.directed = any(topology.directed for topology in inner)
        self.sums = _common_sums(self._inner)
        self.levels = levels(*inner)

    def at(self, t: int) -> tuple[Topology, int]:
        """Which one plays in round t, and which of its own rounds."""
        raise NotImplementedError

    def weights(self, t: int) -> sp.csr_array:
        """W_t: the matrix of the one that plays."""
        topology, own = self.at(t)
        return topology.weights(own)

    def graph(self, t: int) -> nx.Graph:
        """The graph of the one that plays."""
        topology, own = self.at(t)
        graph = topology.graph(own)
        return graph.to_directed() if self.directed and not graph.is_directed() else graph

    def active(self, t: int) -> NDArray[np.bool_] | None:
        """Who is there, says the one that plays."""
        topology, own = self.at(t)
        return topology.active(own)

    def support(self) -> sp.csr_array | None:
        """The union of all supports."""
        supports = [topology.support() for topology in self._inner]
        known = [support for support in supports if support is not None]
        return union(known) if len(known) == len(supports) else None


class InTurn(Mixture):
    """See `in_turn`."""

    def __init__(self, inner: Sequence[Topology]) -> None:
        super().__init__(inner)
        self.period = common_period(len(inner) * (topology.period or 0) for topology in inner)

    def at(self, t: int) -> tuple[Topology, int]:
        """See Mixture."""
        own, place = divmod(t, len(self._inner))
        return self._inner[place], own


class AtRandom(Mixture):
    """See `at_random`.

    Args:
        inner: What is drawn from.
        probabilities: One for each; those with none are left out.
        seed: Seed.
    """

    period = None

    def __init__(self, inner: Sequence[Topology], probabilities: Sequence[float], seed: int) -> None:
        possible = [(topology, p) for topology, p in zip(inner, probabilities, strict=True) if p > 0]
        super().__init__([topology for topology, _ in possible])
        self._chances = np.array([p for _, p in possible])
        self._ends = np.cumsum(self._chances)[:-1]
        self._seed = seed

    def at(self, t: int) -> tuple[Topology, int]:
        """See Mixture."""
        drawn = generator(self._seed, f"AtRandom {self.levels}", t).random()
        return self._inner[int(np.searchsorted(self._ends, drawn, side="right"))], t

    def contraction(self) -> float | None:
        """λ_max(Σ p_i W_iᵀW_i - J) where all are static and keep the mean; no formula else."""
        if self.sums != "both" or any(topology.period != 1 for topology in self._inner):
            return None
        matrices = [topology.weights(0) for topology in self._inner]
        parts = [p * (W.T @ W) for p, W in zip(self._chances, matrices, strict=True)]
        return left_over(sp.csr_array(reduce(lambda a, b: a + b, parts)))


def _made(n: int, topologies: Sequence[Spec], seed: int) -> list[Topology]:
    """The list, each with its own seed; where n is None the first one says it."""
    if not isinstance(topologies, Sequence) or isinstance(topologies, str) or not topologies:
        hint = "give a list such as [ring, torus]"
        raise OptionError("topologies", topologies, "must name at least one topology", hint)
    made: list[Topology] = []
    for place, spec in enumerate(topologies):
        made.append(make(spec, made[0].n if made else n, seed_of(seed, place)))
    sums = {topology.sums: spec for topology, spec in zip(made, topologies, strict=True)}
    if {"rows", "columns"} <= sums.keys():
        rule = f"must all keep the sum of columns, or all that of rows, but {called(sums['rows'])} is biased"
        raise OptionError("topologies", [called(spec) for spec in topologies], rule, "change its weights")
    return made


def _common_sums(inner: Sequence[Topology]) -> Sums:
    """What holds of all of them."""
    for topology in inner:
        if topology.sums != "both":
            return topology.sums
    return "both"
