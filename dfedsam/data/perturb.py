"""Texts with some of their words drawn at random: what FedBPT weighs losses against."""

from collections.abc import Sequence

import numpy as np


def perturbed(texts: Sequence[str], share: float, generator: np.random.Generator) -> tuple[str, ...]:
    """Each text with so many of its words, at places drawn at random, replaced by words drawn from those of all texts.

    Args:
        texts: words with blanks between them.
        share: of each text's words, 0 to 1; rounded to whole words.
        generator: the random numbers.
    """
    split = [text.split() for text in texts]
    vocabulary = np.array(sorted({word for words in split for word in words}), object)
    found = []
    for words in split:
        places = generator.permutation(len(words))[: round(share * len(words))]
        drawn = vocabulary[generator.integers(len(vocabulary), size=len(places))]
        changed = np.array(words, object)
        changed[places] = drawn
        found.append(" ".join(changed))
    return tuple(found)
