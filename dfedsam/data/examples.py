"""Labelled texts, and operations on every data set: holding out, sampling, and perturbing texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Label = int | str


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Labelled texts.

    Args:
        texts: n texts.
        seconds: second texts if the examples are pairs; otherwise empty.
        labels: their classes, 0 … classes − 1, shape (n,).
        classes: the labels as the data have them, in the order of their numbers.
        images: contents of the image files if the examples are images; their texts are then empty.
        names: the classes' names in the same order; None if unknown.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[Label, ...]
    names: tuple[str, ...] | None = None
    seconds: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()

    def take(self, numbers: NDArray) -> Examples:
        """The examples with these indices, in their order."""
        texts, seconds, images = (
            tuple(part[i] for i in numbers) if part else () for part in (self.texts, self.seconds, self.images)
        )
        return replace(self, texts=texts, labels=self.labels[numbers], seconds=seconds, images=images)

    def joined(self, more: Examples) -> Examples:
        """These examples, then more of the same classes."""
        labels = np.concatenate([self.labels, more.labels])
        texts, seconds, images = self.texts + more.texts, self.seconds + more.seconds, self.images + more.images
        return replace(self, texts=texts, labels=labels, seconds=seconds, images=images)


def draw(labels: NDArray, counts: NDArray, generator: np.random.Generator) -> NDArray:
    """Indices, in order, of counts[c] examples drawn without replacement from each class c."""
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:count] for label, count in enumerate(counts.tolist())
    ]
    return np.sort(np.concatenate(chosen))


def limited(examples: Examples, limit: int, generator: np.random.Generator) -> Examples:
    """At most `limit` examples, each class in proportion; all of them where `limit` is 0."""
    n = len(examples.labels)
    if not 0 < limit < n:
        return examples
    sizes = np.bincount(examples.labels)
    exact = sizes * (limit / n)
    counts = np.floor(exact).astype(np.int64)
    short = limit - counts.sum()
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1  # largest remainders
    return examples.take(draw(examples.labels, counts, generator))


def held_out(examples: Examples, share: float, generator: np.random.Generator) -> tuple[Examples, Examples]:
    """Train and test parts: `share` of each class is held out, at least one example of it and never all of it.

    Raises:
        ValueError: for a class with a single example.
    """
    sizes = np.bincount(examples.labels)
    if sizes.min() < 2:
        name = examples.classes[sizes.argmin()]
        message = (
            f"data has {sizes.min()} example(s) of the class {name}: at least 2 are needed, one of them to be held out"
        )
        raise ValueError(f"{message}; use more data, or a file of held-out examples")
    counts = np.clip(np.rint(share * sizes).astype(np.int64), 1, sizes - 1)
    test = draw(examples.labels, counts, generator)
    train = np.setdiff1d(np.arange(len(examples.labels)), test)
    return examples.take(train), examples.take(test)


def perturbed(examples: Examples, share: float, rng: np.random.Generator) -> Examples:
    """The same examples with some words of each text replaced at random; FedBPT divides losses by those on them.

    Args:
        examples: their texts, and second texts, are words with blanks between them.
        share: of each text's words, from 0 to 1, rounded to whole words; they are drawn from those of all texts.
        rng: the random numbers.
    """
    seconds = _perturbed(examples.seconds, share, rng) if examples.seconds else ()
    return replace(examples, texts=_perturbed(examples.texts, share, rng), seconds=seconds)


def _perturbed(texts: Sequence[str], share: float, rng: np.random.Generator) -> tuple[str, ...]:
    split = [text.split() for text in texts]
    vocabulary = np.array(sorted({word for words in split for word in words}), object)
    changed = []
    for words in split:
        replaced = rng.permutation(len(words))[: round(share * len(words))]
        own = np.array(words, object)
        own[replaced] = vocabulary[rng.integers(len(vocabulary), size=len(replaced))]
        changed.append(" ".join(own))
    return tuple(changed)
