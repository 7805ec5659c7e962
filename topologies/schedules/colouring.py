"""The edges of a graph divided into matchings: sets of edges no two of which meet at a peer."""

from itertools import pairwise

import networkx as nx


def matchings_of(graph: nx.Graph) -> list[list[tuple[int, int]]]:
    """Divide the edges into at most Δ + 1 matchings, and into Δ where the graph is bipartite; Δ is the largest degree.

    The edges get their colours one after another: the first that is free at both ends; else one that becomes free when
    a path of two colours swaps them (all that bipartite graphs need: Kőnig 1916); else a fan of edges hands its colours
    on (Misra and Gries 1992, "A constructive proof of Vizing's theorem").

    Args:
        graph: Undirected, no self-loops.

    Returns:
        The matchings, none of them empty, as pairs i < j; the same for the same order of peers and edges.
    """
    painted = _Painted(graph)
    most = max((degree for _, degree in graph.degree()), default=0)
    for u, v in graph.edges():
        both = painted.free(u, v)
        if both >= most:
            both = painted.free(u)
            other = painted.free(v)
            path = painted.path(v, both, other)
            if path[-1] == u:
                painted.fan(u, v)
                continue
            painted.swap(path, both, other)
        painted.paint(u, v, both)
    return painted.by_colour()


class _Painted:
    """Which neighbour each peer has in each colour, at most one; colours are 0, 1, …"""

    def __init__(self, graph: nx.Graph) -> None:
        self.at: dict[int, dict[int, int]] = {peer: {} for peer in graph}

    def free(self, *peers: int) -> int:
        """The first colour that none of these peers has."""
        colour = 0
        while any(colour in self.at[peer] for peer in peers):
            colour += 1
        return colour

    def paint(self, u: int, v: int, colour: int) -> None:
        """Give the edge this colour."""
        self.at[u][colour], self.at[v][colour] = v, u

    def strip(self, u: int, v: int) -> int:
        """Take the edge's colour away, and return it."""
        colour = next(colour for colour, peer in self.at[u].items() if peer == v)
        del self.at[u][colour], self.at[v][colour]
        return colour

    def path(self, start: int, first: int, second: int) -> list[int]:
        """The peers along edges of the first colour, the second, the first, …; `start` does not have the second."""
        peers, colour = [start], first
        while colour in self.at[peers[-1]]:
            peers.append(self.at[peers[-1]][colour])
            colour = second if colour == first else first
        return peers

    def swap(self, path: list[int], first: int, second: int) -> None:
        """Give each edge of such a path the other colour."""
        edges = list(pairwise(path))
        colours = [self.strip(u, v) for u, v in edges]
        for (u, v), colour in zip(edges, colours, strict=True):
            self.paint(u, v, second if colour == first else first)

    def fan(self, u: int, v: int) -> None:
        """Paint the edge u–v by handing colours on around u, where nothing simpler helped."""
        fan = [v]
        while True:
            fits = (peer for colour, peer in self.at[u].items() if colour not in self.at[fan[-1]] and peer not in fan)
            peer = next(fits, None)
            if peer is None:
                break
            fan.append(peer)
        own, last = self.free(u), self.free(fan[-1])
        self.swap(self.path(u, last, own), last, own)  # now u does not have `last`
        end = 0  # the fan up to the first peer without `last`: Misra and Gries show that it is still a fan
        while last in self.at[fan[end]]:
            end += 1
        for peer, after in pairwise(fan[: end + 1]):
            self.paint(u, peer, self.strip(u, after))
        self.paint(u, fan[end], last)

    def by_colour(self) -> list[list[tuple[int, int]]]:
        """The edges of each colour."""
        found: dict[int, list[tuple[int, int]]] = {}
        for u, neighbours in self.at.items():
            for colour, v in neighbours.items():
                if u < v:
                    found.setdefault(colour, []).append((u, v))
        return [sorted(found[colour]) for colour in sorted(found)]
