"""The loop over rounds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from dfedsam.callbacks.base import Callback, Run
from dfedsam.callbacks.evaluation import Evaluation
from dfedsam.callbacks.files import Checkpoints, Files, Out, open_folder, restore
from dfedsam.callbacks.rounds import AbsentPeers, Budget, Joins, Ledger, Timing, Watch
from dfedsam.communication.base import Communicator
from dfedsam.context import QueryCounter, RoundContext, Server
from dfedsam.errors import OptionError, RunError, options_within
from dfedsam.experiment import DType, Experiment, Metric
from dfedsam.machine import total_memory
from dfedsam.objectives.base import ALL_ROWS, Problem
from dfedsam.peers import format_peers
from dfedsam.random import RandomStream
from dfedsam.registry import public_name
from dfedsam.result import Result
from dfedsam.rows import short_buffers

if TYPE_CHECKING:
    import networkx as nx

    from dfedsam.adversary import Adversary
    from dfedsam.algorithms import Algorithm
    from dfedsam.clock import AsynchronousTime, Clock
    from dfedsam.objectives import Objective
    from dfedsam.privacy import Privacy
    from dfedsam.topologies import Topology
    from dfedsam.topologies.placement import Placement

_METRIC_NEEDS = {"gradient_norm": "exact gradients", "recall": "classes, and scores for them"}


@short_buffers()
def run(
    experiment: Experiment,
    *,
    out: Out | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    communicator: Communicator | None = None,
) -> Result:
    """Run an experiment.

    Args:
        experiment: the experiment.
        out: the run's folder, which must not exist yet; None writes nothing.
        resume: continue from the checkpoint in `out` instead of starting.
        callbacks: further callbacks, such as `Progress()`.
        communicator: the partition of peers over ranks; by default `experiment.connect()`.

    Raises:
        OptionError: for bad input, before anything is written.
        FileError: for a folder that is damaged, or in use.
        OSError: if the folder cannot be written; its last checkpoint is kept.
        RunError: if the run cannot continue; its last checkpoint is kept.
    """
    communicator = communicator or experiment.connect()
    with ExitStack() as stack:
        for callback in callbacks:
            stack.callback(callback.close)
            callback.prepare(communicator)
        run = begin(experiment, communicator)
        run.folder = stack.enter_context(open_folder(out, communicator, resume=resume))
        if resume and run.folder is not None:
            restore(run, run.folder)
        files = [] if run.folder is None else [Files(run.folder)]
        saves = [] if run.folder is None else [Checkpoints(run.folder)]
        first = [Budget(), Joins(), AbsentPeers(), Timing(), Ledger(), Evaluation(), Watch()]
        every = [*first, *files, *callbacks, *saves]
        run.callbacks = every
        for callback in every:
            if callback not in callbacks:
                stack.callback(callback.close)
            callback.on_start(run)
        if not run.rows:
            _after_round(run, every)
        while not (run.stopped or run.over) and run.round < experiment.rounds:
            for callback in every:
                callback.before_round(run)
            execute_round(run)
            _after_round(run, every)
        for callback in every:
            callback.on_end(run)
        rows = communicator.broadcast(run.rows)
        return Result(experiment, rows, run.x, run.peer_metrics, run.stopped, run.folder and run.folder.path)


def begin(experiment: Experiment, communicator: Communicator, problem: Problem | None = None) -> Run:
    """The run before its first round: all peers at the objective's common start.

    The problem is the objective with the block's data; None: it is built.
    """
    block = communicator.block
    if problem is None:
        with options_within("objective"):
            problem = experiment.objective.build(experiment.topology.n, block, experiment.seed, experiment.dtype)
        problem.preflight()
    experiment.algorithm.check_problem(problem)
    for metric in experiment.metrics:
        if not problem.gives_metric(metric):
            rule = f"needs an objective with {_METRIC_NEEDS[metric]}"
            raise OptionError("metrics", metric, rule, "leave it out, or choose logistic_regression")
    _check_memory(experiment, problem.dim, len(block))
    if experiment.privacy is not None:
        experiment.privacy.check_problem(problem)
    x = np.tile(problem.start().astype(experiment.dtype), (len(block), 1))
    with np.errstate(over="ignore", invalid="ignore"):
        state = experiment.algorithm.init(x, problem)
    run = Run(experiment, communicator, problem, QueryCounter.zero(len(block)), state)
    if experiment.attackers is not None:
        run.honest = ~experiment.attackers.mask
        if experiment.attackers.adversary.flips_labels:
            problem.flip_labels(np.flatnonzero(~run.honest[np.asarray(block)]))
    return run


def _check_memory(experiment: Experiment, dim: int, peers: int) -> None:
    """Raise OptionError if the state of this process's peers cannot fit into memory."""
    takes = experiment.algorithm.state_size(dim) * peers * np.dtype(experiment.dtype).itemsize
    if takes > total_memory():
        rule = (
            f"must fit into memory, but its state takes at least {takes / 1e9:,.0f} GB of {total_memory() / 1e9:,.0f} "
            f"for {peers} peers with {dim:,} numbers each"
        )
        hint = "choose fewer peers, more machines, or less memory for each, such as the covariance diagonal"
        raise OptionError("algorithm", public_name(experiment.algorithm), rule, hint)


