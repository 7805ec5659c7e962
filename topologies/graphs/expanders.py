"""Sparse graphs from algebra that mix as well as random ones: Paley, Margulis, Petersen.

Gaps in the docstrings are those of Metropolis weights.
"""

from __future__ import annotations

from itertools import product
from math import isqrt

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.topologies.graph import AnyGraph, Graph, as_graph, same_pattern
from dfedsam.topologies.graphs.helpers import Edges, either, graph, in_networkx, nearby, of_edges, require_memory


@graph(hint="the smallest is 5")
def paley(n: int) -> Edges:
    """Elements of the field of n elements, joined where their difference is a square: (n - 1)/2 neighbours each.

    λ = (1 + √n)/(n + 1). Source: Paley (1933); Sachs (1962).

    Args:
        n: Number of peers: a prime, or a power of one, that is 1 modulo 4, such as 5, 9, 13, 17, 25.
    """
    if not _is_paley(n):
        hint = f"use {either(nearby(n, 5, _is_paley))}"
        raise OptionError("peers", n, "must be a power of a prime, and 1 modulo 4, for a Paley graph", hint)
    require_memory(n, n * n / 4)
    p = _smallest_factor(n)
    digits, squares = _field(p, n)
    place = p ** np.arange(digits.shape[1])
    joined = ((x, (digits[x] + squares) % p @ place) for x in range(n))
    return np.concatenate([np.column_stack([np.full(len(y), x), y])[x < y] for x, y in joined])


@graph(hint="the smallest is 4")
def margulis(n: int) -> Edges:
    """An expander: points (x, y) of an m × m torus, at most eight neighbours each, however many there are.

    Each is joined to (x ± 2y, y), (x ± (2y + 1), y), (x, y ± 2x) and (x, y ± (2x + 1)).
    Point (x, y) is peer x · m + y. Some of these eight fall on the point itself or on one another: here self-loops are
    left out and parallel edges count once, so that the graph is simple, and the gap is at least (8 - 5√2)/18 = 0.0516.
    Where they are kept, as in the literature, W = A/8 has λ₂ ≤ 5√2/8 for every m: for that W give
    `weights=dfedsam.topologies.graphs.expanders.margulis_weights`. Source: Gabber and Galil (1981), "Explicit
    constructions of linear-sized superconcentrators".

    Args:
        n: Number of peers, a square m² of m ≥ 2.
    """
    m = isqrt(n)
    if m < 2 or m * m != n:
        near = either((m * m, (m + 1) ** 2) if m >= 2 else (4,))
        raise OptionError("peers", n, "must be a square for a Margulis graph", f"use {near}")
    i, j = np.repeat(np.arange(n), 4), _sent(m).ravel()
    return np.column_stack([i, j])[i != j]


def margulis_weights(graph: AnyGraph) -> sp.csr_array:
    """W = A/8 of the Margulis graph with its self-loops and parallel edges: λ₂ ≤ 5√2/8."""
    graph = as_graph(graph)
    n, m = graph.n, isqrt(graph.n)
    ends = _sent(m) if m * m == n else np.zeros((n, 0), dtype=int)
    i, j = np.repeat(np.arange(n), ends.shape[1]), ends.ravel()
    half = sp.csr_array((np.full(len(i), 1 / 8), (i, j)), shape=(n, n))
    W = sp.csr_array(half + half.T)
    W.sum_duplicates()
    off = Graph(n, np.column_stack([i, j])[i != j]).adjacency
    if graph.directed or not same_pattern(off, graph.adjacency):
        rule = "must be used on the graph margulis alone"
        raise OptionError("weights", "margulis_weights", rule, "take another rule")
    return W


@in_networkx
def petersen() -> Graph:
    """Petersen's graph of 10 peers, three neighbours each, none further than two steps: λ = 1/2.

    Peers 0 to 4 are the outer ring, 5 to 9 the inner star (Petersen 1898).
    """
    outer, spokes = [(i, (i + 1) % 5) for i in range(5)], [(i, i + 5) for i in range(5)]
    return of_edges("petersen", 10, [*outer, *spokes, *((5 + i, 5 + (i + 2) % 5) for i in range(5))])


def _sent(m: int) -> NDArray[np.int64]:
    """The four ends of the edges that begin at each point of the m × m torus, shape (m², 4)."""
    x, y = np.divmod(np.arange(m * m), m)
    ends = ((x + 2 * y, y), (x + 2 * y + 1, y), (x, y + 2 * x), (x, y + 2 * x + 1))
    return np.stack([x % m * m + y % m for x, y in ends], axis=1)


def _is_paley(n: int) -> bool:
    """Whether n is 1 modulo 4 and a prime or a power of one."""
    if n < 5 or n % 4 != 1:
        return False
    p = _smallest_factor(n)
    while n % p == 0:
        n //= p
    return n == 1


def _smallest_factor(n: int) -> int:
    return next((p for p in range(2, isqrt(n) + 1) if n % p == 0), n)


def _field(p: int, q: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The field of q = p^k elements as digits modulo p: its elements, shape (q, k), and its squares ≠ 0, (q - 1)/2.

    Elements are polynomials in t modulo one of degree k, t^k = c(t). We try all c until the powers of t run through all
    elements but 0: then t generates the field, and its even powers are the squares.
    """
    k = next(k for k in range(1, q) if p**k == q)
    for c in product(range(p), repeat=k):
        powers, element = [], [1] + [0] * (k - 1)
        while True:
            powers.append(tuple(element))
            top = element[-1]
            element = [(low + top * factor) % p for low, factor in zip([0, *element[:-1]], c, strict=True)]
            if tuple(element) == powers[0] or not any(element) or len(powers) == q:
                break
        if len(powers) == q - 1:
            digits = np.arange(q)[:, None] // p ** np.arange(k) % p
            return digits, np.array(powers[::2])
    raise AssertionError(f"{q} is not a power of the prime {p}")
