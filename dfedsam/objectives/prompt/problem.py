"""A prompt-tuning problem in memory: split data and a black box, for one block of peers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.special import softmax

from dfedsam.blackbox.base import Bill, BlackBox, cross_entropies, mean_over_examples, score_metrics
from dfedsam.errors import BudgetExceeded
from dfedsam.objectives.base import ALL_ROWS, Problem, Rows
from dfedsam.objectives.prompt.parameters import PromptMap
from dfedsam.peers import Peers
from dfedsam.phases import track
from dfedsam.random import RandomStream, generator
from dfedsam.whole_files import write_atomic, write_tensors

Answer = TypeVar("Answer")
_LEAST = 1e-6  # of a loss that another is divided by
_PROMPT_BYTES = 1 << 26  # of an evaluation's prompts, where each example has its own, that are made at a time
_LR, _STEPS, _TEXT_STEPS, _TEXT_BATCH = 0.01, 150, 40, 32  # of the first-order reference; a text is two passes


class PromptProblem(Problem):
    """The problem that `PromptTuning.build` returns.

    Examples are identified by their index among all texts: training examples first, then held-out ones, those for
    validation and, if losses are divided by those on perturbed texts, the perturbed training texts. Minibatches shorter
    than the longest are padded with −1 at the end.

    Args:
        black_box: the black box.
        prompt_map: the map from a vector to the prompt.
        labels: classes of the training, held-out and validation examples, shape (n,).
        counts: how many of these are for training, and held out.
        shards: for each peer of the network the indices of its training examples.
        block: the peers of this process.
        classes: number of classes.
        batch_size: examples in a minibatch; 0: all of the peer's.
        perturbed: whether losses are divided by those on perturbed texts.
        by_peer: whether each peer's prompts are computed separately, so that no bit depends on other peers.
        weighs_examples: whether a peer's losses are multiplied by its number of examples over the peers' mean number.
        card: metadata saved with the prompt.
        seed: the run's seed.
        dtype: type of x.
    """

    chunk_bytes = 1 << 28  # whole blocks go to the model, which cuts its own batches

    def __init__(
        self,
        black_box: BlackBox,
        prompt_map: PromptMap,
        labels: NDArray[np.int64],
        counts: tuple[int, int],
        shards: list[NDArray],
        block: Peers,
        *,
        classes: int,
        batch_size: int,
        perturbed: bool,
        by_peer: bool,
        weighs_examples: bool,
        card: dict[str, str],
        seed: int,
        dtype: np.dtype,
    ) -> None:
        self.black_box, self.map, self.labels, self.shards = black_box, prompt_map, labels, shards
        self.train, self.test, self.validation = np.split(np.arange(len(labels)), np.cumsum(counts))
        self.card, self.seed, self.dtype = card, seed, dtype
        self._classes, self._batch_size, self._perturbed, self._by_peer = classes, batch_size, perturbed, by_peer
        self._shards = [shards[peer] for peer in block]
        self._widest = max(map(len, shards))
        self._weights = self.sizes() / np.mean([len(one) for one in shards]) if weighs_examples else None
        self.dim, self.categorical = prompt_map.dim, prompt_map.categorical
        self.queries_per_loss = 2 if perturbed else 1
        steady = black_box.gives_scores and not (batch_size or perturbed or self.categorical or prompt_map.per_example)
        self.num_scores = self._widest * classes if steady else 0
        self.has_budget, self.gives_example_losses = black_box.has_budget, black_box.gives_scores
        self.has_gradients = black_box.gives_gradients and prompt_map.has_gradients and not perturbed

    def start(self) -> NDArray:
        return self.map.start().astype(self.dtype)

    def example_indices(self, rows: Rows = ALL_ROWS) -> NDArray[np.int64]:
        peers = self._shards[rows]
        examples = np.full((len(peers), self._widest), -1, dtype=np.int64)
        for row, shard in zip(examples, peers, strict=True):
            row[: len(shard)] = shard
        return examples

    def flip_labels(self, rows: NDArray[np.intp]) -> None:
        self.labels = self.labels.copy()
        for row in rows.tolist():
            shard = self._shards[row]
            self.labels[shard] = self._classes - 1 - self.labels[shard]

    def minibatch(self, stream: RandomStream, rows: Rows = ALL_ROWS) -> NDArray:
        """Indices of each peer's examples, drawn without replacement, shape (p, b)."""
        peers = self._shards[rows]
        size = min(self._batch_size or self._widest, self._widest)
        batch = np.full((len(peers), size), -1, dtype=np.int64)
        keys = stream.uniform((self._widest,)) if size < self._widest else None
        for i, (row, shard) in enumerate(zip(batch, peers, strict=True)):
            chosen = shard if keys is None else shard[np.argsort(keys[i, : len(shard)], kind="stable")[:size]]
            row[: len(chosen)] = chosen
        return batch

    def losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """See Problem.losses: mean cross-entropies, or the means of their ratios to those on perturbed texts."""

        def ask() -> NDArray:
            if self._perturbed or self.map.per_example:
                return mean_over_examples(self._example_losses(x, batch), batch)
            return self.black_box.losses(self._prompts(x), batch, self.labels[batch])

        return self._weighed(self._within_budget(ask, np.zeros(x.shape[:2])), rows).astype(x.dtype)

    def example_losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        def ask() -> NDArray:
            return self._example_losses(x, batch) * (batch >= 0)[:, None]

        losses = self._within_budget(ask, np.zeros((*x.shape[:2], batch.shape[1])))
        return self._weighed(losses, rows).astype(x.dtype)

    def _example_losses(self, x: NDArray, batch: NDArray) -> NDArray[np.float64]:
        """One loss for each example, shape (p, q, b), or its ratio to that on the perturbed text (Sun et al., 2024)."""
        labels = self.labels[batch]
        if not self._perturbed:
            return self._losses(x, batch, labels)
        both = np.concatenate([batch, np.where(batch < 0, -1, batch + len(self.labels))], axis=1)
        losses = self._losses(x, both, np.tile(labels, 2))
        plain, perturbed = np.split(losses, 2, axis=-1)
        return plain / np.maximum(perturbed, _LEAST)

    def _losses(self, x: NDArray, examples: NDArray, labels: NDArray) -> NDArray[np.float64]:
        """One loss for each example, shape (p, q, b)."""
        if not self.map.per_example:
            return self.black_box.losses(self._prompts(x), examples, labels, per_example=True)
        return cross_entropies(self._scores(x, examples).astype(np.float64), labels[:, None])

    def scores(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """See Problem.scores: those of an example after those of another, 0 where a peer has no more examples."""
        if not self.num_scores:
            return super().scores(x, batch, rows)
        empty = np.zeros((*x.shape[:2], batch.shape[1], self.num_scores // self._widest))
        scores = self._within_budget(lambda: self._scores(x, batch), empty)
        return scores.astype(x.dtype).reshape(*x.shape[:2], -1)

    def score_gradient(self, scores: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """See Problem.score_gradient: of the mean cross-entropy, the softmax less the label."""
        present = batch >= 0
        gradient = softmax(scores.reshape(*batch.shape, -1), axis=2)
        gradient -= self.labels[batch][:, :, None] == np.arange(gradient.shape[2])
        gradient *= (present / present.sum(axis=1, keepdims=True))[:, :, None]
        return self._weighed(gradient, rows).astype(scores.dtype, copy=False).reshape(scores.shape)

    def score_curvature(self, jacobian: NDArray, batch: NDArray) -> NDArray:
        """See Problem.score_curvature: (I − 11ᵀ/C)/2, over the number of examples (Böhning, 1992)."""
        present = int((batch >= 0).sum())  # the rest fills up
        basis = helmert(self._classes).astype(jacobian.dtype)  # of which BᵀB = I − 11ᵀ/C
        basis *= np.sqrt(0.5 / present)
        by_example = jacobian.reshape(len(batch), self._classes, -1)[:present]
        return np.matmul(basis, by_example).reshape(-1, jacobian.shape[1])

    def gradients(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        if not self.has_gradients:
            return super().gradients(x, batch, rows)
        _, gradients = self.black_box.gradients(self.map.prompts(x), batch, self.labels[batch])
        return self._weighed(self.map.pull_back(gradients), rows).astype(x.dtype)

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        return self._metrics(x, self.test)

    def gives_metric(self, name: str) -> bool:
        return super().gives_metric(name) and (name != "recall" or self.black_box.gives_scores)

    def recalls(self, x: NDArray) -> dict[str, float]:
        labels, words = self.labels[self.test], json.loads(self.card["words"])
        hits = self._scores(x[None, None], self.test[None], count=False)[0, 0].argmax(axis=-1) == labels
        return {words[c]: float(hits[labels == c].mean()) for c in np.unique(labels)}

    def validate(self, x: NDArray) -> dict[str, NDArray]:
        return self._metrics(x, self.validation) if len(self.validation) else {}

    def _metrics(self, x: NDArray, examples: NDArray) -> dict[str, NDArray]:
        if self.budget_exhausted:
            raise BudgetExceeded(self.budget_exhausted)
        labels = self.labels[examples]
        if not self.map.per_example:
            return self.black_box.metrics(self._prompts(x[:, None])[:, 0], examples, labels)
        return score_metrics(np.stack([self._scores_of_one(one, examples) for one in x]), labels)

    def sizes(self) -> NDArray[np.float64]:
        return np.array([len(shard) for shard in self._shards], np.float64)

    def references(self) -> dict[str, float]:
        """Zero-shot: no prompt at all. First order: Adam with exact gradients on the pooled training data."""
        metrics: dict[str, float] = {}
        scores = self._within_budget(lambda: self.black_box.zero_shot(self.test), None)
        if scores is not None:
            metrics["zero_shot_accuracy"] = float((scores.argmax(axis=-1) == self.labels[self.test]).mean())
        if not (self.black_box.gives_gradients and self.map.has_gradients):
            return metrics
        best = self.evaluate(self._first_order()[None])
        return metrics | {f"first_order_{name}": float(best[name][0]) for name in ("accuracy", "loss")}

    def _first_order(self) -> NDArray:
        """The first-order reference, a vector (dim,): Adam (Kingma and Ba, 2015) with a linearly falling learning rate.

        The rate is in units of the prompt's own numbers, so that a projection's scale does not matter.
        """
        import torch

        black_box, by_text = self.black_box, self.black_box.reads_texts
        steps = _TEXT_STEPS if by_text else _STEPS
        rng, x = generator(self.seed, "first-order reference"), torch.from_numpy(self.map.start().astype(np.float64))
        adam = torch.optim.Adam([x], lr=_LR * self.map.unit, eps=1e-12)
        falling = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / steps)
        for _ in track("first-order reference", range(steps)):
            batch = np.sort(rng.permutation(self.train)[:_TEXT_BATCH]) if by_text else self.train
            prompt = self.map.prompts(x.numpy().astype(self.dtype)[None])
            _, gradient = black_box.gradients(prompt, batch[None], self.labels[batch][None])
            x.grad = torch.from_numpy(self.map.pull_back(gradient)[0].astype(np.float64))
            adam.step()
            falling.step()
        return x.numpy().astype(self.dtype)

    def preflight(self) -> None:
        self.black_box.preflight(self.black_box.prompt if self.map.per_example else self.map.prompts(self.start()))

    def rehearse(self) -> Bill:
        bill = Bill()
        self.black_box.rehearse(bill)
        return bill

    def counts(self) -> dict[str, int]:
        usage = self.black_box.usage
        counts = {"examples": usage.examples, "tokens": usage.tokens}
        return counts if usage.unmatched is None else counts | {"unmatched_answers": usage.unmatched}

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the mean vector's prompt, by default the soft prompt (tokens, width), with metadata."""
        mean, card = mean.astype(self.dtype), self.map.card(self.card | self.black_box.model_card())
        text = self.map.text(mean)
        if text is not None:
            card["text"] = text
            write_atomic(path.with_suffix(".txt"), text + "\n")
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.map.tensors(mean).items()}
        write_tensors(path, tensors, card)

    def _within_budget(self, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
        """The result of `ask`, or `otherwise` once the budget is exhausted; no further query is sent then."""
        if self.budget_exhausted:
            return otherwise
        try:
            return ask()
        except BudgetExceeded as error:
            self.budget_exhausted = str(error)
            return otherwise

    def _weighed(self, values: NDArray, rows: Rows) -> NDArray:
        """Losses or their derivatives (p, …), multiplied by the peers' weights."""
        if self._weights is None:
            return values
        return values * self._weights[rows].reshape(-1, *[1] * (values.ndim - 1))

    def _prompts(self, x: NDArray) -> NDArray:
        """Prompts of candidates (p, q, dim): soft (p, q, tokens, width), or text (p, q, tokens)."""
        if self._by_peer:  # the rounding of a row in a matrix product may depend on other rows
            return np.concatenate([self.map.prompts(row[None]) for row in x])
        return self.map.prompts(x)

    def _scores(self, x: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        """Class scores (p, q, b, classes) of candidates (p, q, dim) on examples (p, b), padded with −1.

        A query is one candidate on one minibatch, however many prompts it has there: if each example has its own
        prompt, the black box gets every example as a separate peer.
        """
        if not self.map.per_example:
            return self.black_box.scores(self._prompts(x), examples, count=count)
        mask = examples >= 0
        prompts = self.map.prompts_for(x, np.maximum(examples, 0)[:, None])
        alone = self.black_box.scores(prompts.swapaxes(1, 2)[mask], examples[mask][:, None], count=count)[:, :, 0]
        scores = np.zeros((*examples.shape, *alone.shape[1:]), alone.dtype)
        scores[mask] = alone
        return scores.swapaxes(1, 2)

    def _scores_of_one(self, x: NDArray, examples: NDArray) -> NDArray:
        """Class scores (b, classes) of one vector (dim,) on examples (b,), if each has its own prompt."""
        most = max(1, _PROMPT_BYTES // self.black_box.prompt.nbytes)
        chunks = np.split(examples, range(most, len(examples), most))
        return np.concatenate([self._scores(x[None, None], chunk[None], count=False)[0, 0] for chunk in chunks])
