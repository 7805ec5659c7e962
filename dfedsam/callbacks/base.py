"""A run in progress, and the hooks of callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from dfedsam.clock import RunTime
    from dfedsam.communication.base import Communicator
    from dfedsam.context import QueryCounter
    from dfedsam.experiment import Experiment
    from dfedsam.objectives import Problem
    from dfedsam.objectives.base import Rows
    from dfedsam.run_folder import Row, RunFolder

T = TypeVar("T")
INTERRUPTED: Literal["interrupted"] = "interrupted"
"""`Run.stopped` of a run that was stopped on request, as by Ctrl-C."""


@dataclass
class Run:
    """A run in progress.

    Attributes:
        experiment: its options.
        communicator: the partition of peers over ranks.
        problem: the objective with the block's data.
        counter: the block's queries.
        state: the algorithm's state of the block.
        folder: the run's folder; None if nothing is written.
        round: rounds completed.
        row: the evaluation after these rounds, if any.
        rows: all evaluations so far.
        peer_metrics: the last evaluation of each peer's own model, metric → (peers,).
        over: whether the simulated time of the run is over.
        stopped: why the run ends before its last round: "interrupted", or the budget's message; None: it continues.
        dropped: whether the budget ran out in the last round or its evaluation, which must not be saved.
        earlier_counts: the problem's own counts up to the checkpoint from which this run was resumed.
        before_gossip: observer of x before gossip, for this round's context.
        cosines: collects cosines of estimates with exact gradients, for this round's context; None: not recorded.
        honest: mask of the peers that do not attack, shape (n,); None: all.
        clock: simulated time; None without a clock.
        kept: arrays that callbacks keep between rounds, one row for each of the block's peers, by names with the
            callback's own before them ("privacy.spent"). They are saved in checkpoints, and present again in `on_start`
            of a resumed run.
        callbacks: the run's callbacks, in their order.
    """

    experiment: Experiment
    communicator: Communicator
    problem: Problem
    counter: QueryCounter
    state: Any
    folder: RunFolder | None = None
    round: int = 0
    row: Row | None = None
    rows: list[Row] = field(default_factory=list)
    peer_metrics: dict[str, NDArray] = field(default_factory=dict)
    over: bool = False
    stopped: str | None = None
    dropped: bool = False
    earlier_counts: dict[str, int] = field(default_factory=dict)
    before_gossip: Callable[[NDArray], None] = lambda _: None
    cosines: list[tuple[Rows, NDArray]] | None = None
    honest: NDArray[np.bool_] | None = None
    clock: RunTime | None = None
    kept: dict[str, NDArray] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()
    _start: float = field(default_factory=time.perf_counter)

    @cached_property
    def start(self) -> NDArray:
        """The common start (dim,)."""
        return self.problem.start().astype(self.experiment.dtype)

    @property
    def x(self) -> NDArray:
        """The block's models (peers, dim)."""
        return self.state.x

    @property
    def weights(self) -> csr_array:
        """W of round `round`: the topology's, or what the clock's waiting rule leaves of it."""
        W = self.experiment.topology.weights(self.round)
        return W if self.clock is None else self.clock.weights(self.round, W, self.x[0].nbytes, self.present)

    @property
    def present(self) -> NDArray[np.bool_] | None:
        """Mask of all participants in round `round`, by the topology and by the clock, shape (n,); None: all."""
        masks = self.experiment.topology.participants(self.round), self.clock and self.clock.present
        known = [mask for mask in masks if mask is not None]
        return None if not known else known[0] & known[-1]

    @property
    def participants(self) -> NDArray[np.bool_] | None:
        """Mask of the block's participants in round `round`, shape (peers,); None: all."""
        present = self.present
        return None if present is None else present[list(self.communicator.block)]

    @property
    def recorded(self) -> NDArray[np.bool_] | None:
        """Mask of the peers whose metrics are recorded, shape (n,): honest ones that are present; None: all."""
        topology = self.experiment.topology
        there = topology.participants(self.round) if topology.hands_over else self.clock and self.clock.members
        if there is None or self.honest is None:
            return self.honest if there is None else there
        return self.honest & there if (self.honest & there).any() else self.honest

    @property
    def seconds(self) -> float:
        """Elapsed seconds, including those before a resume."""
        return time.perf_counter() - self._start

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._start = time.perf_counter() - seconds

    def stop(self, reason: str, *, drop: bool = False) -> None:
        """End the run after this round, or, with `drop`, without it, because it could not be completed.

        Every rank must call it with the same arguments. The reason is INTERRUPTED, or a message.
        """
        self.stopped, self.dropped = reason, drop


class Callback:
    """Base class of callbacks; each hook does nothing unless overridden.

    Hooks are called on every rank, in the order of the run's callbacks. A callback that communicates must be present on
    all ranks.
    """

    def prepare(self, communicator: Communicator) -> None:
        """Called first of all, before data and model are loaded."""

    def on_start(self, run: Run) -> None:
        """Called once, before the first round or after a checkpoint was loaded."""

    def before_round(self, run: Run) -> None:
        """Called before round `run.round`."""

    def after_round(self, run: Run) -> None:
        """Called after every round, and for round 0 of a fresh run: `run.round` rounds are complete."""

    def metrics(self, run: Run) -> Row:
        """Numbers to add to an evaluation after `run.round` rounds; the same on every rank.

        Called by the evaluation, and so before `after_round` of callbacks that come after it.
        """
        return {}

    def on_end(self, run: Run) -> None:
        """Called once after the last round, also when the run was stopped; not when it failed."""

    def close(self) -> None:
        """Called at the very end, even after a failure, if `prepare` or `on_start` was called."""


def on_root(communicator: Communicator, action: Callable[[], T]) -> T:
    """Call a function on the root; every rank returns its result, or raises its OSError or ValueError."""
    value, error = communicator.broadcast(_attempt(action if communicator.is_root else lambda: None))
    if error is not None:
        raise error
    return value


def on_every_rank(communicator: Communicator, action: Callable[[], T]) -> T:
    """Call a function on every rank; if one raises OSError or ValueError, all raise the first such error."""
    value, error = _attempt(action)
    first = communicator.first(error)
    if first is not None:
        raise first
    return value


def _attempt(action: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return action(), None
    except (OSError, ValueError) as error:
        return None, error
