"""Several topologies in one run: round robin, or one of them drawn in every round."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec, called, make
from dfedsam.topologies.matrices import union
from dfedsam.topologies.schedule import common_period, generator, levels
from dfedsam.topologies.spectra.contraction import contraction_of
from dfedsam.topologies.topology import Sums, Topology, refuse_handover
from dfedsam.validation import as_probabilities, whole_number

_SEED = "give 0 or more"


def round_robin(n: int, topologies: Sequence[Spec], seed: int = 0) -> Topology:
    """A cycle over m topologies: in round t number t mod m is active, in its own round ⌊t/m⌋.

    So every schedule in the list goes through all of its rounds. Over graphs this is the usual time-varying network of
    theory, of which only the union over a period need be connected.

    Args:
        n: number of peers.
        topologies: m of them, at least one: graphs, schedules, directed ones, other combinations. Two random ones of a
            kind are drawn differently, unless they set their own seeds.
        seed: at least 0.
    """
    return RoundRobin(_make_all(n, topologies, whole_number("seed", seed, 0, _SEED)))


def random_choice(
    n: int, topologies: Sequence[Spec], probabilities: Sequence[float] | None = None, seed: int = 0
) -> Topology:
    """One of several topologies is drawn in every round t, and is used with its own round t.

    Args:
        n: number of peers.
        topologies: the topologies to draw from, at least one, as in `round_robin`.
        probabilities: one for each, in [0, 1], together 1; None draws all with equal probability.
        seed: at least 0.
    """
    seed = whole_number("seed", seed, 0, _SEED)
    inner = _make_all(n, topologies, seed)
    chances = as_probabilities("probabilities", probabilities, len(inner), "topology")
    return RandomChoice(inner, chances, seed)


class Combined(Topology):
    """Several topologies, one of which is active in each round; a subclass chooses it in `at`.

    Args:
        inner: the topologies, all of one number of peers.
    """

    def __init__(self, inner: Sequence[Topology]) -> None:
        self._inner = list(inner)
        self.n = self._inner[0].n
        self.directed = any(topology.directed for topology in inner)
        self.sums = _common_sums(self._inner)
        self.levels = levels(*inner)

    @abstractmethod
    def at(self, t: int) -> tuple[Topology, int]:
        """The topology that is active in round t, and which of its own rounds it is in."""

    def weights(self, t: int) -> sp.csr_array:
        topology, own_round = self.at(t)
        return topology.weights(own_round)

    def graph(self, t: int) -> nx.Graph:
        topology, own_round = self.at(t)
        graph = topology.graph(own_round)
        return graph.to_directed() if self.directed and not graph.is_directed() else graph

    def participants(self, t: int) -> NDArray[np.bool_] | None:
        topology, own_round = self.at(t)
        return topology.participants(own_round)

    def support(self) -> sp.csr_array | None:
        """The union of all supports."""
        supports = [topology.support() for topology in self._inner]
        known = [support for support in supports if support is not None]
        return union(known) if len(known) == len(supports) else None


class RoundRobin(Combined):
    """One topology after another; made by `round_robin`."""

    def __init__(self, inner: Sequence[Topology]) -> None:
        super().__init__(inner)
        self.period = common_period(len(inner) * (topology.period or 0) for topology in inner)

    def at(self, t: int) -> tuple[Topology, int]:
        own_round, index = divmod(t, len(self._inner))
        return self._inner[index], own_round


class RandomChoice(Combined):
    """One topology drawn in every round; made by `random_choice`."""

    period = None

    def __init__(self, inner: Sequence[Topology], probabilities: Sequence[float], seed: int) -> None:
        possible = [(topology, p) for topology, p in zip(inner, probabilities, strict=True) if p > 0]
        super().__init__([topology for topology, _ in possible])
        self._probabilities = np.array([p for _, p in possible])
        self._ends = np.cumsum(self._probabilities)[:-1]
        self._seed = seed

    def at(self, t: int) -> tuple[Topology, int]:
        drawn = generator(self._seed, f"AtRandom {self.levels}", t).random()  # a fixed name: it keys the numbers
        return self._inner[int(np.searchsorted(self._ends, drawn, side="right"))], t

    def contraction(self) -> float | None:
        """λ_max(Σ p_i W_iᵀW_i - J) where all are static and keep the mean, else None."""
        if self.sums != "both" or any(topology.period != 1 for topology in self._inner):
            return None
        matrices = [topology.weights(0) for topology in self._inner]
        moments = [p * (W.T @ W) for p, W in zip(self._probabilities, matrices, strict=True)]
        return contraction_of(sp.csr_array(reduce(lambda a, b: a + b, moments)))


def _make_all(n: int, topologies: Any, seed: int) -> list[Topology]:
    """Make the topologies of a list, each with its own seed; where n is None the first one determines it."""
    if not isinstance(topologies, Sequence) or isinstance(topologies, str) or not topologies:
        hint = "give a list such as [ring, torus]"
        raise OptionError("topologies", topologies, "must name at least one topology", hint)
    made: list[Topology] = []
    for index, spec in enumerate(topologies):
        own = int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) if index else seed
        made.append(make(spec, made[0].n if made else n, own))
        refuse_handover("topologies", made[-1])
    sums = {topology.sums: spec for topology, spec in zip(made, topologies, strict=True)}
    if {"rows", "columns"} <= sums.keys():
        rule = f"must all keep the sum of columns, or all that of rows, but {called(sums['rows'])} is biased"
        raise OptionError("topologies", [called(spec) for spec in topologies], rule, "change its weights")
    return made


def _common_sums(inner: Sequence[Topology]) -> Sums:
    """Which sums all of them keep."""
    for topology in inner:
        if topology.sums != "both":
            return topology.sums
    return "both"
