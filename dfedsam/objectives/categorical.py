"""Vectors that represent distributions over tokens, from which discrete prompts are drawn."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.random import RandomStream

Form = Literal["probabilities", "logits"]
FORMS = get_args(Form)
Candidates = Sequence[int] | NDArray[np.int64]


class Wording(Protocol):
    """How prompts of candidates read as text.

    `text` is the text of candidates, `candidates` those that a text's words consist of, in order (a word that does not
    consist of candidates alone is left out), and `length` the number of tokens of any text.
    """

    def text(self, candidates: Candidates) -> str: ...
    def candidates(self, text: str) -> list[int]: ...
    def length(self, text: str) -> int: ...


@dataclass(frozen=True)
class NumberWords:
    """Candidates without words: their numbers, below `count`, with a blank between."""

    count: int

    def text(self, candidates: Candidates) -> str:
        return " ".join(map(str, candidates))

    def candidates(self, text: str) -> list[int]:
        words = [word.strip(string.punctuation) for word in text.split()]
        numbers = [int(word) for word in words if word.isdecimal() and len(word) < 10]
        return [number for number in numbers if number < self.count]

    def length(self, text: str) -> int:
        return len(text.split())


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """A vector (tokens · candidates) as `tokens` distributions over `candidates` each.

    A choice of one candidate per token is the vector that is 1 where a candidate is chosen and 0 elsewhere.

    Args:
        tokens: L, distributions.
        candidates: V, the number of candidates of each.
        form: the vector holds "probabilities", or "logits", of which the softmax is taken.
        words: the candidates' texts; None: their numbers.
    """

    tokens: int
    candidates: int
    form: Form
    words: Wording | None = None

    @cached_property
    def wording(self) -> Wording:
        """The candidates' texts."""
        return self.words or NumberWords(self.candidates)

    @cached_property
    def longest(self) -> int:
        """Bytes of UTF-8 that the text of a choice has at most."""
        return self.tokens * max(len(self.wording.text([one]).encode()) + 1 for one in range(self.candidates))

    def start(self) -> NDArray[np.float64]:
        """Uniform distributions, shape (tokens · candidates,)."""
        fill = 1 / self.candidates if self.form == "probabilities" else 0.0
        return np.full(self.tokens * self.candidates, fill)

    def rows(self, x: NDArray) -> NDArray:
        """View x (…, tokens · candidates) as (…, tokens, candidates), in the same memory if possible."""
        return x.reshape(*x.shape[:-1], self.tokens, self.candidates)

    def probabilities(self, x: NDArray) -> NDArray:
        """Those of x (…, tokens · candidates), shape (…, tokens, candidates); points off the simplex are projected."""
        rows = self.rows(x)
        if self.form == "probabilities":
            return on_simplex(rows)
        chances = np.exp(rows - rows.max(axis=-1, keepdims=True))
        return chances / chances.sum(axis=-1, keepdims=True)

    def project(self, x: NDArray) -> None:
        """Move x (p, tokens · candidates) to the nearest probabilities, in place; logits stay unchanged."""
        if self.form == "probabilities":
            x[:] = on_simplex(self.rows(x)).reshape(x.shape)

    def draw(self, chances: NDArray, stream: RandomStream, count: int) -> NDArray:
        """Draw `count` choices per peer, (p, count, tokens · candidates), by the chances (p, tokens, candidates)."""
        ends = np.cumsum(chances, axis=-1, dtype=np.float64)
        ends /= ends[..., -1:]
        places = stream.uniform((count, self.tokens))
        chosen = (places[..., None] >= ends[:, None]).sum(axis=-1)
        return (chosen[..., None] == np.arange(self.candidates)).reshape(*chosen.shape[:2], -1).astype(chances.dtype)

    def slopes(self, covariances: NDArray, chances: NDArray) -> NDArray:
        """The gradient of an expected loss, from its covariances with each entry of a choice (p, tokens · candidates).

        The chances are the probabilities, shape (p, tokens, candidates).
        """
        if self.form == "logits":
            return covariances
        flat = chances.reshape(covariances.shape)
        return np.divide(covariances, flat, out=np.zeros_like(covariances), where=flat > 0)


def on_simplex(rows: NDArray) -> NDArray:
    """The nearest points to rows (…, n) whose entries are at least 0 and sum to 1.

    Source: Duchi, Shalev-Shwartz, Singer and Chandra (2008), "Efficient projections onto the ℓ1-ball for learning in
    high dimensions", algorithm 1.
    """
    falling = -np.sort(-rows, axis=-1)
    over = np.cumsum(falling, axis=-1) - 1
    counts = np.arange(1, rows.shape[-1] + 1)
    last = (falling * counts > over).sum(axis=-1, keepdims=True)  # how many entries stay above 0
    shift = np.take_along_axis(over, last - 1, axis=-1) / last.astype(rows.dtype)
    return np.maximum(rows - shift, 0)
