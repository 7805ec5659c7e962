"""The contract of a black box, prompts in and class scores out; its inputs, and the cost of its queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from dfedsam.data.split import Examples

if TYPE_CHECKING:
    from dfedsam.blackbox.tokens import Vocabulary

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


class BlackBox(ABC):
    """A model that answers with class scores, never with gradients or weights.

    Prompts are soft, an array of embeddings (peers, q, tokens, width), or text: token numbers (peers, q, tokens) of its
    `vocabulary`. Examples are (peers, b): a row of indices for each peer, padded at its end with −1 if the peer has
    fewer than b. Scores of padding are 0.

    Attributes:
        usage: cost of its queries so far.
        prompt_tokens: number of tokens of the prompt.
        prompt: the initial soft prompt, shape (tokens, width): the embeddings of the prompt's words; if it takes any.
        embedding_std: standard deviation of the entries of the model's token embeddings; if it takes soft prompts.
        takes_soft_prompts: whether a prompt may be arbitrary embeddings.
        takes_text_prompts: whether a prompt may be tokens of the model's vocabulary.
        gives_scores: whether it answers with class scores; otherwise with losses only.
        gives_gradients: whether `gradients` is available, which is for references only.
        reads_texts: whether a query costs a forward pass for every example.
        has_budget: whether it may raise BudgetExceeded instead of answering.
    """

    takes_soft_prompts: bool = True
    takes_text_prompts: bool = False
    gives_gradients: ClassVar[bool] = False
    gives_scores: bool = True
    reads_texts: bool = True
    has_budget: bool = False
    usage: Usage
    prompt_tokens: int
    prompt: NDArray
    embedding_std: float

    @abstractmethod
    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        """Class scores (logits) of q prompts per peer on the peer's examples.

        Args:
            prompts: soft or text prompts, as above.
            examples: example indices, shape (peers, b).
            count: whether these are queries, to be counted in `usage`; evaluation is not.

        Returns:
            Shape (peers, q, b, classes).
        """

    def losses(
        self, prompts: NDArray, examples: NDArray, labels: NDArray, *, count: bool = True, per_example: bool = False
    ) -> NDArray[np.float64]:
        """Cross-entropies of q prompts per peer on its examples.

        Args:
            prompts: as in `scores`.
            examples: example indices, shape (peers, b).
            labels: their classes, shape (peers, b).
            count: as in `scores`.
            per_example: return one loss for each example instead of their mean.

        Returns:
            Shape (peers, q), or (peers, q, b) if per_example.
        """
        losses = cross_entropies(self.scores(prompts, examples, count=count).astype(np.float64), labels[:, None])
        return losses * (examples >= 0)[:, None] if per_example else mean_over_examples(losses, examples)

    def metrics(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> dict[str, NDArray]:
        """Loss and accuracy of k prompts, soft or text, each on all these examples (b,); not counted.

        Returns:
            Each of shape (k,).
        """
        repeated = np.broadcast_to(examples, (len(prompts), len(examples)))
        return score_metrics(self.scores(prompts[:, None], repeated, count=False)[:, 0], labels)

    def zero_shot(self, examples: NDArray) -> NDArray | None:
        """Class scores without any prompt, shape (b, classes); None if that is impossible."""
        return None

    def gradients(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> tuple[NDArray, NDArray]:
        """Mean cross-entropy of one prompt per peer and its exact gradient, for references.

        Args:
            prompts: shape (peers, tokens, width).
            examples: example indices, shape (peers, b).
            labels: their classes, shape (peers, b).

        Returns:
            Losses, shape (peers,), and gradients, shape (peers, tokens, width).

        Raises:
            ValueError: if gradients are not available.
        """
        raise ValueError(f"{type(self).__name__} gives no gradients; choose a zeroth-order estimator such as two_point")

    def vocabulary(self) -> Vocabulary:
        """The model's vocabulary, from which discrete prompts are made, if `takes_text_prompts`."""
        raise NotImplementedError

    def preflight(self, prompt: NDArray) -> None:  # noqa: B027  (most have nothing to check)
        """Score the query that takes most memory, before a run writes anything; not counted.

        The initial prompt is soft (tokens, width) or text (tokens,). Raises ValueError if the query does not fit into
        memory.
        """

    def rehearse(self, bill: Bill) -> None:
        """Answer at once and at random from now on, and add to `bill` what queries and evaluations would cost."""
        raise NotImplementedError

    @abstractmethod
    def model_card(self) -> dict[str, str]:
        """Metadata saved with the prompt: where to insert it, and how to determine the class."""


def cross_entropies(scores: NDArray, labels: NDArray, axis: int = -1) -> NDArray:
    """Cross-entropy of each example, −log softmax of its scores at its label, of the shape of `scores` without `axis`.

    `axis`, counted from the end, runs over the classes; the labels have the returned shape, or broadcast to it.
    """
    top = scores.max(axis=axis, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=axis)) + top.squeeze(axis)
    return total - np.take_along_axis(scores, np.expand_dims(labels, axis), axis=axis).squeeze(axis)


def mean_over_examples(values: NDArray, examples: NDArray) -> NDArray:
    """Means (peers, q) of values (peers, q, b) over each peer's examples (peers, b), without the −1 at their ends."""
    counts = (examples >= 0).sum(axis=1)
    return np.stack([row[:, :count].mean(axis=-1) for row, count in zip(values, counts, strict=True)])


def score_metrics(scores: NDArray, labels: NDArray) -> dict[str, NDArray]:
    """Mean loss and accuracy, each (k,), of scores (k, b, classes) against labels (b,)."""
    repeated = np.broadcast_to(labels, scores.shape[:2])
    return {
        "loss": cross_entropies(scores.astype(np.float64), repeated).mean(axis=-1),
        "accuracy": (scores.argmax(axis=-1) == labels).mean(axis=-1),
    }
