"""A prompt-tuning problem in memory: data, split and black box, for one block of peers."""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.special import softmax

from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.examples import Examples
from dfedsam.data.perturb import perturbed
from dfedsam.objectives import against_perturbed, prompt_references
from dfedsam.objectives.base import ALL_ROWS, Problem
from dfedsam.peers import Peers
from dfedsam.random import RandomStream, generator

if TYPE_CHECKING:
    from dfedsam.objectives.prompt_tuning import PromptTuning


class PromptProblem(Problem):
    """What `PromptTuning.build` gives.

    Examples are called by their number among all texts, training examples first, then held-out ones, and, where losses
    are weighed against those on perturbed texts, the training examples' perturbed texts. A minibatch that is shorter
    than the widest is filled up with −1.

    Args:
        options: the objective.
        train: training examples.
        test: held-out examples.
        words: one word or phrase a class.
        parts: for each peer of the network the numbers of its training examples.
        block: the peers played here.
        seed: the run's seed.
        dtype: type of x.
    """

    part_bytes = 1 << 28  # whole blocks go to the model, which cuts its own batches

    def __init__(
        self,
        options: "PromptTuning",
        train: Examples,
        test: Examples,
        words: tuple[str, ...],
        parts: list[NDArray],
        block: Peers,
        seed: int,
        dtype: np.dtype,
    ) -> None:
        self.options, self.words, self.seed, self.dtype = options, words, seed, dtype
        self.labels = np.concatenate([train.labels, test.labels])
        self.train = np.arange(len(train.labels))
        self.test = np.arange(len(train.labels), len(self.labels))
        self.parts = parts
        self.queries_a_loss = 2 if options.perturb else 1
        self._own = [parts[peer] for peer in block]
        self._widest = max(map(len, parts))
        given = TaskSpec(
            model=options.model,
            words=words,
            examples=self._all(train, test),
            prompt=options.prompt,
            prompt_tokens=options.prompt_tokens,
            max_tokens=options.max_tokens,
            cut_at_peers=options.cut_at_peers,
            dtype=dtype,
            mode=options.mode,
            scale=options.scale,
            train=len(self.train),
        )
        self.box = options.blackbox.build(given)
        self.box.trial()
        self.map = options.parameters.build(self.box, given, seed)
        self.dim, self.categorical = self.map.dim, self.map.categorical
        steady = not (options.batch_size or options.perturb or self.categorical)
        self.scored = self._widest * len(words) if steady else 0
        self.has_gradients = self.box.has_gradients and self.categorical is None and not options.perturb

    def start(self) -> NDArray:
        return self.map.start().astype(self.dtype)

    def minibatch(self, draws: RandomStream, rows: slice = ALL_ROWS) -> NDArray:
        peers = self._own[rows]
        size = min(self.options.batch_size or self._widest, self._widest)
        batch = np.full((len(peers), size), -1, dtype=np.int64)
        keys = draws.uniform((self._widest,)) if size < self._widest else None
        for i, (row, own) in enumerate(zip(batch, peers, strict=True)):
            chosen = own if keys is None else own[np.argsort(keys[i, : len(own)], kind="stable")[:size]]
            row[: len(chosen)] = chosen
        return batch

    def losses(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        examples = [row[row >= 0] for row in batch]
        labels = [self.labels[numbers] for numbers in examples]
        if not self.options.perturb:
            return self.box.losses(self._prompts(x), examples, labels).astype(x.dtype)
        pairs = [np.concatenate([numbers, numbers + len(self.labels)]) for numbers in examples]
        parts = zip(self.box.scores(self._prompts(x), pairs), labels, strict=True)
        return np.stack([against_perturbed.ratios(scores, own) for scores, own in parts]).astype(x.dtype)

    def scores(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """See Problem.scores: those of an example after those of another, 0 where a peer has no more examples."""
        if not self.scored:
            return super().scores(x, batch, rows)
        scores = np.zeros((*x.shape[:2], self.scored), x.dtype)
        for own, found in zip(scores, self.box.scores(self._prompts(x), [row[row >= 0] for row in batch]), strict=True):
            own[:, : found[0].size] = found.reshape(len(found), -1)
        return scores

    def score_slopes(self, scores: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """See Problem.score_slopes: of the mean cross-entropy, the softmax less the label."""
        there = batch >= 0
        slopes = softmax(scores.reshape(*batch.shape, -1), axis=2)
        slopes -= self.labels[batch][:, :, None] == np.arange(slopes.shape[2])
        slopes *= (there / there.sum(axis=1, keepdims=True))[:, :, None]
        return slopes.reshape(scores.shape)

    def gradients(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        if self.options.perturb:
            return super().gradients(x, batch, rows)
        examples = [row[row >= 0] for row in batch]
        labels = [self.labels[numbers] for numbers in examples]
        _, gradients = self.box.gradients(self.map.prompts(x), examples, labels)
        return self.map.back(gradients).astype(x.dtype)

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        return self.box.figures(self._prompts(x[:, None])[:, 0], self.test, self.labels[self.test])

    def _prompts(self, x: NDArray) -> NDArray:
        """Soft prompts (p, q, tokens, width) of candidates (p, q, dim)."""
        if self.options.cut_at_peers:  # a product of matrices may round a row by its neighbours
            return np.concatenate([self.map.prompts(own[None]) for own in x])
        return self.map.prompts(x)

    def _all(self, train: Examples, test: Examples) -> Examples:
        """Training, held-out, and, where they are asked for, perturbed training examples."""
        share, random = self.options.perturb, generator(self.seed, "perturbed texts")
        if not share:
            return train.joined(test)
        seconds = perturbed(train.seconds, share, random) if train.seconds else ()
        return train.joined(test).joined(replace(train, texts=perturbed(train.texts, share, random), seconds=seconds))

    def sizes(self) -> NDArray[np.float64]:
        return np.array([len(own) for own in self._own], np.float64)

    def references(self) -> dict[str, float]:
        """Zero-shot: no prompt at all. First order: Adam with exact gradients on the pooled training data."""
        figures: dict[str, float] = {}
        scores = None if self.limits() else self.box.zero_shot(self.test)  # a budget has no room for what is uncounted
        if scores is not None:
            figures["zero_shot_accuracy"] = float((scores.argmax(axis=-1) == self.labels[self.test]).mean())
        if not self.box.has_gradients:
            return figures
        best = self.evaluate(prompt_references.first_order(self)[None])
        return figures | {
            "first_order_accuracy": float(best["accuracy"][0]),
            "first_order_loss": float(best["loss"][0]),
        }

    def counts(self) -> dict[str, int]:
        counts = {"examples": self.box.meter.examples, "tokens": self.box.meter.tokens}
        asked = self.box.asked
        return counts | ({"asked_queries": asked.queries, "asked_tokens": asked.tokens} if asked else {})

    def limits(self) -> dict[str, int]:
        return self.options.blackbox.limits()

    def dry(self) -> AbstractContextManager[None]:
        return self.box.dry()

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the soft prompt (tokens, width) of the mean model as "prompt"; the metadata say how to use it."""
        options = self.options
        metadata = {
            "model": options.model,
            "blackbox": type(options.blackbox).__name__,
            "parameters": type(options.parameters).__name__,
            "words": json.dumps(self.words, ensure_ascii=False),
            "initial_prompt": options.prompt,
            **self.box.notes(),
        }
        mean = mean.astype(self.dtype)
        text = self.map.text(mean)
        if text is not None:
            metadata["text"] = text
            path.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
        prompt = self.map.prompts(mean[None])[0]
        save_file({"prompt": np.ascontiguousarray(prompt)}, path, metadata)
