"""Prompt tuning where each example has a prompt of its own, made by a peer's generator."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dfedsam.blackbox.base import cross_entropy
from dfedsam.objectives.base import ALL_ROWS
from dfedsam.objectives.prompt_generator import Generated
from dfedsam.objectives.prompt_problem import PromptProblem

_TOGETHER = 1 << 26  # bytes of prompts that are made at a time for an evaluation


class GeneratedPromptProblem(PromptProblem):
    """See PromptProblem. To the black box every example stands alone, with the prompts that candidates make of it."""

    map: Generated

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.has_gradients, self.scored = False, 0

    def losses(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """A query is one candidate on one minibatch, however many prompts it makes there."""
        examples = [row[row >= 0] for row in batch]
        prompts = self.map.prompts_for(x, np.maximum(batch, 0)[:, None])
        scores = self._scores(
            [own[:, : len(some)] for own, some in zip(prompts, examples, strict=True)], examples, True
        )
        losses = [cross_entropy(part, self.labels[some]) for part, some in zip(scores, examples, strict=True)]
        return np.stack(losses).astype(x.dtype)

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        figures = [self._figures(one) for one in x]
        return {name: np.array([own[name] for own in figures]) for name in figures[0]}

    def _figures(self, x: NDArray) -> dict[str, float]:
        """Loss and accuracy of one generator (dim,) on the held-out examples."""
        most = max(1, _TOGETHER // self.box.prompt.nbytes)
        parts = np.split(self.test, range(most, len(self.test), most))
        scores = [self._scores([self.map.prompts_for(x[None], some[None])], [some], False)[0] for some in parts]
        joined, labels = np.concatenate(scores, axis=1), self.labels[self.test]
        return {
            "loss": float(cross_entropy(joined, labels)[0]),
            "accuracy": float((joined[0].argmax(axis=-1) == labels).mean()),
        }

    def _scores(self, prompts: list[NDArray], examples: list[NDArray], count: bool) -> list[NDArray]:
        """Class scores (q, b, classes) a peer, from its prompts (q, b, tokens, width), one for each of its examples."""
        alone = np.concatenate([own.swapaxes(0, 1) for own in prompts])
        scores = self.box.scores(alone, [number[None] for number in np.concatenate(examples)], count=count)
        ends = np.cumsum([len(some) for some in examples])
        return [
            np.concatenate(scores[end - len(some) : end], axis=1)
            for some, end in zip(examples, ends.tolist(), strict=True)
        ]

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the mean generator by its parts, A transposed as "projection", p₀ as "prompt", and how to use them."""
        options, own = self.options, self.map
        prompt, dim = self.box.prompt, own.mlp.outputs
        columns = own.projection.prompts(np.eye(dim, dtype=self.dtype)) - prompt
        tensors = own.mlp.parts(mean.astype(self.dtype)) | {
            "projection": columns.reshape(dim, -1),
            "prompt": prompt,
        }
        metadata = {
            "model": options.model,
            "blackbox": type(options.blackbox).__name__,
            "parameters": type(options.parameters).__name__,
            "words": json.dumps(self.words, ensure_ascii=False),
            "encoder": getattr(options.parameters, "encoder", ""),
            **self.box.notes(),
        }
        metadata["how_to_use"] = (
            "An example's prompt is prompt + z projection, where z = second.weight tanh(first.weight f + first.bias) + "
            "second.bias and f is √width times the encoder's unit vector of its text. " + metadata["how_to_use"]
        )
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path, metadata)
