"""Several topologies in one run: round robin, one of them drawn in every round, or one after another as a run goes on.

Source of the last: Zhu, Zhang, Wang, Zhou and Wang (2026), "On the surprising effectiveness of a single global merging
in decentralized learning", arXiv 2507.06542: bytes are worth more late in a run, and one merge at its end may suffice.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import as_probabilities, between, whole_number
from dfedsam.topologies.graphs.helpers import checked_seed
from dfedsam.topologies.make import Spec, called, make
from dfedsam.topologies.matrices import union
from dfedsam.topologies.schedule import LONGEST, common_period, generator, levels
from dfedsam.topologies.spectra.contraction import contraction_of
from dfedsam.topologies.topology import Sums, Topology, refuse_handover

_SAMPLED = 64  # rounds of a random schedule over which its messages are counted


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
    return RoundRobin(_make_all(n, topologies, checked_seed(seed)))


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
    seed = checked_seed(seed)
    inner = _make_all(n, topologies, seed)
    chances = as_probabilities("probabilities", probabilities, len(inner), "topology")
    return RandomChoice(inner, chances, seed)


class Combined(Topology):
    """Several topologies of the same peers, one of which is active in each round; a subclass chooses it in `at`."""

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
    inner: list[Topology] = []
    for index, spec in enumerate(topologies):
        inner_seed = int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) if index else seed
        inner.append(make(spec, inner[0].n if inner else n, inner_seed))
        refuse_handover("topologies", inner[-1])
    sums = {topology.sums: spec for topology, spec in zip(inner, topologies, strict=True)}
    if {"rows", "columns"} <= sums.keys():
        rule = f"must all keep the sum of columns, or all that of rows, but {called(sums['rows'])} is biased"
        raise OptionError("topologies", [called(spec) for spec in topologies], rule, "change its weights")
    return inner


def _common_sums(inner: Sequence[Topology]) -> Sums:
    """Which sums all of them keep."""
    for topology in inner:
        if topology.sums != "both":
            return topology.sums
    return "both"


def final_merge(n: int, topology: Spec = "ring", rounds: int = 100, seed: int = 0) -> Topology:
    """Gossip on a topology, and in the last round all peers take their exact mean.

    W_t is that of the topology in rounds 0 to R - 2, and W = 11ᵀ/n in round R - 1; a longer run merges every R rounds.
    So peers agree exactly at the end, for n(n - 1) vectors in one round. Source: Zhu et al. (2026), arXiv 2507.06542.

    Args:
        n: number of peers, at least 2.
        topology: for all other rounds: a graph or a schedule that keeps the mean.
        rounds: R, rounds of the run, 2 to 1,000.
        seed: at least 0; also the topology's, where it is random.
    """
    rounds = _rounds(rounds)
    inner = make(topology, n, checked_seed(seed))
    return Stages([keeps_mean("topology", topology, inner), make("complete", inner.n)], rounds - 1, rounds)


def dense_late(
    n: int, topologies: Sequence[Spec], budget: float | None = None, rounds: int = 100, seed: int = 0
) -> Topology:
    """A budget of messages, spent late: a sparse topology first, and a dense one for the rounds that can be paid.

    With b_s and b_d messages a round of a peer on the two and a budget of b on average over R rounds, the first
    ⌈R (b_d - b)/(b_d - b_s)⌉ rounds are sparse and the others dense. A longer run begins again. Source: Zhu et al.
    (2026), arXiv 2507.06542, who find it better than the same budget spent early or evenly.

    Args:
        n: number of peers, at least 2.
        topologies: a sparse one and a dense one, both of which keep the mean.
        budget: b, messages that a peer sends a round on average, from b_s to b_d; None: the mean of both.
        rounds: R, rounds of the run, 2 to 1,000.
        seed: at least 0; also that of the topologies, where they are random.

    Examples:
        >>> from dfedsam.topologies import dense_late
        >>> W = dense_late(16, ["ring", "complete"], budget=4.6, rounds=10)
        >>> [W.weights(t).nnz // 16 - 1 for t in range(10)]  # messages of a peer
        [2, 2, 2, 2, 2, 2, 2, 2, 15, 15]
    """
    rounds, seed = _rounds(rounds), checked_seed(seed)
    names = [called(spec) for spec in topologies]
    if isinstance(topologies, str) or len(names) != 2:
        raise OptionError("topologies", topologies, "must be two, a sparse and a dense one", "such as [ring, complete]")
    first = keeps_mean("topologies", topologies[0], make(topologies[0], n, seed))
    last = keeps_mean("topologies", topologies[1], make(topologies[1], first.n, seed))
    low, high = messages(first), messages(last)
    if not low < high:
        rule = f"must go from fewer messages to more, but a peer sends {low:.4g} a round and then {high:.4g}"
        raise OptionError("topologies", names, rule, "exchange the two, or choose others")
    budget = (low + high) / 2 if budget is None else between("budget", budget, low, high)
    switch = math.ceil(rounds * (high - budget) / (high - low) - 1e-9)
    return Stages([first, last], switch, rounds)


class Stages(Combined):
    """One topology for the first `switch` rounds of a cycle, another one for the rest; each in its own round t."""

    def __init__(self, inner: Sequence[Topology], switch: int, rounds: int) -> None:
        super().__init__(inner)
        self.switch, self.rounds = switch, rounds
        self.period = common_period([rounds, *(topology.period for topology in inner)])

    def at(self, t: int) -> tuple[Topology, int]:
        return self._inner[int(t % self.rounds >= self.switch)], t


def messages(topology: Topology) -> float:
    """Messages that a peer sends in a round, on average over peers and a period, or over the first rounds."""
    counts = []
    for t in range(topology.period or _SAMPLED):
        W = topology.weights(t)
        counts.append(np.count_nonzero(W.data) - np.count_nonzero(W.diagonal()))
    return float(np.mean(counts)) / topology.n


def _rounds(rounds: int) -> int:
    whole_number("rounds", rounds, 2, "give the rounds of the run")
    if rounds > LONGEST:
        raise OptionError("rounds", rounds, f"must be at most {LONGEST:,}, all of which are checked before a run")
    return rounds


def keeps_mean(option: str, spec: Spec, topology: Topology) -> Topology:
    """A topology within another one; raises OptionError if it hands rows over, or does not keep the mean."""
    refuse_handover(option, topology)
    if topology.sums != "both":
        rule = "must keep the mean: rows and columns of its W must sum to one"
        raise OptionError(option, called(spec), rule, "change its weights, or take a graph, such as ring")
    return topology
