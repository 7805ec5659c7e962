"""The inputs of a black box, and the cost of its queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dfedsam.data.examples import Examples

Mode = Literal["words", "text"]
"""The position of a dual encoder's prompt: before the class words, or before the text."""


@dataclass
class Usage:
    """The cost of a run's queries so far; the oracle counts the queries themselves.

    Args:
        examples: number of scored pairs of a prompt and an example.
        tokens: number of tokens processed for them, without padding.
        unmatched: number of answers that are none of the class words, of a black box that answers with words.
    """

    examples: int = 0
    tokens: int = 0
    unmatched: int | None = None


@dataclass
class Bill:
    """What a rehearsal would have cost; unlike `Usage`, evaluations are part of it.

    Args:
        requests: to a service; 0 for a model in this process.
        prompt_tokens: tokens that the model reads.
        completion_tokens: tokens that a service writes.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def clear(self) -> None:
        """Forget what was counted."""
        self.requests = self.prompt_tokens = self.completion_tokens = 0


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The inputs of a black box: the classification task and the initial prompt.

    Args:
        model: folder or hub name of the model.
        words: one word or phrase for each class.
        examples: all examples; queries refer to them by their index.
        prompt: words; the embeddings of their tokens are the initial soft prompt.
        prompt_tokens: length of the soft prompt, to which the words are repeated and cut; 0: as many as the words have.
        max_tokens: texts are cut after so many tokens, special ones not counted, or earlier if text and prompt would
            exceed the model's limit.
        cut_at_peers: never put two peers into one batch, so that a peer's scores do not depend on other peers.
        dtype: type of the peers' vectors, float32 or float64.
        train: number of training examples, which come first.
    """

    model: str
    words: tuple[str, ...]
    examples: Examples
    prompt: str
    prompt_tokens: int = 0
    max_tokens: int = 128
    cut_at_peers: bool = False
    dtype: np.dtype = np.dtype(np.float32)
    train: int = 0
