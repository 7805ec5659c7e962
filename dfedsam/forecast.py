"""The cost of a run before it is spent: what it asks and sends, counted exactly, and its time, from a few rounds.

A rehearsal executes the rounds with a black box that answers at once and at random: nothing that is counted depends on
the answers. Time comes from rounds that are really executed, for a few seconds, with the files of a run.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from dfedsam import simulation, state
from dfedsam.blackbox.base import Bill
from dfedsam.callbacks.base import Callback, Run
from dfedsam.callbacks.evaluation import Evaluation, consensus_distance
from dfedsam.callbacks.files import Checkpoints, Files
from dfedsam.callbacks.rounds import AbsentPeers, Budget, Interrupt, Joins, Ledger, Timing, Watch
from dfedsam.communication.base import Communicator
from dfedsam.communication.collectives import Call, recorded
from dfedsam.experiment import Experiment
from dfedsam.objectives.base import Problem
from dfedsam.phases import seconds_of
from dfedsam.rows import short_buffers
from dfedsam.run_folder import RunFolder

SECONDS = 4.0  # of rounds that are executed to time them, after the first
_LEAST = 8  # rounds that are rehearsed at least


@dataclass(frozen=True)
class Counts:
    """What a run asks and sends, over all peers.

    Args:
        queries: queries of all peers.
        gradients: exact gradients of all peers.
        messages: rows that peers send.
        bytes: bytes of these rows.
        requests: requests to a service, those for evaluations included, and without those whose answers are stored.
        prompt_tokens: tokens that the model reads, those of evaluations included.
        completion_tokens: tokens that a service writes.
        editor_requests: requests to the algorithm's editor of prompts, which is another service.
        editor_prompt_tokens: tokens that it reads, about, since prompts depend on answers.
        editor_completion_tokens: tokens that it writes at most.
    """

    queries: int
    gradients: int
    messages: int
    bytes: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    editor_requests: int = 0
    editor_prompt_tokens: int = 0
    editor_completion_tokens: int = 0


_COUNTS = [one.name for one in fields(Counts)]


@dataclass
class Speed:
    """Seconds of a run's parts, and its memory.

    Args:
        start: until the first round, evaluation and checkpoint.
        rounds: of each round that was executed.
        evaluations: of each evaluation.
        checkpoints: of each checkpoint.
        references: of the reference metrics.
        memory: peak memory of a rank, in bytes.
        rows: bytes of the state of all peers.
        calls: the collective calls of an evaluation, with those of its round, and of a checkpoint.
    """

    start: float = 0.0
    rounds: list[float] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    checkpoints: list[float] = field(default_factory=list)
    references: float = 0.0
    memory: int = 0
    rows: int = 0
    calls: dict[type[Callback], list[Call]] = field(default_factory=dict)

    def parts(self, experiment: Experiment) -> dict[str, float]:
        """Seconds of each part of a whole run."""
        evaluated, saved = due(experiment).values()
        return {
            "start": self.start,
            "rounds": sum(self.rounds[:1]) + max(0, experiment.rounds - 1) * _usual(self.rounds),
            "evaluations": self.evaluations[0] + evaluated * _usual(self.evaluations),
            "checkpoints": self.checkpoints[0] + saved * _usual(self.checkpoints),
            "references": self.references,
        }


def due(experiment: Experiment) -> dict[type[Callback], int]:
    """How many evaluations and checkpoints there are after the start."""
    due = {Evaluation: experiment.is_evaluated, Checkpoints: experiment.is_saved}
    return {kind: sum(map(when, range(1, experiment.rounds + 1))) for kind, when in due.items()}


def _usual(times: Sequence[float]) -> float:
    """The mean time without the first, which warms up; slow ones count, since a run has them too."""
    return fmean(times[1:] or times or [0.0])


def _rehearsed(experiment: Experiment, editor: Bill) -> Experiment:
    """The experiment without requests of its algorithm, which are added to a bill."""
    algorithm = experiment.algorithm.rehearsed(editor)
    return experiment if algorithm is experiment.algorithm else replace(experiment, algorithm=algorithm)


@short_buffers()
def calibrate(experiment: Experiment, communicator: Communicator, seconds: float = SECONDS) -> tuple[Speed, Problem]:
    """Execute the first rounds of a run, with its files in a temporary folder, and time them; a collective call.

    The first round prepares more than others: rounds are executed for so many seconds after it, at least two.

    Returns:
        The times, and the objective with its data, for a rehearsal.
    """
    speed, begin = Speed(), time.perf_counter()
    run = simulation.begin(_rehearsed(experiment, Bill()), communicator)
    with tempfile.TemporaryDirectory(prefix="dfedsam-") as scratch:
        folder = RunFolder(communicator.broadcast(scratch))
        evaluation, saves, end = Evaluation(), Checkpoints(folder), math.inf
        last = [Files(folder), Interrupt(lambda: time.perf_counter() > end), saves]
        run.callbacks = [Budget(), Joins(), AbsentPeers(), Timing(), Ledger(), evaluation, Watch(), *last]
        timed = {evaluation: speed.evaluations, saves: speed.checkpoints}
        for callback in run.callbacks:
            callback.on_start(run)
        speed.start = time.perf_counter() - begin
        _after(run, timed, speed.calls)
        while not run.stopped and run.round < experiment.rounds:
            start, done = time.perf_counter(), [len(times) for times in timed.values()]
            for callback in run.callbacks:
                callback.before_round(run)
            simulation.execute_round(run)
            _after(run, timed, speed.calls)
            callback_seconds = sum(sum(times[before:]) for times, before in zip(timed.values(), done, strict=True))
            speed.rounds.append(time.perf_counter() - start - callback_seconds)
            if run.round == 1:
                end = time.perf_counter() + seconds
        if len(speed.evaluations) == 1 and experiment.rounds:
            start = time.perf_counter()
            evaluation.metrics_of(run)
            speed.evaluations.append(time.perf_counter() - start)
    with recorded(communicator) as calls:
        consensus_distance(run.x, communicator, run.recorded)  # before gossip
    speed.calls[Evaluation] += calls
    if experiment.references and communicator.is_root:
        speed.references = seconds_of(run.problem.references, seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    speed.memory = int(communicator.gather(np.full(len(communicator.block), peak)).max())
    rows = sum(array.nbytes for array in state.arrays(run.state).values()) / len(communicator.block)
    speed.rows = int(rows * communicator.peers)
    return speed, run.problem


def _after(run: Run, timed: dict[Callback, list[float]], calls: dict[type[Callback], list[Call]]) -> None:
    run.row = None
    for callback in run.callbacks:
        before = time.perf_counter()
        with recorded(run.communicator) as recording:
            callback.after_round(run)
        if callback in timed:
            saved = run.stopped or run.over or run.experiment.is_saved(run.round)  # it also saves when time is up
            if saved if isinstance(callback, Checkpoints) else run.row:
                timed[callback].append(time.perf_counter() - before)
                calls[type(callback)] = recording


@short_buffers()
def rehearse(experiment: Experiment, communicator: Communicator, problem: Problem | None = None) -> Counts:
    """Count what a run asks and sends; a collective call, which begins the communicator's counts again.

    Rounds are rehearsed until they repeat; where they never do, all of them are. The problem is the objective with its
    data, if it is there already; its black box answers at random from now on.
    """
    communicator.messages = communicator.bytes = 0
    n, block = experiment.topology.n, communicator.block
    problem, editor = problem or experiment.objective.build(n, block, experiment.seed, experiment.dtype), Bill()
    rehearsal = _Rehearsal(simulation.begin(_rehearsed(experiment, editor), communicator, problem), editor)
    run, total = rehearsal.run, rehearsal.evaluate()
    while not run.over and run.round < experiment.rounds and not rehearsal.repeats():
        rehearsal.execute()
    total = total + rehearsal.rest() + np.sum([*rehearsal.rounds, *rehearsal.evaluations, 0 * total], axis=0)
    if rehearsal.bill.requests and experiment.references:
        run.problem.references()
        total += rehearsal.new()
    return Counts(**dict(zip(_COUNTS, total.tolist(), strict=True)))


class _Rehearsal:
    """Rounds that are executed to count what they cost.

    Attributes:
        run: the run.
        bill: what a black box would have to read.
        editor: what an editor of prompts would.
        rounds: counts of each round, in the order of _COUNTS.
        evaluations: counts of each evaluation but the first.
    """

    def __init__(self, run: Run, editor: Bill) -> None:
        bill = run.problem.rehearse()
        self.run, self.bill, self.editor, self._asks = run, bill or Bill(), editor, bill is not None
        self._evaluation, self._between = Evaluation(), [AbsentPeers(), Timing(), Ledger()]
        run.callbacks = [*self._between, self._evaluation]
        for callback in run.callbacks:
            callback.on_start(run)
        self.rounds: list[NDArray[np.int64]] = []
        self.evaluations: list[NDArray[np.int64]] = []
        self._last = np.zeros(len(_COUNTS), np.int64)
        if self._asks:
            run.problem.preflight()
        for paid in () if run.communicator.is_root else (self.bill, editor):
            if paid.requests:  # all ranks ask a service the same before the first round, which is paid for once
                paid.clear()

    @property
    def period(self) -> int | None:
        """After so many rounds counts repeat; None: never, or nobody knows."""
        experiment = self.run.experiment
        regular = not (experiment.algorithm.irregular or experiment.clock or self.bill.requests)
        return experiment.topology.period if regular else None

    def evaluate(self) -> NDArray[np.int64]:
        """Evaluate, if that costs anything, and return the counts."""
        if self._asks:
            self._evaluation.metrics_of(self.run)
        return self.new()

    def execute(self) -> None:
        """Execute a round, and evaluate if that is due."""
        for callback in self.run.callbacks:
            callback.before_round(self.run)
        simulation.execute_round(self.run)
        for callback in self._between:
            callback.after_round(self.run)
        self.rounds.append(self.new())
        if self.run.experiment.is_evaluated(self.run.round):
            self.evaluations.append(self.evaluate())

    def repeats(self) -> bool:
        """Whether the last three periods, and the last two evaluations, were alike, so that all others are."""
        period, rounds, more = self.period, self.rounds, self.evaluations
        if period is None or len(rounds) < max(_LEAST, 3 * period) or len(rounds) % period:
            return False
        last = np.array(rounds[-3 * period :]).reshape(3, period, -1)
        return bool((last == last[0]).all()) and (len(more) < 2 or bool((more[-1] == more[-2]).all()))

    def rest(self) -> NDArray[np.int64]:
        """Counts of the rounds and evaluations that are yet to come, and repeat those that were executed."""
        experiment, period = self.run.experiment, self.period or 1
        left = range(self.run.round, self.run.round if self.run.over else experiment.rounds)
        due = sum(experiment.is_evaluated(t + 1) for t in left)
        if not due:
            return 0 * self._last
        evaluation = self.evaluations[-1] if self.evaluations else self.evaluate()
        whole, part = divmod(len(left), period)
        last = np.array(self.rounds[-period:])
        return whole * last.sum(axis=0) + last[:part].sum(axis=0) + due * evaluation

    def new(self) -> NDArray[np.int64]:
        """What was counted since the last call."""
        communicator, counter = self.run.communicator, self.run.counter
        rows = np.zeros((len(communicator.block), len(_COUNTS) - 2), np.int64)
        rows[:, 0], rows[:, 1] = counter.queries, counter.gradients
        rows[0, 2:] = [*astuple(self.bill), *astuple(self.editor)]
        sums = communicator.gather(rows).sum(axis=0)
        now = np.array([*sums[:2], communicator.messages, communicator.bytes, *sums[2:]])
        new, self._last = now - self._last, now
        return new
