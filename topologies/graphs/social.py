"""Networks that were observed among people, of fixed size; a peer's "label" is the name it had.

Strengths of ties are dropped. Gaps in docstrings are those of Metropolis weights. The data come with networkx.
"""

from __future__ import annotations

import networkx as nx

from dfedsam.topologies.normalize import normalize_graph


def davis() -> nx.Graph:
    """Southern women and the events they attended: 32 peers, 89 edges, gap 0.0821 (Davis, Gardner and Gardner 1941).

    Peers 0 to 17 are the women, 18 to 31 the events; every edge joins a woman and an event.
    """
    return _named("davis", nx.davis_southern_women_graph())


def karate() -> nx.Graph:
    """Members of a karate club who were friends outside it: 34 peers, 78 edges, gap 0.0312 (Zachary 1977)."""
    return _named("karate", nx.karate_club_graph())


def florentine() -> nx.Graph:
    """Marriages between families of Florence about 1430: 15 peers, 20 edges, gap 0.0574 (Padgett and Ansell 1993)."""
    return _named("florentine", nx.florentine_families_graph())


def les_miserables() -> nx.Graph:
    """Characters who meet in a chapter of Les Misérables: 77 peers, 254 edges, gap 0.00729 (Knuth 1993)."""
    return _named("les_miserables", nx.les_miserables_graph())


def _named(name: str, graph: nx.Graph) -> nx.Graph:
    graph = normalize_graph(graph)
    graph.graph["name"] = name
    return graph
