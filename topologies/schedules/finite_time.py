"""Schedules after whose period all peers hold the exact mean, with few neighbours in any round.

A round is a set of weighted pairs of peers (`Pairs`); a schedule is a list of rounds. They are built for many equal
groups of peers side by side, as an array of shape (groups, peers of a group), so that one array operation serves all.
Source of all: Takezawa, Sato, Bao, Niwa and Yamada (2023), "Beyond exponential graph: communication-efficient
topologies for decentralized learning via finite-time convergence", arXiv 2305.11420.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import whole_number
from dfedsam.topologies.graphs.helpers import W_BYTES, checked_peers, require_memory
from dfedsam.topologies.matrices import from_pairs
from dfedsam.topologies.schedule import Periodic
from dfedsam.topologies.topology import Topology

_DEGREE = "1 sends least, larger ones need fewer rounds"


class Pairs(NamedTuple):
    """Who meets whom: peers i and j, and the weight they give each other; each of shape (pairs,)."""

    i: NDArray[np.integer]
    j: NDArray[np.integer]
    weight: NDArray[np.float64]


def hyper_hypercube(n: int, degree: int = 1) -> Topology:
    """The k-peer hyper-hypercube: n = n₁ ⋯ n_L with every factor at most k + 1, and as few factors as can be.

    In round l the peers that agree in all digits of their number but the l-th, digits taken in the bases n₁, …, n_L,
    take their mean: exact after L rounds. Symmetric. Source: algorithm 1.

    Args:
        n: number of peers, at least 2, without a prime factor above k + 1.
        degree: k, the most neighbours of a peer in a round, at least 1.
    """
    n, degree = _checked(n, degree)
    if _smooth_part(n, degree + 1) != n:
        below = next(m for m in range(n - 1, 0, -1) if _smooth_part(m, degree + 1) == m)
        above = next(m for m in range(n + 1, 2 * n) if _smooth_part(m, degree + 1) == m)
        rule = f"must have no prime factor above {degree + 1} in a hyper-hypercube of degree {degree}"
        raise OptionError("peers", n, rule, f"use {below} or {above}, a larger degree, or base for any number")
    return _schedule(n, _factorwise(np.arange(n)[None, :], degree))


def simple_base(n: int, degree: int = 1, inner_edges: bool = False) -> Topology:
    """The simple Base-(k+1) graph: the exact mean of any number of peers.

    n is written in base k + 1, and a block of peers stands for each digit other than zero. The blocks average within
    themselves, one after another shares its mean with all later blocks, and then averages again. Symmetric, at most
    2 log_{k+1} n + 2 rounds. Source: algorithm 2.

    The authors' code also lets the peers of a block that have no partner in the round in which it shares average among
    themselves (`inner_edges`, there the default). They hold the same vector then, so that the exact mean takes as many
    rounds without; with local steps between the rounds it makes single rounds' errors smaller, for 6 to 8 % more
    messages.

    Args:
        n: number of peers, at least 2.
        degree: k, the most neighbours of a peer in a round, at least 1.
        inner_edges: whether peers without a partner average, in groups of k + 1 in the order of their numbers.
    """
    n, degree = _checked(n, degree)
    return _schedule(n, _simple(np.arange(n)[None, :], degree, inner_edges))


def base(n: int, degree: int = 1, inner_edges: bool = False) -> Topology:
    """The Base-(k+1) graph: the exact mean of any number of peers, in no more rounds than `simple_base`.

    n = p · q, where q has no prime factor above k + 1 and p no other: q groups of p peers run the simple graph side by
    side, and then a hyper-hypercube joins the groups. Where the simple graph of all n peers is as short, it is taken.
    Symmetric. Source: algorithm 3.

    Args:
        n: number of peers, at least 2.
        degree: k, the most neighbours of a peer in a round, at least 1.
        inner_edges: as in `simple_base`.

    Examples:
        >>> from dfedsam.topologies import base
        >>> base(25).period, base(25, degree=4).period
        (9, 2)
    """
    n, degree = _checked(n, degree)
    simple = _simple(np.arange(n)[None, :], degree, inner_edges)
    groups = np.arange(n).reshape(_smooth_part(n, degree + 1), -1)
    joined = _simple(groups, degree, inner_edges) + _factorwise(groups.T, degree)
    return _schedule(n, min(simple, joined, key=len))


def _factorwise(peers: NDArray[np.integer], degree: int) -> list[Pairs]:
    """The rounds of a hyper-hypercube in each group, peers of shape (groups, n)."""
    rounds, after = [], 1
    for factor in _factors(peers.shape[1], degree + 1):
        digits = peers.reshape(len(peers), -1, factor, after)  # the digit of this round, and those below it
        one, other = np.triu_indices(factor, 1)
        i, j = digits[:, :, one].ravel(), digits[:, :, other].ravel()
        rounds.append(Pairs(i, j, np.full(len(i), 1 / factor)))
        after *= factor
    return rounds


def _checked(n: int, degree: int) -> tuple[int, int]:
    n, degree = checked_peers(n), whole_number("degree", degree, 1, _DEGREE)
    require_memory(n, n * min(degree, n - 1) / 2, W_BYTES)
    return n, degree


def _simple(peers: NDArray[np.integer], degree: int, inner_edges: bool) -> list[Pairs]:
    """The rounds of the simple Base-(k+1) graph in each group, peers of shape (groups, n)."""
    groups, n = peers.shape
    if _smooth_part(n, degree + 1) == n:
        return _factorwise(peers, degree)
    digits = _digits(n, degree + 1)
    ends = np.cumsum([count * size for count, size in digits])
    blocks = [
        peers[:, end - count * size : end].reshape(groups * count, size)  # its sub-blocks
        for (count, size), end in zip(digits, ends, strict=True)
    ]
    within = [_factorwise(block.reshape(groups, -1), degree) for block in blocks]
    rounds = [_joint(parts) for parts in zip_longest(*within, fillvalue=None)]
    shared = []
    for (count, size), end, block in zip(digits[:-1], ends[:-1], blocks[:-1], strict=True):
        later = peers[:, None, end:]  # all of them meet one peer of each sub-block
        partners = block.reshape(groups, count, size)[:, :, : n - end]
        i = np.broadcast_to(later, partners.shape).ravel()
        share = Pairs(i, partners.ravel(), np.full(len(i), size / (n - end + count * size)))
        idle = block.reshape(groups, count, size)[:, :, n - end :].reshape(groups, -1)
        shared.append(_joint((share, *_in_groups(idle, degree + 1))) if inner_edges else share)
    # Block j shares in round j of these, and its sub-blocks average from the next one on.
    again = [[None] * (j + 1) + _factorwise(block, degree) for j, block in enumerate(blocks[:-1])]
    rest = [[None] * j + [pairs] for j, pairs in enumerate(shared)]
    return rounds + [_joint(parts) for parts in zip_longest(*rest, *again, fillvalue=None)]


def _in_groups(peers: NDArray[np.integer], most: int) -> Iterator[Pairs]:
    """Peers of shape (groups, m) average in sets of at most `most`, in their order."""
    for start in range(0, peers.shape[1], most):
        members = peers[:, start : start + most]
        one, other = np.triu_indices(members.shape[1], 1)
        i, j = members[:, one].ravel(), members[:, other].ravel()
        yield Pairs(i, j, np.full(len(i), 1 / members.shape[1]))


def _joint(parts: Sequence[Pairs | None]) -> Pairs:
    """One round of what different peers do at the same time; None stands for nothing."""
    pairs = [part for part in parts if part is not None]
    return Pairs(*(np.concatenate(arrays) for arrays in zip(*pairs, strict=True)))


def _schedule(n: int, rounds: list[Pairs]) -> Periodic:
    """W_t of the rounds; rounds that are the same share one matrix."""
    seen: dict[tuple[bytes, ...], sp.csr_array] = {}
    matrices = []
    for pairs in rounds:
        W = from_pairs(n, *pairs)
        key = W.indptr.tobytes(), W.indices.tobytes(), W.data.tobytes()
        matrices.append(seen.setdefault(key, W))
    return Periodic(matrices)


def _digits(n: int, radix: int) -> list[tuple[int, int]]:
    """The digits of n other than zero, the highest first, each with the power of the radix that it counts."""
    digits, size = [], 1
    while n:
        n, count = divmod(n, radix)
        if count:
            digits.append((count, size))
        size *= radix
    return digits[::-1]


def _smooth_part(n: int, bound: int) -> int:
    """The largest divisor of n without a prime factor above `bound`."""
    rest = n
    for factor in range(2, bound + 1):
        while rest % factor == 0:
            rest //= factor
        if rest <= bound:
            return n
    return n // rest


@cache
def _factors(n: int, bound: int) -> tuple[int, ...]:
    """As few factors of n as can be, each from 2 to `bound`; n has no larger prime factor."""
    if n <= bound:
        return (n,) if n > 1 else ()
    fitting = [(factor, *_factors(n // factor, bound)) for factor in range(bound, 1, -1) if n % factor == 0]
    return min(fitting, key=len)
