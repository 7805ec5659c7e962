"""A prompt-tuning problem in memory: data, split and black box, for one block of peers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dfedsam.blackbox.dual_encoder import DualEncoder
from dfedsam.data.examples import Examples
from dfedsam.data.perturb import perturbed
from dfedsam.objectives import against_perturbed, prompt_references
from dfedsam.objectives.base import ALL_ROWS, Problem
from dfedsam.peers import Peers
from dfedsam.randomness import Draws, generator

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
        self.has_gradients = options.perturb == 0
        self.queries_a_loss = 2 if options.perturb else 1
        self._own = [parts[peer] for peer in block]
        self._widest = max(map(len, parts))
        self.box = DualEncoder(
            model=options.model,
            words=words,
            texts=[*train.texts, *test.texts, *self._perturbed(train)],
            prompt=options.prompt,
            mode=options.mode,
            scale=options.scale,
            max_tokens=options.max_tokens,
            cut_at_peers=options.cut_at_peers,
            dtype=dtype,
        )
        self.map = options.parameters.build(self.box.prompt, self.box.embedding_std, seed)
        self.dim = self.map.dim

    def start(self) -> NDArray:
        return self.map.start().astype(self.dtype)

    def minibatch(self, draws: Draws, rows: slice = ALL_ROWS) -> NDArray:
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
        if self.options.perturb:
            examples = [np.concatenate([numbers, numbers + len(self.labels)]) for numbers in examples]
        parts = zip(self.box.scores(self._prompts(x), examples), labels, strict=True)
        loss = against_perturbed.ratios if self.options.perturb else _cross_entropy
        return np.stack([loss(scores, own) for scores, own in parts]).astype(x.dtype)

    def gradients(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        if not self.has_gradients:
            return super().gradients(x, batch, rows)
        examples = [row[row >= 0] for row in batch]
        labels = [self.labels[numbers] for numbers in examples]
        _, gradients = self.box.gradients(self.map.prompts(x), examples, labels)
        return self.map.back(gradients).astype(x.dtype)

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        labels = self.labels[self.test]
        scores = self.box.scores(self._prompts(x[:, None]), [self.test] * len(x), count=False)
        return {
            "loss": np.array([_cross_entropy(part, labels)[0] for part in scores]),
            "accuracy": np.array([(part[0].argmax(axis=-1) == labels).mean() for part in scores]),
        }

    def _prompts(self, x: NDArray) -> NDArray:
        """Soft prompts (p, q, tokens, width) of candidates (p, q, dim)."""
        if self.options.cut_at_peers:  # a product of matrices may round a row by its neighbours
            return np.concatenate([self.map.prompts(own[None]) for own in x])
        return self.map.prompts(x)

    def _perturbed(self, train: Examples) -> tuple[str, ...]:
        share = self.options.perturb
        return perturbed(train.texts, share, generator(self.seed, "perturbed texts")) if share else ()

    def references(self) -> dict[str, float]:
        """Zero-shot: bare words and bare texts. First order: Adam with exact gradients on the pooled training data."""
        scores = self.box.zero_shot(self.test)
        figures = {"zero_shot_accuracy": float((scores.argmax(axis=-1) == self.labels[self.test]).mean())}
        best = self.evaluate(prompt_references.first_order(self)[None])
        return figures | {
            "first_order_accuracy": float(best["accuracy"][0]),
            "first_order_loss": float(best["loss"][0]),
        }

    def counts(self) -> dict[str, int]:
        return {"examples": self.box.meter.examples, "tokens": self.box.meter.tokens}

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the soft prompt (tokens, width) of the mean model as "prompt"; the metadata say how to use it."""
        options = self.options
        place = "class words" if options.mode == "words" else "text"
        metadata = {
            "model": options.model,
            "mode": options.mode,
            "words": json.dumps(self.words),
            "scale": repr(options.scale),
            "initial_prompt": options.prompt,
            "template": "{prompt} {word}" if options.mode == "words" else "{prompt} {text}",
            "how_to_use": (
                f"Insert the rows of `prompt` as input embeddings after the leading special token, before the {place}. "
                "The class is the word whose vector has the greatest cosine with the text's."
            ),
        }
        prompt = self.map.prompts(mean.astype(self.dtype)[None])[0]
        save_file({"prompt": np.ascontiguousarray(prompt)}, path, metadata)


def _cross_entropy(scores: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Mean cross-entropy, shape (q,), of scores (q, b, classes) against labels (b,)."""
    scores = scores.astype(np.float64)
    top = scores.max(axis=-1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=-1)) + top[..., 0]
    own = np.take_along_axis(scores, np.broadcast_to(labels[:, None], (*scores.shape[:2], 1)), axis=-1)
    return (total - own[..., 0]).mean(axis=-1)
