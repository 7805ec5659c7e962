"""Epidemic Learning: in every round each peer sends to a few random others, which average the received vectors.

Source of all: de Vos, Farhadkhani, Guerraoui, Kermarrec, Pires and Sharma (2023), "Epidemic Learning: boosting
decentralized learning with randomized communication", arXiv 2310.01972.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.graphs.helpers import W_BYTES, below, checked_peers, require_memory
from dfedsam.topologies.schedule import Drawn
from dfedsam.topologies.schedules.randomized import draw_distinct
from dfedsam.topologies.topology import Topology
from dfedsam.validation import whole_number

_DEGREE = "the usual is log₂ of the peers, rounded down"


def el_oracle(n: int, degree: int | None = None, seed: int = 0) -> Topology:
    """EL-Oracle: an oracle draws a regular directed graph, so that every peer also hears as many as it sends to.

    W_t has the weights 1/(s + 1), and is doubly stochastic. Expected contraction (1 - s/(n - 1))/(s + 1). Departs from
    the paper in how the graph is drawn: s random offsets around a ring of the peers in random order. So each peer hears
    s uniformly random others, on which alone the contraction depends, but not all regular graphs can occur. s · n
    vectors a round.

    Args:
        n: number of peers, at least 2.
        degree: s, to how many others a peer sends, from 1 to n - 1; None takes ⌊log₂ n⌋.
        seed: at least 0.

    Raises:
        OptionError: if an option is out of range.
    """
    return EpidemicOracle(*_checked(n, degree, seed))


def el_local(n: int, degree: int | None = None, seed: int = 0) -> Topology:
    """EL-Local: each peer sends to random others of its own choice, which average all they get with equal weights.

    Rows of W_t sum to one, columns only in expectation: the mean drifts at random, but without bias
    (`unbiased_in_mean`). The number of senders of a peer is random; a peer without senders keeps its own vector. The
    expected contraction of the squared distance to the mean before the round is (1 - (1 - s/(n - 1))ⁿ)/s - 1/(n - 1). s
    · n vectors a round.

    Args:
        n: number of peers, at least 2.
        degree: s, to how many others a peer sends, from 1 to n - 1; None takes ⌊log₂ n⌋.
        seed: at least 0.

    Raises:
        OptionError: if an option is out of range.

    Examples:
        >>> from dfedsam.topologies import el_local
        >>> el_local(64).weights(0).nnz == 64 + 64 * 6
        True
    """
    return EpidemicLocal(*_checked(n, degree, seed))


class EpidemicOracle(Drawn):
    """A random regular digraph in every round; made by `el_oracle`."""

    directed = True

    def __init__(self, n: int, degree: int, seed: int) -> None:
        super().__init__(n, seed)
        self.degree = degree

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        n, order = self.n, rng.permutation(self.n)
        offsets = 1 + draw_distinct(n - 1, 1, self.degree, rng)
        senders = order[(np.arange(n)[:, None] + offsets) % n]
        return _from_arcs(n, np.repeat(order, self.degree), senders.ravel())

    def contraction(self) -> float:
        """(1 - s/(n - 1))/(s + 1)."""
        return (1 - self.degree / (self.n - 1)) / (self.degree + 1)


class EpidemicLocal(Drawn):
    """Random recipients in every round; made by `el_local`."""

    directed, sums, unbiased_in_mean = True, "rows", True

    def __init__(self, n: int, degree: int, seed: int) -> None:
        super().__init__(n, seed)
        self.degree = degree

    def draw(self, rng: np.random.Generator) -> sp.csr_array:
        n, others = self.n, draw_distinct(self.n - 1, self.n, self.degree, rng)
        recipients = others + (others >= np.arange(n)[:, None])  # all but oneself
        return _from_arcs(n, recipients.ravel(), np.repeat(np.arange(n), self.degree))

    def contraction(self) -> float:
        """(1 - (1 - s/(n - 1))ⁿ)/s - 1/(n - 1), of the squared distance to the mean before the round."""
        n, s = self.n, self.degree
        return (1 - (1 - s / (n - 1)) ** n) / s - 1 / (n - 1)


def _from_arcs(n: int, receivers: NDArray[np.integer], senders: NDArray[np.integer]) -> sp.csr_array:
    """W of shape (n, n) in which each peer takes the mean of its own vector and of those it receives."""
    peers = np.arange(n)
    row, column = np.concatenate([receivers, peers]), np.concatenate([senders, peers])
    W = sp.csr_array(((1 / np.bincount(row))[row], (row, column)), shape=(n, n))
    W.sort_indices()
    return W


def _checked(n: int, degree: int | None, seed: int) -> tuple[int, int, int]:
    n = checked_peers(n)
    degree = whole_number("degree", n.bit_length() - 1 if degree is None else degree, 1, _DEGREE)
    below("degree", degree, n)
    require_memory(n, n * degree, W_BYTES)
    return n, degree, whole_number("seed", seed, 0, "give 0 or more")
