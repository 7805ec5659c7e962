"""Labelled texts: holding out, sampling and perturbing them, and plug-ins that divide them among the peers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import Options, option, positive, whole_number

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

    A share of each text's words, from 0 to 1, rounded to whole words, is replaced by words drawn from those of all
    texts.
    """
    seconds = _perturbed(examples.seconds, share, rng) if examples.seconds else ()
    return replace(examples, texts=_perturbed(examples.texts, share, rng), seconds=seconds)


def _perturbed(texts: Sequence[str], share: float, rng: np.random.Generator) -> tuple[str, ...]:
    split = [text.split() for text in texts]
    vocabulary = np.array(sorted({word for words in split for word in words}), object)
    changed = []
    for words in split:
        replaced = rng.permutation(len(words))[: round(share * len(words))]
        variant = np.array(words, object)
        variant[replaced] = vocabulary[rng.integers(len(vocabulary), size=len(replaced))]
        changed.append(" ".join(variant))
    return tuple(changed)


@dataclass(frozen=True, kw_only=True)
class Split(Options, ABC):
    """Assigns examples to peers."""

    @abstractmethod
    def shares(self, labels: NDArray, peers: int, generator: np.random.Generator) -> list[NDArray]:
        """A first assignment of example numbers to peers, every example once; a part may be empty."""

    def split(self, labels: NDArray, peers: int, min_examples: int, generator: np.random.Generator) -> list[NDArray]:
        """Assign every example to exactly one peer.

        A peer with fewer than `min_examples` gets the missing ones, drawn at random, from the peers that have most.

        Args:
            labels: class of each example, shape (n,).
            peers: number of peers.
            min_examples: examples that every peer must get, at least 1.
            generator: the random numbers, from the run's seed; the same on every rank.

        Returns:
            One array of example numbers per peer, in rising order.

        Raises:
            ValueError: if there are fewer than peers · min_examples examples.
        """
        whole_number("min_examples", min_examples, 1)
        if peers * min_examples > len(labels):
            rule = f"must be at most {len(labels) // peers}: {peers} peers share {len(labels)} training examples"
            raise OptionError("min_examples", min_examples, rule, "use fewer peers, or more data")
        parts = [generator.permutation(part) for part in self.shares(labels, peers, generator)]
        sizes = np.array([len(part) for part in parts])
        while sizes.min() < min_examples:
            poor, rich = int(sizes.argmin()), int(sizes.argmax())
            moved = min(min_examples - sizes[poor], max(1, (sizes[rich] - min_examples) // 2))
            parts[poor], parts[rich] = np.concatenate([parts[poor], parts[rich][:moved]]), parts[rich][moved:]
            sizes[poor] += moved
            sizes[rich] -= moved
        return [np.sort(part) for part in parts]


@dataclass(frozen=True, kw_only=True)
class IID(Split):
    """Equal parts at random."""

    def shares(self, labels: NDArray, peers: int, generator: np.random.Generator) -> list[NDArray]:
        return np.array_split(generator.permutation(len(labels)), peers)


@dataclass(frozen=True, kw_only=True)
class Dirichlet(Split):
    """Each class is divided in proportions drawn from a Dirichlet distribution (Hsu et al., 2019, arXiv:1909.06335).

    Args:
        alpha: concentration, above 0: 0.1 gives most peers one or two classes, 100 is almost IID.
    """

    alpha: float = option(0.3, positive, "0.3 and 0.6 are common")

    def shares(self, labels: NDArray, peers: int, generator: np.random.Generator) -> list[NDArray]:
        parts: list[list[NDArray]] = [[] for _ in range(peers)]
        for label in np.unique(labels):
            members = generator.permutation(np.flatnonzero(labels == label))
            for part, piece in zip(
                parts, np.split(members, _ends(peers, self.alpha, len(members), generator)), strict=True
            ):
                part.append(piece)
        return [np.concatenate(part) for part in parts]


@dataclass(frozen=True, kw_only=True)
class Shards(Split):
    """Examples sorted by class and cut into equal shards, some for each peer (McMahan et al., 2017, section 3).

    Args:
        per_peer: shards per peer, at least 1; roughly an upper bound of a peer's number of classes.
    """

    per_peer: int = option(2, whole_number, 1)

    def shares(self, labels: NDArray, peers: int, generator: np.random.Generator) -> list[NDArray]:
        order = generator.permutation(len(labels))
        shards = np.array_split(order[np.argsort(labels[order], kind="stable")], peers * self.per_peer)
        assigned = generator.permutation(len(shards)).reshape(peers, self.per_peer)
        return [np.concatenate([shards[number] for number in numbers]) for numbers in assigned]


@dataclass(frozen=True, kw_only=True)
class QuantitySkew(Split):
    """Classes at random, but sizes drawn from a Dirichlet distribution (Li et al., 2022, section IV.C).

    Args:
        alpha: concentration, above 0: small values make few peers hold most examples.
    """

    alpha: float = option(0.5, positive, "0.5 is common")

    def shares(self, labels: NDArray, peers: int, generator: np.random.Generator) -> list[NDArray]:
        ends = _ends(peers, self.alpha, len(labels), generator)
        return np.split(generator.permutation(len(labels)), ends)


def _ends(peers: int, alpha: float, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Where parts of `count` examples in drawn proportions end, but for the last, shape (peers − 1,)."""
    shares = generator.dirichlet(np.full(peers, alpha))
    if not np.isclose(shares.sum(), 1):  # a tiny alpha underflows: its limit gives all to one peer
        shares = np.eye(peers)[generator.integers(peers)]
    return np.rint(np.cumsum(shares)[:-1] * count).astype(np.int64)
