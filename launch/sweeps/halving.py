"""Successive halving: many candidates at a small budget, the best third of them at three times that, and so on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dfedsam.errors import OptionError
from dfedsam.experiment import Experiment
from dfedsam.launch.sweeps.plan import Run
from dfedsam.launch.sweeps.spec import Point
from dfedsam.objectives import Problem

ETA = 3  # one in ETA candidates continues, with ETA times the queries
LEAST = 2  # candidates
MOST_RUNGS = 5  # the first executes an 81st of a run
_SAME = (  # these change no count
    *("algorithm.lr", "algorithm.weight_decay", "algorithm.sigma", "algorithm.momentum"),
    *("algorithm.estimator.mu", "algorithm.estimator.damping"),
)


@dataclass(frozen=True)
class Halving:
    """How many candidates run on each rung, and for which share of a whole run.

    Args:
        rungs: the last one executes whole runs.
        run: queries a peer of a whole run; 0 if runs ask none.
        runs: of each candidate, one for each seed and task.
    """

    rungs: int
    run: float
    runs: int

    def share(self, rung: int) -> float:
        """The share of a whole run's queries that a run has on a rung, from 0."""
        return 1 / ETA ** (self.rungs - 1 - rung)

    def sizes(self, candidates: int) -> list[int]:
        """The candidates of each rung."""
        return [math.ceil(candidates / ETA**rung) for rung in range(self.rungs)]

    def cost(self, candidates: int) -> float:
        """Queries that a peer spends on the search."""
        return self.run * self.runs * sum(size * self.share(rung) for rung, size in enumerate(self.sizes(candidates)))

    def affordable(self, budget: int | None) -> int:
        """How many candidates a budget of queries a peer pays for.

        Args:
            budget: of the whole search; None: as many as leave three for the last rung.

        Raises:
            OptionError: if it is too small for two.
        """
        if budget is None or not self.run:
            return ETA**self.rungs
        if budget < self.cost(LEAST):
            least = math.ceil(self.cost(LEAST))
            rule = f"must be at least {least:,}, since a whole run costs a peer {self.run:,.0f} queries"
            raise OptionError("budget", budget, rule, "raise it, or lower the rounds of the experiment")
        count = LEAST
        while self.cost(count + 1) <= budget:
            count += 1
        return count


@dataclass
class Prices:
    """What a round of each candidate costs a peer, in queries or, where there are none, in exact gradients.

    Args:
        run: makes the run of a candidate with so many rounds.
        rounds: R, of a whole run with the experiment's own values.
    """

    run: Callable[[Point, int], Run]
    rounds: int

    def __post_init__(self) -> None:
        self._problem: tuple[object, Problem] | None = None
        self._known: dict[str, float] = {}
        self.whole = self.rounds * self.of_round({})

    def of_round(self, candidate: Point) -> float:
        """Queries of a round, counted by rehearsing it."""
        priced = {option: value for option, value in candidate.items() if option not in _SAME}
        if repr(priced) not in self._known:
            self._known[repr(priced)] = self._count(self.run(priced, self.rounds).build())
        return self._known[repr(priced)]

    def _count(self, experiment: Experiment) -> float:
        from dfedsam.forecast import rehearse

        n, communicator = experiment.topology.n, experiment.connect()
        if self._problem is None or self._problem[0] != experiment.objective:
            built = experiment.objective.build(n, communicator.block, experiment.seed, experiment.dtype)
            self._problem = experiment.objective, built
        counts = rehearse(experiment, communicator, self._problem[1])
        return (counts.queries or counts.gradients) / n / experiment.rounds

    def rounds_of(self, candidate: Point, share: float) -> int:
        """Rounds of a candidate: as many as a share of a whole run's queries pays for, at least 1."""
        each = self.of_round(candidate)
        if not each:
            return max(1, round(share * self.rounds))
        return max(1, int(share * self.whole / each + 1e-9))
