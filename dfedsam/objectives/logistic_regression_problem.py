"""The losses, gradients and conjugates of logistic regression, for a block of peers with examples of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.blackbox.base import cross_entropies
from dfedsam.objectives.base import ALL_ROWS, Problem, Rows
from dfedsam.peers import Peers
from dfedsam.random import RandomStream

_CLOSE = 1e-13  # Newton's decrement, squared, after which one more step ends at rounding


class Examples(NamedTuple):
    """Features (n, features), classes (n,), the classes' names, and the indices of each part of the examples."""

    features: NDArray
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    validation: NDArray[np.int64]


class LogisticRegressionProblem(Problem):
    """LogisticRegression on a block of peers.

    Args:
        data: all examples.
        shards: example indices of each peer of the network.
        block: the block's peers.
        dtype: type of x.
        l2: see LogisticRegression, as batch_size.
    """

    has_gradients = True
    gives_example_losses = True

    def __init__(
        self,
        data: Examples,
        shards: list[NDArray[np.int64]],
        block: Peers,
        dtype: DTypeLike,
        *,
        l2: float,
        batch_size: int,
    ) -> None:
        features = np.concatenate([data.features, np.ones((len(data.features), 1))], axis=1).astype(dtype)
        labels, block_shards = data.labels, [shards[i] for i in block]
        self._l2, self._batch_size, self._names = l2, batch_size, data.names
        self.has_conjugates = l2 > 0
        self.classes = int(labels.max()) + 1
        self._every_class = np.arange(self.classes)[:, None, None]
        self.dim = self.classes * features.shape[1]
        self._test = features[data.test], labels[data.test]
        self._validation = features[data.validation], labels[data.validation]
        self._most = max(map(len, shards))
        self._counts = np.array([len(part) for part in block_shards])
        self._first = np.cumsum(self._counts) - self._counts
        self._features = features[np.concatenate(block_shards)]
        self._labels = labels[np.concatenate(block_shards)]
        self._signed: NDArray | None = None  # ± half the features, for classes 1 and 0

    def start(self) -> NDArray:
        return np.zeros(self.dim, self._features.dtype)

    def sizes(self) -> NDArray[np.float64]:
        return self._counts.astype(np.float64)

    def example_indices(self, rows: Rows = ALL_ROWS) -> NDArray[np.int64]:
        place = np.arange(self._most)
        return np.where(place < self._counts[rows, None], self._first[rows, None] + place, -1)

    def flip_labels(self, rows: NDArray[np.intp]) -> None:
        for row in rows.tolist():
            examples = slice(self._first[row], self._first[row] + self._counts[row])
            self._labels[examples] = self.classes - 1 - self._labels[examples]
        self._signed = None

    def minibatch(self, stream: RandomStream, rows: Rows = ALL_ROWS) -> NDArray:
        """Example indices, drawn with replacement, shape (peers, batch_size)."""
        batch = stream.integers(self._counts[rows], self._batch_size)
        batch += self._first[rows, None]
        return batch

    def _logits(self, x: NDArray, features: NDArray) -> NDArray:
        """Scores (p, q, classes, batch) of x (p, q, dim) on features (p, batch, features + 1).

        Examples come last: sums over the few classes then run along whole rows of examples.
        """
        weights = x.reshape(*x.shape[:2], self.classes, -1)
        return np.matmul(weights, features.swapaxes(1, 2)[:, None])

    def losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        if batch.min(initial=0) < 0:
            return np.concatenate([self.losses(x[i : i + 1], one) for i, one in enumerate(_unpadded(batch))])
        losses = self._cross_entropies(x, batch).mean(axis=2)
        return losses + 0.5 * self._l2 * np.einsum("pqd,pqd->pq", x, x)

    def example_losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        penalty = 0.5 * self._l2 * np.einsum("pqd,pqd->pq", x, x)
        return self._cross_entropies(x, batch) + penalty[:, :, None]

    def _cross_entropies(self, x: NDArray, batch: NDArray) -> NDArray:
        logits = self._logits(x, self._features[batch])
        return cross_entropies(logits, self._labels[batch][:, None], axis=-2)

    def gradients(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        if batch.min(initial=0) < 0:
            return np.concatenate([self.gradients(x[i : i + 1], one) for i, one in enumerate(_unpadded(batch))])
        if self.classes == 2:
            return self._gradients_of_two_classes(x, batch)
        features, labels = self._features.take(batch, axis=0), self._labels.take(batch)
        by_class = np.empty((self.classes, *batch.shape), x.dtype)  # so that all peers' examples lie side by side
        residual = by_class.swapaxes(0, 1)
        np.matmul(x.reshape(len(x), self.classes, -1), features.swapaxes(1, 2), out=residual)
        _softmax(residual)
        by_class -= labels == self._every_class
        by_class /= batch.shape[1]
        gradients = np.matmul(residual, features).reshape(len(x), self.dim)
        gradients += self._l2 * x
        return gradients

    def _gradients_of_two_classes(self, x: NDArray, batch: NDArray) -> NDArray:
        """The loss of an example is log(1 + exp(−2 sᵀ(w₁ − w₀))), where s is ± half its features."""
        if self._signed is None:
            self._signed = self._features * (self._labels[:, None] - 0.5).astype(x.dtype)
        signed, width = self._signed.take(batch, axis=0), self._signed.shape[1]
        slopes = np.matmul(signed, (x[:, width:] - x[:, :width])[:, :, None])[:, :, 0]
        np.tanh(slopes, out=slopes)
        slopes -= 1
        slopes /= batch.shape[1]
        upwards = np.matmul(slopes[:, None], signed)[:, 0]
        gradients = np.concatenate([-upwards, upwards], axis=1)
        gradients += self._l2 * x
        return gradients

    def conjugate_gradients(
        self, y: NDArray, rows: Rows = ALL_ROWS, near: NDArray | None = None, stiffness: NDArray | float = 0.0
    ) -> NDArray:
        """By Newton's method in float64, with steps halved until they descend; each peer stops by itself."""
        x = np.zeros(y.shape) if near is None else near.astype(np.float64)
        known = self.example_indices(rows)
        features, labels = self._features[known].astype(np.float64), self._labels[known]
        weights = (known >= 0) / self._counts[rows, None]
        penalty = np.broadcast_to(self._l2 + stiffness, (len(x), 1))  # one more of the form ½ c ‖x‖²
        some = np.arange(len(x))
        for _ in range(100):
            tilted = _Tilted(features[some], labels[some], weights[some], y[some].astype(np.float64), penalty[some])
            step, decrement = tilted.newton_step(x[some], self.classes)
            x[some] += step * tilted.share_that_descends(x[some], step, decrement)[:, None]
            some = some[decrement > _CLOSE]
            if not some.size:
                break
        return x.astype(y.dtype)

    def full_gradients(self, x: NDArray) -> NDArray:
        shards = [first + np.arange(count) for first, count in zip(self._first, self._counts, strict=True)]
        return np.concatenate([self.gradients(x[None], examples[None]) for examples in shards])

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        """Held-out loss (with the penalty) and accuracy, each (k,), in float64; one model at a time."""
        return self._metrics(x, *self._test)

    def recalls(self, x: NDArray) -> dict[str, float]:
        features, labels = self._test
        hits = self._logits(x[None, None], features[None])[0, 0].argmax(axis=0) == labels
        return {self._names[c]: float(hits[labels == c].mean()) for c in np.unique(labels)}

    def validate(self, x: NDArray) -> dict[str, NDArray]:
        return self._metrics(x, *self._validation) if len(self._validation[1]) else {}

    def _metrics(self, x: NDArray, features: NDArray, labels: NDArray[np.int64]) -> dict[str, NDArray]:
        loss, accuracy = np.empty(len(x)), np.empty(len(x))
        for i, row in enumerate(x):
            logits = self._logits(row[None, None], features[None])[0, 0]
            loss[i] = cross_entropies(logits, labels, axis=-2).mean(dtype=np.float64)
            loss[i] += 0.5 * self._l2 * float(row.astype(np.float64) @ row.astype(np.float64))
            accuracy[i] = (logits.argmax(axis=0) == labels).mean()
        return {"loss": loss, "accuracy": accuracy}


class _Tilted(NamedTuple):
    """f_i(x) − y_iᵀx of p peers: features (p, m, F), labels and weights (p, m), y (p, dim), penalty (p, 1); float64."""

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    y: NDArray[np.float64]
    penalty: NDArray[np.float64]

    def logits(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.matmul(x.reshape(len(x), -1, self.features.shape[2]), self.features.swapaxes(1, 2))

    def value(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        losses = cross_entropies(self.logits(x), self.labels, axis=-2)
        return (self.weights * losses).sum(axis=1) + ((0.5 * self.penalty * x - self.y) * x).sum(axis=1)

    def newton_step(self, x: NDArray[np.float64], classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """−H⁻¹g (p, dim), and Newton's decrement gᵀH⁻¹g (p,)."""
        shares = _softmax(self.logits(x))
        residual = self.weights[:, None] * (shares - (self.labels[:, None] == np.arange(classes)[:, None]))
        g = np.matmul(residual, self.features).reshape(x.shape) + self.penalty * x - self.y
        width = self.features.shape[2]
        hessian = np.empty((len(x), classes, width, classes, width))
        for a in range(classes):
            for b in range(a + 1):
                curvature = self.weights * shares[:, a] * ((a == b) - shares[:, b])
                block = np.matmul((curvature[:, :, None] * self.features).swapaxes(1, 2), self.features)
                hessian[:, a, :, b], hessian[:, b, :, a] = block, block
        hessian = hessian.reshape(len(x), x.shape[1], x.shape[1])
        hessian += self.penalty[:, :, None] * np.eye(x.shape[1])
        step = -np.linalg.solve(hessian, g[:, :, None])[:, :, 0]
        return step, -(g * step).sum(axis=1)

    def share_that_descends(
        self, x: NDArray[np.float64], step: NDArray[np.float64], decrement: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Of each step, shape (p,): 1, ½, ¼, …, until a quarter of the decrease that the slope promises is reached."""
        before, share = self.value(x), np.ones(len(x))
        for _ in range(40):
            short = self.value(x + share[:, None] * step) > before - 0.25 * share * decrement
            short &= decrement > _CLOSE
            if not short.any():
                break
            share[short] /= 2
        return share


def _unpadded(batch: NDArray) -> list[NDArray]:
    """Each peer's own examples (1, b), of minibatches padded with −1: each by itself, for the same bits as alone."""
    return [row[row >= 0][None] for row in batch]


def _softmax(logits: NDArray) -> NDArray:
    """Over the classes of logits (…, classes, examples), in their memory; class by class, for they are few."""
    logits -= _over_classes(np.maximum, logits)
    np.exp(logits, out=logits)
    logits /= _over_classes(np.add, logits)
    return logits


def _over_classes(function: np.ufunc, logits: NDArray) -> NDArray:
    """`function.reduce` over the classes, shape (…, 1, examples), in its order; it is slow across rows."""
    if logits.shape[-1] == 1:  # it sums them in another order
        return function.reduce(np.ascontiguousarray(logits), axis=-2, keepdims=True)
    total = logits[..., :1, :].copy()
    for c in range(1, logits.shape[-2]):
        function(total, logits[..., c : c + 1, :], out=total)
    return total