def execute_round(run: Run) -> None:
    """Execute the next round. Raises RunError if that fails."""
    experiment, communicator = run.experiment, run.communicator
    stream = RandomStream(experiment.seed, "", run.round, 0, communicator.block)
    weights = run.weights
    server = Server(communicator, run.before_gossip, run.participants) if experiment.algorithm.uses_server else None
    privacy = experiment.privacy
    context = RoundContext(
        run.round, run.problem, stream, run.counter, communicator, weights, run.before_gossip, ALL_ROWS, run.cosines,
        run.participants, server, experiment.attackers, privacy, None if privacy is None else run.x.copy(),
        cast("AsynchronousTime", run.clock) if experiment.algorithm.wakes else None,
    )  # fmt: skip
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found, and said in one line
            run.state = experiment.algorithm.round(run.state, context)
    except (RunError, ValueError):
        raise
    except ArithmeticError as error:  # of options far out of scale: no fault of the program
        reason = f"a number is out of range ({error.args[-1]}); an option is far too large or too small"
        raise RunError(reason, round=run.round, peers=format_peers(communicator.block)) from None
    except Exception as error:
        peers = format_peers(communicator.block)
        raise RunError(f"{type(error).__name__}: {error}", round=run.round, peers=peers) from error
    run.round += 1


def _after_round(run: Run, callbacks: Sequence[Callback]) -> None:
    run.row = None
    for callback in callbacks:
        callback.after_round(run)
        if run.dropped:
            break


def _check_callbacks(callbacks: Sequence[object]) -> None:
    wrong = [type(callback).__name__ for callback in callbacks if not isinstance(callback, Callback)]
    if wrong:
        raise ValueError(f"callbacks must be a list of Callback objects, not of {wrong[0]}")


def simulate(
    *,
    objective: Objective | str,
    topology: Topology | nx.Graph | str,
    algorithm: Algorithm | str,
    peers: int | None = None,
    rounds: int = 100,
    seed: int = 0,
    dtype: DType = "float32",
    evaluate_every: int = 1,
    evaluate_local: bool = True,
    checkpoint_every: int = 10,
    cosine: bool = False,
    metrics: Sequence[Metric] = (),
    references: bool = False,
    placement: Placement = "contiguous",
    clock: Clock | None = None,
    adversary: Adversary | None = None,
    privacy: Privacy | None = None,
    until: float | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Run a simulation.

    Args:
        objective: the function to minimise, such as `Quadratic(dim=50)`, or its public name.
        topology: a networkx graph (which gets Metropolis weights), a topology such as `make("ring", 16)`, or a name.
        algorithm: the algorithm, such as `DFedSAM(rho=0.05)`, or its public name.
        peers: number of peers, at least 2; None: those of the topology, or 16 of one that is named.
        rounds: number of rounds, at least 0.
        seed: seed of all random numbers, at least 0.
        dtype: type of x.
        evaluate_every: rounds between evaluations.
        evaluate_local: also evaluate each peer's own model.
        checkpoint_every: rounds between checkpoints.
        cosine: record the mean cosine of the estimates with the exact gradients.
        metrics: further metrics of the mean model: "gradient_norm", "distance", "regret", "recall", "trace".
        references: also compute the objective's reference metrics.
        placement: which MPI rank owns which peers.
        adversary: which peers attack, such as `ALIE(peers=3)`.
        privacy: noise on what peers release, such as `Gaussian(epsilon=3)`.
        clock: simulated time, such as `Clock(compute=Exponential(mean=0.1))`.
        until: simulated seconds after which the run ends.
        out: the run's folder, which must not exist yet; without it nothing is written.
        resume: continue from the checkpoint in `out`.
        callbacks: further callbacks; without any, a notebook shows a bar, which is `Progress()` elsewhere.

    Returns:
        Its `metrics` are a pandas DataFrame, one row per evaluation.

    Raises:
        OptionError: for bad input, before anything is written.
        RunError: if the run cannot continue; its last checkpoint is kept.

    Example:
        >>> from dfedsam import DFedSAM, Quadratic, make, simulate
        >>> result = simulate(objective=Quadratic(dim=5), topology=make("ring", 8), algorithm=DFedSAM(), rounds=3)
        >>> list(result.metrics["round"])
        [0, 1, 2, 3]
        >>> result.x.shape
        (8, 5)
    """
    from dfedsam.callbacks.progress import Progress, in_notebook
    from dfedsam.registry import find
    from dfedsam.topologies import make

    if not callbacks and in_notebook():
        callbacks = [Progress()]

    _check_callbacks(callbacks)
    named = isinstance(topology, str)
    experiment = Experiment(
        objective=find("objective", objective)() if isinstance(objective, str) else objective,
        topology=make(topology, 16 if named and peers is None else peers, seed),
        algorithm=find("algorithm", algorithm)() if isinstance(algorithm, str) else algorithm,
        rounds=rounds,
        seed=seed,
        dtype=dtype,
        evaluate_every=evaluate_every,
        evaluate_local=evaluate_local,
        checkpoint_every=checkpoint_every,
        cosine=cosine,
        metrics=cast(tuple[Metric, ...], (metrics,) if isinstance(metrics, str) else tuple(metrics)),
        references=references,
        placement=placement,
        clock=clock,
        adversary=adversary,
        privacy=privacy,
        until=until,
    )
    return run(experiment, out=out, resume=resume, callbacks=callbacks)
