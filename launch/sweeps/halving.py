"""Successive halving: many candidates at a small budget, the best third of them at three times that, and so on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
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
        tasks: the options of each task; what a candidate costs is what it costs on the dearest.
    """

    run: Callable[[Point, int], Run]
    rounds: int
    tasks: Sequence[Point] = ({},)

    def __post_init__(self) -> None:
        self._problems: list[tuple[object, int, Problem]] = []
        self._known: dict[str, float] = {}
        self.whole = self.cost({}, self.rounds)

    def cost(self, candidate: Point, rounds: int) -> float:
        """Queries of a run with so many rounds, counted by rehearsing it."""
        priced = {option: value for option, value in candidate.items() if option not in _SAME}
        key = repr((priced, rounds))
        if key not in self._known:
            self._known[key] = max(self._count(self.run(task | priced, rounds).build()) for task in self.tasks)
        return self._known[key]

    def _count(self, experiment: Experiment) -> float:
        from dfedsam.forecast import rehearse

        n, communicator = experiment.topology.n, experiment.connect()
        same = (built for objective, peers, built in self._problems if (objective, peers) == (experiment.objective, n))
        if (problem := next(same, None)) is None:
            problem = experiment.objective.build(n, communicator.block, experiment.seed, experiment.dtype)
            self._problems.append((experiment.objective, n, problem))
        counts = rehearse(experiment, communicator, problem)
        return (counts.queries or counts.gradients) / n

    def rounds_of(self, candidate: Point, share: float) -> int:
        """Rounds of a candidate: as many as a share of a whole run's queries pays for; 0 if not even one."""
        cost = self.cost(candidate, self.rounds)
        if not cost:
            return max(1, round(share * self.rounds))
        paid = share * self.whole * (1 + 1e-9)
        rounds = int(paid * self.rounds / cost)
        while rounds and (cost := self.cost(candidate, rounds)) > paid:  # its first rounds may cost more than others
            rounds = min(rounds - 1, int(rounds * paid / cost))
        return rounds

    def payable(self, candidates: Iterable[Point], share: float, count: int) -> tuple[list[Point], int]:
        """The first candidates, `count` at most, whose share pays for a round, and how many of those seen cost more."""
        chosen: list[Point] = []
        dearer = 0
        for candidate in candidates:
            if len(chosen) == count:
                break
            if self.rounds_of(candidate, share):
                chosen.append(candidate)
            else:
                dearer += 1
        return chosen, dearer
