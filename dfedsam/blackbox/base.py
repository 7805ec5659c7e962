"""The contract of a black box: prompts in, class scores out, and every query counted."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray


@dataclass
class Meter:
    """What was asked of a black box so far.

    Args:
        queries: prompts that were scored on a minibatch.
        examples: pairs of a prompt and an example that were scored.
        tokens: tokens that went through the model for them, padding left out.
    """

    queries: int = 0
    examples: int = 0
    tokens: int = 0


class BlackBox(ABC):
    """A model that answers with class scores, never with gradients or weights.

    `prompt` is the soft prompt to start from, shape (tokens, width): the embeddings of a sentence's tokens.
    """

    meter: Meter
    prompt: NDArray

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
