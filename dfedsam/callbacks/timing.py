"""Simulated time, which passes after every round and may end the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfedsam.callbacks.base import Callback, Run


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
        mine = np.isin(peers, np.asarray(communicator.block))
        own, theirs = (
            np.searchsorted(known_peers, of[mine])
            for known_peers, of in ((np.asarray(communicator.block), peers), (known, neighbours))
        )
        run.x[own] = rows.view(run.x.dtype)[theirs]


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
        """Record the round's gossip steps."""
        if run.clock is not None:
            run.communicator.exchanges = []
            self._queries, self._present = run.counter.queries.copy(), run.present

    def after_round(self, run: Run) -> None:
        """Let the time of the round's computation and gossip pass."""
        if run.clock is None or self._queries is None:
            return
        communicator, before = run.communicator, run.round - 1
        exchanges, communicator.exchanges = communicator.exchanges or [], None
        asked = (run.counter.queries - self._queries).astype(np.float64)
        needed = run.clock.clock.compute.needs_queries
        queries = communicator.gather(asked) if needed else np.zeros(communicator.peers)
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
            mine = np.asarray(run.communicator.block)
            run.kept.update({name: array[mine] for name, array in run.clock.arrays().items()})
        until = run.experiment.until
        run.over = until is not None and run.clock is not None and run.clock.metrics["time"] >= until
