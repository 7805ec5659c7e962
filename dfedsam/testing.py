"""Checks that every plug-in must pass, for our own tests and for users' plug-ins.

    from dfedsam.testing import check_algorithm
    check_algorithm(MyAlgorithm())

Each check raises AssertionError, with what is wrong, or the plug-in's own error. Under `mpirun -n 3 python …`
`check_algorithm` also compares the ranks with one process.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dfedsam import state
from dfedsam.callbacks.base import Callback, Run
from dfedsam.communication import SingleProcess, connect
from dfedsam.context import Oracle, QueryCounter
from dfedsam.experiment import Experiment
from dfedsam.gossip.channel import Channel
from dfedsam.machine import in_mpi_job
from dfedsam.objectives import Quadratic
from dfedsam.options import describe
from dfedsam.peers import format_peers
from dfedsam.random import RandomStream
from dfedsam.result import Result
from dfedsam.run_folder import Row
from dfedsam.simulation import run
from dfedsam.topologies import make, verify

if TYPE_CHECKING:
    from dfedsam.algorithms import Algorithm
    from dfedsam.gossip import Gossip
    from dfedsam.gossip.compressors import Compressor
    from dfedsam.objectives import Objective, Problem
    from dfedsam.topologies import Topology
    from dfedsam.zeroth_order import Estimator

_PEERS, _MANY, _DIM, _DRAWS = 7, 25, 12, 400


def check_algorithm(
    algorithm: Algorithm, *, objective: Objective | None = None, topology: Topology | None = None, rounds: int = 5
) -> None:
    """Check that a run repeats, resumes and splits bit for bit, can be described, and reaches peers by messages alone.

    Args:
        algorithm: what is checked.
        objective: which it minimises; None: a noisy quadratic.
        topology: on which it runs; None: a ring of seven.
        rounds: of the run, at least 2.
    """
    experiment = Experiment(
        objective=objective or Quadratic(dim=_DIM, noise=0.2),
        topology=topology or make("ring", _PEERS),
        algorithm=algorithm,
        rounds=rounds,
        seed=3,
        checkpoint_every=2,
        cosine=True,
    )
    json.dumps(experiment.description())
    states = _States()
    whole = _alone(experiment, callbacks=[states])
    names = state.arrays(states.seen[0]).keys()
    for seen in states.seen:
        arrays = state.arrays(seen)
        assert arrays.keys() == names, f"the state's arrays change after init: {names ^ arrays.keys()}"
        for name, array in arrays.items():
            assert len(array) == experiment.topology.n, f"{name} has {len(array)} rows: it must have one for each peer"
    assert _rows(_alone(experiment)) == _rows(whole), "a second run gives different numbers"
    _same(_alone(experiment, callbacks=[_OnePeerAtATime()]), whole, "chunks of one peer")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        _alone(replace(experiment, rounds=rounds // 2), out=out)
        _same(_alone(experiment, out=out, resume=True), whole, "a resume")
    if not (algorithm.uses_server or algorithm.wakes):
        two = replace(experiment, rounds=2, cosine=False)
        _check_reach(two if objective or topology else replace(two, topology=make("ring", _MANY)))
    if in_mpi_job():
        split = run(experiment, communicator=connect(experiment.topology.n))
        assert _rows(split) == _rows(whole), "ranks give different numbers from one process"


class _OnePeerAtATime(Callback):
    """Lets queries be asked for one peer at a time."""

    def on_start(self, run: Run) -> None:
        run.problem.chunk_bytes = 1


class _States(Callback):
    """Keeps the state before every round."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def before_round(self, run: Run) -> None:
        self.seen.append(state.with_arrays(run.state, {k: v.copy() for k, v in state.arrays(run.state).items()}))


class _Moved(_States):
    """Moves the row of peer 0 at the start, and sees whom its messages reach in the first round."""

    def before_round(self, run: Run) -> None:
        if run.round == 0:
            run.x[0] += 0.1 * np.random.default_rng(0).standard_normal(run.problem.dim)
            run.problem.project(run.x)
            run.communicator.exchanges, self.reached = [], np.arange(run.communicator.peers) == 0
        for W, _ in run.communicator.exchanges or []:
            self.reached |= abs(cast(Any, W)) @ self.reached > 0
        super().before_round(run)


def _check_reach(experiment: Experiment) -> None:
    """Check that moving one peer's row changes nobody in the next round whom no message from it has reached."""
    _alone(experiment, callbacks=[still := _States()])
    _alone(experiment, callbacks=[moved := _Moved()])
    after = state.arrays(moved.seen[1])
    for name, array in state.arrays(still.seen[1]).items():
        changed = np.flatnonzero((array != after[name]).reshape(len(array), -1).any(axis=1) & ~moved.reached)
        assert not len(changed), f"{name} of {format_peers(changed)} follows peer 0, whose messages did not get there"


