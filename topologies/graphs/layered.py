"""Graphs whose peers stand in layers, each peer joined to peers of the layers next to its own: trees, bipartite graphs.

Gaps in the docstrings are those of Metropolis weights.
"""

import networkx as nx

from dfedsam.errors import OptionError
from dfedsam.topologies.graphs.building import TWO, build
from dfedsam.validation import whole_number


def binary_tree(n: int) -> nx.Graph:
    """A balanced binary tree: the neighbours of peer i are its parent (i - 1) // 2 and its children 2i + 1 and 2i + 2.

    All layers but the last are full, and the last is filled from the left, as in a heap. Peer 0 is the root.

    Args:
        n: Number of peers, at least 2; 2^k - 1 fill the last layer too.

    Raises:
        ValueError: if n is below 2.
    """
    return _tree("binary_tree", n, 2)


def tree(n: int, children: int = 3) -> nx.Graph:
    """A balanced tree: the children of peer i are the peers from i · children + 1 on. Peer 0 is the root.

    All layers but the last are full, and the last is filled from the left.

    Args:
        n: Number of peers, at least 2.
        children: Children of each peer that is not in the last layers, at least 1 (a path); 2 is `binary_tree`.

    Raises:
        ValueError: if n is below 2 or children below 1.
    """
    return _tree("tree", n, whole_number("children", children, 1, "the usual is 3"))


def complete_bipartite(n: int, left: int | None = None) -> nx.Graph:
    """Two sides, each peer joined to all of the other side and to none of its own.

    With a and b peers on the sides and m = 1 + max(a, b), the eigenvalues of W are 1, 1 - (a + b)/m, 1 - a/m (b - 1
    times) and 1 - b/m (a - 1 times).

    Args:
        n: Number of peers, at least 2.
        left: Peers on the first side, which are numbered first: at least 1 and below n; None takes half, rounded down.

    Raises:
        ValueError: if n is below 2 or left out of range.
    """
    n = whole_number("peers", n, 2, TWO)
    left = n // 2 if left is None else whole_number("left", left, 1, "the usual is half the peers")
    if left >= n:
        raise OptionError("left", left, f"must be below the number of peers ({n})", "use less, or more peers")
    return build("complete_bipartite", n, ((i, j) for i in range(left) for j in range(left, n)))


def _tree(name: str, n: int, children: int) -> nx.Graph:
    n = whole_number("peers", n, 2, TWO)
    return build(name, n, (((i - 1) // children, i) for i in range(1, n)))
