"""Any Python function as a black box."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox, TaskSpec, Usage, cross_entropy
from dfedsam.errors import RunError


class FunctionBox(BlackBox):
    """Calls `function(prompts, examples)`, once a peer.

    Args:
        given: what the objective gives.
        function: takes prompts (q, tokens, width) and a list of b dicts with "text" (and "text2" for pairs), "label"
            (the class's number) and "word" (its class word); gives losses (q,), or class scores (q, b, classes).
        path: what the user calls it, for messages.
        width: of the prompt's rows.

    Raises:
        ValueError: if it fails, or answers in another shape, when it is tried: on the first prompt and one example.
    """

    def __init__(
        self, given: TaskSpec, function: Callable[[NDArray, list[dict[str, Any]]], Any], *, path: str, width: int
    ) -> None:
        self.meter, self.given, self._function, self._path = Usage(), given, function, path
        self.prompt = np.zeros((given.prompt_tokens or 1, width), given.dtype)
        self.embedding_std = 1.0
        examples = given.examples
        self._examples = [
            {"text": text, "label": int(label), "word": given.words[label]}
            for text, label in zip(examples.texts, examples.labels, strict=True)
        ]
        for example, second in zip(self._examples, examples.seconds, strict=False):
            example["text2"] = second
        try:
            self._ask(self.prompt[None, None], [np.zeros(1, np.int64)], False)
        except RunError as error:
            raise ValueError(str(error)) from error.__cause__

    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        answers = self._ask(prompts, examples, count)
        if any(answer.ndim != 3 for answer in answers):
            raise ValueError(f"path is {self._path}: it gives losses; for this it must give scores (q, b, classes)")
        return answers

    def losses(self, prompts: NDArray, examples: Sequence[NDArray], labels: Sequence[NDArray]) -> NDArray[np.float64]:
        answers = self._ask(prompts, examples, True)
        parts = zip(answers, labels, strict=True)
        return np.stack([part if part.ndim == 1 else cross_entropy(part, own) for part, own in parts])

    def figures(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> dict[str, NDArray]:
        """Losses (k,), and accuracies where the function gives scores."""
        (answer,) = self._ask(prompts[None], [examples], False)
        if answer.ndim == 1:
            return {"loss": answer}
        return {"loss": cross_entropy(answer, labels), "accuracy": (answer.argmax(axis=-1) == labels).mean(axis=-1)}

    def notes(self) -> dict[str, str]:
        return {"how_to_use": f"Call {self._path} with it."}

    def _ask(self, prompts: NDArray, examples: Sequence[NDArray], count: bool) -> list[NDArray]:
        """What the function gives each peer, checked."""
        queries, answers = prompts.shape[1], []
        for own, numbers in zip(prompts, examples, strict=True):
            chosen = [self._examples[number] for number in numbers.tolist()]
            try:
                answer = np.asarray(self._function(own, chosen), np.float64)
            except Exception as error:  # the user's own code may raise anything
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                raise RunError(f"path is {self._path}: it must give losses or class scores, but: {reason}") from error
            shapes = ((queries,), (queries, len(numbers), len(self.given.words)))
            if answer.shape not in shapes:
                raise RunError(
                    f"path is {self._path}: its answer has the shape {answer.shape}; it must be losses {shapes[0]} or "
                    f"class scores {shapes[1]} for {queries} prompt(s) and {len(numbers)} example(s)"
                )
            answers.append(answer)
        if count:
            self.meter.queries += queries * len(examples)
            self.meter.examples += queries * sum(map(len, examples))
        return answers
