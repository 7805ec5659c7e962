"""Schedules of communication over the time of a run: sparse at first and dense late, and one exact merge at the end.

Source: Zhu, Zhang, Wang, Zhou and Wang (2026), "On the surprising effectiveness of a single global merging in
decentralized learning", arXiv 2507.06542: bytes are worth more late in a run, and one merge at its end may suffice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec, called, make
from dfedsam.topologies.schedule import LONGEST, common_period
from dfedsam.topologies.schedules.combined import Combined
from dfedsam.topologies.topology import Topology, refuse_handover
from dfedsam.validation import between, whole_number

_SEED = "give 0 or more"
_SAMPLED = 64  # rounds of a random schedule over which its messages are counted


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
    inner = make(topology, n, whole_number("seed", seed, 0, _SEED))
    return Stages([_keeps_mean("topology", topology, inner), make("complete", inner.n)], rounds - 1, rounds)


def dense_late(
    n: int,
    topologies: Sequence[Spec],
    budget: float | None = None,
    rounds: int = 100,
    seed: int = 0,
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
    rounds, seed = _rounds(rounds), whole_number("seed", seed, 0, _SEED)
    names = [called(spec) for spec in topologies]
    if isinstance(topologies, str) or len(names) != 2:
        raise OptionError("topologies", topologies, "must be two, a sparse and a dense one", "such as [ring, complete]")
    first = _keeps_mean("topologies", topologies[0], make(topologies[0], n, seed))
    last = _keeps_mean("topologies", topologies[1], make(topologies[1], first.n, seed))
    low, high = messages(first), messages(last)
    if not low < high:
        rule = f"must go from fewer messages to more, but a peer sends {low:.4g} a round and then {high:.4g}"
        raise OptionError("topologies", names, rule, "exchange the two, or choose others")
    budget = (low + high) / 2 if budget is None else between("budget", budget, low, high)
    switch = math.ceil(rounds * (high - budget) / (high - low) - 1e-9)
    return Stages([first, last], switch, rounds)


class Stages(Combined):
    """One topology for the first rounds of a cycle and another one for the others.

    Args:
        inner: the two topologies, both in their own round t.
        switch: rounds of the first.
        rounds: of the cycle.
    """

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


def _keeps_mean(option: str, spec: Spec, topology: Topology) -> Topology:
    refuse_handover(option, topology)
    if topology.sums != "both":
        rule = "must keep the mean: rows and columns of its W must sum to one"
        raise OptionError(option, called(spec), rule, "change its weights, or choose another topology")
    return topology
