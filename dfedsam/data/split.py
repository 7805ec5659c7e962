"""How the examples are divided among the peers. Each split is a plug-in: options and one method."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.options import Options, option
from dfedsam.validation import positive, whole_number


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
            raise ValueError(
                f"min_examples is {min_examples}: {peers} peers with {min_examples} each need {peers * min_examples} "
                f"training examples, but there are {len(labels)}; use fewer peers, a smaller min_examples or more data"
            )
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
