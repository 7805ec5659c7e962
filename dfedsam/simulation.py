"""The loop: rounds, evaluation, checkpoints."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfedsam import checkpoint
from dfedsam.algorithms import Algorithm, ServerAlgorithm, State
from dfedsam.budget import Budget
from dfedsam.buffers import short_buffers
from dfedsam.communication import connect
from dfedsam.communication.base import Communicator
from dfedsam.context import QueryCounter, RoundContext, Server
from dfedsam.describe import describe, result
from dfedsam.errors import RunError
from dfedsam.evaluation import Cosines, Evaluation
from dfedsam.objectives import Objective, Problem
from dfedsam.objectives.base import ALL_ROWS
from dfedsam.peers import format_peers
from dfedsam.random import RandomStream
from dfedsam.records import Metrics, Row, RunFolder
from dfedsam.topologies import Static, Topology, check
from dfedsam.topologies.placement import Placement, check_placement, place
from dfedsam.validation import one_of, whole_number

if TYPE_CHECKING:
    import pandas as pd

DTYPES = ("float32", "float64")


@dataclass(kw_only=True)
class Simulation:
    """One run: every option of it, and `run`, which plays it.

    Args:
        objective: what is minimised.
        topology: who talks to whom.
        algorithm: what the peers do in a round.
        rounds: rounds in all, at least 0.
        seed: every random number comes from it, at least 0.
        dtype: type of x, "float32" or "float64".
        evaluate_every: rounds between evaluations, at least 1; the start and the last round are always evaluated.
        evaluate_local: also evaluate each peer's own model (loss_local, accuracy_local, accuracy_worst).
        checkpoint_every: rounds between checkpoints, at least 1; the start and the last round always get one.
        cosine: record the mean cosine of the estimates with the exact gradients, where the objective gives them.
        references: also compute what the objective sets a run beside (such as its first-order accuracy).
        placement: which MPI rank plays which peers; changes no result. "contiguous": a run of peers a rank; "reorder":
            so that fewer edges cross ranks and less is sent between them; "metis": fewer still, by the extra [metis].
        out: the run's folder, which must not be there yet; None writes nothing.
        communicator: who plays which peers; found out by itself, with the placement.
        progress: called on the root after every round with {"round", "rounds"} and, where it was evaluated, its row.
        stop: asked after every round: true on any rank ends the run after a checkpoint.

    Attributes:
        interrupted: whether `stop`, or a budget, ended the run.
        spent: what a budget that ended the run says.
    """

    objective: Objective
    topology: Topology
    algorithm: Algorithm
    rounds: int = 100
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    evaluate_every: int = 1
    evaluate_local: bool = True
    checkpoint_every: int = 10
    cosine: bool = False
    references: bool = False
    placement: Placement = "contiguous"
    out: Path | None = None
    communicator: Communicator | None = None
    progress: Callable[[Row], None] | None = None
    stop: Callable[[], bool] | None = None
    interrupted: bool = field(default=False, init=False)
    spent: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        whole_number("rounds", self.rounds, 0)
        whole_number("seed", self.seed, 0)
        one_of("dtype", self.dtype, DTYPES)
        whole_number("evaluate_every", self.evaluate_every, 1)
        whole_number("checkpoint_every", self.checkpoint_every, 1)
        check_placement(self.placement)
        check(self.topology)
        self.algorithm.check(self.topology)

    def description(self) -> Row:
        """Every value of the run, in the form that experiment files have; feeding it back repeats the run."""
        names = ("objective", "algorithm", "rounds", "seed", "dtype", "evaluate_every", "evaluate_local")
        names += ("checkpoint_every", "cosine", "references", "placement")
        values = {name: describe(getattr(self, name)) for name in names}
        return {"topology": describe(self.topology.identity()), "peers": self.topology.n, **values}

    def digest(self) -> str:
        """What makes a checkpoint one of this experiment: all but how long it runs, who watches and who plays it."""
        apart = {"rounds", "evaluate_every", "evaluate_local", "checkpoint_every", "cosine", "references", "placement"}
        values = {name: result(value) for name, value in self.description().items() if name not in apart}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def connect(self) -> Communicator:
        """The network over the ranks of this job, placed as asked; a rank alone plays all."""
        return connect(self.topology.n, partial(place, self.topology, placement=self.placement))

    @short_buffers()
    def run(self, *, resume: bool = False) -> list[Row]:
        """Run the rounds.

        Args:
            resume: go on from the checkpoint in `out` instead of starting.

        Returns:
            One row an evaluation, as in `metrics.jsonl`; the same on every rank.

        Raises:
            ValueError: for bad input, before anything is written.
            RunError: if the run cannot go on; its last checkpoint is kept.
        """
        communicator = self.communicator or self.connect()
        problem = self.objective.build(self.topology.n, communicator.block, self.seed, self.dtype)
        self.algorithm.check_problem(problem)
        folder = RunFolder(self.out, communicator) if self.out is not None else None

        def play_of(t: int, watch: Callable[[NDArray], None], cosines: Cosines | None) -> RoundContext:
            active = self.topology.participants(t)
            here = None if active is None else active[np.asarray(communicator.block)]
            key = RandomStream(self.seed, "", t, 0, communicator.block)
            return RoundContext(
                t, problem, key, meter, communicator, self.topology.weights(t), watch, ALL_ROWS, cosines, here
            )

        if resume and folder is not None:
            state, meter, done = self._load(folder, communicator)
        else:
            state, meter = self._start(problem, communicator)
            done = {"round": 0, "seconds": 0.0, "counts": {}}
        evaluation = Evaluation(problem, communicator, meter, self.evaluate_local, done["counts"])
        budget = Budget(problem, evaluation, communicator)
        fresh = not (resume and folder is not None)
        if fresh and self.rounds:
            over = budget.ends(state, play_of(0, _look_away, None), self._round, first=True, due=self._due(0))
            if over is not None:
                raise ValueError(f"budget ends before the first round: {over}; raise it, or lower what a round asks")
        if fresh and folder is not None:
            folder.create(self.description(), self.topology, self.algorithm.exchanges())
        metrics = Metrics(folder)
        began = time.perf_counter() - done["seconds"]

        def save(rounds: int) -> None:
            if folder is None:
                return
            meta = {"experiment": self.digest(), "round": rounds, "seconds": time.perf_counter() - began}
            meta |= {"messages": communicator.messages, "bytes": communicator.bytes, "counts": evaluation.counts()}
            meta["groups"] = [name for name, value in state.items() if isinstance(value, dict)]
            arrays = _flatten(state) | {"meter.queries": meter.queries, "meter.gradients": meter.gradients}
            checkpoint.save(folder.checkpoint, arrays, meta, communicator)

        def record(rounds: int, cosines: Cosines | None = None) -> Row:
            row = {"round": rounds, **evaluation.row(state["x"], cosines), **self.algorithm.figures(state)}
            row["seconds"] = time.perf_counter() - began
            metrics.append(row)
            return row

        if done["round"] == 0:
            metrics.reload(-1)  # a run that was killed before its first checkpoint plays its start again
            save(0)
            self._tell(communicator, record(0))
        else:
            metrics.reload(done["round"])
        for t in range(done["round"], self.rounds):
            last, due = t + 1 == self.rounds, self._due(t)
            self.spent = budget.ends(state, play_of(t, _look_away, None), self._round, first=False, due=due)
            if self.spent is not None:
                self.interrupted = True
                save(t)
                break
            cosines: Cosines | None = [] if due and self.cosine and problem.has_gradients else None
            watch = evaluation.before_gossip if due else _look_away
            state = self._round(state, play_of(t, watch, cosines))
            self._tell(communicator, record(t + 1, cosines) if due else {"round": t + 1})
            self.interrupted = communicator.agree(self.stop is not None and self.stop())
            if last or self.interrupted or (t + 1) % self.checkpoint_every == 0:
                save(t + 1)
            if self.interrupted:
                break
        if folder is not None:
            mean = (communicator.total(state["x"]) / communicator.peers).astype(self.dtype)
            folder.finish(problem, mean, references=self.references and not self.interrupted)
        return communicator.broadcast(metrics.rows)

    def _due(self, t: int) -> bool:
        """Whether an evaluation follows round t."""
        return t + 1 == self.rounds or (t + 1) % self.evaluate_every == 0

    def _start(self, problem: Problem, communicator: Communicator) -> tuple[State, QueryCounter]:
        peers = len(communicator.block)
        x = np.tile(problem.start().astype(self.dtype), (peers, 1))
        return self.algorithm.init(x, problem), QueryCounter.zero(peers)

    def _load(self, folder: RunFolder, communicator: Communicator) -> tuple[State, QueryCounter, Row]:
        arrays, done = checkpoint.load(folder.checkpoint, communicator)
        if done.get("experiment") != self.digest():
            raise ValueError(
                f"{folder.checkpoint} belongs to another experiment than the one described; resume a run with the "
                "settings it was started with (only rounds may grow)"
            )
        if done["round"] > self.rounds:
            raise ValueError(f"rounds is {self.rounds}: {folder.path} has played {done['round']} already; ask for more")
        meter = QueryCounter(arrays.pop("meter.queries"), arrays.pop("meter.gradients"))
        communicator.messages, communicator.bytes = done["messages"], done["bytes"]
        folder.write_config(self.description())
        return _nest(arrays, done["groups"]), meter, done

    def _round(self, state: State, context: RoundContext) -> State:
        away = np.zeros(0, np.intp) if context.active is None else np.flatnonzero(~context.active)
        kept = {name: array[away] for name, array in _flatten(state).items()}
        try:
            state = self.algorithm.round(state, context)
            if isinstance(self.algorithm, ServerAlgorithm):
                state = self.algorithm.serve(state, Server(context.communicator, context.watch))
            for name, array in _flatten(state).items():  # peers that were away keep all they had
                if name in kept:
                    array[away] = kept[name]
        except (RunError, ValueError):
            raise
        except Exception as error:
            where = f"round {context.round}, {format_peers(context.key.peers)}"
            raise RunError(f"{where}: {type(error).__name__}: {error}") from error
        return state

    def _tell(self, communicator: Communicator, row: Row) -> None:
        if self.progress is not None and communicator.is_root:
            self.progress({"rounds": self.rounds, **row})


def _look_away(x: NDArray) -> None:
    """What watches x before gossip in rounds that are not recorded."""


def _flatten(state: State) -> dict[str, NDArray]:
    """{"x": …, "gossip": {"memory": …}} to {"x": …, "gossip.memory": …}."""
    flat: dict[str, NDArray] = {}
    for name, value in state.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": array for inner, array in value.items()}
        else:
            flat[name] = value
    return flat


def _nest(flat: dict[str, NDArray], groups: list[str]) -> State:
    """The inverse of `_flatten`; `groups` names the dicts, of which some may be empty."""
    state: State = {name: {} for name in groups}
    for name, array in flat.items():
        outer, dot, inner = name.partition(".")
        if dot:
            state[outer][inner] = array
        else:
            state[name] = array
    return state


def simulate(
    *,
    objective: Objective,
    topology: Topology | nx.Graph,
    algorithm: Algorithm,
    out: Path | str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Run a simulation and return its metrics, one row an evaluation.

    Args:
        objective: what is minimised, such as `Quadratic(dim=50)`.
        topology: a networkx graph (which gets Metropolis weights) or a topology, such as `make("ring", 16)`.
        algorithm: what the peers do in a round, such as `DFedSAM(rho=0.05)`.
        out: the run's folder, which must not be there yet; without it nothing is written.
        **options: the others of `Simulation`: rounds, seed, dtype, evaluate_every, …

    Returns:
        The rows of `metrics.jsonl` as a pandas DataFrame.

    Raises:
        ValueError: for bad input, before anything is written.
        RunError: if the run cannot go on; its last checkpoint is kept.
    """
    import pandas as pd

    topology = topology if isinstance(topology, Topology) else Static(topology)
    folder = None if out is None else Path(out)
    simulation = Simulation(objective=objective, topology=topology, algorithm=algorithm, out=folder, **options)
    return pd.DataFrame(simulation.run())
