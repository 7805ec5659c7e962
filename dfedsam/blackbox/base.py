"""The contract of a black box: prompts in, class scores out, and every query counted."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.data.examples import Examples

if TYPE_CHECKING:
    from dfedsam.blackbox.vocabulary import Vocabulary


@dataclass
class Usage:
    """What was asked of a black box so far.

    Args:
        queries: prompts that were scored on a minibatch.
        examples: pairs of a prompt and an example that were scored.
        tokens: tokens that went through the model for them, padding left out.
    """

    queries: int = 0
    examples: int = 0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """What an objective gives a black box to be built from.

    Args:
        model: folder or hub name of the model.
        words: one word or phrase a class.
        examples: all examples, which are then called by their number in it.
        prompt: words; their tokens' embeddings are the soft prompt to start from.
        prompt_tokens: length of the soft prompt: the words are repeated, and cut, to it; 0: as many as the words have.
        max_tokens: texts are cut after so many tokens, the special ones left out, or where they would pass, with the
            prompt, what the model reads.
        cut_at_peers: never put two peers into one batch, so that what a peer reads does not depend on who is beside it.
        dtype: type of the peers' vectors, float32 or float64.
        mode: for sentence encoders, what the prompt is set before: "words" or "text".
        scale: for sentence encoders, what cosines are multiplied by (the inverse temperature), above 0.
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
    mode: str = "words"
    scale: float = 20.0
    train: int = 0


class BlackBox(ABC):
    """A model that answers with class scores, never with gradients or weights.

    Attributes:
        meter: what was asked of it.
        prompt: the soft prompt to start from, shape (tokens, width): the embeddings of some words' tokens.
        embedding_std: standard deviation of the entries of the model's token embeddings.
        has_gradients: whether `gradients` answers, which is for references only.
        reads_texts: whether a query costs a pass over the examples' texts.
        asked: where there is a budget, all that was asked, evaluations among it; None where there is none.
    """

    meter: Usage
    prompt: NDArray
    embedding_std: float
    has_gradients: bool = False
    reads_texts: bool = True
    is_dry: bool = False
    asked: Usage | None = None

    @abstractmethod
    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        """Class scores (logits) of q prompts a peer on the peer's examples.

        Args:
            prompts: soft prompts, shape (peers, q, tokens, width).
            examples: for each peer the numbers of its examples, shape (b,); b may differ between peers.
            count: whether these are queries to be metered; evaluation is not.

        Returns:
            For each peer an array of shape (q, b, classes).
        """

    def losses(self, prompts: NDArray, examples: Sequence[NDArray], labels: Sequence[NDArray]) -> NDArray[np.float64]:
        """Mean cross-entropy of q prompts a peer on its examples, metered: shape (peers, q).

        Args:
            prompts: soft prompts, shape (peers, q, tokens, width).
            examples: for each peer the numbers of its examples, shape (b,).
            labels: for each peer their classes, shape (b,).
        """
        parts = zip(self.scores(prompts, examples), labels, strict=True)
        return np.stack([cross_entropy(scores, own) for scores, own in parts])

    def figures(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> dict[str, NDArray]:
        """Loss and accuracy of k prompts (k, tokens, width), each on all these examples, shape (k,); not metered."""
        scores = self.scores(prompts[:, None], [examples] * len(prompts), count=False)
        return {
            "loss": np.array([cross_entropy(part, labels)[0] for part in scores]),
            "accuracy": np.array([(part[0].argmax(axis=-1) == labels).mean() for part in scores]),
        }

    def zero_shot(self, examples: NDArray) -> NDArray | None:
        """Class scores with no prompt at all, shape (b, classes); None where there is no such thing."""
        return None

    def gradients(
        self, prompts: NDArray, examples: Sequence[NDArray], labels: Sequence[NDArray]
    ) -> tuple[NDArray, NDArray]:
        """Mean cross-entropy of one prompt a peer and its exact gradient, for references; no black box gives these.

        Args:
            prompts: shape (peers, tokens, width).
            examples: for each peer the numbers of its examples, shape (b,).
            labels: for each peer their classes, shape (b,).

        Returns:
            Losses, shape (peers,), and gradients, shape (peers, tokens, width).
        """
        raise ValueError(f"{type(self).__name__} gives no gradients; choose a zeroth-order estimator such as two_point")

    def vocabulary(self) -> "Vocabulary":
        """Its tokens, which discrete prompts are made of.

        Raises:
            ValueError: if it reads none.
        """
        raise ValueError(
            f"blackbox is {type(self).__name__.removesuffix('Box')}: it reads no tokens that a discrete prompt "
            "could be made of; choose other parameters, such as full_prompt"
        )

    @contextmanager
    def dry(self) -> Iterator[None]:
        """Inside, where there is a budget, nothing is asked: scores are 0, and what they would cost is counted.

        The meters are afterwards what they were before.
        """
        before = replace(self.meter), replace(self.asked or Usage())
        self.is_dry = True
        try:
            yield
        finally:
            self.is_dry = False
            self.meter = before[0]
            if self.asked is not None:
                self.asked = before[1]

    def trial(self) -> None:  # noqa: B027  (most have nothing to try)
        """Ask what takes most memory, before a run writes anything; not metered.

        Raises:
            ValueError: if it does not fit.
        """

    @abstractmethod
    def notes(self) -> dict[str, str]:
        """What a user of the tuned prompt must know: where it goes, how the class is read; written beside it."""


def cross_entropy(scores: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Mean cross-entropy, shape (q,), of scores (q, b, classes) against labels (b,)."""
    scores = scores.astype(np.float64)
    top = scores.max(axis=-1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=-1)) + top[..., 0]
    own = np.take_along_axis(scores, np.broadcast_to(labels[:, None], (*scores.shape[:2], 1)), axis=-1)
    return (total - own[..., 0]).mean(axis=-1)
