"""Asynchronous algorithms that read older rows of their neighbours: ADSGD and DFedSAM, DivShare, Epidemic Learning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.local_steps import LocalState, LocalSteps
from dfedsam.algorithms.versions import Versions
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import option, whole_number
from dfedsam.random import generator
from dfedsam.registry import public_name
from dfedsam.state import rows_of, set_rows
from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Asynchronous(LocalSteps):
    """Shared by algorithms in which a peer takes K local steps between two wakings; a round is n wakings.

    Attributes:
        refused_options: why options of other algorithms do not exist here, for the message.
    """

    refused_options: ClassVar[dict[str, str]] = {
        "gossip": "peers mix whole rows of any age, and no gossip with a memory, such as choco or chebyshev, works; "
        "leave it out, or choose an algorithm with rounds, such as dfedsam"
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.perturbation == "last_round":
            raise OptionError("perturbation", "last_round", "needs rounds, which it does not have", "choose momentum")

    def check(self, topology: Topology) -> None:
        super().check(topology)
        name = public_name(self)
        if topology.period != 1 or topology.directed or topology.sums != "both":
            rule = "must have undirected links, the same at all times, and rows and columns of W that sum to one"
            raise OptionError("algorithm", name, rule, "choose another topology, such as ring")

    def queries_per_waking(self, problem: Problem) -> float:
        estimates = self.estimates_per_step * self.local_steps
        return self.estimator.queries(problem.dim) * estimates * problem.queries_per_loss

    def displacements(
        self, x: NDArray, state: LocalState, rows: NDArray[np.intp], context: RoundContext, wave: int
    ) -> Iterator[tuple[slice | NDArray[np.intp], slice, NDArray]]:
        """What K local steps add to some peers' rows of x, as (rows, their places in `rows`, increments).

        Args:
            x: where the steps begin, a row for each peer of the block; these rows are overwritten.
            state: updated but for x.
            rows: which peers take them, rising.
            context: the round's context.
            wave: number of the wave, for its random numbers.
        """
        inner = LocalState(x=x, estimator=state.estimator, momentum=state.momentum)
        queries, first = self.estimator.queries(x.shape[1]), wave * self.local_steps
        for where, places, chunk in context.chunks_of(rows, first, queries, x[0].nbytes):
            local = rows_of(inner, where)
            start = local.x.copy()
            self._steps(local, chunk, None, None)
            set_rows(inner, where, local)
            yield where, places, np.subtract(local.x, start, out=start)


@dataclass(kw_only=True)
class MailboxState(LocalState):
    """The state of an algorithm whose peers read older rows of their neighbours.

    Args:
        kept: rows that x held before, and that neighbours may still read, shape (peers, s, dim).
        versions: how many wakings each of these had behind it, −1 for a free place, shape (peers, s).
    """

    kept: NDArray
    versions: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ADSGD(Asynchronous):
    """ADSGD: when it wakes, peer i sets x_i ← Σ_j w_ij x_j − η ĝ_i(x_i) with the rows x_j that it received last.

    Nobody waits, and no step size depends on how late rows may be. With ηa ≤ min w_ii on quadratics of curvature a,
    every schedule with bounded delays ends at the fixed point of the synchronous method. Source: Zhou and Pu (2025),
    arXiv 2505.10322. A waking costs the estimator's queries, twice these with ρ > 0, and one vector to each neighbour.
    With K > 1 the increment of K local steps takes the place of −η ĝ.
    """

    public_name = "adsgd"
    wakes = "mailboxes"

    local_steps: int = 1

    def init(self, x: NDArray, problem: Problem) -> MailboxState:
        kept, versions = np.zeros_like(x)[:, None], np.full((len(x), 1), -1)
        return MailboxState(**self.initial_fields(x, problem), kept=kept, versions=versions)

    def round(self, state: MailboxState, context: RoundContext) -> MailboxState:
        rows = Versions(state.x, state.kept, state.versions, context)
        for number, wave in enumerate(rows.waves):
            local = rows.rows_of(wave.peers)
            mixed = rows.mix(wave)
            rows.keep(wave)
            works = None if wave.joins is None else np.flatnonzero(~rows.entries_of(wave.peers, wave.joins))
            working = local if works is None else local[works]
            for _, places, step in self.displacements(state.x, state, working, context, number):
                mixed[places if works is None else works[places]] += step
            rows.replace(local, mixed)
        state.kept, state.versions = rows.state()
        return state


@dataclass(frozen=True, kw_only=True)
class AsynchronousDFedSAM(ADSGD):
    """DFedSAM without rounds: K steps of SAM between two wakings, at which a peer takes in the rows it received last.

    Ours: ADSGD with the increment of DFedSAM's local phase, x_i ← Σ_j w_ij x_j − η Σ_k ĝ(x + ρ ĝ/‖ĝ‖). Where all
    peers take the same time it is DFedSAM that combines before it adapts. A waking costs 2K times the estimator's
    queries and one vector to each neighbour.
    """

    public_name = "asynchronous_dfedsam"

    local_steps: int = 5
    rho: float = 0.05


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
        kept, versions = np.zeros_like(x)[:, None], np.full((len(x), 1), -1)
        return FragmentState(**self.initial_fields(x, problem), kept=kept, versions=versions, sent=x.copy())

    def round(self, state: FragmentState, context: RoundContext) -> FragmentState:
        rows = Versions(state.sent, state.kept, state.versions, context)
        shuffled = generator(context.stream.seed, "fragments").permutation(state.x.shape[1])
        fragments = np.array_split(shuffled, self.fragments)
        for number, wave in enumerate(rows.waves):
            local = rows.rows_of(wave.peers)
            received, count = rows.fragments(wave, fragments)
            rows.count(wave.sent, -(-state.x[0].nbytes // self.fragments))
            rows.keep(wave)
            joins = rows.entries_of(wave.peers, wave.joins)
            for _ in self.displacements(state.x, state, local[~joins], context, number):
                pass  # x itself moves
            alone = joins & (count == 0).all(axis=1)
            keeps = np.where(joins & ~alone, 0, 1)[:, None].astype(state.x.dtype)
            state.sent[local] = state.x[local]
            state.x[local] = (keeps * state.x[local] + received) / (keeps + count)
            state.sent[local[joins]] = state.x[local[joins]]
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
