"""The recorder's metrics: exact network-wide means that no peer of a decentralised run could see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.callbacks.base import Callback, Run
from dfedsam.communication.base import Communicator
from dfedsam.errors import BudgetExceeded, RunError
from dfedsam.phases import report
from dfedsam.random import generator
from dfedsam.run_folder import Row

_CHUNK = 256  # rows whose distance to the mean is computed at a time, in float64
_DIRECTIONS = 32  # of Hutchinson's estimate
_STEP = 0.02  # along them, per coordinate


def consensus_distance(x: NDArray, communicator: Communicator, recorded: NDArray[np.bool_] | None = None) -> float:
    """Ξ² = (1/n) Σ ‖x_i − x̄‖² over all peers, from the block's rows x (peers, dim); the same bits for every split.

    Only over those of the mask `recorded`, shape (n,), if it is given.
    """
    mean = _mean(x, communicator, recorded)
    squares = np.empty(len(x))
    for low in range(0, len(x), _CHUNK):
        difference = x[low : low + _CHUNK] - mean
        squares[low : low + _CHUNK] = np.einsum("pd,pd->p", difference, difference)
    squares = communicator.gather(squares)
    return float((squares if recorded is None else squares[recorded]).mean())


def mean_model(x: NDArray, communicator: Communicator, recorded: NDArray[np.bool_] | None = None) -> NDArray:
    """The mean over all peers, or those of `recorded`, (dim,) of the block's rows x (peers, dim), in their type."""
    return _mean(x, communicator, recorded).astype(x.dtype)


