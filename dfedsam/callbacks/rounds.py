"""What surrounds a round: absent and joining peers, simulated time, a budget or a signal that ends it, drift."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dfedsam.callbacks.base import INTERRUPTED, Callback, Run
from dfedsam.run_folder import Row, divergence
from dfedsam.state import rows_of, set_rows

_LOG = logging.getLogger(__name__)
_SETTLED = 100  # rounds, at least, that peers have to come to rest
_GROWN = 10.0  # times the consensus distance at rest, beyond which the peers are said to drift apart
_LATER = 1.05  # times the round of one look, that of the next


class AbsentPeers(Callback):
    """Restores the state of absent peers, and hands x over to the next round's participants if the topology does."""

    def __init__(self) -> None:
        self._kept: Any = None
        self._absent = np.zeros(0, np.intp)
        self._handover: csr_array | None = None

    def before_round(self, run: Run) -> None:
        participants, topology = run.participants, run.experiment.topology
        self._handover = topology.handover(run.round) if topology.hands_over else None
        self._absent = np.zeros(0, np.intp) if participants is None else np.flatnonzero(~participants)
        self._kept = rows_of(run.state, self._absent) if len(self._absent) else None

    def after_round(self, run: Run) -> None:
        if self._kept is not None:
            set_rows(run.state, self._absent, self._kept)
            self._kept = None
        if self._handover is not None:
            run.x[...] = run.communicator.mix(self._handover, run.x)
            self._handover = None


class Budget(Callback):
    """Ends the run in the round in which the black box rejected a request beyond its budget.

    The black box answers zeros for the rest of that round, which is therefore dropped: x is restored to the
    previous round, and the last saved checkpoint stays.
    """

    def __init__(self) -> None:
        self._x: NDArray | None = None

    def before_round(self, run: Run) -> None:
        self._x = run.x.copy() if run.problem.has_budget or run.experiment.algorithm.has_budget else None

    def after_round(self, run: Run) -> None:
        if self._x is None:
            return
        message = run.communicator.first(run.problem.budget_exhausted)
        if message is not None:
            run.x[...] = self._x
            run.round -= 1
            run.stop(message, drop=True)


class Interrupt(Callback):
    """Ends the run with a checkpoint once `requested`, called on all ranks after every round, is true on any."""

    def __init__(self, requested: Callable[[], bool]) -> None:
        self._requested = requested

    def after_round(self, run: Run) -> None:
        if run.stopped is None and run.communicator.agree(self._requested()):
            run.stop(INTERRUPTED)


class Watch(Callback):
    """Notes, once each, signs of an unsuitable option: the loss explodes, or peers do not move, or they drift apart.

    With compressed gossip and a γ that is slightly too large, peers at rest drift apart over thousands of rounds, and
    the bound on what is sent ends the run only long afterwards. Their consensus distance at rest is the largest one
    from a quarter to a half of the rounds so far; while peers are still spreading, as at the start, it grows fourfold
    from there.
    """

    def __init__(self) -> None:
        self._due: float = _SETTLED
        self._warned: set[str] = set()

    def on_start(self, run: Run) -> None:
        gossip = run.experiment.algorithm.gossip_of_x()
        if gossip is None or gossip.is_exact:
            self._due = math.inf

    def after_round(self, run: Run) -> None:
        if run.row is None or run.round == 0:
            return
        if grown := divergence(run.rows[0], run.row):
            self._say(run, f"{grown}; a lower lr or rho usually helps")
        if len(run.rows) == 2 and run.row["queries"] and not run.communicator.agree(bool((run.x != run.start).any())):
            self._say(
                run,
                "no peer has moved: the differences of losses are lost in rounding; a larger mu or lr, or dtype "
                "float64, usually helps",
            )
        if run.round >= self._due:
            self._compare(run, run.row)

    def _compare(self, run: Run, row: Row) -> None:
        """Compare the latest consensus distance with that at rest."""
        self._due, now = _LATER * run.round, row["consensus_distance"]
        rest = max(
            (row["consensus_distance"] or 0 for row in run.rows if 0.25 <= row["round"] / run.round <= 0.5), default=0
        )
        if rest > 0 and (now is None or now > _GROWN * rest):
            self._due = math.inf
            now = math.inf if now is None else now
            smaller = f" than {row['gamma']:.3g}" if "gamma" in row else ""
            self._say(
                run,
                f"the peers drift apart: their consensus distance is {now:.3g}, and was at most {rest:.3g} between a "
                f"quarter and a half of these rounds; a smaller gamma{smaller}, or the gossip plain, usually helps",
            )

    def _say(self, run: Run, what: str) -> None:
        """Print a note, the first of its kind only."""
        kind = what.partition(":")[0][:20]
        if kind not in self._warned and run.communicator.is_root:
            _LOG.warning("dfedsam: note: round %d: %s", run.round, what)
        self._warned.add(kind)


