"""Asynchronous algorithms that send to random peers: DivShare, in fragments, and Epidemic Learning, in whole rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.asynchronous import Asynchronous, MailboxState
from dfedsam.algorithms.versions import Versions
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.random import generator
from dfedsam.topologies import Topology
from dfedsam.validation import whole_number


@dataclass(kw_only=True)
class FragmentState(MailboxState):
    """`sent`: the row of which each peer sent fragments last, shape (peers, dim); older ones are kept."""

    sent: NDArray


@dataclass(frozen=True, kw_only=True)
class DivShare(Asynchronous):
    """DivShare: a peer cuts its row into fragments and sends each to some random neighbours.

    When it wakes, peer i has taken its local steps from x_i; it sends fragments of the result y_i, and averages each
    coordinate: x_i ← (y_i + Σ received since its last waking)/(1 + number received). Fragments leave one after another
    in random order, and those that have not left by its next waking are given up. All peers cut alike, at random.
    Source: Biswas, Kermarrec, Marouani, Pires, Sharma and de Vos (2025), "Boosting asynchronous decentralized learning
    with model fragmentation", and the authors' code. There, recipients are drawn from all peers: choose the topology
    complete for that. A waking costs the estimator's queries, twice these with ρ > 0, and up to `recipients` vectors.

    Args:
        fragments: pieces of a row, 1/Ω, at least 1 and at most its length.
        recipients: J, neighbours that each fragment is sent to, at least 1 and at most the smallest degree; None:
            ⌊log₂ n⌋, or the smallest degree if that is less.
    """

    public_name = "divshare"
    wakes = "fragments"

    local_steps: int = 1
    fragments: int = option(10, whole_number, 1)
    recipients: int | None = option(None, whole_number, 1)

    def check(self, topology: Topology) -> None:
        super().check(topology)
        smallest = _smallest_degree(topology)
        if self.recipients is not None and self.recipients > smallest:
            rule = f"must be at most {smallest}, the smallest number of neighbours"
            raise OptionError("algorithm.recipients", self.recipients, rule, "choose fewer, or a denser graph")

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        if self.fragments > problem.dim:
            raise OptionError("algorithm.fragments", self.fragments, f"must be at most the length of x, {problem.dim}")

    def sends(self, topology: Topology) -> tuple[int, int]:
        usual = min(int(np.log2(topology.n)), _smallest_degree(topology))
        return self.fragments, self.recipients or usual

    def init(self, x: NDArray, problem: Problem) -> FragmentState:
        fields = self.initial_fields(x, problem) | {"sent": x.copy(), "kept": np.zeros_like(x)[:, None]}
        return FragmentState(**fields, versions=np.full((len(x), 1), -1))

    def round(self, state: FragmentState, context: RoundContext) -> FragmentState:
        rows = Versions(state.sent, state.kept, state.versions, context)
        shuffled = generator(context.stream.seed, "fragments").permutation(state.x.shape[1])
        fragments = np.array_split(shuffled, self.fragments)
        for number, wave in enumerate(rows.waves):
            mine = rows.mine(wave.peers)
            received, count = rows.fragments(wave, fragments)
            rows.count(wave.sent, -(-state.x[0].nbytes // self.fragments))
            rows.keep(wave)
            joins = rows.of_mine(wave.peers, wave.joins)
            for _ in self.displacements(state.x, state, mine[~joins], context, number):
                pass  # x itself moves
            alone = joins & (count == 0).all(axis=1)
            own = np.where(joins & ~alone, 0, 1)[:, None].astype(state.x.dtype)
            state.sent[mine] = state.x[mine]
            state.x[mine] = (own * state.x[mine] + received) / (own + count)
            state.sent[mine[joins]] = state.x[mine[joins]]
            rows.exchange()
        state.kept, state.versions = rows.state()
        return state


@dataclass(frozen=True, kw_only=True)
class EpidemicLearning(DivShare):
    """Epidemic Learning without rounds: a peer sends its whole row to ⌊log₂ n⌋ random neighbours whenever it wakes.

    Receivers average with equal weights. DivShare with one fragment; its rounds are the topologies el_oracle and
    el_local. Source: de Vos et al. (2023), "Epidemic Learning: Boosting decentralized learning with randomized
    communication".
    """

    public_name = "epidemic_learning"

    fragments: int = 1


def _smallest_degree(topology: Topology) -> int:
    return int(np.diff(topology.weights(0).indptr).min()) - 1
