"""The edges of a graph divided into matchings: sets of edges no two of which share a peer."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx


def matchings_of(graph: nx.Graph) -> list[list[tuple[int, int]]]:
    """Divide the edges into at most Δ + 1 matchings, and into Δ where the graph is bipartite; Δ is the largest degree.

    The edges are coloured one after another: with the first colour that is free at both ends; else with one that
    becomes free when a path of two colours swaps them (all that bipartite graphs need: Kőnig 1916); else by rotating
    the colours of a fan (Misra and Gries 1992, "A constructive proof of Vizing's theorem").
    None is empty; pairs are i < j, the same for the same order of peers and edges.
    """
    colouring = _Colouring(graph)
    largest_degree = max((degree for _, degree in graph.degree()), default=0)
    for u, v in graph.edges():
        colour = colouring.first_free(u, v)
        if colour >= largest_degree:
            colour = colouring.first_free(u)
            other = colouring.first_free(v)
            path = colouring.path(v, colour, other)
            if path[-1] == u:
                colouring.colour_by_fan(u, v)
                continue
            colouring.swap(path, colour, other)
        colouring.paint(u, v, colour)
    return colouring.matchings()


class _Colouring:
    """The neighbour, at most one, that each peer has in each of the colours 0, 1, 2 and so on."""

    def __init__(self, graph: nx.Graph) -> None:
        self._neighbour: dict[int, dict[int, int]] = {peer: {} for peer in graph}

    def first_free(self, *peers: int) -> int:
        """The first colour that none of these peers has."""
        colour = 0
        while any(colour in self._neighbour[peer] for peer in peers):
            colour += 1
        return colour

    def paint(self, u: int, v: int, colour: int) -> None:
        """Give the edge this colour."""
        self._neighbour[u][colour], self._neighbour[v][colour] = v, u

    def strip(self, u: int, v: int) -> int:
        """Take the edge's colour away, and return it."""
        colour = next(colour for colour, peer in self._neighbour[u].items() if peer == v)
        del self._neighbour[u][colour], self._neighbour[v][colour]
        return colour

    def path(self, start: int, first: int, second: int) -> list[int]:
        """The peers along edges of the first colour, the second, the first, …; `start` does not have the second."""
        peers, colour = [start], first
        while colour in self._neighbour[peers[-1]]:
            peers.append(self._neighbour[peers[-1]][colour])
            colour = second if colour == first else first
        return peers

    def swap(self, path: list[int], first: int, second: int) -> None:
        """Give each edge of such a path the other colour."""
        edges = list(pairwise(path))
        colours = [self.strip(u, v) for u, v in edges]
        for (u, v), colour in zip(edges, colours, strict=True):
            self.paint(u, v, second if colour == first else first)

    def colour_by_fan(self, u: int, v: int) -> None:
        """Colour the edge u–v by rotating colours around u, where nothing simpler helped."""
        fan = [v]
        while (peer := self._next_of_fan(u, fan)) is not None:
            fan.append(peer)
        free, last = self.first_free(u), self.first_free(fan[-1])
        self.swap(self.path(u, last, free), last, free)  # now u does not have `last`
        end = 0  # the fan up to the first peer without `last`: Misra and Gries show that it is still a fan
        while last in self._neighbour[fan[end]]:
            end += 1
        for peer, after in pairwise(fan[: end + 1]):
            self.paint(u, peer, self.strip(u, after))
        self.paint(u, fan[end], last)

    def _next_of_fan(self, u: int, fan: list[int]) -> int | None:
        """A neighbour of u outside the fan whose colour is free at the fan's last peer."""
        free_at_last = (
            peer
            for colour, peer in self._neighbour[u].items()
            if colour not in self._neighbour[fan[-1]] and peer not in fan
        )
        return next(free_at_last, None)

    def matchings(self) -> list[list[tuple[int, int]]]:
        """The edges of each colour."""
        edges: dict[int, list[tuple[int, int]]] = {}
        for u, neighbours in self._neighbour.items():
            for colour, v in neighbours.items():
                if u < v:
                    edges.setdefault(colour, []).append((u, v))
        return [sorted(edges[colour]) for colour in sorted(edges)]
