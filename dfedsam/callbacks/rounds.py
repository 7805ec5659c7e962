"""What surrounds a round: peers that are absent keep their state, a budget ends the run, and so does a signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.callbacks.base import INTERRUPTED, Callback, Run
from dfedsam.state import rows_of, set_rows


class AbsentPeers(Callback):
    """Peers that do not take part in a round keep all they had."""

    def __init__(self) -> None:
        self._kept: Any = None
        self._absent = np.zeros(0, np.intp)

    def before_round(self, run: Run) -> None:
        """Copy the rows of absent peers."""
        participants = run.participants
        self._absent = np.zeros(0, np.intp) if participants is None else np.flatnonzero(~participants)
        self._kept = rows_of(run.state, self._absent) if len(self._absent) else None

    def after_round(self, run: Run) -> None:
        """Put them back."""
        if self._kept is not None:
            set_rows(run.state, self._absent, self._kept)
            self._kept = None


class Budget(Callback):
    """Ends the run in the round in which the black box refused a request that its budget does not cover.

    The black box answers zeros for the rest of that round, which is therefore dropped: x is again that of the round
    before, and the checkpoint stays the last one that was saved.
    """

    def __init__(self) -> None:
        self._x: NDArray | None = None

    def before_round(self, run: Run) -> None:
        """Keep x, if there is a budget at all."""
        self._x = run.x.copy() if run.problem.has_budget else None

    def after_round(self, run: Run) -> None:
        """Agree over the ranks whether the budget is exhausted."""
        if self._x is None:
            return
        message = run.communicator.first(run.problem.budget_exhausted)
        if message is not None:
            run.x[...] = self._x
            run.round -= 1
            run.stop(message, drop=True)


class Interrupt(Callback):
    """Ends the run after a checkpoint as soon as `requested` is true on any rank.

    Args:
        requested: asked after every round; must be there on all ranks.
    """

    def __init__(self, requested: Callable[[], bool]) -> None:
        self._requested = requested

    def after_round(self, run: Run) -> None:
        """Agree over the ranks whether to stop."""
        if run.stopped is None and run.communicator.agree(self._requested()):
            run.stop(INTERRUPTED)