def _mean(x: NDArray, communicator: Communicator, recorded: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    if recorded is None:
        return communicator.total(x) / communicator.peers
    return communicator.total(np.where(recorded[np.asarray(communicator.block), None], x, 0)) / recorded.sum()


def total_counts(run: Run) -> dict[str, int]:
    """The problem's own counts, such as examples and tokens, over all ranks and with those before a resume."""
    totals = {}
    for name, value in run.problem.counts().items():
        rows = np.zeros(len(run.communicator.block), np.int64)
        rows[0] = value
        totals[name] = int(run.communicator.gather(rows).sum()) + run.earlier_counts.get(name, 0)
    return totals


class Evaluation(Callback):
    """Adds a row of metrics to the run, at the start and then every few rounds."""

    def __init__(self) -> None:
        self._before: float | None = None

    def before_round(self, run: Run) -> None:
        experiment = run.experiment
        due = experiment.is_evaluated(run.round + 1)
        self._before = None
        run.before_gossip = self._observer(run) if due else _ignore
        run.cosines = [] if due and experiment.cosine and run.problem.has_gradients else None

    def after_round(self, run: Run) -> None:
        """Evaluate; if the budget does not cover it, the run ends with the previous checkpoint.

        Raises:
            RunError: if the loss of the mean model is not finite, or the budget does not cover the first evaluation.
        """
        if not (run.over or run.experiment.is_evaluated(run.round)):
            return
        try:
            report(f"evaluating after round {run.round}")
            metrics = self.metrics_of(run)
            report("")
        except BudgetExceeded as error:
            if run.round == 0:
                raise RunError(f"the budget does not cover the initial evaluation: {error}; raise it") from None
            run.stop(str(error), drop=True)
            return
        known = {name: value if np.isfinite(value) else None for name, value in metrics.items()}  # JSON has no infinity
        run.row = {"round": run.round, **known, "seconds": run.seconds}
        run.rows.append(run.row)

    def _observer(self, run: Run) -> Callable[[NDArray], None]:
        def observe(x: NDArray) -> None:
            if self._before is None:  # an algorithm may gossip other vectors after x
                self._before = consensus_distance(x, run.communicator, run.recorded)

        return observe

    def metrics_of(self, run: Run) -> Row:
        """All metrics; the same on every rank."""
        communicator, n, x = run.communicator, run.communicator.peers, run.x
        row: Row = {"queries": float(communicator.gather(run.counter.queries).mean()), "bytes": communicator.bytes / n}
        mean = mean_model(x, communicator, run.recorded)
        metrics = _evaluate(run, mean[None], root=True)
        row |= communicator.broadcast({name: float(value[0]) for name, value in metrics.items()})
        if not np.isfinite(row["loss"]):
            raise RunError(
                "the loss of the mean model is not finite; a lower lr or sigma usually helps", phase="evaluation"
            )
        if run.experiment.evaluate_local:
            run.peer_metrics = {name: communicator.gather(value) for name, value in _evaluate(run, x).items()}
            recorded = slice(None) if run.recorded is None else run.recorded
            row |= _local({name: values[recorded] for name, values in run.peer_metrics.items()})
        row["consensus_distance"] = consensus_distance(x, communicator, run.recorded)
        row["consensus_distance_before_gossip"] = row["consensus_distance"] if self._before is None else self._before
        row |= _more_metrics(run, mean) | _cosine(run)
        gradients = float(communicator.gather(run.counter.gradients).mean())
        row |= {"gradients": gradients} if gradients else {}
        row |= {name: value / n for name, value in total_counts(run).items()}
        counts = run.experiment.algorithm.peer_counts(run.state)
        row |= {name: float(communicator.gather(values).mean()) for name, values in counts.items()}
        for callback in run.callbacks:
            row |= callback.metrics(run)
        return row | run.experiment.algorithm.metrics(run.state)


def _evaluate(run: Run, x: NDArray, *, root: bool = False) -> dict[str, NDArray]:
    """Evaluate models (k, dim), only on the root if `root`; raise BudgetExceeded on all ranks if one does."""
    exceeded, metrics = None, {}
    if run.communicator.is_root or not root:
        try:
            metrics = run.problem.evaluate(x)
            metrics |= {f"validation_{name}": values for name, values in run.problem.validate(x).items()}
        except BudgetExceeded as error:
            exceeded = str(error)
    exceeded = run.communicator.first(exceeded)
    if exceeded is not None:
        raise BudgetExceeded(exceeded)
    return metrics


def _local(metrics: dict[str, NDArray]) -> dict[str, float]:
    names = [name for name in metrics if name.removeprefix("validation_") in ("loss", "accuracy")]
    row = {f"{name}_local": float(metrics[name].mean()) for name in names}
    return row | {f"{name}_worst": float(metrics[name].min()) for name in names if name.endswith("accuracy")}


def _cosine(run: Run) -> dict[str, Any]:
    """The mean cosine over the peers that estimated; absent peers did not."""
    if run.cosines is None:  # the same on every rank, unlike an empty list, where nobody of a rank estimated
        return {}
    peers = len(run.communicator.block)
    sums, counts = np.zeros(peers), np.zeros(peers)
    for rows, values in run.cosines:
        sums[rows] += values
        counts[rows] += 1
    participated = run.communicator.gather(counts) > 0
    if run.recorded is not None:
        participated &= run.recorded
    if not participated.any():
        return {}
    means = run.communicator.gather(sums / np.maximum(counts, 1))
    return {"cosine": float(means[participated].mean())}


def _ignore(x: NDArray) -> None:
    """Observer of x before gossip in rounds that are not evaluated."""


def _more_metrics(run: Run, mean: NDArray) -> Row:
    """The metrics of the mean model (dim,) that the experiment requests: they cost more, or need more of a problem."""
    row, names, communicator = Row(), run.experiment.metrics, run.communicator
    if "gradient_norm" in names and (gradients := run.problem.full_gradients(mean)) is not None:
        gradients = np.broadcast_to(gradients, (len(communicator.block), len(mean)))
        row["gradient_norm"] = float(np.linalg.norm(_mean(gradients, communicator, run.recorded)))
    on_root = {}
    if communicator.is_root and {"distance", "regret"} & set(names):
        solution = run.experiment.solution
        on_root["distance"] = float(np.linalg.norm(mean.astype(np.float64) - solution.x))
        on_root["regret"] = solution.loss(mean.astype(np.float64)) - solution.loss(solution.x)
    if communicator.is_root and "recall" in names:
        on_root |= {f"recall_{name}": value for name, value in run.problem.recalls(mean).items()}
    if "trace" in names:
        v = 1.0 - 2 * generator(run.experiment.seed, "trace").integers(0, 2, (_DIRECTIONS, len(mean)))
        steps = (_STEP * np.concatenate([0 * v[:1], v, -v])).astype(mean.dtype)
        losses = _evaluate(run, mean + steps, root=True).get("loss", np.zeros(1))
        on_root["trace"] = float((losses[1:].sum() / _DIRECTIONS - 2 * losses[0]) / _STEP**2)
    known = communicator.broadcast(on_root)
    return row | {name: value for name, value in known.items() if name in names or name.startswith("recall_")}
