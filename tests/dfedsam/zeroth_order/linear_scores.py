"""An objective with class scores in closed form: they are linear in x, so that their Jacobian is the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.special import log_softmax, softmax

from dfedsam.objectives.base import ALL_ROWS, Objective, Problem
from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class LinearScores(Objective):
    """Softmax regression where peer i's scores are A_i x, A_i normal."""

    dim: int = 12
    examples: int = 5
    classes: int = 3

    def build(self, peers, block, seed, dtype):
        return LinearScoresProblem(self, peers, block, seed, dtype)


class LinearScoresProblem(Problem):
    has_gradients = True

    def __init__(self, options, peers, block, seed, dtype):
        self.dim, self.classes, self.num_scores = options.dim, options.classes, options.examples * options.classes
        self.all = RandomStream(seed, "data", 0, 0, range(peers)).normal((self.num_scores, self.dim), dtype)
        self.all_labels = RandomStream(seed, "labels", 0, 0, range(peers)).integers(
            np.full(peers, self.classes), options.examples
        )
        self.jacobian, self.labels = self.all[list(block)], self.all_labels[list(block)]

    def start(self) -> NDArray:
        return np.zeros(self.dim)

    def minibatch(self, stream, rows=ALL_ROWS):
        return self.labels[rows]

    def scores(self, x, batch, rows=ALL_ROWS):
        return np.matmul(x, self.jacobian[rows].swapaxes(1, 2))

    def losses(self, x, batch, rows=ALL_ROWS):
        return self._losses(self.scores(x, batch, rows), batch)

    def _losses(self, scores, batch):
        logs = log_softmax(self._by_example(scores), axis=-1)
        own = np.take_along_axis(logs, np.broadcast_to(batch[:, None, :, None], (*logs.shape[:3], 1)), axis=-1)
        return -own[..., 0].mean(axis=2)

    def score_gradient(self, scores, batch, rows=ALL_ROWS):
        chances = softmax(self._by_example(scores), axis=-1)
        return ((chances - np.eye(self.classes, dtype=scores.dtype)[batch]) / batch.shape[1]).reshape(scores.shape)

    def score_curvature(self, jacobian, batch):
        """Of the bound (I − 11ᵀ/C)/2 (Böhning, 1992)."""
        basis = helmert(self.classes) * np.sqrt(0.5 / len(batch))
        by_example = jacobian.reshape(len(batch), self.classes, self.dim)
        return np.matmul(basis, by_example).reshape(-1, self.dim).astype(jacobian.dtype)

    def gradients(self, x, batch, rows=ALL_ROWS):
        slopes = self.score_gradient(self.scores(x[:, None], batch, rows)[:, 0], batch)
        return np.matmul(slopes[:, None], self.jacobian[rows])[:, 0]

    def evaluate(self, x):
        """Of all peers' data, one model at a time."""
        losses = [self._losses(np.matmul(self.all, one)[:, None], self.all_labels).mean() for one in x]
        return {"loss": np.array(losses)}

    def _by_example(self, scores):
        return scores.reshape(*scores.shape[:-1], -1, self.classes)