class Ledger(Callback):
    """Records the ε spent so far, and ends the run before a round that would exceed the budget.

    What is spent is a function of the rounds, so that it needs no state of its own to survive a resume. Peers that are
    absent in some rounds spend less than is recorded.
    """

    def on_start(self, run: Run) -> None:
        """A resumed run may have spent its budget."""
        self._end(run)

    def after_round(self, run: Run) -> None:
        self._end(run)

    def metrics(self, run: Run) -> dict[str, float]:
        return {} if run.experiment.privacy is None else {"epsilon": self._spent(run, run.round)}

    @staticmethod
    def _spent(run: Run, rounds: int) -> float:
        experiment = run.experiment
        assert experiment.privacy is not None
        return experiment.privacy.spent(experiment.topology, experiment.algorithm, rounds)

    def _end(self, run: Run) -> None:
        privacy = run.experiment.privacy
        if privacy is None or privacy.epsilon is None or run.round >= run.experiment.rounds:
            return
        if (next_round := self._spent(run, run.round + 1)) > privacy.epsilon * (1 + 1e-9):
            run.over = True
            budget = f"the privacy budget, ε = {privacy.epsilon:g} at δ = {privacy.delta:g}"
            run.stop(f"{budget}, does not cover round {run.round + 1}, after which ε would be {next_round:.4g}")


class Joins(Callback):
    """Copies to each peer that joins for a round the x of the neighbour from which it starts."""

    def before_round(self, run: Run) -> None:
        if run.clock is None or run.clock.present is None:
            return
        W, communicator, size = run.weights, run.communicator, run.x[0].nbytes
        joins = run.clock.joins(run.round, W, size)
        if joins is None:
            return
        peers, neighbours = joins
        messages = np.ascontiguousarray(run.x).view(np.uint8)
        known, rows = communicator.receive(W, messages, counted=False)
        communicator.count(len(peers), size)
        in_block = np.isin(peers, np.asarray(communicator.block))
        targets, theirs = (
            np.searchsorted(known_peers, of[in_block])
            for known_peers, of in ((np.asarray(communicator.block), peers), (known, neighbours))
        )
        run.x[targets] = rows.view(run.x.dtype)[theirs]


class Timing(Callback):
    """Lets the time of a round pass on the run's clock, and ends the run after `until` simulated seconds."""

    def __init__(self) -> None:
        self._queries: NDArray[np.int64] | None = None
        self._present: NDArray[np.bool_] | None = None

    def on_start(self, run: Run) -> None:
        """Start the clock, or continue it from a checkpoint; a resumed run may be over."""
        run.clock = run.experiment.start_clock(run.problem, run.x[0].nbytes)
        kept = {name: array for name, array in run.kept.items() if name.startswith("clock.")}
        if run.clock is not None and run.round:
            run.clock.restore(run.round, {name: run.communicator.gather(array) for name, array in kept.items()})
        self._keep(run)

    def before_round(self, run: Run) -> None:
        if run.clock is not None:
            run.communicator.exchanges = []
            self._queries, self._present = run.counter.queries.copy(), run.present

    def after_round(self, run: Run) -> None:
        if run.clock is None or self._queries is None:
            return
        communicator, before = run.communicator, run.round - 1
        exchanges, communicator.exchanges = communicator.exchanges or [], None
        block_queries = (run.counter.queries - self._queries).astype(np.float64)
        needed = run.clock.clock.compute.needs_queries
        queries = communicator.gather(block_queries) if needed else np.zeros(communicator.peers)
        if run.clock.late and exchanges:
            communicator.count(run.clock.late, exchanges[0][1])
        run.clock.advance(before, exchanges, queries, self._present)
        self._queries = None
        self._keep(run)

    def metrics(self, run: Run) -> dict[str, float]:
        """Simulated seconds, the share of them spent waiting, and with churn the share of peers that are present."""
        if run.clock is None:
            return {}
        members = run.clock.members
        return run.clock.metrics | ({} if members is None else {"present": float(members.mean())})

    @staticmethod
    def _keep(run: Run) -> None:
        """Keep what a checkpoint needs, and say whether the time of the run is over."""
        if run.clock is not None:
            block = np.asarray(run.communicator.block)
            run.kept.update({name: array[block] for name, array in run.clock.arrays().items()})
        until = run.experiment.until
        run.over = until is not None and run.clock is not None and run.clock.metrics["time"] >= until