def _alone(experiment: Experiment, **options: Any) -> Result:
    """Run in one process, also inside an MPI job."""
    return run(experiment, communicator=SingleProcess(experiment.topology.n), **options)


def _rows(result: Result) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.rows]


def _same(result: Result, whole: Result, what: str) -> None:
    assert _rows(result) == _rows(whole), f"{what} gives different metrics"
    assert np.array_equal(result.x, whole.x), f"{what} gives different models"


def check_topology(topology: Topology, rounds: int = 20) -> None:
    """Check W_t: its sums, its graph and support, its period, and that it can be named and rebuilt.

    Args:
        topology: what is checked.
        rounds: how many W_t are looked at.
    """
    verify(topology)
    json.dumps(describe(topology.identity()))
    support = topology.support()
    allowed = None if support is None else support.toarray().astype(bool) | np.eye(topology.n, dtype=bool)
    for t in range(rounds):
        W = topology.weights(t)
        assert W.shape == (topology.n, topology.n), f"W_{t} has shape {W.shape}: it must be (n, n)"
        assert W.dtype == np.float64, f"W_{t} is {W.dtype}: it must be float64"
        dense = W.toarray()
        for axis, sums in ((0, "columns"), (1, "rows")):
            if topology.sums in ("both", sums):
                assert np.allclose(dense.sum(axis=axis), 1, rtol=0, atol=1e-12), f"{sums} of W_{t} do not sum to one"
        if not topology.directed:
            assert np.array_equal(dense != 0, dense.T != 0), f"W_{t} has links that lead one way"
        if allowed is not None:
            assert not (dense[~allowed] != 0).any(), f"W_{t} has links outside the support"
        if topology.period is not None:
            assert topology.weights(t + topology.period) is W, f"W_{t} is not the same object a period later"
        present = topology.participants(t)
        assert present is None or present.shape == (topology.n,), "participants must have one entry a peer"


def check_estimator(estimator: Estimator, *, objective: Objective | None = None) -> None:
    """Check that estimates are counted as `queries` says, and do not depend on which peers are estimated together.

    Args:
        estimator: what is checked.
        objective: whose gradients it estimates; None: a noisy quadratic.
    """
    problem = (objective or Quadratic(dim=_DIM, noise=0.2)).build(_PEERS, range(_PEERS), 0, np.float32)
    estimator.check(problem)
    rng = np.random.default_rng(0)
    x = (problem.start() + 0.1 * rng.standard_normal((_PEERS, problem.dim))).astype(np.float32)
    problem.project(x)
    counter = QueryCounter.zero(_PEERS)
    whole, _ = _estimate(estimator, problem, x, slice(0, _PEERS), counter)
    assert whole.shape == x.shape, f"estimates have shape {whole.shape}: it must be {x.shape}"
    assert whole.dtype == x.dtype, f"estimates are {whole.dtype}: they must have the type of x, {x.dtype}"
    counts, expected = counter.queries.tolist(), estimator.queries(problem.dim) * problem.queries_per_loss
    assert counts == [expected] * _PEERS, f"{counts} queries were asked, and queries(dim) says {expected}"
    for rows in (slice(0, 3), slice(3, 4), slice(4, _PEERS)):
        part, _ = _estimate(estimator, problem, x, rows, QueryCounter.zero(_PEERS))
        assert np.array_equal(part, whole[rows]), f"peers {rows.start} to {rows.stop - 1} alone get other estimates"


def _estimate(
    estimator: Estimator, problem: Problem, x: NDArray, rows: slice, counter: QueryCounter
) -> tuple[NDArray, Any]:
    stream = RandomStream(5, "", 2, 1, range(_PEERS)[rows])
    batch = problem.minibatch(replace(stream, purpose="minibatch"), rows)
    oracle = Oracle(problem, batch, rows, stream, counter)
    first = estimator.init(x.copy(), problem)
    return estimator(oracle, x[rows].copy(), state.rows_of(first, rows), "descent")


