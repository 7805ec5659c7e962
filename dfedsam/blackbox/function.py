"""Any Python function as a black box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import Bill, BlackBox, TaskSpec, Usage, score_metrics
from dfedsam.errors import OptionError, RunError


class Function(BlackBox):
    """Calls the function of a `FunctionConfig`, once for each peer; `path` is its import path, for messages.

    Raises:
        OptionError: if it fails, or returns a wrong shape, for the initial prompt and one example.
    """

    def __init__(
        self, task: TaskSpec, function: Callable[[NDArray, list[dict[str, Any]]], Any], *, path: str, width: int
    ) -> None:
        self.usage, self.task, self._function, self._path = Usage(), task, function, path
        self.prompt_tokens = task.prompt_tokens or 1
        self.prompt = np.zeros((self.prompt_tokens, width), task.dtype)
        self.embedding_std = 1.0
        examples = task.examples
        self._examples = [
            {"text": text, "label": int(label), "word": task.words[label]}
            for text, label in zip(examples.texts, examples.labels, strict=True)
        ]
        for example, second in zip(self._examples, examples.seconds, strict=False):
            example["text2"] = second
        try:
            self.gives_scores = self._ask(self.prompt[None], np.zeros(1, np.int64)).ndim == 3
        except RunError as error:
            raise ValueError(str(error)) from error.__cause__

    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        self._check_scores()
        self._count(prompts, examples, count)
        scores = np.zeros((*prompts.shape[:2], examples.shape[1], len(self.task.words)))
        for row, answer in zip(scores, self._answers(prompts, examples), strict=True):
            row[:, : answer.shape[1]] = answer
        return scores

    def losses(
        self, prompts: NDArray, examples: NDArray, labels: NDArray, *, count: bool = True, per_example: bool = False
    ) -> NDArray[np.float64]:
        if self.gives_scores or per_example:
            return super().losses(prompts, examples, labels, count=count, per_example=per_example)
        self._count(prompts, examples, count)
        return np.stack(self._answers(prompts, examples))

    def metrics(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> dict[str, NDArray]:
        answer = self._ask(prompts, examples)
        return score_metrics(answer, labels) if answer.ndim == 3 else {"loss": answer}

    def rehearse(self, bill: Bill) -> None:
        rng, classes = np.random.default_rng(0), len(self.task.words)

        def ask(prompts: NDArray, examples: NDArray) -> NDArray:
            return rng.random((len(prompts), len(examples), classes) if self.gives_scores else len(prompts))

        self._ask = ask

    def model_card(self) -> dict[str, str]:
        return {"how_to_use": f"Call {self._path} with it."}

    def _check_scores(self) -> None:
        if not self.gives_scores:
            raise OptionError("path", self._path, "must return scores (q, b, classes) for this, but returns losses")

    def _count(self, prompts: NDArray, examples: NDArray, count: bool) -> None:
        if count:
            self.usage.examples += prompts.shape[1] * int((examples >= 0).sum())

    def _answers(self, prompts: NDArray, examples: NDArray) -> list[NDArray]:
        """The function's results for each peer."""
        return [self._ask(prompt, row[row >= 0]) for prompt, row in zip(prompts, examples, strict=True)]

    def _ask(self, prompts: NDArray, examples: NDArray) -> NDArray:
        """The function's result for prompts (q, tokens, width) on examples (b,), checked."""
        chosen = [self._examples[example] for example in examples.tolist()]
        try:
            answer = np.asarray(self._function(prompts, chosen), np.float64)
        except Exception as error:  # the user's own code may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunError(f"path is {self._path}: it must return losses or class scores, but: {reason}") from error
        queries = len(prompts)
        shapes = ((queries,), (queries, len(examples), len(self.task.words)))
        if answer.shape not in shapes:
            raise RunError(
                f"path is {self._path}: its answer has the shape {answer.shape}; it must be losses {shapes[0]} or "
                f"class scores {shapes[1]} for {queries} prompt(s) and {len(examples)} example(s)"
            )
        return answer
