"""A hard budget: before each round its cost is counted in a dry run, and the run ends before one that would pass it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from dfedsam.algorithms import State
from dfedsam.communication.base import Communicator
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.evaluation import Evaluation
from dfedsam.objectives import Problem


class Budget:
    """What a run may ask for in all: the problem's limits on its counts.

    Every random number is derived, so a round that is played with answers of 0 asks what the real one will, unless the
    algorithm asks by what it hears. It is played on copies, and nothing of it is counted afterwards.

    Args:
        problem: has limits, or none.
        evaluation: sums the counts over ranks and over stretches before a resume.
        communicator: carries the dry round's rows.
    """

    def __init__(self, problem: Problem, evaluation: Evaluation, communicator: Communicator) -> None:
        self._problem, self._evaluation, self._communicator = problem, evaluation, communicator
        self._limits = problem.limits()

    def ends(
        self,
        state: State,
        context: RoundContext,
        step: Callable[[State, RoundContext], State],
        *,
        first: bool,
        due: bool,
    ) -> str | None:
        """Why the next round is not to be played: it would pass a limit; None: it may be. A collective call.

        Args:
            state: before the round.
            play: the round.
            step: plays it.
            first: whether the start is evaluated too.
            due: whether an evaluation follows.
        """
        if not self._limits:
            return None
        communicator, sent = self._communicator, (self._communicator.messages, self._communicator.bytes)
        with self._problem.dry():
            if first:
                self._evaluate(state)
            meter = QueryCounter(context.counter.queries.copy(), context.counter.gradients.copy())
            dry = replace(context, counter=meter, before_gossip=lambda x: None, cosines=None)
            after = step(copy.deepcopy(state), dry)
            if due:
                self._evaluate(after)
            counts = self._evaluation.counts()
        communicator.messages, communicator.bytes = sent
        for name, limit in self._limits.items():
            if counts[name] > limit:
                what = name.replace("_", " ")
                return f"after round {context.round + 1} it would be {counts[name]:,} {what}, above {limit:,}"
        return None

    def _evaluate(self, state: State) -> None:
        x = state.x
        if self._communicator.is_root:
            self._problem.evaluate(x[:1])
        if self._evaluation.local:
            self._problem.evaluate(x)
