"""What a black box is built from, and what its queries cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dfedsam.data.examples import Examples

Mode = Literal["words", "text"]
"""What the prompt of a dual encoder is set before."""


@dataclass
class Usage:
    """What the queries of a run have cost so far; the oracle counts the queries themselves.

    Args:
        examples: pairs of a prompt and an example that were scored.
        tokens: tokens that went through the model for them, padding left out.
    """

    examples: int = 0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """What a black box is built from: the classification task and the prompt to start with.

    Args:
        model: folder or hub name of the model.
        words: one word or phrase for each class.
        examples: all examples; queries refer to them by their index.
        prompt: words; the embeddings of their tokens are the initial soft prompt.
        prompt_tokens: length of the soft prompt, to which the words are repeated and cut; 0: as many as the words have.
        max_tokens: texts are cut after so many tokens, special ones not counted, or where they would exceed, with the
            prompt, what the model reads.
        cut_at_peers: never put two peers into one batch, so that a peer's scores do not depend on who is beside it.
        dtype: type of the peers' vectors, float32 or float64.
        train: how many of the examples, the first ones, are training examples.
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
