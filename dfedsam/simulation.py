"""The loop: rounds, evaluation, checkpoints."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import numpy as np
import topologies
from numpy.typing import NDArray

from dfedsam import checkpoint, records
from dfedsam.algorithms import Algorithm, ServerAlgorithm, State
from dfedsam.checks import at_least, one_of
from dfedsam.describe import describe
from dfedsam.errors import RunError
from dfedsam.evaluation import Evaluation
from dfedsam.network import connect
from dfedsam.network.base import Network
from dfedsam.objectives import Objective
from dfedsam.play import Meter, Play, ServerPlay
from dfedsam.randomness import Draws

Row = dict[str, Any]
DTYPES = ("float32", "float64")


@dataclass(kw_only=True)
class Simulation:
    """One run: every option of it, and `run`, which plays it.

    Args:
        objective: what is minimised.
        topology: who talks to whom; a networkx graph gets Metropolis weights.
        algorithm: what the peers do in a round.
        rounds: rounds in all, at least 0.
        seed: every random number comes from it, at least 0.
        dtype: type of x, "float32" or "float64".
        evaluate_every: rounds between evaluations, at least 1; the start and the last round are always evaluated.
        evaluate_local: also evaluate each peer's own model (accuracy_local, accuracy_worst).
        checkpoint_every: rounds between checkpoints, at least 1; the start and the last round always get one.
        cosine: record the mean cosine of the estimates with the exact gradients, where the objective gives them.
        references: also compute what the objective sets a run beside (such as its first-order accuracy).
        out: the run's folder, which must not be there yet; None writes nothing.
        network: who plays which peers; found out by itself.
        progress: called on the root after every round with {"round", "rounds"} and, where it was evaluated, its row.
        stop: asked after every round: true on any rank ends the run after a checkpoint.
    """

    objective: Objective
    topology: topologies.Topology | nx.Graph
    algorithm: Algorithm
    rounds: int = 100
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    evaluate_every: int = 1
    evaluate_local: bool = True
    checkpoint_every: int = 10
    cosine: bool = False
    references: bool = False
    out: Path | str | None = None
    network: Network | None = None
    progress: Callable[[Row], None] | None = None
    stop: Callable[[], bool] | None = None
    interrupted: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least("rounds", self.rounds, 0)
        at_least("seed", self.seed, 0)
        one_of("dtype", self.dtype, DTYPES)
        at_least("evaluate_every", self.evaluate_every, 1)
        at_least("checkpoint_every", self.checkpoint_every, 1)
        if isinstance(self.topology, nx.Graph):
            self.topology = topologies.Static(self.topology)
        topologies.check(self.topology)
        self.out = Path(self.out) if self.out is not None else None

    def description(self) -> Row:
        """Every value of the run, in the form that experiment files have; feeding it back repeats the run."""
        assert isinstance(self.topology, topologies.Topology)
        names = ("objective", "algorithm", "rounds", "seed", "dtype", "evaluate_every", "evaluate_local")
        values = {name: describe(getattr(self, name)) for name in (*names, "checkpoint_every", "cosine", "references")}
        return {"topology": self.topology.description, "peers": self.topology.n, **values}

    def digest(self) -> str:
        """What makes a checkpoint one of this experiment: everything but how long it runs and how it is watched."""
        apart = {"rounds", "evaluate_every", "evaluate_local", "checkpoint_every", "cosine", "references"}
        values = {name: value for name, value in self.description().items() if name not in apart}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def run(self, *, resume: bool = False) -> list[Row]:
        """Play the rounds.

        Args:
            resume: go on from the checkpoint in `out` instead of starting.

        Returns:
            One row an evaluation, as in `metrics.jsonl`; the same on every rank.

        Raises:
            ValueError: for bad input, before anything is written.
            RunError: if the run cannot go on; its last checkpoint is kept.
        """
        assert isinstance(self.topology, topologies.Topology)
        network = self.network or connect(self.topology.n)
        problem = self.objective.build(self.topology.n, network.block, self.seed, self.dtype)
        out = self.out if isinstance(self.out, Path) else None
        if resume and out is not None:
            state, meta, meter = self._load(out, network)
        else:
            x = np.tile(problem.start().astype(self.dtype), (len(network.block), 1))
            state, meta, meter = self.algorithm.init(x), {"round": 0, "seconds": 0.0}, Meter.zero(len(network.block))
            if out is not None:
                self._open(out, network)
        metrics = records.Metrics(out if network.is_root else None)
        evaluation = Evaluation(problem, network, meter, self.evaluate_local, meta.get("counts", {}))
        began = time.perf_counter() - meta["seconds"]

        def save(done: int) -> None:
            if out is None:
                return
            meta = {
                "experiment": self.digest(),
                "round": done,
                "seconds": time.perf_counter() - began,
                "messages": network.messages,
                "bytes": network.bytes,
                "counts": evaluation.counts(),
            }
            arrays = _flatten(state) | {"meter.queries": meter.queries, "meter.gradients": meter.gradients}
            checkpoint.save(out / records.CHECKPOINT, arrays, meta, network)

        def record(done: int, cosines: list[NDArray] | None = None) -> Row:
            row = {"round": done, **evaluation.row(state["x"], cosines), "seconds": time.perf_counter() - began}
            metrics.append(row)
            return row

        first = meta["round"]
        if first == 0:
            save(0)
            self._tell(network, 0, record(0))
        else:
            metrics.reload(first)
        for t in range(first, self.rounds):
            last = t + 1 == self.rounds
            due = last or (t + 1) % self.evaluate_every == 0
            cosines: list[NDArray] | None = [] if due and self.cosine and problem.has_gradients else None
            play = (ServerPlay if isinstance(self.algorithm, ServerAlgorithm) else Play)(
                round=t,
                problem=problem,
                key=Draws(self.seed, "", t, 0, network.block),
                meter=meter,
                network=network,
                weights=self.topology.weights(t),
                watch=evaluation.before_gossip if due else None,
                cosines=cosines,
            )
            state = self._round(state, play, network)
            row = record(t + 1, cosines) if due else {}
            self._tell(network, t + 1, row)
            self.interrupted = network.agree(self.stop is not None and self.stop())
            if last or self.interrupted or (t + 1) % self.checkpoint_every == 0:
                save(t + 1)
            if self.interrupted:
                break
        return self._finish(out, network, problem, state, metrics)

    def _round(self, state: State, play: Play, network: Network) -> State:
        try:
            return self.algorithm.round(state, play)  # pyright: ignore[reportArgumentType]
        except (RunError, ValueError, KeyboardInterrupt):
            raise
        except Exception as error:
            block = network.block
            raise RunError(
                f"round {play.round}, peers {block.start} to {block.stop - 1}: {type(error).__name__}: {error}"
            ) from error

    def _tell(self, network: Network, done: int, row: Row) -> None:
        if self.progress is not None and network.is_root:
            self.progress({"rounds": self.rounds, **row, "round": done})

    def _open(self, out: Path, network: Network) -> None:
        """The root makes the folder and says what is run; where it cannot, every rank raises the same error."""
        problem = ""
        if network.is_root:
            try:
                records.new_folder(out)
                self._write_config(out)
                graph = nx.node_link_data(self.topology.graph(0), edges="edges")
                text = json.dumps({"spectrum": topologies.spectrum(self.topology), "graph": graph})
                records.write_whole(out / records.TOPOLOGY, text)
            except ValueError as error:
                problem = str(error)
        problem = network.broadcast(problem)
        if problem:
            raise ValueError(problem)

    def _write_config(self, out: Path) -> None:
        import yaml

        text = yaml.safe_dump(self.description(), sort_keys=False, allow_unicode=True)
        records.write_whole(out / records.CONFIG, text)

    def _load(self, out: Path, network: Network) -> tuple[State, Row, Meter]:
        arrays, meta = checkpoint.load(out / records.CHECKPOINT, network)
        if meta.get("experiment") != self.digest():
            raise ValueError(
                f"{out / records.CHECKPOINT} belongs to another experiment than {out / records.CONFIG} describes; "
                "resume a run with the settings it was started with (only rounds may grow)"
            )
        if meta["round"] > self.rounds:
            raise ValueError(f"rounds is {self.rounds}: {out} has played {meta['round']} already; ask for more")
        meter = Meter(arrays.pop("meter.queries"), arrays.pop("meter.gradients"))
        network.messages, network.bytes = meta["messages"], meta["bytes"]
        if network.is_root:
            self._write_config(out)
        return _nest(arrays), meta, meter

    def _finish(self, out: Path | None, network: Network, problem: Any, state: State, metrics: records.Metrics) -> Any:
        mean = (network.total(state["x"]) / network.peers).astype(state["x"].dtype)
        if out is not None and network.is_root:
            problem.save(mean, out / records.PROMPT)
            if self.references and not self.interrupted:
                records.write_whole(out / records.REFERENCES, json.dumps(problem.references(), indent=2) + "\n")
        return network.broadcast(metrics.rows)


def _flatten(state: State) -> dict[str, NDArray]:
    """{"x": …, "gossip": {"memory": …}} to {"x": …, "gossip.memory": …}."""
    flat: dict[str, NDArray] = {}
    for name, value in state.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": array for inner, array in value.items()}
        else:
            flat[name] = value
    return flat


def _nest(flat: dict[str, NDArray]) -> State:
    """The inverse of `_flatten`; gossip's memory is there even where it is empty."""
    state: State = {"gossip": {}}
    for name, array in flat.items():
        outer, dot, inner = name.partition(".")
        if dot:
            state.setdefault(outer, {})[inner] = array
        else:
            state[name] = array
    return state
