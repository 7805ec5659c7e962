"""A hidden prompt: the objective with a known optimum for searches over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.objectives.base import ALL_ROWS, Objective, Problem, Rows
from dfedsam.objectives.categorical import Categorical
from dfedsam.options import at_least, option, whole_number
from dfedsam.peers import Peers
from dfedsam.random import RandomStream, generator


@dataclass(frozen=True, kw_only=True)
class HiddenPrompt(Objective):
    """The share of a prompt's tokens that differ from a hidden prompt, which comes from the seed; its minimum is 0.

    A model x is a distribution over candidates for each token; its loss is the expected share, 1 − 1/L Σ_j x_j(h_j). A
    minibatch adds noise · N(0, 1) to the loss of each candidate at each place. Metrics: `wrong`, the share of the most
    likely tokens that are not the hidden ones, and `agreement`, the mean of the largest probabilities: of the peers'
    mean, the share of peers that hold the most common token.

    Args:
        tokens: L, length of the prompt, at least 1.
        candidates: V, number of tokens to choose from, at least 2.
        noise: standard deviation of the noise of a token's loss, at least 0; 1 is the cost of a wrong token.
    """

    tokens: int = option(8, whole_number, 1)
    candidates: int = option(20, whole_number, 2)
    noise: float = option(0.0, at_least, 0)

    records: ClassVar[tuple[str, ...]] = ("loss", "wrong", "agreement")

    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> HiddenPromptProblem:
        return HiddenPromptProblem(self, seed, np.dtype(dtype))


class HiddenPromptProblem(Problem):
    """A HiddenPrompt, the same for all peers; `hidden` is that prompt, shape (tokens,)."""

    has_gradients = True

    def __init__(self, options: HiddenPrompt, seed: int, dtype: np.dtype) -> None:
        self.categorical = self._choices = Categorical(
            tokens=options.tokens, candidates=options.candidates, form="probabilities"
        )
        self.dim, self.dtype, self.noise = options.tokens * options.candidates, dtype, options.noise
        self.hidden = generator(seed, "hidden prompt").integers(options.candidates, size=options.tokens)
        costs = np.arange(options.candidates) != self.hidden[:, None]
        self._costs = (costs / options.tokens).ravel().astype(dtype)

    def start(self) -> NDArray:
        return self._choices.start().astype(self.dtype)

    def minibatch(self, stream: RandomStream, rows: Rows = ALL_ROWS) -> NDArray:
        """What each candidate at each place costs, shape (p, dim)."""
        if not self.noise:
            return np.broadcast_to(self._costs, (len(stream.peers), self.dim))
        noise = stream.normal((self.dim,), self.dtype)
        return self._costs + noise * self.dtype.type(self.noise / self._choices.tokens)

    def losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        return np.matmul(x, batch[:, :, None])[:, :, 0]

    def gradients(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        return np.array(batch)

    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        chances = self._choices.rows(x.astype(np.float64))
        return {
            "loss": 1 - np.take_along_axis(chances, self.hidden[None, :, None], axis=-1)[..., 0].mean(axis=-1),
            "wrong": (chances.argmax(axis=-1) != self.hidden).mean(axis=-1),
            "agreement": chances.max(axis=-1).mean(axis=-1),
        }
