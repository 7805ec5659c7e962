"""A model's tokens as words to choose from: which are candidates of a discrete prompt, and what they read as."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.texts import word_tokens


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model.

    Args:
        tokenizer: the model's.
        embed: gives the embeddings (n, width) of token numbers (n,).
    """

    tokenizer: Any
    embed: Callable[[NDArray[np.int64]], NDArray]

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as they read."""
        return self.tokenizer.decode(list(ids)).strip()

    def frequent(self, texts: Sequence[str], count: int) -> list[int]:
        """The `count` tokens that texts have most often, those of equal number in order of their own numbers."""
        special = set(self.tokenizer.all_special_ids)
        counts = Counter(
            token for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids for token in ids
        )
        known = [(-often, token) for token, often in counts.items() if token not in special]
        return [token for _, token in sorted(known)[:count]]

    def drawn(self, random: np.random.Generator, count: int) -> list[int]:
        """`count` different tokens of the whole vocabulary, rising, special ones left out."""
        usual = np.setdiff1d(np.arange(len(self.tokenizer)), self.tokenizer.all_special_ids)
        return np.sort(random.permutation(usual)[:count]).tolist()

    def named(self, words: Sequence[str], what: str) -> list[int]:
        """The tokens of words as they are after a blank.

        Raises:
            ValueError: for a word that is not one token; the message begins with `what`.
        """
        ids = []
        for word in words:
            parts = word_tokens(self.tokenizer, word, goes_on=True)
            if len(parts) != 1 or parts[0] == self.tokenizer.unk_token_id:
                names = " ".join(self.tokenizer.convert_ids_to_tokens(parts))
                raise ValueError(
                    f"{what}: each word must be one token of the model, but {word} is {names}; leave it out"
                )
            ids.append(parts[0])
        return list(dict.fromkeys(ids))
