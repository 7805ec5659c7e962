"""Metrics that a run records on request: they cost more, or need an objective that knows more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dfedsam.callbacks.base import Run
from dfedsam.random import generator
from dfedsam.run_folder import Row

_DIRECTIONS = 32  # of Hutchinson's estimate
_STEP = 0.02  # along them, per coordinate
Evaluate = Callable[[NDArray], dict[str, NDArray]]


def more_metrics(run: Run, mean: NDArray, mean_of: Callable[[NDArray], NDArray], evaluate: Evaluate) -> Row:
    """The metrics that the experiment requests, the same on every rank.

    Args:
        run: the run.
        mean: the mean model, shape (dim,).
        mean_of: the mean (dim,) over the recorded peers, of the block's rows (peers, dim).
        evaluate: the metrics of models (k, dim), each (k,), on the root; empty elsewhere.
    """
    row, asked, communicator = Row(), run.experiment.metrics, run.communicator
    if "gradient_norm" in asked and (gradients := run.problem.full_gradients(mean)) is not None:
        gradients = np.broadcast_to(gradients, (len(communicator.block), len(mean)))
        row["gradient_norm"] = float(np.linalg.norm(mean_of(gradients)))
    on_root = {}
    if communicator.is_root and {"distance", "regret"} & set(asked):
        solution = run.experiment.solution
        on_root["distance"] = float(np.linalg.norm(mean.astype(np.float64) - solution.x))
        on_root["regret"] = solution.loss(mean.astype(np.float64)) - solution.loss(solution.x)
    if communicator.is_root and "recall" in asked:
        on_root |= {f"recall_{name}": value for name, value in run.problem.recalls(mean).items()}
    if "trace" in asked:
        v = 1.0 - 2 * generator(run.experiment.seed, "trace").integers(0, 2, (_DIRECTIONS, len(mean)))
        steps = (_STEP * np.concatenate([0 * v[:1], v, -v])).astype(mean.dtype)
        losses = evaluate(mean + steps).get("loss", np.zeros(1))
        on_root["trace"] = float((losses[1:].sum() / _DIRECTIONS - 2 * losses[0]) / _STEP**2)
    known = communicator.broadcast(on_root)
    return row | {name: value for name, value in known.items() if name in asked or name.startswith("recall_")}