def check_gossip(gossip: Gossip, *, topology: Topology | None = None, phases: int = 3) -> None:
    """Check that a phase keeps the mean where it promises to, the structure of its state, and its type of x.

    Args:
        gossip: what is checked; not one that sends coefficients, which needs an algorithm around it.
        topology: on which it mixes; None: a ring of seven.
        phases: how many are made.
    """
    topology = topology or make("ring", _PEERS)
    n = topology.n
    gossip.check(topology)
    communicator = SingleProcess(n)
    x = np.random.default_rng(0).standard_normal((n, _DIM)).astype(np.float64)
    mean, kept = x.mean(axis=0), gossip.init(np.zeros_like(x))
    names = state.arrays(kept).keys()
    for t in range(phases):
        x, kept = gossip(
            x, kept, Channel(topology.weights(t), communicator, RandomStream(0, "gossip 1", t, 0, range(n)))
        )
        assert x.shape == (n, _DIM), f"x has shape {x.shape} after a phase: it must be {(n, _DIM)}"
        assert x.dtype == np.float64, f"x is {x.dtype} after a phase: it must stay float64"
        assert state.arrays(kept).keys() == names, "the arrays of the state change after init"
        if gossip.keeps_mean and topology.sums == "both":
            assert np.allclose(x.mean(axis=0), mean, rtol=0, atol=1e-9), f"phase {t} moves the peers' mean"
    assert communicator.messages > 0, "no message was counted"


def check_compressor(compressor: Compressor, dim: int = 50) -> None:
    """Check messages (their width, and that rows are compressed one by one) and the declared constants, by Monte Carlo.

    Args:
        compressor: what is checked.
        dim: length of the rows.
    """
    compressor.check(dim)
    x = np.random.default_rng(0).standard_normal((_PEERS, dim)).astype(np.float32)
    stream = RandomStream(0, "compress", 0, 0, range(_PEERS))
    messages = compressor.encode(x, stream)
    assert messages.shape == (_PEERS, compressor.width(dim, x.dtype)), "messages are not as wide as width says"
    decoded = compressor.decode(messages, dim, x.dtype, stream)
    one = slice(2, 3)
    alone = compressor.encode(x[one], stream.part(one))
    assert np.array_equal(alone, messages[one]), "a row's message depends on other rows"
    assert np.array_equal(compressor.decode(alone, dim, x.dtype, stream.part(one)), decoded[one]), (
        "a decoded row depends on other messages"
    )
    row = x[:1].astype(np.float64)
    streams = [RandomStream(0, "compress", t, 0, range(1)) for t in range(_DRAWS)]
    decoded = [compressor.decode(compressor.encode(row, stream), dim, row.dtype, stream)[0] for stream in streams]
    error = np.array(decoded) - row
    norm, squares = float(row[0] @ row[0]), np.einsum("pd,pd->p", error, error)
    noise = 4 * squares.std() / _DRAWS**0.5
    delta, variance = compressor.delta(dim), compressor.variance(dim)
    if delta is not None:
        assert squares.mean() <= (1 - delta) * norm + noise + 1e-9, f"it does not contract by δ = {delta}"
    if variance is not None:
        assert squares.mean() <= variance * norm + noise + 1e-9, f"its variance is above ω = {variance}"
        bias = np.abs(error.mean(axis=0)) - 5 * error.std(axis=0) / _DRAWS**0.5
        assert bias.max() <= 1e-9, "it declares a variance, but is biased"


def check_objective(objective: Objective, peers: int = _PEERS) -> None:
    """Check that a problem repeats, that answers do not depend on the block, and that gradients are those of the loss.

    Args:
        objective: what is checked.
        peers: in the network.
    """
    json.dumps(describe(objective))
    whole, again = (objective.build(peers, range(peers), 0, np.float64) for _ in range(2))
    assert whole.start().shape == (whole.dim,), f"the start has shape {whole.start().shape}: it must be ({whole.dim},)"
    assert np.array_equal(whole.start(), again.start()), "a second build starts elsewhere"
    x = whole.start() + 0.1 * np.random.default_rng(0).standard_normal((peers, 2, whole.dim))
    stream = RandomStream(0, "minibatch", 0, 0, range(peers))
    batch = whole.minibatch(stream)
    losses = whole.losses(x, batch)
    assert losses.shape == (peers, 2), f"losses have shape {losses.shape}: it must be {(peers, 2)}"
    block = range(2, peers - 1)
    part = objective.build(peers, block, 0, np.float64)
    rows = slice(block.start, block.stop)
    block_losses = part.losses(x[rows], part.minibatch(stream.part(rows)))
    assert np.allclose(block_losses, losses[rows], rtol=1e-9), "a block's losses differ from those of all peers"
    metrics = whole.evaluate(x[:, 0])
    assert "loss" in metrics, "evaluate gives no loss"
    assert all(values.shape == (peers,) for values in metrics.values()), "evaluate must give one number a model"
    if whole.has_gradients:
        direction = np.random.default_rng(1).standard_normal((peers, whole.dim))
        step = 1e-6 * direction
        pair = np.stack([x[:, 0] + step, x[:, 0] - step], axis=1)
        differences = np.diff(whole.losses(pair, batch), axis=1)[:, 0] / -2e-6
        slopes = np.einsum("pd,pd->p", whole.gradients(x[:, 0], batch), direction)
        assert np.allclose(slopes, differences, rtol=1e-4, atol=1e-6), "gradients are not those of the losses"
