"""The privacy ledger: ε beside every evaluation, and runs that end when the budget is spent."""

from __future__ import annotations

from dfedsam.callbacks.base import Callback, Run


class Ledger(Callback):
    """Records the ε spent so far, and ends the run before a round that would exceed the budget.

    What is spent is a function of the rounds, so that it needs no state of its own to survive a resume. Peers that are
    absent in some rounds spend less than is recorded.
    """

    def on_start(self, run: Run) -> None:
        """A resumed run may have spent its budget."""
        self._end(run)

    def after_round(self, run: Run) -> None:
        """End the run if another round would exceed the budget."""
        self._end(run)

    def metrics(self, run: Run) -> dict[str, float]:
        """ε after the rounds so far."""
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
        if self._spent(run, run.round + 1) > privacy.epsilon * (1 + 1e-9):
            run.over = True
            run.stop(f"the privacy budget, ε = {privacy.epsilon:g} at δ = {privacy.delta:g}, is spent")
